package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"parley/channels"
	"parley/liveperson"
	"parley/message"
)

func (h *handlers) cloudWebhook(c *gin.Context) {
	name := c.Param("account")
	account, ok := h.Accounts[name]
	if !ok {
		refuse(c, http.StatusNotFound, "unknown account")
		return
	}
	source := "cloud/" + name
	c.Set(sourceKey, source)
	if h.CloudCertificate && (c.Request.TLS == nil || len(c.Request.TLS.VerifiedChains) == 0) {
		refuse(c, http.StatusUnauthorized, "client certificate missing")
		return
	}
	body, ok := h.read(c)
	if !ok {
		return
	}
	got, err := account.Receive(c.Request.Header, body)
	if err != nil {
		h.fail(c, source, err)
		return
	}
	in := h.open(name, got)
	if err := h.store(c, in.a, leftover(source, name, channels.Leftover{Body: body})); err != nil {
		h.fail(c, source, err)
		return
	}
	h.Presence.fromCloud(name, in.heard, h.strain.on())
	c.Status(http.StatusOK) // 202 and 204 would count as failures
}

// open sorts what a notification brought, in the inbox's words.
func (h *handlers) open(account string, got liveperson.Received) notification {
	in := notification{account: account, source: "cloud/" + account, now: h.Now(), people: h.people}
	for _, e := range got.Events {
		in.add(e)
	}
	for _, l := range got.Dead {
		in.a.Dead = append(in.a.Dead, leftover(in.source, account, channels.Leftover{Reason: l.Reason, Body: l.Body}))
	}
	return in
}

// notification is one body of the cloud on its way into an Arrival.
type notification struct {
	account string
	source  string
	now     time.Time
	people  *people

	a     message.Arrival
	heard []liveperson.Event // what agents did that is worth passing on at once
}

func (in *notification) add(e liveperson.Event) {
	switch e.Kind {
	case liveperson.KindContent:
		in.content(e)
	case liveperson.KindAccept:
		in.accept(e)
	case liveperson.KindChange:
		in.change(e)
	case liveperson.KindChatState:
		if in.sideOf(e) == agents {
			in.heard = append(in.heard, e)
		}
	}
}

// side says who caused an event.
type side int

const (
	agents side = iota
	consumer
	nobody // silent, by their role
	unknown
)

// sideOf tells our own words, which come back as the consumer's, from agents'. A
// role we have never heard of is an agent's: the consumer's has always been
// CONSUMER, and a message too many is better than one lost. Where the cloud names
// no role, the originator is compared with the consumer as far as this process has
// seen who that is.
func (in *notification) sideOf(e liveperson.Event) side {
	switch e.Role {
	case liveperson.RoleConsumer:
		in.people.remember(in.account, e.Conversation, e.Originator)
		return consumer
	case liveperson.RoleReader:
		return nobody
	case "":
		known := in.people.consumer(in.account, e.Conversation)
		switch {
		case known != "" && known == e.Originator:
			return consumer
		case known != "" && e.Originator != "":
			return agents // whatever it attached: a bot's ID may look like ours
		case ours(e.ExternalID):
			return consumer
		}
		return unknown
	}
	return agents
}

// content stores what an agent wrote; what we published ourselves becomes an echo.
// What was said among agents keeps its place in the sequence and nothing else.
func (in *notification) content(e liveperson.Event) {
	n := in.event(message.AgentWrote, e)
	switch in.sideOf(e) {
	case consumer:
		in.a.Echoes = append(in.a.Echoes, echoOf(in.account, e, n.At))
		return
	case unknown:
		in.bury(e, "nobody knows whether the consumer or an agent wrote it")
		return
	case nobody:
		n.Private = true
	case agents:
		n.Private = e.Private
	}
	if !n.Private {
		fill(&n, e)
		in.heard = append(in.heard, e)
	}
	in.store(e, n, true, !n.Private)
}

// accept stores what agents did with the consumer's messages. It waits in its
// stream until something urgent comes: nothing is done about it. Our own come back
// too and are of no use; without a role nothing can be said and nothing is lost.
func (in *notification) accept(e liveperson.Event) {
	if in.sideOf(e) != agents {
		return
	}
	n := in.event(message.AgentSaw, e)
	n.Status, n.Sequences, n.Metadata = e.Status, e.Sequences, metadata(e.Metadata)
	in.heard = append(in.heard, e)
	in.store(e, n, false, false)
}

// change stores a snapshot. One of an open conversation may start a run: an agent
// may have opened it again. For one that we opened ourselves a run exists already.
func (in *notification) change(e liveperson.Event) {
	c := e.Change
	n := in.event(message.Conversation, e)
	n.Change = change(c)
	if c.Consumer() != "" {
		in.people.remember(in.account, e.Conversation, c.Consumer())
		in.a.Participants = append(in.a.Participants, message.Participant{
			Account: in.account, Conversation: e.Conversation, Consumer: c.Consumer(),
		})
	}
	if r, ok := rating(in.account, e, n); ok {
		in.a.Ratings = append(in.a.Ratings, r)
	}
	in.heard = append(in.heard, e)
	in.store(e, n, true, c.Open() && c.MainOpen())
}

// event fills in what all notifications have.
func (in *notification) event(kind message.NotificationKind, e liveperson.Event) message.Notification {
	at := e.Time
	if at.IsZero() {
		at = in.now
	}
	return message.Notification{
		Kind:         kind,
		ID:           message.NewID(in.account, e.ID),
		EventID:      e.ID,
		Account:      in.account,
		Conversation: e.Conversation,
		Dialog:       e.Dialog,
		Sequence:     e.Sequence,
		Role:         e.Role,
		At:           at,
	}
}

func (in *notification) store(e liveperson.Event, n message.Notification, urgent, starts bool) {
	body, reason := encodeNotification(n)
	if reason != "" {
		in.bury(e, reason)
		return
	}
	in.a.Events = append(in.a.Events, message.Event{
		Stream:  message.Stream{Account: in.account, Conversation: e.Conversation},
		Source:  in.source,
		EventID: e.ID,
		Urgent:  urgent,
		Starts:  starts,
		Body:    body,
	})
}

// bury keeps an event that cannot be used, as it came.
func (in *notification) bury(e liveperson.Event, reason string) {
	in.a.Dead = append(in.a.Dead, message.DeadLetter{
		ID: message.NewID(in.account, e.ID), Source: in.source, Account: in.account, Dialog: e.Dialog, Reason: reason, Body: e.Raw,
	})
}

// echoOf is the proof that something we published reached the cloud: by our ID, or
// by its text where the cloud did not give the ID back, or where what was attached
// is not ours: a click gives back what the agent attached.
func echoOf(account string, e liveperson.Event, at time.Time) message.Echo {
	echo := message.Echo{Scope: account, Dialog: e.Dialog, Sequence: e.Sequence, Digest: message.TextDigest(e.Text), At: at}
	if ours(e.ExternalID) {
		echo.Key = message.ID(e.ExternalID)
	}
	return echo
}

// ours says whether an ExternalId has the form of a message.ID.
func ours(id string) bool {
	if len(id) != 32 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
