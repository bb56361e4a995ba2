package channels

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"

	"parley/fault"
)

// CodeFileGone is the code of every failure to get a file from where it is kept,
// whatever its class: it tells these apart from failures to pass it on.
const CodeFileGone = "file-gone"

// Bounds on one download.
const (
	downloadTime  = 100 * time.Second // in all: an activity ends within two minutes
	downloadStall = 20 * time.Second  // without a byte
	maxRedirects  = 5
)

// Downloads gets files by HTTP. It follows redirects, five at most and never from
// https to http, and gives a header meant for one host to no other.
type Downloads struct {
	op    string
	http  http.Client
	now   func() time.Time
	time  time.Duration
	stall time.Duration
}

// NewDownloads returns downloads whose errors name op, e.g. "twilio: fetch".
// transport should be Guarded: the URLs come from strangers.
func NewDownloads(op string, transport http.RoundTripper) *Downloads {
	return &Downloads{
		op:    op,
		http:  http.Client{Transport: transport, CheckRedirect: checkRedirect},
		now:   time.Now,
		time:  downloadTime,
		stall: downloadStall,
	}
}

// Download is a file on its way. Nothing of it is kept: reading takes it from the
// connection, and how much of it is enough is for the reader to say. Errors of Read
// are *fault.Error, Transient when the file breaks off or comes too slowly. It must be closed.
type Download struct {
	Size int64  // as announced, in bytes; -1 when it was not
	MIME string // as announced, without parameters; may be empty

	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  *time.Timer
	limit  *time.Timer
	every  time.Duration
	op     string
	once   sync.Once
}

var (
	errTooSlow  = errors.New("the file comes too slowly")
	errNoURL    = errors.New("not a URL of the web")
	errRedirect = errors.New("too many redirects, or one to where it must not lead")
)

// Get asks for a file; header may be nil. Errors are *fault.Error with the code
// CodeFileGone: Rejected when the file is not there, or where it is may not be
// asked; Denied when the credentials in header are not taken; Throttled and
// Transient when it may be had later.
func (d *Downloads) Get(ctx context.Context, link string, header http.Header) (*Download, error) {
	u, err := url.Parse(link)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, d.fails(fault.Rejected, errNoURL)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	f := &Download{ctx: ctx, cancel: cancel, every: d.stall, op: d.op}
	f.stall = time.AfterFunc(d.stall, func() { cancel(errTooSlow) })
	f.limit = time.AfterFunc(d.time, func() { cancel(errTooSlow) })
	req := (&http.Request{Method: http.MethodGet, URL: u, Header: header.Clone()}).WithContext(ctx)
	if req.Header == nil {
		req.Header = http.Header{}
	}
	resp, err := d.http.Do(req)
	if err != nil {
		f.stop()
		return nil, d.fails(classOf(err), cause(ctx, err))
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		f.stop()
		return nil, d.refused(resp)
	}
	f.body, f.Size = resp.Body, resp.ContentLength
	f.MIME, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return f, nil
}

func (d *Downloads) fails(class fault.Class, err error) error {
	return &fault.Error{Class: class, Op: d.op, Code: CodeFileGone, Err: err}
}

// classOf judges a request without an answer. Asking again does no harm.
func classOf(err error) fault.Class {
	if errors.Is(err, ErrPrivate) || errors.Is(err, errRedirect) {
		return fault.Rejected
	}
	return fault.Transient
}

// cause is why there is nothing to read, without the URL, which may be a secret.
func cause(ctx context.Context, err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	switch {
	case errors.Is(err, ErrPrivate):
		return ErrPrivate
	case errors.Is(err, errRedirect):
		return errRedirect
	case errors.Is(context.Cause(ctx), errTooSlow):
		return errTooSlow
	}
	return discreet(err)
}

// refused judges an answer that is not the file. A 401 or 403 can be mended only
// where there are credentials: a bare link that is refused has expired.
func (d *Downloads) refused(resp *http.Response) error {
	class := ByStatus(resp.StatusCode, fault.Transient)
	if class == fault.Denied && resp.Request.Header.Get("Authorization") == "" || resp.StatusCode < 400 {
		class = fault.Rejected
	}
	e := fault.New(class, d.op, "the file's host answered %d", resp.StatusCode)
	e.Code, e.After = CodeFileGone, retryAfter(resp.Header, d.now())
	if class == fault.Throttled {
		e.After = max(e.After, minThrottle)
	}
	return e
}

// checkRedirect drops what was meant for the first host alone: net/http would take
// it along to another port of it, or a host below it.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first, last := via[0].URL, via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects,
		req.URL.Scheme != "https" && req.URL.Scheme != "http",
		req.URL.Scheme == "http" && last.Scheme == "https":
		return errRedirect
	}
	foreign := endpoint(req.URL) != endpoint(first)
	for _, r := range via {
		foreign = foreign || endpoint(r.URL) != endpoint(first)
	}
	if foreign {
		for name := range via[0].Header {
			req.Header.Del(name)
		}
	}
	req.Header.Del("Referer")
	return nil
}

// Read reads on. It waits for the next bytes only so long.
func (f *Download) Read(p []byte) (int, error) {
	f.stall.Reset(f.every)
	n, err := f.body.Read(p)
	f.stall.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = &fault.Error{Class: fault.Transient, Op: f.op, Code: CodeFileGone, Err: cause(f.ctx, err)}
	}
	return n, err
}

// Close ends the download, complete or not.
func (f *Download) Close() error {
	var err error
	f.once.Do(func() {
		err = f.body.Close()
		f.stop()
	})
	return err
}

func (f *Download) stop() {
	f.stall.Stop()
	f.limit.Stop()
	f.cancel(context.Canceled)
}
