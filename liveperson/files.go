package liveperson

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
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
		path = at.path
		return c.put(ctx, op, at.url, u)
	})
	if err != nil {
		return "", err
	}
	return path, nil
}

// put sends a file, whose size the store is told before.
func (c *Client) put(ctx context.Context, op, target string, u Upload) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	defer cancel()
	body := func() io.ReadCloser { return io.NopCloser(io.NewSectionReader(u.Body, 0, u.Size)) }
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target, body())
	if err != nil {
		return 0, fault.New(fault.Rejected, op, "no usable address")
	}
	req.ContentLength = u.Size
	req.GetBody = func() (io.ReadCloser, error) { return body(), nil } // a connection may have gone stale
	req.Header.Set("Accept", "*/*")
	res, err := c.do(c.files, req, op, repeatable)
	if err != nil {
		return 0, err
	}
	a := readAnswer(res)
	return a.status, c.judgeStored(a, op)
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
		got, status, err = c.get(ctx, op, at.url)
		return status, err
	})
	if fault.ClassOf(err) == fault.Rejected {
		// The cloud knows no such file, or gives it to nobody.
		err = &fault.Error{Class: fault.Rejected, Op: op, Code: CodeFileGone, Err: err}
	}
	return got, err
}

// get starts to fetch a file. The stream ends with ctx, or after a minute.
func (c *Client) get(ctx context.Context, op, target string) (Downloaded, int, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		cancel()
		return Downloaded{}, 0, fault.New(fault.Rejected, op, "no usable address")
	}
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity") // the size is that of the file
	res, err := c.do(c.files, req, op, repeatable)
	if err != nil {
		cancel()
		return Downloaded{}, 0, err
	}
	if res.StatusCode == http.StatusOK {
		body := &stream{res.Body, cancel, op}
		return Downloaded{Body: body, Size: res.ContentLength, MIME: res.Header.Get("Content-Type")}, res.StatusCode, nil
	}
	defer cancel()
	a := readAnswer(res)
	if err = c.judgeStored(a, op); err == nil {
		err = &fault.Error{Class: fault.Transient, Op: op, Code: a.shownCode(), Err: a.cause()}
	}
	return Downloaded{}, a.status, err
}

// stream is a file on its way, whose deadline ends with it.
type stream struct {
	body   io.ReadCloser
	cancel context.CancelFunc
	op     string
}

var errBroken = errors.New("the connection broke before the end of the file")

// Read judges what ends a file too early. The cause's own text names addresses.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	cause := errBroken
	if errors.Is(err, context.Canceled) {
		cause = gaveUp(context.Canceled)
	}
	return n, &fault.Error{Class: fault.Transient, Op: s.op, Err: cause}
}

func (s *stream) Close() error {
	defer s.cancel()
	return s.body.Close()
}

// judgeStored judges an answer of the store. Its 401 says that the address is not,
// or no longer, valid: it speaks of the address, not of the account.
func (c *Client) judgeStored(a answer, op string) error {
	class, code := a.class(repeatable), a.shownCode()
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		class = fault.Transient
	case http.StatusNotFound, http.StatusGone:
		code = CodeFileGone
	case http.StatusRequestEntityTooLarge:
		code = CodeTooLarge
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
// address that is not accepted any more is asked for once again, and so is one at a
// store that has moved.
func (c *Client) stored(ctx context.Context, op, consumer string, r request, do func(storedAt) (status int, err error)) error {
	for again := false; ; again = true {
		body, err := c.send(ctx, op, consumer, repeatable, r)
		if err != nil {
			return err
		}
		base, err := c.domains.base(ctx, serviceSwift)
		if err != nil {
			return onlyThis(err)
		}
		at, ok := locate(base, body)
		if !ok {
			return fault.New(fault.Transient, op, "the answer names no address")
		}
		status, err := do(at)
		lost := errors.Is(err, errNotConnected) && ctx.Err() == nil && c.domains.moved(ctx, serviceSwift, base)
		if again || (status != http.StatusUnauthorized && !lost) {
			return err
		}
		c.log.Info("the address of a file did not serve, a fresh one is asked for", "op", op)
		r.ID = rand.Text()
	}
}

// onlyThis is an error of a service that not everything needs: what is refused
// there is no reason to hold up all that the account does.
func onlyThis(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Class != fault.Denied {
		return err
	}
	narrow := *f
	narrow.Class = fault.Rejected
	return &narrow
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
	path := "/" + strings.TrimLeft(got.RelativePath, "/")
	u, err := url.Parse(strings.TrimRight(base, "/") + strings.NewReplacer("?", "%3F", "#", "%23").Replace(path))
	if err != nil { // a stray "%"
		if u, err = url.Parse(base); err != nil {
			return storedAt{}, false
		}
		u.Path = strings.TrimRight(u.Path, "/") + path
	}
	query := url.Values{}
	for name, v := range got.QueryParams {
		if s, ok := plain(v); ok {
			query.Set(name, s)
		}
	}
	u.RawQuery = query.Encode()
	return storedAt{path: got.RelativePath, url: u.String()}, true
}
