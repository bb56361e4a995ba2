package liveperson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	"parley/fault"
)

// effect is what doing a request twice would do.
type effect bool

const (
	repeatable effect = false // nothing more than doing it once
	creates    effect = true  // a second message, or a second conversation
)

// answerLimit bounds what is read of an answer; the largest known is below 10 KB.
const answerLimit = 1 << 20

// answer is what the other side said, whatever it said.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    bool // the connection broke, or the limit was reached, inside the body
}

// reach calls a service at its domain. When the service cannot be connected to,
// or does not know the path, its domain may have changed: it is looked up again,
// and if so the call is made once more, since nothing has happened yet.
func (c *Client) reach(ctx context.Context, op, service string, e effect, path string,
	request func(target string) (*http.Request, error),
) (answer, error) {
	for again := false; ; again = true {
		base, err := c.domains.base(ctx, service)
		if err != nil {
			return answer{}, err
		}
		req, err := request(base + path)
		if err != nil {
			return answer{}, fault.New(fault.Rejected, op, "the request cannot be made")
		}
		a, err := c.exchange(req, op, e)
		lost := ctx.Err() == nil && (a.status == http.StatusNotFound || errors.Is(err, errNotConnected))
		if again || !lost || !c.domains.moved(ctx, service, base) {
			return a, err
		}
	}
}

// exchange sends one request and reads its answer. An error means that there was
// none: Uncertain if the request left and doing it again would do more, Transient
// otherwise.
func (c *Client) exchange(req *http.Request, op string, e effect) (answer, error) {
	ctx, cancel := context.WithTimeout(req.Context(), c.timeout)
	defer cancel()
	res, err := c.do(c.http, req.WithContext(ctx), op, e)
	if err != nil {
		return answer{}, err
	}
	return readAnswer(res), nil
}

// readAnswer reads what there is of an answer, and closes it.
func readAnswer(res *http.Response) answer {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit+1))
	cut := err != nil || len(body) > answerLimit
	return answer{status: res.StatusCode, header: res.Header, body: body, cut: cut}
}

// do sends one request and waits until its answer begins.
func (c *Client) do(by *http.Client, req *http.Request, op string, e effect) (*http.Response, error) {
	var connected, left atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
		// A request that was written only in part is never acted upon.
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				left.Store(true)
			}
		},
	})
	req = req.WithContext(ctx)
	req.Header.Set("User-Agent", c.agent)
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	res, err := by.Do(req)
	if err != nil {
		return nil, unanswered(op, e, err, connected.Load(), left.Load())
	}
	return res, nil
}

// Why there was no answer.
var (
	errNotConnected = errors.New("no connection could be made")
	errNotSent      = errors.New("the request could not be sent")
	errNoAnswer     = errors.New("no answer came")
)

// unanswered judges a request without an answer. The cause's own text is left
// out, because it names addresses; a context's end stays recognisable.
func unanswered(op string, e effect, err error, connected, left bool) error {
	cause := errNotSent
	switch {
	case left:
		cause = errNoAnswer
	case !connected:
		cause = errNotConnected
	}
	if deadline(err) {
		cause = fmt.Errorf("timed out: %w", cause)
	}
	if errors.Is(err, context.Canceled) {
		cause = fmt.Errorf("%w: %w", gaveUp(context.Canceled), cause)
	}
	class := fault.Transient
	if left && e == creates {
		class = fault.Uncertain
	}
	return &fault.Error{Class: class, Op: op, Err: cause}
}

func deadline(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &n) && n.Timeout())
}

func gaveUp(err error) error { return fmt.Errorf("the caller gave up: %w", err) }

// encode is JSON as it is commonly written: "<" stays "<".
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// clientProperties is the header that tells the cloud what this consumer's side
// can show. It has to be the same on CONVERSATION and on every SEND.
//
// Source: messaging-window-api schemas (clientPropertiesHeader).
func clientProperties(config Config) string {
	features := config.Features
	if features == nil {
		features = DefaultFeatures()
	}
	b, err := json.Marshal(struct {
		Type         string   `json:"type"`
		AppID        string   `json:"appId,omitempty"`
		DeviceFamily string   `json:"deviceFamily"`
		OS           string   `json:"os"`
		Features     []string `json:"features"`
	}{".ClientProperties", config.appID(), "OTHER", "OTHER", features})
	if err != nil {
		panic("strings did not encode: " + err.Error())
	}
	return string(b)
}

// appID is who we say we are.
func (c Config) appID() string {
	id := c.AppID
	if id == "" {
		id = c.Name
	}
	return printable(id, 64)
}

// printable keeps what may stand in a header, at most limit characters of it.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), limit)]
}
