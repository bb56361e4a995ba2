package channels

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// FieldError says what is wrong with one field of an adapter's configuration. New
// of every adapter returns all of them, joined; FieldErrors takes them apart, so
// that they can be shown by the names of the variables. Its text holds no value.
type FieldError struct {
	Field   string // as in the Config struct, e.g. "AuthTokens"
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// FieldErrors returns the field errors joined in err, nil if there are none.
func FieldErrors(err error) []*FieldError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*FieldError
		for _, e := range joined.Unwrap() {
			all = append(all, FieldErrors(e)...)
		}
		return all
	}
	var one *FieldError
	if errors.As(err, &one) {
		return []*FieldError{one}
	}
	return nil
}

// Checks collects what is wrong with a configuration.
type Checks struct{ errs []error }

// Fail notes a problem with a field.
func (c *Checks) Fail(field, format string, args ...any) {
	c.errs = append(c.errs, &FieldError{field, fmt.Sprintf(format, args...)})
}

// Filled notes a problem if value is empty.
func (c *Checks) Filled(field, value string) {
	if strings.TrimSpace(value) == "" {
		c.Fail(field, "is empty")
	}
}

// Secrets notes a problem unless there is at least one secret and none is empty:
// an empty secret would let everyone in.
func (c *Checks) Secrets(field string, secrets []string) {
	if len(secrets) == 0 {
		c.Fail(field, "is empty")
	}
	for i, s := range secrets {
		if strings.TrimSpace(s) == "" {
			c.Fail(field, "value %d of %d is empty", i+1, len(secrets))
		}
	}
}

// URL returns raw as an absolute URL, https where it has no scheme, and notes a
// problem if it is none.
func (c *Checks) URL(field, raw string) *url.URL {
	raw = strings.TrimSpace(raw)
	if raw == "" {
		c.Fail(field, "is empty")
		return &url.URL{}
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		c.Fail(field, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		c.Fail(field, "must be http or https")
	case u.Host == "":
		c.Fail(field, "has no host")
	case u.User != nil:
		c.Fail(field, "must not hold a user name or password")
	case u.Fragment != "":
		c.Fail(field, "must not have a fragment")
	default:
		return u
	}
	return &url.URL{}
}

// BaseURL is URL for what our paths are appended to: it has no query, and the
// result ends without a slash.
func (c *Checks) BaseURL(field, raw string) string {
	u := c.URL(field, raw)
	if u.RawQuery != "" || u.ForceQuery {
		c.Fail(field, "must not have a query")
	}
	return strings.TrimRight(u.String(), "/")
}

// Err returns all problems, nil if there were none.
func (c *Checks) Err() error { return errors.Join(c.errs...) }

// Options are the parts of an adapter that tests replace.
type Options struct {
	Transport http.RoundTripper
	Now       func() time.Time
}

// Option changes Options.
type Option func(*Options)

// WithTransport has requests sent by transport.
func WithTransport(transport http.RoundTripper) Option {
	return func(o *Options) { o.Transport = transport }
}

// WithClock has the adapter read the time from now.
func WithClock(now func() time.Time) Option { return func(o *Options) { o.Now = now } }

// idlePerHost keeps enough connections open for the sends of a busy channel.
const idlePerHost = 64

// NewOptions returns the options an adapter works with.
func NewOptions(opts []Option) Options {
	o := Options{Now: time.Now}
	for _, opt := range opts {
		opt(&o)
	}
	if o.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = idlePerHost
		o.Transport = transport
	}
	return o
}
