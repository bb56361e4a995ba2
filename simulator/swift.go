package simulator

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // temporary URLs are signed with it
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// temporaryURL is where a file can be put or fetched for a minute.
//
// Source: connector-api-send-api-examples, "Share an image".
type temporaryURL struct {
	RelativePath string `json:"relativePath"`
	QueryParams  struct {
		Signature string `json:"temp_url_sig"`
		Expires   string `json:"temp_url_expires"`
	} `json:"queryParams"`
}

// temporary signs a URL for one method, as OpenStack's TempURL does.
func (s *Simulator) temporary(method, path string) temporaryURL {
	u := temporaryURL{RelativePath: path}
	u.QueryParams.Expires = strconv.FormatInt(s.now().Add(time.Duration(s.settings.Load().Files.URLSec)*time.Second).Unix(), 10)
	u.QueryParams.Signature = s.swiftSignature(method, u.QueryParams.Expires, path)
	return u
}

func (s *Simulator) swiftSignature(method, expires, path string) string {
	return hex.EncodeToString(digest(sha1.New, s.swiftKey, []byte(method+"\n"+expires+"\n"+path)))
}

// newFile registers the place for a file that is to be uploaded. origin is
// "consumer" or "agent".
func (s *Simulator) newFile(a *account, owner, origin, kind, name string, declared int64) storedFile {
	at := s.now().UTC()
	stamp := strings.Replace(at.Format("02-01-2006_15-04-05.000"), ".", "-", 1)
	file := storedFile{
		ID:   fmt.Sprintf("/v1/AUTH_async-images/%s/%s_%s_%s.%s", a.cfg.SiteID, origin, uuid.NewString(), stamp, kind),
		Site: a.cfg.SiteID, Owner: owner, Type: kind, MIME: mimeTypes[kind], Name: name, Declared: declared, At: at,
	}
	s.files.add(&file)
	return file
}

// uploadURL is ms.GenerateURLForUploadFile.
func (s *Simulator) uploadURL(c *call, a *account, co *consumer, q *request) reply {
	c.seen.summary = "URL for an upload"
	var b struct {
		FileSize json.RawMessage `json:"fileSize"`
		FileType json.RawMessage `json:"fileType"`
	}
	var size, kind string
	if json.Unmarshal(q.Body, &b) != nil || json.Unmarshal(b.FileSize, &size) != nil {
		return *invalid("fileSize must be a string of digits")
	}
	n, err := strconv.ParseInt(size, 10, 64)
	rules := s.settings.Load().Files
	switch {
	case err != nil || n < 1:
		return *invalid("fileSize must be a string of digits")
	case json.Unmarshal(b.FileType, &kind) != nil || !slices.Contains(rules.Types, kind):
		return *invalid("fileType must be one of " + strings.Join(rules.Types, ", "))
	case n > rules.MaxBytes:
		return *invalid("file is too large")
	}
	file := s.newFile(a, co.lp, "consumer", kind, "", n)
	return q.url(s.temporary(http.MethodPut, file.ID))
}

// downloadURL is ms.GenerateURLForDownloadFile.
func (s *Simulator) downloadURL(c *call, a *account, co *consumer, q *request) reply {
	c.seen.summary = "URL for a download"
	var b struct {
		RelativePath string `json:"relativePath"`
	}
	if json.Unmarshal(q.Body, &b) != nil || b.RelativePath == "" {
		return *invalid("relativePath is required")
	}
	file, ok := s.files.get(b.RelativePath)
	switch {
	case !ok || file.Site != a.cfg.SiteID || file.Disk == "":
		return *invalid("unknown relativePath")
	case file.Owner != co.lp:
		return *notYours()
	}
	return q.url(s.temporary(http.MethodGet, file.ID))
}

// url answers with a temporary URL; the wire does not show its signature.
func (q *request) url(u temporaryURL) reply {
	hidden := u
	hidden.QueryParams.Signature = "…"
	return reply{status: http.StatusOK, body: q.ok(u), hidden: q.ok(hidden)}
}

// swift is the object store: PUT and GET under a temporary URL. It asks for no
// other authorization.
func (s *Simulator) swift(c *call) reply {
	path := c.r.URL.Path
	c.seen.summary = "file " + c.r.Method
	if a := s.account(c.r.PathValue("site")); a != nil {
		c.seen.account = a.cfg.Name
	}
	if c.r.Header.Get("Authorization") != "" {
		c.warn("swift takes no Authorization")
	}
	q := c.r.URL.Query()
	expires, err := strconv.ParseInt(q.Get("temp_url_expires"), 10, 64)
	want := s.swiftSignature(c.r.Method, q.Get("temp_url_expires"), path)
	switch {
	case err != nil || q.Get("temp_url_sig") == "":
		return swiftRefusal(http.StatusUnauthorized, "temp_url_sig and temp_url_expires are required")
	case !hmac.Equal([]byte(want), []byte(q.Get("temp_url_sig"))):
		return swiftRefusal(http.StatusUnauthorized, "temp_url_sig is wrong")
	case s.now().Unix() >= expires:
		return swiftRefusal(http.StatusUnauthorized, "temporary URL has expired")
	}
	file, ok := s.files.get(path)
	if !ok {
		return swiftRefusal(http.StatusNotFound, "no such file")
	}
	if c.r.Method == http.MethodPut {
		return s.swiftPut(c, file)
	}
	if file.Disk == "" {
		return swiftRefusal(http.StatusNotFound, "no such file")
	}
	return reply{status: http.StatusOK, file: &file}
}

func (s *Simulator) swiftPut(c *call, file storedFile) reply {
	rules := s.settings.Load().Files
	stored, err := s.files.write(file.ID, c.r.Body, max(rules.MaxBytes, rules.AgentMaxBytes))
	switch {
	case errors.Is(err, errTooLarge):
		return swiftRefusal(http.StatusRequestEntityTooLarge, "file is too large")
	case err != nil:
		return swiftRefusal(http.StatusBadRequest, "file did not arrive whole")
	}
	c.seen.summary = fmt.Sprintf("file PUT, %d bytes", stored.Size)
	return reply{status: http.StatusCreated, header: http.Header{"Etag": {stored.Sum[:32]}}}
}

func swiftRefusal(status int, reason string) reply {
	return reply{status: status, reason: reason, body: reason}
}

// serveFile streams a file as the answer.
func (s *Simulator) serveFile(w http.ResponseWriter, r *http.Request, file storedFile) {
	b, err := s.files.open(file)
	if err != nil {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	defer func() { _ = b.Close() }()
	if file.MIME != "" {
		w.Header().Set("Content-Type", file.MIME)
	}
	http.ServeContent(w, r, "", file.At, b)
}

// showFile is GET /sim/files/{id}: any stored file, for the page.
func (s *Simulator) showFile(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	file, ok := s.files.get(id)
	if !ok {
		file, ok = s.files.get("/" + id)
	}
	if !ok {
		refuse(w, unknown("no such file"))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.serveFile(w, r, file)
}

// drain reads what a caller still sends, so that it can read the answer.
func drain(r *http.Request) { _, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 16<<20)) }
