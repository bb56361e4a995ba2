package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"parley/channels"
	"parley/message"
)

// What one event may hold. Nothing a person writes comes near these: a longer one
// is kept as a dead letter and acknowledged, because a sender that is refused would
// only send it again.
const (
	maxText  = 64 << 10  // bytes of a text
	maxEvent = 128 << 10 // bytes of an event as JSON; signals and histories carry it
)

// maxEvents is how many events one request of a channel may bring. They are stored
// together or not at all, within storeWithin.
const maxEvents = 1000

func (h *handlers) channelWebhook(c *gin.Context) {
	name := c.Param("channel")
	adapter, ok := h.Channels[name]
	if !ok {
		refuse(c, http.StatusNotFound, "unknown channel")
		return
	}
	source := "channel/" + name
	c.Set(sourceKey, source)
	body, ok := h.read(c)
	if !ok {
		return
	}
	now := h.Now()
	got, err := adapter.Receive(channels.Webhook{
		Method: c.Request.Method,
		Route:  c.Param("route"),
		Path:   c.Request.URL.EscapedPath(),
		Query:  c.Request.URL.RawQuery,
		Header: c.Request.Header,
		Body:   body,
		At:     now,
	})
	if err != nil {
		h.fail(c, source, err)
		return
	}
	if len(got.Events) > maxEvents {
		refuse(c, http.StatusRequestEntityTooLarge, "at most "+strconv.Itoa(maxEvents)+" events in one request")
		return
	}
	if err := h.store(c, channelArrival(name, got, now), leftover(source, name, channels.Leftover{Body: body})); err != nil {
		h.fail(c, source, err)
		return
	}
	h.Presence.fromChannel(got, h.strain.on())
	answer(c, got)
}

func answer(c *gin.Context, got channels.Received) {
	status := got.Status
	if status == 0 {
		status = http.StatusOK
	}
	if len(got.Answer) == 0 {
		c.Status(status)
		return
	}
	contentType := got.ContentType
	if contentType == "" {
		contentType = "text/plain; charset=utf-8"
	}
	c.Data(status, contentType, got.Answer)
}

// channelArrival is what a channel's webhook brought, in the inbox's words.
func channelArrival(channel string, got channels.Received, now time.Time) message.Arrival {
	source := "channel/" + channel
	a := message.Arrival{Echoes: slices.Clone(got.Echoes)}
	for _, in := range got.Events {
		if in.ID == "" {
			in.ID = message.NewID(channel, in.EventID)
		}
		if in.At.IsZero() {
			in.At = now
		}
		if event, dead := channelEvent(source, in); dead != nil {
			a.Dead = append(a.Dead, *dead)
		} else {
			a.Events = append(a.Events, event)
		}
		if echo, ok := receiptEcho(channel, in); ok && !echoed(a.Echoes, echo.Key) {
			a.Echoes = append(a.Echoes, echo)
		}
	}
	for _, l := range got.Dead {
		a.Dead = append(a.Dead, leftover(source, channel, l))
	}
	return a
}

// channelEvent says how an event of a channel is dispatched: all of them now, but
// nobody starts a conversation to hear that the last one was delivered or is over.
func channelEvent(source string, in message.Inbound) (message.Event, *message.DeadLetter) {
	body, reason := encode(in, in.Text)
	if reason != "" {
		return message.Event{}, &message.DeadLetter{ID: in.ID, Source: source, Address: in.Address, Reason: reason, Body: body}
	}
	return message.Event{
		Stream:  message.Stream{Address: in.Address},
		Source:  source,
		EventID: in.EventID,
		Urgent:  true,
		Starts:  in.Kind == message.Wrote || in.Kind == message.Consent,
		Reply:   in.Reply,
		Body:    body,
	}, nil
}

// receiptEcho is the proof that a message of ours reached the provider, which a
// receipt for it is.
func receiptEcho(channel string, in message.Inbound) (message.Echo, bool) {
	if in.Receipt == nil || in.Receipt.Message == "" {
		return message.Echo{}, false
	}
	return message.Echo{Scope: channel, Key: in.Receipt.Message, Sequence: -1, At: in.At}, true
}

func echoed(echoes []message.Echo, key message.ID) bool {
	return slices.ContainsFunc(echoes, func(e message.Echo) bool { return e.Key == key })
}

// encode returns v as JSON and, where it is not to be dispatched, the reason.
func encode(v any, text string) (body []byte, reason string) {
	body, err := json.Marshal(v)
	switch {
	case err != nil:
		return nil, "cannot be written as JSON"
	case len(text) > maxText:
		return body, fmt.Sprintf("text longer than %d bytes", maxText)
	case len(body) > maxEvent:
		return body, fmt.Sprintf("event larger than %d bytes", maxEvent)
	}
	return body, ""
}

// leftover is a part of an authentic webhook that cannot be used. Its ID follows
// from its bytes, so a redelivery is the same dead letter; and it is never that of
// an event, of which it may be a part.
func leftover(source, name string, l channels.Leftover) message.DeadLetter {
	sum := sha256.Sum256(l.Body)
	id := message.NewID(name, l.EventID, "leftover", hex.EncodeToString(sum[:]))
	return message.DeadLetter{ID: id, Source: source, Reason: l.Reason, Body: l.Body}
}
