// Package api is the way in by HTTP: webhooks of the Conversational Cloud and of
// the channels, and the operators' listener. A webhook is read, verified by the
// room that knows its sender, put on disk through an Inbox, and answered; a 2xx
// means that it is on disk. Typing and read marks are passed straight through.
//
// It decides nothing about conversations and stays out of Temporal, of SQL and of
// what the far sides' formats look like. No text, number or name of a consumer and
// no expected signature is in its answers, logs and metrics.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"parley/channels"
	"parley/liveperson"
	"parley/message"
)

// The routes of webhooks; channels are told the whole path, as providers sign it.
const (
	cloudRoute    = "/webhooks/liveperson/:account"
	channelRoute  = "/webhooks/channels/:channel"
	channelRoutes = channelRoute + "/:route"
)

// DefaultMaxBody is the most bytes of a body when Server.MaxBody is 0.
const DefaultMaxBody = 4 << 20

// storeWithin is how long storing may take before the sender is asked to come
// again. The cloud gives up after 5 s and may disable an app whose endpoint needs
// over 2.5 s for two minutes; the strictest channel gives up after 2 s.
//
// Source: developers.liveperson.com/connector-api-webhooks-notification-protocol.html
const storeWithin = time.Second

// Inbox keeps what arrived. Append returns once it is on disk, with the keys of
// the streams that now want to be dispatched. An error is Rejected when the
// content can never be stored; any other means: not now.
type Inbox interface {
	Append(context.Context, message.Arrival) ([]string, error)
}

// Waker is told which streams have news. It returns at once.
type Waker interface {
	Wake(keys ...string)
}

// Cloud reads the webhooks of one account. An error is Denied for a missing or
// wrong signature; what is correctly signed is never refused.
type Cloud interface {
	Receive(header http.Header, body []byte) (liveperson.Received, error)
}

// Server answers webhooks. It is filled once at start.
type Server struct {
	Accounts map[string]Cloud            // by configured name
	Channels map[string]channels.Adapter // by configured name
	Inbox    Inbox
	Relay    Waker
	Presence *Presence // optional: without it, typing and read marks are dropped
	Files    Files     // optional: without it, there are none
	Ops      *Ops
	Log      *slog.Logger

	// CloudCertificate has the cloud's webhooks refused unless they come with a client
	// certificate that the listener has verified. Channels need none.
	//
	// Source: connector-api-webhooks-notification-protocol (mTLS).
	CloudCertificate bool

	MaxBody int64            // bytes, DefaultMaxBody when 0
	Now     func() time.Time // time.Now when nil
}

type handlers struct {
	Server
	metrics *metrics
	people  *people
	room    *room // for long bodies
	strain  strain
	reading chan struct{} // one for each file that is being read
}

// Handler returns the public routes.
func (s *Server) Handler() http.Handler {
	h := &handlers{Server: *s, metrics: s.Ops.metrics, people: &people{}, reading: make(chan struct{}, mostFiles)}
	if h.MaxBody <= 0 {
		h.MaxBody = DefaultMaxBody
	}
	h.room = newRoom(max(sharedRoom, h.MaxBody))
	if h.Now == nil {
		h.Now = time.Now
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.RedirectTrailingSlash = false // a provider would follow with another signature, or not at all
	r.HandleMethodNotAllowed = true
	r.ForwardedByClientIP = false
	r.Use(h.measure, h.recover)
	r.NoRoute(func(c *gin.Context) { refuse(c, http.StatusNotFound, "not found") })
	r.NoMethod(func(c *gin.Context) { refuse(c, http.StatusMethodNotAllowed, "method not allowed") })
	r.POST(cloudRoute, h.cloudWebhook)
	r.GET(fileRoute, h.file)
	r.HEAD(fileRoute, h.file)
	for _, route := range []string{channelRoute, channelRoutes} {
		r.GET(route, h.channelWebhook)
		r.POST(route, h.channelWebhook)
	}
	return r
}

// store puts an arrival on disk and wakes the relay. What the inbox can never hold
// is kept as a dead letter in its original form instead: sent again, it would be
// refused again, and hold up all behind it.
func (h *handlers) store(c *gin.Context, a message.Arrival, original message.DeadLetter) error {
	// A sender that hangs up now may never come again: what is here is stored.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), storeWithin)
	defer cancel()
	ended := h.strain.watch()
	keys, err := h.Inbox.Append(ctx, a)
	if refusedForGood(err) {
		h.Log.Error("inbox refused a webhook, kept as a dead letter", "source", original.Source, "err", err)
		original.Reason = "the inbox refused it"
		a = message.Arrival{Dead: []message.DeadLetter{original}}
		keys, err = h.Inbox.Append(ctx, a)
	}
	ended(err)
	if err != nil {
		return &notStored{err}
	}
	h.metrics.stored(original.Source, a)
	if len(keys) > 0 {
		h.Relay.Wake(keys...)
	}
	return nil
}
