package channels

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
)

// files serves what a test asks for, and is a host that may be asked.
func files(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// quietly is the error, which must hold nothing of the URL.
func quietly(t *testing.T, err error) error {
	t.Helper()
	require.Error(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v", err, err), "hidden")
	require.Equal(t, CodeFileGone, fault.CodeOf(err))
	return err
}

func TestDownload(t *testing.T) {
	t.Parallel()
	s := files(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "k" || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("got %v", r.Header)
		}
		w.Header().Set("Content-Type", "image/png; charset=binary")
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "\x89PNG")
	})
	f, err := NewDownloads("test: fetch", Guarded(s.URL)).Get(t.Context(), s.URL+"/f?token=hidden", http.Header{"X-Key": {"k"}})
	require.NoError(t, err)
	require.EqualValues(t, 4, f.Size)
	require.Equal(t, "image/png", f.MIME)
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "\x89PNG", string(b))
	require.NoError(t, f.Close())
	require.NoError(t, f.Close(), "closed twice")
}

func TestDownloadOfUnknownLength(t *testing.T) {
	t.Parallel()
	s := files(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "x")
	})
	f, err := NewDownloads("test: fetch", Guarded(s.URL)).Get(t.Context(), s.URL, nil)
	require.NoError(t, err)
	defer f.Close()
	require.EqualValues(t, -1, f.Size)
}

func TestDownloadThatIsRefused(t *testing.T) {
	t.Parallel()
	credentials := http.Header{"Authorization": {"Basic hidden"}}
	for _, row := range []struct {
		status int
		header http.Header
		class  fault.Class
		after  time.Duration
	}{
		{status: 404, class: fault.Rejected}, {status: 410, class: fault.Rejected}, {status: 400, class: fault.Rejected}, {status: 451, class: fault.Rejected},
		{status: 401, class: fault.Rejected}, {status: 403, class: fault.Rejected},
		{status: 401, header: credentials, class: fault.Denied}, {status: 403, header: credentials, class: fault.Denied},
		{status: 404, header: credentials, class: fault.Rejected},
		{status: 204, class: fault.Rejected}, {status: 206, class: fault.Rejected}, {status: 304, class: fault.Rejected}, {status: 302, class: fault.Rejected},
		{status: 408, class: fault.Transient}, {status: 500, class: fault.Transient}, {status: 503, class: fault.Transient, after: 7 * time.Second},
		{status: 429, class: fault.Throttled, after: 7 * time.Second},
	} {
		t.Run(fmt.Sprint(row.status, len(row.header)), func(t *testing.T) {
			t.Parallel()
			s := files(t, func(w http.ResponseWriter, _ *http.Request) {
				if row.after > 0 {
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(row.status)
			})
			_, err := NewDownloads("test: fetch", Guarded(s.URL)).Get(t.Context(), s.URL+"/hidden", row.header)
			require.Equal(t, row.class, fault.ClassOf(quietly(t, err)))
			require.Equal(t, row.after, fault.RetryAfter(err))
		})
	}
}

func TestDownloadFromNowhere(t *testing.T) {
	t.Parallel()
	d := NewDownloads("test: fetch", Guarded())
	for _, link := range []string{"", "hidden", "/hidden", "ftp://a.test/hidden", "file:///etc/hidden", "http:///hidden", "javascript:hidden", "http://a b/hidden", "gopher://a.test"} {
		_, err := d.Get(t.Context(), link, nil)
		require.Equal(t, fault.Rejected, fault.ClassOf(quietly(t, err)), link)
	}
	s := secretServer(t, "tcp4", "127.0.0.1:0")
	for _, link := range []string{s.URL + "/hidden", "http://[::1]:1/hidden", "http://169.254.169.254/hidden"} {
		_, err := d.Get(t.Context(), link, nil)
		require.Equal(t, fault.Rejected, fault.ClassOf(quietly(t, err)), link)
		require.ErrorIs(t, err, ErrPrivate)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := NewDownloads("test: fetch", Guarded(gone.URL)).Get(t.Context(), gone.URL+"/hidden", nil)
	require.Equal(t, fault.Transient, fault.ClassOf(quietly(t, err)))
}

func TestDownloadIsRedirected(t *testing.T) {
	t.Parallel()
	var target func(n string) string
	handler := func(w http.ResponseWriter, r *http.Request) {
		if to := target(strings.TrimPrefix(r.URL.Path, "/")); to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		if r.Header.Get("Referer") != "" {
			t.Error("the address of the first is told to the second")
		}
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+r.Header.Get("X-Key"))
	}
	first, other := files(t, handler), files(t, handler)
	secure := httptest.NewTLSServer(http.HandlerFunc(handler))
	t.Cleanup(secure.Close)
	shut := secretServer(t, "tcp4", "127.0.0.1:0")
	target = func(n string) string {
		return map[string]string{
			"near": "/file", "far": other.URL + "/file", "there-and-back": other.URL + "/back", "back": first.URL + "/file",
			"1": "/2", "2": "/3", "3": "/4", "4": "/5", "5": "/file", "0": "/1", "round": "/round",
			"private": shut.URL + "/hidden", "metadata": "http://169.254.169.254/hidden", "elsewhere": "file:///hidden", "ftp": "ftp://a.test/hidden", "down": first.URL + "/file",
		}[n]
	}
	transport := Guarded(first.URL, other.URL, secure.URL)
	transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	d := NewDownloads("test: fetch", transport)
	get := func(link string) (string, error) {
		f, err := d.Get(t.Context(), link, http.Header{"Authorization": {"A"}, "X-Key": {"K"}})
		if err != nil {
			return "", err
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		return string(b), err
	}
	for path, want := range map[string]string{"file": "AK", "near": "AK", "1": "AK", "far": "", "there-and-back": ""} {
		got, err := get(first.URL + "/" + path)
		require.NoError(t, err, path)
		require.Equal(t, want, got, path)
	}
	for _, path := range []string{"0", "round", "private", "metadata", "elsewhere", "ftp"} {
		_, err := get(first.URL + "/" + path)
		require.Equal(t, fault.Rejected, fault.ClassOf(quietly(t, err)), path)
	}
	got, err := get(secure.URL + "/near")
	require.NoError(t, err)
	require.Equal(t, "AK", got)
	_, err = get(secure.URL + "/down")
	require.Equal(t, fault.Rejected, fault.ClassOf(quietly(t, err)), "from https to http")
}

func TestDownloadThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := files(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	f, err := NewDownloads("test: fetch", Guarded(s.URL)).Get(t.Context(), s.URL+"/hidden", nil)
	require.NoError(t, err)
	defer f.Close()
	_, err = io.ReadAll(f)
	require.Equal(t, fault.Transient, fault.ClassOf(quietly(t, err)))
}

func TestDownloadThatIsTooSlow(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	s := files(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/answer" {
			<-over
			return
		}
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			if r.URL.Path == "/stalls" {
				<-over
				return
			}
		}
	})
	t.Cleanup(func() { close(over) })
	of := func(all, stall time.Duration) *Downloads {
		d := NewDownloads("test: fetch", Guarded(s.URL))
		d.time, d.stall = all, stall
		return d
	}
	_, err := of(time.Hour, 50*time.Millisecond).Get(t.Context(), s.URL+"/answer", nil)
	require.Equal(t, fault.Transient, fault.ClassOf(quietly(t, err)))
	require.ErrorIs(t, err, errTooSlow)
	for path, d := range map[string]*Downloads{"/stalls": of(time.Hour, 300*time.Millisecond), "/trickles": of(300*time.Millisecond, time.Hour)} {
		f, err := d.Get(t.Context(), s.URL+path, nil)
		require.NoError(t, err, path)
		_, err = io.Copy(io.Discard, f)
		require.Equal(t, fault.Transient, fault.ClassOf(quietly(t, err)), path)
		require.ErrorIs(t, err, errTooSlow, path)
		require.NoError(t, f.Close())
	}
}

func TestDownloadThatIsGivenUp(t *testing.T) {
	t.Parallel()
	s := files(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	f, err := NewDownloads("test: fetch", Guarded(s.URL)).Get(ctx, s.URL, nil)
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(f)
	require.Equal(t, fault.Transient, fault.ClassOf(quietly(t, err)))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, f.Close())
}

func TestLimitsCarry(t *testing.T) {
	t.Parallel()
	l := Limits{Media: []Media{{MIME: "image/png", Size: 10}, {MIME: "audio/", Size: 20}}}
	for mime, size := range map[string]int64{"image/png": 10, "IMAGE/PNG; x=y": 0, "audio/ogg": 20} {
		require.True(t, l.Carries(mime, size), mime)
	}
	for mime, size := range map[string]int64{"image/png": 11, "image/jpeg": 1, "": 1, "audio": 1, "audio/ogg": 21, "image/pngx": 1} {
		require.False(t, l.Carries(mime, size), mime)
	}
	require.True(t, Limits{Media: []Media{{Size: 1}}}.Carries("", 1))
	require.False(t, Limits{}.Carries("image/png", 0))
}

// What is allocated does not grow with the file.
func BenchmarkDownload(b *testing.B) {
	const size = 16 << 20
	chunk := make([]byte, 64<<10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range size / len(chunk) {
			_, _ = w.Write(chunk)
		}
	}))
	b.Cleanup(s.Close)
	d := NewDownloads("test: fetch", Guarded(s.URL))
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		f, err := d.Get(b.Context(), s.URL, nil)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, f); n != size || err != nil {
			b.Fatal(n, err)
		}
		_ = f.Close()
	}
}
