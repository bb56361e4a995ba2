package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

// drawer is Files in memory.
type drawer struct {
	f    message.KeptFile
	body string
	err  error // after a part of it
	down error
}

func (d *drawer) File(_ context.Context, token string) (message.KeptFile, bool, error) {
	return d.f, token == d.f.Token, d.down
}

func (d *drawer) ReadFile(_ context.Context, _ message.KeptFile, w io.Writer) error {
	half := len(d.body) / 2
	if _, err := io.WriteString(w, d.body[:half]); err != nil || d.err != nil {
		return errors.Join(err, d.err)
	}
	_, err := io.WriteString(w, d.body[half:])
	return err
}

const fileToken = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func newDrawer(kind, name, body string) *drawer {
	return &drawer{f: message.KeptFile{Token: fileToken, Command: "c1", MIME: kind, Name: name, Size: int64(len(body))}, body: body}
}

func TestAgentsFilesAreServed(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("picture", 100_000)
	h := newHouse(t, func(s *Server) { s.Files = newDrawer("image/png", "Käse \"1\".png", body) })
	got := h.do(h.request(http.MethodGet, "/files/"+fileToken, nil))
	assert.Equal(t, 200, got.status)
	assert.Equal(t, body, got.body)
	assert.Equal(t, "image/png", got.header.Get("Content-Type"))
	assert.True(t, strings.HasPrefix(got.header.Get("Content-Disposition"), "inline; filename"), got.header.Get("Content-Disposition"))
	assert.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	assert.Equal(t, "private, no-store", got.header.Get("Cache-Control"))
	assert.Equal(t, "700000", got.header.Get("Content-Length"))

	head := h.do(h.request(http.MethodHead, "/files/"+fileToken, nil))
	assert.Equal(t, 200, head.status)
	assert.Empty(t, head.body)
	assert.Equal(t, "700000", head.header.Get("Content-Length"))

	for _, path := range []string{"/files/", "/files/other", "/files/" + strings.Repeat("x", 500), "/files/" + fileToken + "/x"} {
		assert.Equal(t, 404, h.do(h.request(http.MethodGet, path, nil)).status, path)
	}
	assert.Equal(t, 405, h.do(h.request(http.MethodPost, "/files/"+fileToken, nil)).status)
	assert.NotContains(t, h.logs.String(), fileToken)
}

func TestWhatCouldDoSomethingInABrowserIsSaved(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string][2]string{
		"text/html":            {"application/octet-stream", "attachment"},
		"image/svg+xml":        {"image/svg+xml", "attachment"},
		"":                     {"application/octet-stream", "attachment"},
		"application/pdf":      {"application/pdf", "inline"},
		"video/mp4":            {"video/mp4", "inline"},
		"application/zip; x=y": {"application/zip", "attachment"},
		"bad\r\nX-Evil: 1":     {"application/octet-stream", "attachment"},
	} {
		h := http.Header{}
		describeFile(h, message.KeptFile{MIME: kind})
		assert.Equal(t, want[0], h.Get("Content-Type"), kind)
		assert.Equal(t, want[1], h.Get("Content-Disposition"), kind)
		assert.Contains(t, h.Get("Content-Security-Policy"), "sandbox")
	}
}

func TestHalfAFileDoesNotLookLikeAWholeOne(t *testing.T) {
	t.Parallel()
	d := newDrawer("image/png", "", strings.Repeat("x", 100_000))
	d.err = errors.New("database down")
	h := newHouse(t, func(s *Server) { s.Files = d })
	resp, err := h.http.Client().Do(h.request(http.MethodGet, "/files/"+fileToken, nil))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	require.Error(t, err)

	d = newDrawer("image/png", "", "x")
	d.down = errors.New("database down")
	h = newHouse(t, func(s *Server) { s.Files = d })
	got := h.do(h.request(http.MethodGet, "/files/"+fileToken, nil))
	assert.Equal(t, 503, got.status)
	assert.NotEmpty(t, got.header.Get("Retry-After"))
	assert.Equal(t, 404, newHouse(t, nil).do(newHouse(t, nil).request(http.MethodGet, "/files/"+fileToken, nil)).status, "without Files there are none")
}

// slowDrawer is Files whose reading takes until somebody says so.
type slowDrawer struct {
	*drawer
	begun, end chan struct{}
}

func (w *slowDrawer) ReadFile(ctx context.Context, f message.KeptFile, to io.Writer) error {
	w.begun <- struct{}{}
	<-w.end
	return w.drawer.ReadFile(ctx, f, to)
}

func TestSoManyFilesAreReadAtATime(t *testing.T) {
	t.Parallel()
	w := &slowDrawer{newDrawer("image/png", "", "body"), make(chan struct{}, mostFiles), make(chan struct{})}
	h := newHouse(t, func(s *Server) { s.Files = w })
	done := make(chan int, mostFiles)
	for range mostFiles {
		go func() {
			resp, err := http.Get(h.http.URL + "/files/" + fileToken)
			if err != nil {
				done <- 0
				return
			}
			_ = resp.Body.Close()
			done <- resp.StatusCode
		}()
	}
	for range mostFiles {
		<-w.begun
	}
	got := h.do(h.request(http.MethodGet, "/files/"+fileToken, nil))
	assert.Equal(t, 503, got.status)
	assert.NotContains(t, got.header.Get("Content-Type"), "image")
	close(w.end)
	for range mostFiles {
		assert.Equal(t, 200, <-done)
	}
}
