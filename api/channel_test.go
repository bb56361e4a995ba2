package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/message"
)

func TestAConsumersMessageIsStored(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.do(h.web("/webhooks/channels/web", wrote("e1", "u-42", "Hello")))
	a := h.inbox.all()
	require.Len(t, a.Events, 1)
	address := message.Address{Channel: "web", Consumer: "u-42"}
	e := a.Events[0]
	assert.Equal(t, message.Stream{Address: address}, e.Stream)
	assert.Equal(t, "channel/web", e.Source)
	assert.Equal(t, "e1", e.EventID)
	assert.Equal(t, "c-77", e.Reply)
	assert.True(t, e.Urgent)
	assert.True(t, e.Starts)
	in := inbounds(t, a)[0]
	assert.Equal(t, message.NewID("web", "e1"), in.ID)
	assert.Equal(t, "Hello", in.Text)
	assert.Equal(t, address, in.Address)
	assert.WithinDuration(t, time.Now(), in.At, time.Minute)
	assert.Equal(t, []string{e.Stream.Key()}, h.wakes.all())
}

func TestWhatStartsARun(t *testing.T) {
	t.Parallel()
	for kind, starts := range map[message.InboundKind]bool{
		message.Wrote: true, message.Consent: true, message.Closed: false, message.Receipts: false,
	} {
		a := channelArrival("web", channels.Received{Events: []message.Inbound{{Kind: kind, EventID: "e"}}}, time.Now())
		require.Len(t, a.Events, 1)
		assert.True(t, a.Events[0].Urgent, kind)
		assert.Equal(t, starts, a.Events[0].Starts, kind)
	}
}

func TestAReceiptWithOurIDIsAnEcho(t *testing.T) {
	t.Parallel()
	id := message.NewID("x")
	h := newHouse(t, nil)
	h.do(h.sms("/webhooks/channels/sms/status?message="+string(id)+"&part=1&parts=1",
		url.Values{"MessageSid": {"SM2"}, "To": {canaryNumber}, "MessageStatus": {"delivered"}}))
	a := h.inbox.all()
	require.Len(t, a.Echoes, 1, "the adapter's own and the receipt's are one")
	assert.Equal(t, "sms", a.Echoes[0].Scope)
	assert.Equal(t, id, a.Echoes[0].Key)
	require.Len(t, a.Events, 1)
	assert.Equal(t, id, inbounds(t, a)[0].Receipt.Message)

	now := time.Now()
	a = channelArrival("web", channels.Received{Events: []message.Inbound{
		{Kind: message.Receipts, EventID: "e", Receipt: &message.Receipt{Message: id, State: message.Delivered}},
		{Kind: message.Receipts, EventID: "f", Receipt: &message.Receipt{Ref: "out-1", State: message.Delivered}},
	}}, now)
	assert.Equal(t, []message.Echo{{Scope: "web", Key: id, Sequence: -1, At: now}}, a.Echoes)
}

func TestWhatAnAdapterLeavesOutIsFilledIn(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	in := inbounds(t, channelArrival("web", channels.Received{Events: []message.Inbound{{Kind: message.Wrote, EventID: "e1"}}}, now))[0]
	assert.Equal(t, message.NewID("web", "e1"), in.ID)
	assert.True(t, now.Equal(in.At))
}

func TestAnImpossiblyLongTextIsAcknowledgedAndBuried(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	long := strings.Repeat("ü", maxText/2) + "x"
	assert.Equal(t, http.StatusAccepted, h.do(h.web("/webhooks/channels/web", wrote("e1", "u-42", long))).status)
	a := h.inbox.all()
	assert.Empty(t, a.Events)
	require.Len(t, a.Dead, 1)
	assert.Equal(t, "text longer than 65536 bytes", a.Dead[0].Reason)
	assert.Equal(t, message.Address{Channel: "web", Consumer: "u-42"}, a.Dead[0].Address)
	assert.Equal(t, message.NewID("web", "e1"), a.Dead[0].ID)
	assert.Contains(t, string(a.Dead[0].Body), long, "nothing of it is lost")
	assert.Empty(t, h.wakes.all())

	assert.Equal(t, http.StatusAccepted, h.do(h.web("/webhooks/channels/web", wrote("e2", "u-42", long[2:]))).status)
	assert.Len(t, h.inbox.all().Events, 1, "just the longest is taken")

	_, reason := encode(message.Inbound{Text: strings.Repeat("\x01", maxText)}, "")
	assert.Equal(t, "event larger than 131072 bytes", reason)
}

func TestTooManyEventsInOneRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	var events []string
	for i := range maxEvents + 1 {
		events = append(events, fmt.Sprintf(`{"id":"e%d","type":"close","conversation":{"participant":{"id":"u"}}}`, i))
	}
	got := h.do(h.web("/webhooks/channels/web", `{"events":[`+strings.Join(events, ",")+`]}`))
	assert.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	assert.Equal(t, "at most 1000 events in one request\n", got.body)
	got = h.do(h.web("/webhooks/channels/web", `{"events":[`+strings.Join(events[1:], ",")+`]}`))
	assert.Equal(t, http.StatusAccepted, got.status)
}

func TestALeftoverIsNeverTakenForTheEventItIsPartOf(t *testing.T) {
	t.Parallel()
	l := channels.Leftover{EventID: "e1", Reason: "half of it", Body: []byte("x")}
	assert.NotEqual(t, message.NewID("web", "e1"), leftover("channel/web", "web", l).ID)
	assert.Equal(t, leftover("channel/web", "web", l).ID, leftover("channel/web", "web", l).ID)
}

// oneAnswer is an adapter that says the same to everyone.
type oneAnswer struct {
	channels.Adapter
	got channels.Received
}

func (o oneAnswer) Receive(w channels.Webhook) (channels.Received, error) {
	if w.Method == http.MethodGet {
		o.got.Answer = []byte(w.Path + "?" + w.Query + " " + w.Route)
	}
	return o.got, nil
}

func TestTheAdapterDecidesTheAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(s *Server) {
		s.Channels["challenge"] = oneAnswer{}
		s.Channels["silent"] = oneAnswer{got: channels.Received{Status: http.StatusNoContent}}
	})
	got := h.do(h.request(http.MethodGet, "/webhooks/channels/challenge/crc%20x?token=a%2Fb", nil))
	assert.Equal(t, 200, got.status)
	assert.Equal(t, "/webhooks/channels/challenge/crc%20x?token=a%2Fb crc x", got.body, "as our listener saw it")
	got = h.do(h.request(http.MethodPost, "/webhooks/channels/silent", nil))
	assert.Equal(t, http.StatusNoContent, got.status)
	assert.Empty(t, got.body)
}
