package api

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"parley/message"
)

// fileRoute is where channels, and consumers, get agents' files.
const fileRoute = "/files/:token"

// Files gives the agents' files that are kept; *db.Store is one.
type Files interface {
	// File returns the file that a token opens.
	File(ctx context.Context, token string) (message.KeptFile, bool, error)
	// ReadFile writes a file to w, of which a small part is in memory at a time.
	ReadFile(ctx context.Context, f message.KeptFile, w io.Writer) error
}

// Bounds on reading files. Each that is under way takes a few hundred kilobytes.
const (
	mostFiles   = 64 // at the same time
	chunkWithin = 30 * time.Second
	longToken   = 64
)

// file answers with an agent's file. The token is all that is asked for: providers
// fetch it without credentials, and consumers open it from a text. It is not told
// to the door as read: when there are too many connections, it may have to come again.
func (h *handlers) file(c *gin.Context) {
	c.Set(sourceKey, "files")
	token := c.Param("token")
	if h.Files == nil || len(token) > longToken {
		refuse(c, http.StatusNotFound, "not found")
		return
	}
	f, found, err := h.Files.File(c.Request.Context(), token)
	switch {
	case err != nil:
		h.Log.Error("file could not be looked up", "err", err)
		refuse(c, http.StatusServiceUnavailable, "not now, come again")
		return
	case !found:
		refuse(c, http.StatusNotFound, "not found")
		return
	}
	describeFile(c.Writer.Header(), f)
	if c.Request.Method == http.MethodHead {
		c.Status(http.StatusOK)
		return
	}
	select {
	case h.reading <- struct{}{}:
		defer func() { <-h.reading }()
	default:
		clear(c.Writer.Header())
		refuse(c, http.StatusServiceUnavailable, "too much at once, come again")
		return
	}
	c.Status(http.StatusOK)
	if err := h.Files.ReadFile(c.Request.Context(), f, &patient{c.Writer, http.NewResponseController(c.Writer)}); err != nil {
		h.Log.Info("file was not read to its end", "message", f.Command, "err", err)
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
}

// patient gives a slow reader time for each part of a file, where the server gives
// it for all of an answer.
type patient struct {
	io.Writer
	http *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.http.SetWriteDeadline(time.Now().Add(chunkWithin)); err != nil {
		return 0, err
	}
	return p.Writer.Write(b)
}

// describeFile says what a file is. It came from outside and is served from our own
// name: a browser shows what cannot do anything there, and saves all else.
func describeFile(header http.Header, f message.KeptFile) {
	contentType, disposition := "application/octet-stream", "attachment"
	if shown(f.MIME) {
		contentType, disposition = f.MIME, "inline"
	}
	if kind, _, err := mime.ParseMediaType(f.MIME); err == nil && !strings.HasPrefix(kind, "text/") {
		contentType = kind
	}
	params := map[string]string{}
	if f.Name != "" {
		params["filename"] = f.Name
	}
	if full := mime.FormatMediaType(disposition, params); full != "" {
		disposition = full
	}
	header.Set("Content-Type", contentType)
	header.Set("Content-Disposition", disposition)
	header.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "private, no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Robots-Tag", "noindex")
}

// shown says whether a browser may show a file where it is; SVG is a program.
func shown(kind string) bool {
	switch kind {
	case "image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf":
		return true
	}
	return strings.HasPrefix(kind, "audio/") || strings.HasPrefix(kind, "video/")
}
