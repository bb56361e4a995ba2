package liveperson_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
	"parley/liveperson"
)

const someone = "sms/+15550100200"

func uploads(ctx context.Context, c *liveperson.Client) error {
	_, err := c.Upload(ctx, liveperson.Upload{Consumer: someone, Type: "jpg", Size: 5, Body: strings.NewReader("bytes")})
	return err
}

func downloads(ctx context.Context, c *liveperson.Client) error {
	got, err := c.Download(ctx, liveperson.Download{Consumer: someone, Path: uploadPath})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	_, err = io.ReadAll(got.Body)
	return err
}

func TestAFileGoesToTheStoreAndBack(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	content := strings.Repeat("a picture ", 100_000)
	path, err := client.Upload(t.Context(), liveperson.Upload{
		Consumer: someone, Type: "image/jpeg", Size: int64(len(content)), Body: strings.NewReader(content),
	})
	require.NoError(t, err)
	require.Equal(t, uploadPath, path)
	require.Equal(t, content, cloud.held(uploadPath))
	var sent wire
	require.NoError(t, json.Unmarshal([]byte(cloud.body(send)), &sent))
	require.Equal(t, map[string]any{"fileSize": "1000000", "fileType": "JPEG"}, sent.Body)

	got, err := client.Download(t.Context(), liveperson.Download{Consumer: someone, Path: path})
	require.NoError(t, err)
	require.Equal(t, int64(len(content)), got.Size)
	require.Equal(t, "application/pdf", got.MIME)
	read, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	require.NoError(t, got.Body.Close())
	require.Equal(t, content, string(read))
}

func TestAnAddressThatHasExpiredIsAskedForOnceAgain(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *liveperson.Client) error{"upload": uploads, "download": downloads} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			cloud.put(uploadPath, "bytes")
			client := cloud.client()
			cloud.next(swift, says(401, ``))
			require.NoError(t, call(t.Context(), client))
			require.Equal(t, 2, cloud.count(swift))
			require.Equal(t, 2, cloud.count(send), "each address is asked for")
			require.Equal(t, "bytes", cloud.held(uploadPath), "it was read from its start")

			cloud.next(swift, says(401, consumersWords), says(401, consumersWords))
			err := call(t.Context(), client)
			require.Equal(t, fault.Transient, fault.ClassOf(err), "the account is not refused: %v", err)
			require.Equal(t, 4, cloud.count(swift), "no third address")
			requireClean(t, err)
		})
	}
}

func TestTheStoreIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		service  string
		status   int
		body     string
		upload   fault.Class
		code     string
		download fault.Class
		gone     string
	}{
		"not there":                 {swift, 404, ``, fault.Rejected, liveperson.CodeFileGone, fault.Rejected, liveperson.CodeFileGone},
		"gone":                      {swift, 410, ``, fault.Rejected, liveperson.CodeFileGone, fault.Rejected, liveperson.CodeFileGone},
		"too large":                 {swift, 413, ``, fault.Rejected, liveperson.CodeTooLarge, fault.Rejected, liveperson.CodeFileGone},
		"forbidden":                 {swift, 403, ``, fault.Transient, "403", fault.Transient, "403"},
		"throttled":                 {swift, 429, ``, fault.Throttled, "429", fault.Throttled, "429"},
		"down":                      {swift, 503, consumersWords, fault.Transient, "503", fault.Transient, "503"},
		"led elsewhere":             {swift, 302, ``, fault.Transient, "302", fault.Transient, "302"},
		"half a file":               {swift, 206, ``, "", "", fault.Transient, "206"},
		"no address":                {send, 200, `{"code":"OK","body":{}}`, fault.Transient, "", fault.Transient, ""},
		"an address of nothing":     {send, 200, `{"code":"OK","body":{"relativePath":"//","queryParams":{}}}`, fault.Transient, "", fault.Transient, ""},
		"an unknown path, or size":  {send, 400, `{"code":400,"body":{"errorCode":40000}}`, fault.Rejected, "40000", fault.Rejected, liveperson.CodeFileGone},
		"no address, for a while":   {send, 500, ``, fault.Transient, "500", fault.Transient, "500"},
		"credentials are not taken": {send, 403, ``, fault.Denied, "403", fault.Denied, "403"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for call, want := range map[string]fault.Class{"upload": c.upload, "download": c.download} {
				cloud := newCloud(t)
				cloud.put(uploadPath, "bytes")
				cloud.next(c.service, says(c.status, c.body, "Location", "http://127.0.0.1:1/"))
				f, code := uploads, c.code
				if call == "download" {
					f, code = downloads, c.gone
				}
				err := f(t.Context(), cloud.client())
				require.Equal(t, want, fault.ClassOf(err), "%s: %v", call, err)
				if err != nil {
					require.Equal(t, code, fault.CodeOf(err), call)
					requireClean(t, err)
				}
				require.Equal(t, 1, cloud.count(c.service))
			}
		})
	}
}

func TestAFileThatIsNone(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	for _, u := range []liveperson.Upload{{Consumer: someone, Type: "JPG"}, {Consumer: someone, Type: "JPG", Body: strings.NewReader("")}} {
		_, err := cloud.client().Upload(t.Context(), u)
		require.Equal(t, fault.Rejected, fault.ClassOf(err))
	}
	require.Zero(t, cloud.count(send))
}

// An account without a store is no reason to hold up its texts.
func TestAnAccountWithoutAStore(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	require.NoError(t, publish(t.Context(), client))
	cloud.next(domainAPI, says(404, ``))
	err := uploads(t.Context(), client)
	require.Equal(t, fault.Rejected, fault.ClassOf(err), "%v", err)
}

func TestAStoreThatMoved(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	require.NoError(t, publish(t.Context(), client))
	cloud.next(domainAPI, says(200, `{"service":"swift","baseURI":"127.0.0.1:1/gone"}`))
	require.Equal(t, fault.Transient, fault.ClassOf(uploads(t.Context(), client)))
	cloud.pass(time.Minute)
	require.NoError(t, uploads(t.Context(), client))
	require.Equal(t, "bytes", cloud.held(uploadPath))
}

// sluggish is a file whose second half is there only once the first has arrived.
type sluggish struct {
	size    int64
	arrived chan struct{}
}

func (s *sluggish) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	if off >= s.size/2 {
		<-s.arrived
	}
	n := min(int64(len(p)), s.size-off)
	return int(n), nil
}

func TestAFileIsNeverHeldAsAWhole(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	file := &sluggish{size: 8 << 20, arrived: make(chan struct{})}
	cloud.next(swift, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.CopyN(io.Discard, r.Body, 1<<20)
		if err == nil {
			close(file.arrived)
			_, err = io.Copy(io.Discard, r.Body)
		}
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusCreated)
	})
	client := cloud.client()
	_, err := client.Upload(t.Context(), liveperson.Upload{Consumer: someone, Type: "GIF", Size: file.size, Body: file})
	require.NoError(t, err)

	release := make(chan struct{})
	cloud.next(swift, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = w.Write(make([]byte, 1<<20))
	})
	got, err := client.Download(t.Context(), liveperson.Download{Consumer: someone, Path: uploadPath})
	require.NoError(t, err)
	require.Equal(t, int64(-1), got.Size, "the store did not say")
	_, err = io.CopyN(io.Discard, got.Body, 1<<20)
	require.NoError(t, err)
	close(release)
	n, err := io.Copy(io.Discard, got.Body)
	require.NoError(t, err)
	require.Equal(t, int64(1<<20), n)
	require.NoError(t, got.Body.Close())
}

func TestAFileThatBreaksOff(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	cloud.next(swift, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
	})
	err := downloads(t.Context(), client)
	require.Equal(t, fault.Transient, fault.ClassOf(err), "%v", err)
	require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
	requireClean(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cloud.next(swift, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	err = downloads(ctx, client)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, fault.Transient, fault.ClassOf(err), "%v", err)
	requireClean(t, err)

	cloud.next(swift, hangUp)
	err = uploads(t.Context(), client)
	require.Equal(t, fault.Transient, fault.ClassOf(err), "nobody has seen it: %v", err)
}

type unreadable struct{}

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, errors.New("read /tmp/words") }

func TestAFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	_, err := cloud.client().Upload(t.Context(), liveperson.Upload{Consumer: someone, Type: "PNG", Size: 9, Body: unreadable{}})
	require.Equal(t, fault.Transient, fault.ClassOf(err))
	requireClean(t, err)
	require.Empty(t, cloud.held(uploadPath))
}
