package liveperson

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/fault"
)

// The codes of a Gone error, and the last of a Transient one.
const (
	CodeClosed      = "closed"       // the conversation is over: open a new one
	CodeAlreadyOpen = "already-open" // the consumer has an open conversation: use that one
	CodeNotTried    = "not-tried"    // of Transient: the account answers nobody just now, nothing was sent
)

// The error codes the documentation names; the first three digits are the HTTP
// status, and only these numbers are to be relied upon.
//
// Source: connector-api-send-api-authorization-and-authentication.
const (
	codeBrandMissing = "40001" // or a claim of the AppJWT is wrong
	codeAppJWT       = "40102"
	codeConsumerJWS  = "40103"
)

// envelope is what an answer, or one element of a batch's answer, is wrapped in.
type envelope struct {
	ReqID any             `json:"reqId"`
	Code  any             `json:"code"` // "OK", or a number
	Body  json.RawMessage `json:"body"`
}

// judge says what an answer means; nil is success. What is written in the body
// decides between classes and is never repeated in the error.
func (a answer) judge(op string, e effect, now time.Time) error {
	switch class := a.class(e); class {
	case "":
		return nil
	case fault.Gone:
		return &fault.Error{Class: class, Op: op, Code: CodeClosed, Err: a.cause()}
	default:
		return &fault.Error{Class: class, Op: op, Code: a.shownCode(), After: a.after(class, now), Err: a.cause()}
	}
}

func (a answer) class(e effect) fault.Class {
	switch s := a.status; {
	case s >= 200 && s < 300:
		return ""
	case s == http.StatusTooManyRequests:
		return fault.Throttled
	case s == http.StatusBadRequest && mentions(a.body, "conversation is close", "conversation is already close"):
		return fault.Gone
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusProxyAuthRequired:
		return fault.Denied
	case s == http.StatusBadRequest && a.code() == codeBrandMissing:
		return fault.Denied // the configuration is wrong, not the message
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		return fault.Transient // the server says that it has not begun
	case s >= 400 && s < 500:
		return fault.Rejected
	case s >= 300 && s < 400:
		return fault.Transient // somebody else's page in between; nothing was done
	case e == creates:
		return fault.Uncertain
	default:
		return fault.Transient
	}
}

// judgeAccount judges what is asked in the account's name and holds nothing of
// any message: whatever is refused there is refused to all messages alike, until
// the account's configuration is mended.
func (a answer) judgeAccount(op string, now time.Time) error {
	if a.class(repeatable) == fault.Rejected {
		return &fault.Error{Class: fault.Denied, Op: op, Code: a.shownCode(), Err: a.cause()}
	}
	return a.judge(op, repeatable, now)
}

// code returns the errorCode, wherever the answer carries it.
func (a answer) code() string {
	var found struct {
		ErrorCode any `json:"errorCode"`
		Error     any `json:"error"`
		Body      any `json:"body"`
	}
	if json.Unmarshal(a.body, &found) != nil {
		return ""
	}
	if body, ok := found.Body.(map[string]any); ok && body["errorCode"] != nil {
		found.ErrorCode = body["errorCode"]
	}
	if s := word(found.ErrorCode); s != "" {
		return s
	}
	return word(found.Error)
}

// shownCode is the other side's code, the HTTP status where it gave none.
func (a answer) shownCode() string {
	if s := a.code(); s != "" {
		return s
	}
	if a.status == 0 {
		return ""
	}
	return strconv.Itoa(a.status)
}

func (a answer) cause() error {
	if a.status == 0 {
		return errors.New("the answer could not be understood")
	}
	return statusError(a.status)
}

// statusError is the HTTP status of an answer that was no success.
type statusError int

func (s statusError) Error() string { return "answered " + strconv.Itoa(int(s)) }

// oauthCodes are what a token endpoint may say.
//
// Source: RFC 6749, 4.1.2.1 and 5.2.
var oauthCodes = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
	"invalid_scope", "access_denied", "server_error", "temporarily_unavailable",
}

// word returns v if it is a code and nothing else: it goes into errors and logs,
// where no text and no telephone number may go.
func word(v any) string {
	switch v := v.(type) {
	case float64:
		if v == float64(int(v)) && v > 0 && v < 1e6 {
			return strconv.Itoa(int(v))
		}
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return word(float64(n))
		}
		if slices.Contains(oauthCodes, v) {
			return v
		}
	}
	return ""
}

// after returns how long the other side asked to wait: at least a second after
// 429, which is what LivePerson asks for where it names no time.
//
// Source: retry-policy-recommendations; Retry-After is not documented, and honoured.
func (a answer) after(class fault.Class, now time.Time) time.Duration {
	if theirs, err := http.ParseTime(a.header.Get("Date")); err == nil {
		now = theirs // a date to wait for was made by the same clock
	}
	d := retryAfter(a.header.Get("Retry-After"), now)
	switch class {
	case fault.Throttled:
		return max(d, time.Second)
	case fault.Transient, fault.Uncertain:
		return d
	default:
		return 0
	}
}

// longestWait bounds what a broken clock or header on the other side can ask for.
const longestWait = time.Hour

func retryAfter(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	var d time.Duration
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		d = time.Duration(min(max(n, 0), longestWait.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(s); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), longestWait)
}

func mentions(body []byte, phrases ...string) bool {
	lower := bytes.ToLower(body)
	for _, p := range phrases {
		if bytes.Contains(lower, []byte(p)) {
			return true
		}
	}
	return false
}

// alreadyOpen says whether CONVERSATION was refused because the consumer has an
// open conversation. The text is not documented; "Consumer already has an open
// conversation" and its likes are understood.
func (a answer) alreadyOpen() bool {
	return (a.status == http.StatusBadRequest || a.status == http.StatusConflict) &&
		mentions(a.body, "conversation") && mentions(a.body, "already", "open conversation", "conversation is open", "conversation exists")
}

// element is one element of a batch, judged as if it had come alone. Without a
// code of its own it has the status of the whole; with one that says nothing to
// us its status is 0, which is unknown.
func (a answer) element(raw json.RawMessage) (answer, envelope) {
	var e envelope
	if json.Unmarshal(raw, &e) != nil {
		return answer{header: a.header, body: raw}, e
	}
	part := answer{status: a.status, header: a.header, body: raw}
	if e.Code != nil {
		part.status = statusOf(e.Code)
	}
	return part, e
}

// single is an answer to one request. An envelope that reports a failure counts,
// whatever the HTTP status around it.
func (a answer) single() answer {
	var e envelope
	if a.status == http.StatusOK && json.Unmarshal(a.body, &e) == nil && e.Code != nil {
		a.status = statusOf(e.Code)
	}
	return a
}

func statusOf(code any) int {
	switch v := code.(type) {
	case float64:
		if v >= 100 && v < 600 {
			return int(v)
		}
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return statusOf(float64(n))
		}
		name := strings.ReplaceAll(strings.ToUpper(v), "_", " ")
		for s := 200; s < 600; s++ {
			if text := http.StatusText(s); text != "" && strings.ToUpper(text) == name {
				return s
			}
		}
	}
	return 0
}
