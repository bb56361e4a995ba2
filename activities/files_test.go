package activities

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/conversation"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

// colourful is a picture that compresses badly.
func colourful(w, h int) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	seed := uint32(w*31 + h)
	for i := range m.Pix {
		seed = seed*1664525 + 1013904223
		m.Pix[i] = byte(seed >> 24)
	}
	return m
}

func asPNG(m image.Image) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, m)
	return b.Bytes()
}

func asJPEG(m image.Image) []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, m, nil)
	return b.Bytes()
}

// newFileDesk is a desk whose account takes files, fetched from anywhere.
func newFileDesk(t *testing.T, limits channels.Limits) *desk {
	t.Helper()
	d := newDesk(t, Confirm, limits)
	d.Files = NewFiles(map[string]FileRules{"main": DefaultFileRules()}, channels.NewDownloads("fetch file", http.DefaultTransport), "https://hooks.example.org/parley")
	t.Cleanup(func() {
		left, err := filepath.Glob(filepath.Join(os.TempDir(), "parley-*"))
		require.NoError(t, err)
		assert.Empty(t, left, "no temporary file stays")
	})
	return d
}

// ownTemp gives a test a folder for temporary files, in which none may be left. Such
// a test is not parallel.
func ownTemp(t *testing.T) { t.Setenv("TMPDIR", t.TempDir()) }

// source serves what a consumer sent.
func source(t *testing.T, serve http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	return s.URL
}

func sourceOf(t *testing.T, body []byte) string {
	return source(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

func publishFile(url string) conversation.Command {
	return conversation.Command{
		ID: "file-1", Kind: conversation.PublishFile, Conversation: "C1", Dialog: "C1", Text: "cat.png", Ref: "MM1",
		Attachment: &message.Attachment{URL: url, Name: "cat.png", MIME: "text/html"},
	}
}

func TestAConsumersFileReachesTheAgents(t *testing.T) {
	ownTemp(t)
	d := newFileDesk(t, channels.Limits{})
	body := asPNG(colourful(700, 400))
	got := d.carry(t, d.ToCloud, publishFile(sourceOf(t, body)))
	require.Nil(t, got.Stop)
	assert.Equal(t, 9, got.Results[0].Sequence)
	assert.Equal(t, []int64{int64(len(body))}, d.cloud.sizes)
	assert.Equal(t, "PNG", d.cloud.uploads[0].Type, "by its bytes, not by what somebody calls it")
	p := d.cloud.files[0]
	assert.Equal(t, []string{"C1", "C1", "cat.png", "PNG", "/v1/uploaded", "file-1", "ext"}, []string{p.Conversation, p.Dialog, p.Caption, p.Type, p.Path, p.ExternalID, p.Consumer})
	assert.True(t, strings.HasPrefix(p.Preview, "data:image/jpeg;base64,"))
	assert.Less(t, len(p.Preview), mostPreview)
	assert.Equal(t, "MM1", d.l.entries["file-1"].Outcome.Ref, "for read marks")

	again := d.carry(t, d.ToCloud, publishFile("http://127.0.0.1:1/"))
	require.Nil(t, again.Stop)
	assert.Len(t, d.cloud.files, 1, "it is done")
}

func TestFilesThatCannotGo(t *testing.T) {
	ownTemp(t)
	picture := asPNG(colourful(30, 30))
	declared := func(n int64) func(*conversation.Command) {
		return func(c *conversation.Command) { c.Attachment.Size = n }
	}
	big := func(w http.ResponseWriter, n int64, tell bool) {
		if tell {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		}
		_, _ = io.Copy(w, io.LimitReader(zeros{}, n))
	}
	for name, tt := range map[string]struct {
		serve  http.HandlerFunc
		change func(*conversation.Command)
		upload error
		class  fault.Class
		code   string
	}{
		"too large, as its sender said": {serve: func(http.ResponseWriter, *http.Request) { t.Error("it was fetched") }, change: declared(4 << 20), class: fault.Rejected, code: conversation.CodeTooLarge},
		"too large, as its host says":   {serve: func(w http.ResponseWriter, _ *http.Request) { big(w, 100<<20, true) }, class: fault.Rejected, code: conversation.CodeTooLarge},
		"too large, as nobody said":     {serve: func(w http.ResponseWriter, _ *http.Request) { big(w, 4<<20, false) }, class: fault.Rejected, code: conversation.CodeTooLarge},
		"larger than declared":          {serve: func(w http.ResponseWriter, _ *http.Request) { big(w, 4<<20, false) }, change: declared(10), class: fault.Rejected, code: conversation.CodeTooLarge},
		"of another type":               {serve: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "%PDF-1.7\n") }, class: fault.Rejected, code: conversation.CodeFileType},
		"a program called a picture": {serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, "<html><script>")
		}, class: fault.Rejected, code: conversation.CodeFileType},
		"empty":            {serve: func(http.ResponseWriter, *http.Request) {}, class: fault.Rejected, code: conversation.CodeFileGone},
		"gone":             {serve: http.NotFound, class: fault.Rejected, code: conversation.CodeFileGone},
		"its host is busy": {serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, class: fault.Transient, code: conversation.CodeFileGone},
		"breaks off": {serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(picture)
		}, class: fault.Transient, code: conversation.CodeFileGone},
		"a redirect to another scheme": {serve: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, class: fault.Rejected, code: conversation.CodeFileGone},
		"nowhere":                         {change: func(c *conversation.Command) { c.Attachment.URL = "" }, class: fault.Rejected, code: conversation.CodeFileGone},
		"the account takes none of them":  {upload: fault.New(fault.Rejected, "upload", "400"), class: fault.Rejected, code: conversation.CodeFileType},
		"the store says that it is large": {upload: &fault.Error{Class: fault.Rejected, Code: liveperson.CodeTooLarge}, class: fault.Rejected, code: conversation.CodeTooLarge},
		"the cloud is away":               {upload: fault.New(fault.Transient, "upload", "refused"), class: fault.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			d := newFileDesk(t, channels.Limits{})
			if tt.serve == nil {
				tt.serve = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(picture) }
			}
			d.cloud.uploading = func(context.Context) error { return tt.upload }
			c := publishFile(source(t, tt.serve))
			if tt.change != nil {
				tt.change(&c)
			}
			got := d.carry(t, d.ToCloud, c)
			require.NotNil(t, got.Stop)
			assert.Equal(t, tt.class, got.Stop.Class, got.Stop.Text)
			assert.Equal(t, tt.code, got.Stop.Code, got.Stop.Text)
			assert.Empty(t, d.cloud.files)
			assert.Equal(t, message.Undone, d.l.entries["file-1"].State, "the next attempt need not wait for an echo")
			assert.NotContains(t, got.Stop.Text, "127.0.0.1:", "a URL may be a secret")
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPrivateAddressesAreNotFetchedFrom(t *testing.T) {
	ownTemp(t)
	d := newFileDesk(t, channels.Limits{})
	asked := false
	private := source(t, func(http.ResponseWriter, *http.Request) { asked = true })
	configured := source(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, private+"/meta-data", http.StatusFound)
	})
	d.Files.downloads = channels.NewDownloads("fetch file", channels.Guarded(configured))
	for _, url := range []string{private, configured, "http://169.254.169.254/", "http://[::ffff:127.0.0.1]:80/", "http://localhost:80/"} {
		c := publishFile(url)
		c.ID = message.ID("f-" + url)
		got := d.carry(t, d.ToCloud, c)
		require.NotNil(t, got.Stop, url)
		assert.Equal(t, fault.Rejected, got.Stop.Class, "%s: %s", url, got.Stop.Text)
		assert.Equal(t, conversation.CodeFileGone, got.Stop.Code)
	}
	assert.False(t, asked)
}

// Fetch makes a phone a channels.Fetcher.
type fetching struct {
	*phone
	fetch func() (io.ReadCloser, error)
}

func (f *fetching) Fetch(context.Context, message.Attachment) (io.ReadCloser, error) {
	return f.fetch()
}

func TestAChannelFetchesItsOwnFiles(t *testing.T) {
	ownTemp(t)
	d := newFileDesk(t, channels.Limits{})
	f := &fetching{phone: d.phone}
	d.Channels["sms"] = Channel{Adapter: f, Uncertain: Confirm}
	for name, tt := range map[string]struct {
		body io.Reader
		err  error
		want fault.Class
	}{
		"taken":              {body: bytes.NewReader(asJPEG(colourful(40, 40)))},
		"without a word":     {err: errors.New("https://secret.example broke"), want: fault.Transient},
		"breaks off":         {body: io.MultiReader(strings.NewReader("\x89PNG"), failingReader{}), want: fault.Transient},
		"credentials":        {err: fault.New(fault.Denied, "fetch", "401"), want: fault.Denied},
		"gone, with no code": {err: fault.New(fault.Rejected, "fetch", "404"), want: fault.Rejected},
	} {
		f.fetch = func() (io.ReadCloser, error) {
			if tt.err != nil {
				return nil, tt.err
			}
			return io.NopCloser(tt.body), nil
		}
		c := publishFile("")
		c.ID = message.ID("f-" + name)
		got := d.carry(t, d.ToCloud, c)
		if tt.want == "" {
			require.Nil(t, got.Stop, name)
			continue
		}
		require.NotNil(t, got.Stop, name)
		assert.Equal(t, tt.want, got.Stop.Class, name)
		assert.Equal(t, conversation.CodeFileGone, got.Stop.Code, name)
		assert.NotContains(t, got.Stop.Text, "secret")
	}
	assert.Equal(t, "JPG", d.cloud.files[0].Type)
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("https://secret.example broke") }

func TestASlowHostDoesNotHoldALaneForEver(t *testing.T) {
	ownTemp(t)
	d := newFileDesk(t, channels.Limits{})
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	url := source(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("\x89PNG"))
		w.(http.Flusher).Flush()
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	s := &cloudSender{d.Activities, d.cloud, Batch{Account: "main", Address: addr}, ""}
	_, err := s.fetch(ctx, &message.Attachment{URL: url}, 1<<20)
	assert.Equal(t, fault.Transient, fault.ClassOf(err))
	assert.Equal(t, conversation.CodeFileGone, fault.CodeOf(err))
}

// What a second attempt does, by how far the first one came.
func TestAFileIsPublishedOnce(t *testing.T) {
	ownTemp(t)
	body := asPNG(colourful(30, 30))
	desk := func(e message.Entry) *desk {
		d := newFileDesk(t, channels.Limits{})
		e.Command, e.State = "file-1", message.Intended
		d.l.entries["file-1"] = e
		return d
	}
	d := desk(message.Entry{Since: time.Now(), Attempts: 1})
	got := d.carry(t, d.ToCloud, publishFile(sourceOf(t, body)))
	require.Nil(t, got.Stop, "the first died on its way to the store: there is no echo to wait for")
	assert.Empty(t, got.Results[0].Note)
	assert.Len(t, d.cloud.files, 1)

	proceeded := message.Entry{Since: time.Now(), Attempts: 1, Outcome: message.Outcome{Parts: 1}}
	d = desk(proceeded)
	got = d.carry(t, d.ToCloud, publishFile(sourceOf(t, body)))
	require.NotNil(t, got.Stop)
	assert.Equal(t, fault.Uncertain, got.Stop.Class, "it may have been published")
	assert.Empty(t, d.cloud.uploads)

	d.l.echoes["file-1"] = 4
	got = d.carry(t, d.ToCloud, publishFile(sourceOf(t, body)))
	require.Nil(t, got.Stop)
	assert.Equal(t, []any{4, "echo"}, []any{got.Results[0].Sequence, got.Results[0].Note})
	assert.Empty(t, d.cloud.uploads)

	proceeded.Since = time.Now().Add(-time.Minute)
	d = desk(proceeded)
	got = d.carry(t, d.ToCloud, publishFile(sourceOf(t, body)))
	require.Nil(t, got.Stop)
	assert.Equal(t, "again", got.Results[0].Note, "no echo came")

	d = newFileDesk(t, channels.Limits{})
	d.cloud.uploading = func(ctx context.Context) error { // another worker takes it up meanwhile
		_, _, err := d.l.Claim(ctx, "file-1")
		return err
	}
	got = d.carry(t, d.ToCloud, publishFile(sourceOf(t, body)))
	require.NotNil(t, got.Stop)
	assert.Equal(t, fault.Uncertain, got.Stop.Class)
	assert.Empty(t, d.cloud.files, "the one that took it up last publishes it")
	assert.Equal(t, message.Intended, d.l.entries["file-1"].State, "its intent is not ours to take back")

	d = newFileDesk(t, channels.Limits{})
	d.cloud.publish = func() error { return failed(fault.Uncertain) }
	got = d.carry(t, d.ToCloud, publishFile(sourceOf(t, body)))
	require.NotNil(t, got.Stop)
	assert.Equal(t, 1, d.l.entries["file-1"].Outcome.Parts)
	assert.Equal(t, message.Intended, d.l.entries["file-1"].State)
}

func TestPreviews(t *testing.T) {
	t.Parallel()
	p := newPreviews()
	of := func(b []byte) string { return p.of(t.Context(), bytes.NewReader(b), int64(len(b))) }
	for _, size := range [][2]int{{1, 1}, {320, 320}, {900, 700}, {3000, 3}, {3, 3000}} {
		for _, b := range [][]byte{asPNG(colourful(size[0], size[1])), asJPEG(colourful(size[0], size[1]))} {
			uri := of(b)
			require.NotEmpty(t, uri, size)
			assert.Less(t, len(uri), mostPreview, size)
		}
	}
	wide := asPNG(image.NewPaletted(image.Rect(0, 0, 16, 16), color.Palette{color.Black, color.White}))
	copy(wide[16:], []byte{0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20}) // the header says 20,000 × 20,000
	binary.BigEndian.PutUint32(wide[29:], crc32.ChecksumIEEE(wide[12:29]))
	c, _, err := image.DecodeConfig(bytes.NewReader(wide))
	require.NoError(t, err)
	require.Equal(t, 20_000, c.Width)
	assert.Empty(t, of(wide), "400 million pixels of a few bytes")
	assert.Empty(t, of([]byte("\x89PNG\r\n\x1a\nbroken")))
	assert.Empty(t, of(asPNG(colourful(30, 30))[:600]))
	assert.Empty(t, of(nil))
}
