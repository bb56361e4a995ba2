package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// The classes of requests that Parley sends.
const (
	classDomain       = "domain"
	classToken        = "token"
	classConsumer     = "consumer"
	classConversation = "conversation"
	classSend         = "send"
	classTwilio       = "twilio"
	classHTTP         = "http"
	classSwift        = "swift"
	classMonitoring   = "monitoring"
	classMedia        = "media" // files of the channels' providers
)

// maxRequest is how large a request to a far side may be.
const maxRequest = 1 << 20

// call is one request of Parley's to a far side.
type call struct {
	sim    *Simulator
	r      *http.Request
	body   []byte
	seen   *exchange
	faults decision
	early  []<-chan struct{} // webhooks to be delivered before the answer
}

func (c *call) warn(text string) { c.seen.warnings = append(c.seen.warnings, text) }

// reply is the answer to a call.
type reply struct {
	status int
	body   any    // marshalled as JSON
	hidden any    // what the wire shows instead of body
	reason string // why it was rejected; few different texts, they are counted
	header http.Header
	file   *storedFile // streamed in place of body
}

// far turns a far side's behaviour into a handler: it reads the request, lets the
// faults have their way before and after h, and records everything.
func (s *Simulator) far(class string, h func(*call) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := s.now()
		clock := time.Now()
		c := &call{sim: s, r: r, seen: &exchange{
			at: began, direction: "in", class: class, method: r.Method, path: r.URL.RequestURI(), attempt: 1, requestHeader: r.Header,
		}}
		var tooLarge *http.MaxBytesError
		var body []byte
		var err error
		if class == classSwift { // streamed, and known by its path
			body = []byte(r.URL.Path)
			c.seen.path = r.URL.Path // without the signature
		} else {
			body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
			c.body, c.seen.request = body, body
		}
		if err != nil && !errors.As(err, &tooLarge) {
			return // the caller went away
		}
		c.faults = s.faults.decide(class, body)
		pause(r, c.faults.delay)

		var out reply
		do := c.faults.do()
		switch {
		case err != nil:
			out = reply{status: http.StatusRequestEntityTooLarge, reason: "request is too large"}
		case do == doThrottle || do == doWarmUp || do == doFailBefore || do == doDropBefore || do == doHangBefore || do == doExpire && !authorised(class):
			out = faulty(class, c.faults.rule)
			drain(r)
		default:
			out = h(c)
			if c.seen.summary == "" {
				c.seen.summary = class
			}
			switch {
			case do != doFailAfter && do != doDropAfter && do != doHangAfter:
			case out.reason == "":
				out = faulty(class, c.faults.rule)
			default:
				c.faults.rule = nil // there was no effect to fail after
			}
		}
		c.awaitEarly()
		c.finish(w, out, clock)
	}
}

// authorised says whether a class knows AppJWTs.
func authorised(class string) bool {
	return class == classConsumer || class == classConversation || class == classSend
}

// finish records the exchange and answers it.
func (c *call) finish(w http.ResponseWriter, out reply, clock time.Time) {
	b := marshal(out.body)
	c.seen.rejected, c.seen.status, c.seen.answer = out.reason, out.status, b
	if out.hidden != nil {
		c.seen.answer = marshal(out.hidden)
	}
	if c.faults.delay > 0 {
		c.seen.fault = doDelay
	}
	if c.faults.rule != nil {
		c.seen.fault = c.faults.rule.Do
	}
	cut := c.cut()
	if cut {
		c.seen.status, c.seen.answer = 0, nil
	}
	c.seen.took = time.Since(clock)
	c.seen.answerHeader = out.header
	c.sim.counters.request(c.seen)
	c.sim.wire.add(c.seen)
	if cut {
		c.hang()
		panic(http.ErrAbortHandler) // net/http cuts the connection
	}
	for name, values := range out.header {
		w.Header()[name] = values
	}
	if out.file != nil {
		c.sim.serveFile(w, c.r, *out.file)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(out.status)
	_, _ = w.Write(b)
}

func (c *call) cut() bool {
	switch c.faults.do() {
	case doDropBefore, doDropAfter, doHangBefore, doHangAfter:
		return true
	}
	return false
}

func (c *call) hang() {
	switch c.faults.do() {
	case doHangBefore, doHangAfter:
		d := ms(c.faults.rule.DelayMs)
		if d == 0 {
			d = time.Minute
		}
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.r.Context().Done():
		case <-c.sim.life.Done():
		}
	}
}

// awaitEarly waits for webhooks that are told to arrive before the answer.
func (c *call) awaitEarly() {
	if len(c.early) == 0 {
		return
	}
	t := time.NewTimer(5 * time.Second)
	defer t.Stop()
	for _, done := range c.early {
		select {
		case <-done:
		case <-t.C:
			return
		case <-c.r.Context().Done():
			return
		}
	}
}

// faulty is the answer that a rule asks for, in the envelope of its class.
func faulty(class string, r *Rule) reply {
	status := cmp.Or(r.Status, http.StatusServiceUnavailable)
	var header http.Header
	switch r.Do {
	case doThrottle:
		status = http.StatusTooManyRequests
		if r.RetryAfter > 0 {
			header = http.Header{"Retry-After": {strconv.Itoa(r.RetryAfter)}}
		}
	case doExpire:
		status = http.StatusUnauthorized
	case doWarmUp:
		status = http.StatusInternalServerError
	}
	if class == classMonitoring {
		return monitoringError(status, cmp.Or(map[string]int{doWarmUp: loadingAccount}[r.Do], status), http.StatusText(status), header)
	}
	return reply{status: status, header: header, body: faultBody(class, status, r.RetryAfter)}
}

func faultBody(class string, status, after int) any {
	text := http.StatusText(status)
	switch class {
	case classSwift, classMedia:
		return text
	case classTwilio:
		code := map[int]int{http.StatusTooManyRequests: 20429, http.StatusUnauthorized: 20003}[status]
		return twilioError(status, cmp.Or(code, 20500), text).body
	case classHTTP:
		e := map[string]any{"code": "busy", "class": "retryable", "message": text}
		switch {
		case status == http.StatusTooManyRequests:
			e["class"] = "ratelimit"
		case status == http.StatusUnauthorized:
			e["class"] = "auth"
		case status < 500:
			e["code"], e["class"] = "invalid", "permanent"
		}
		if after > 0 {
			e["retryAfter"] = after
		}
		return map[string]any{"error": e}
	case classToken:
		return map[string]string{"error": map[bool]string{true: "invalid_client", false: "temporarily_unavailable"}[status == http.StatusUnauthorized]}
	}
	return refusal(status, status*100, text, text).body
}

func pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// refusal is an error in the Send API's envelope. The first three digits of its
// code are the HTTP status.
//
// Source: connector-api-send-api-authorization-and-authentication, error codes.
func refusal(status, code int, title, details string) reply {
	return reply{status: status, reason: details, body: map[string]any{
		"kind": "resp", "code": status, "type": ".ReqBody$ErrorResp",
		"body": map[string]any{"title": title, "details": details, "errorCode": code},
	}}
}

// invalid is a 400 for a request that is not as documented.
func invalid(details string) *reply {
	r := refusal(http.StatusBadRequest, 40000, "Bad Request", details)
	return &r
}

// wantJSON checks the query and the content type of a Send API or IDP call.
func (c *call) wantJSON(version string) *reply {
	if c.r.URL.Query().Get("v") != version {
		return invalid("query v=" + version + " is required")
	}
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return invalid("Content-Type must be application/json")
	}
	if !json.Valid(c.body) {
		return invalid("body is not JSON")
	}
	return nil
}

func marshal(v any) []byte {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("simulator: marshal: " + err.Error()) // only our own types come here
	}
	return b
}
