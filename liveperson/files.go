package liveperson

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/fault"
)

// The codes with which a Rejected Upload or Download says why a file cannot go.
const (
	CodeTooLarge = "file-too-large"
	CodeFileGone = "file-gone"
)

// fileTimeout bounds the transfer of one file. The address it goes to is valid for
// a minute.
//
// Source: connector-api-send-api-examples (share image).
const fileTimeout = time.Minute

// Upload is a file on its way to the cloud's store.
type Upload struct {
	Consumer string      // our name for the consumer, as given to Open
	Type     string      // JPG, JPEG, PNG, GIF, …: an extension, in any case
	Size     int64       // bytes
	Body     io.ReaderAt // read from its start, more than once if need be
}

// Upload puts a file into the cloud's store, where nobody sees it before it is
// published, and returns the path by which it is known there. It reads the file
// as it sends it, and keeps nothing of it.
//
// Errors are those of Publish, but never Uncertain: another upload is another file
// that nobody sees. Rejected has CodeTooLarge when the store says so.
//
// Sources: connector-api-send-api-examples (share image),
// messaging-window-api-tutorials-file-sharing.
func (c *Client) Upload(ctx context.Context, u Upload) (path string, err error) {
	const op = "liveperson: upload"
	if u.Body == nil || u.Size <= 0 {
		return "", fault.New(fault.Rejected, op, "there is no file")
	}
	request := newRequest("ms.GenerateURLForUploadFile", map[string]string{
		"fileSize": strconv.FormatInt(u.Size, 10), "fileType": bareType(u.Type),
	})
	err = c.stored(ctx, op, u.Consumer, request, func(at storedAt) (status int, err error) {
		ctx, cancel := context.WithTimeout(ctx, fileTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, at.url, io.NewSectionReader(u.Body, 0, u.Size))
		if err != nil {
			return 0, fault.New(fault.Rejected, op, "no usable address")
		}
		req.ContentLength = u.Size
		a, err := c.exchangeWith(c.files, req, op, repeatable)
		if err != nil {
			return 0, err
		}
		path = at.path
		return a.status, c.judgeStored(a, op)
	})
	return path, err
}

// bareType is a file's type as the cloud wants it: "JPG", not ".jpg" and not
// "image/jpeg".
func bareType(s string) string {
	s = s[strings.LastIndexAny(s, "./")+1:]
	return strings.ToUpper(strings.TrimSpace(s))
}

// PublishFile shows a file that was uploaded to the agents.
type PublishFile struct {
	Consumer     string
	Conversation string
	Dialog       string // the conversation's MAIN dialog when empty
	Path         string // from Upload
	Type         string // as in Upload
	Caption      string // may be empty
	Preview      string // a data URI of less than 30 KB; agents see little without one
	ExternalID   string // as in Publish
}

// PublishFile sends a file to an open dialog and returns the sequence it got.
// Errors are those of Publish.
//
// Source: connector-api-send-api-examples (share image).
func (c *Client) PublishFile(ctx context.Context, p PublishFile) (Published, error) {
	type message struct {
		Caption      string `json:"caption,omitempty"`
		FileType     string `json:"fileType"`
		RelativePath string `json:"relativePath"`
		Preview      string `json:"preview,omitempty"`
	}
	r := newPublishEvent(p.Conversation, p.Dialog, struct {
		Type        string  `json:"type"`
		ContentType string  `json:"contentType"`
		Message     message `json:"message"`
	}{"ContentEvent", "hosted/file", message{p.Caption, bareType(p.Type), p.Path, p.Preview}})
	r.Metadata = attach(nil, p.ExternalID)
	return c.publish(ctx, "liveperson: publish file", p.Consumer, creates, r)
}

// Download names a file in the cloud's store.
type Download struct {
	Consumer string
	Path     string // of a File
}

// Downloaded is a file as the store gives it. Who has it reads its Body soon, since
// the transfer is bounded to a minute, and closes it.
type Downloaded struct {
	Body io.ReadCloser
	Size int64  // bytes; -1 when the store does not say
	MIME string // as the store says; may be empty or wrong
}

// Download opens a file of the cloud's store. It must be read as a stream: nothing
// of it is kept here, and nobody has looked at its size.
//
// Errors are those of Publish, but never Uncertain. Rejected has CodeFileGone when
// the file is not, or no longer, in the store.
//
// Sources: connector-api-send-api-examples (share image),
// messaging-window-api-tutorials-file-sharing.
func (c *Client) Download(ctx context.Context, d Download) (got Downloaded, err error) {
	const op = "liveperson: download"
	request := newRequest("ms.GenerateURLForDownloadFile", map[string]string{"relativePath": d.Path})
	err = c.stored(ctx, op, d.Consumer, request, func(at storedAt) (status int, err error) {
		got, status, err = c.fetch(ctx, op, at.url)
		return status, err
	})
	return got, err
}

// fetch starts to fetch a file. The stream ends with ctx, or after a minute.
func (c *Client) fetch(ctx context.Context, op, target string) (Downloaded, int, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		cancel()
		return Downloaded{}, 0, fault.New(fault.Rejected, op, "no usable address")
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept-Encoding", "identity") // the size is that of the file
	res, err := c.files.Do(req)
	if err != nil {
		cancel()
		return Downloaded{}, 0, unanswered(op, repeatable, err, false, false)
	}
	if res.StatusCode == http.StatusOK {
		body := &stream{res.Body, cancel}
		return Downloaded{Body: body, Size: res.ContentLength, MIME: res.Header.Get("Content-Type")}, res.StatusCode, nil
	}
	defer cancel()
	defer res.Body.Close()
	return Downloaded{}, res.StatusCode, c.judgeStored(answer{status: res.StatusCode, header: res.Header}, op)
}

// stream is a body whose deadline ends with it.
type stream struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (s *stream) Close() error {
	defer s.cancel()
	return s.ReadCloser.Close()
}

// judgeStored judges an answer of the store. Its 401 says that the address is not,
// or no longer, valid: it speaks of the address, not of the account.
func (c *Client) judgeStored(a answer, op string) error {
	class, code := a.class(repeatable), a.shownCode()
	switch {
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		class = fault.Transient
	case a.status == http.StatusNotFound, a.status == http.StatusGone:
		code = CodeFileGone
	case a.status == http.StatusRequestEntityTooLarge:
		code = CodeTooLarge
	case a.status >= 200 && a.status < 300 && a.status != http.StatusOK && a.status != http.StatusCreated:
		class = fault.Transient // neither the file nor the word that it was taken
	}
	if class == "" {
		return nil
	}
	return &fault.Error{Class: class, Op: op, Code: code, After: a.after(class, c.now()), Err: a.cause()}
}

// storedAt is where a file is, for a minute.
type storedAt struct {
	path string
	url  string
}

// stored asks where a file goes, or is, and does something there at once. An
// address that is not accepted any more is asked for once again.
func (c *Client) stored(ctx context.Context, op, consumer string, r request, do func(storedAt) (status int, err error)) error {
	for again := false; ; again = true {
		body, err := c.send(ctx, op, consumer, repeatable, r)
		if err != nil {
			return err
		}
		base, err := c.domains.base(ctx, serviceSwift)
		if err != nil {
			return err
		}
		at, ok := locate(base, body)
		if !ok {
			return fault.New(fault.Transient, op, "the answer names no address")
		}
		status, err := do(at)
		if again || status != http.StatusUnauthorized {
			return err
		}
		c.log.Info("the address of a file was refused, a fresh one is asked for", "op", op)
		r.ID = newRequest("", nil).ID
	}
}

// locate makes an address of what the cloud answers: the store's own, the path
// without the double slash that the documentation's template would make, and the
// signature.
func locate(base string, body json.RawMessage) (storedAt, bool) {
	var got struct {
		RelativePath string         `json:"relativePath"`
		QueryParams  map[string]any `json:"queryParams"`
	}
	if json.Unmarshal(body, &got) != nil || strings.Trim(got.RelativePath, "/") == "" {
		return storedAt{}, false
	}
	u, err := url.Parse(base)
	if err != nil {
		return storedAt{}, false
	}
	path := strings.TrimLeft(got.RelativePath, "/")
	u.Path = strings.TrimRight(u.Path, "/") + "/" + path
	query := url.Values{}
	for name, v := range got.QueryParams {
		if s, ok := plain(v); ok {
			query.Set(name, s)
		}
	}
	u.RawQuery = query.Encode()
	return storedAt{path: got.RelativePath, url: u.String()}, true
}
