package channeltest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

func (s *suite) receive(t *testing.T) {
	t.Parallel()
	t.Run("a message has all that is needed", s.aMessage)
	t.Run("a redelivery is recognised", s.aRedelivery)
	t.Run("text is taken as it is, but made safe", s.text)
	t.Run("a file comes by reference", s.aFile)
	t.Run("a button gives back what it bears", s.aTap)
	t.Run("a receipt is one of a state", s.receipts)
	t.Run("a forged webhook is refused", s.forged)
	t.Run("secrets can be exchanged without a gap", s.rotation)
	t.Run("signatures expire", s.expiry)
	t.Run("what makes no sense is kept", s.unusable)
	t.Run("garbage does no harm", s.garbage)
	t.Run("an unknown route is refused", s.route)
	t.Run("many at once, without a side effect", s.concurrent)
}

// one receives a webhook that must hold exactly one event.
func (s *suite) one(t *testing.T, a channels.Adapter, w channels.Webhook) message.Inbound {
	t.Helper()
	got, err := a.Receive(w)
	if err != nil {
		t.Fatalf("an authentic webhook was refused: %v", err)
	}
	Check(t, s.Channel, got, err)
	if len(got.Events) != 1 || len(got.Dead) != 0 {
		t.Fatalf("got %d events and %d leftovers, want one event", len(got.Events), len(got.Dead))
	}
	return got.Events[0]
}

func (s *suite) aMessage(t *testing.T) {
	t.Parallel()
	in := s.one(t, s.receiver(t, s.Secret), s.signed(s.Message(1, "Hello"), s.Secret))
	want := message.Address{Channel: s.Channel, Consumer: s.Consumer}
	if in.Kind != message.Wrote || in.Text != "Hello" || in.Address != want {
		t.Errorf("got %q %q from %q", in.Kind, in.Text, in.Address)
	}
	if in.At.Sub(at).Abs() > time.Hour {
		t.Errorf("the message is of %v, it arrived at %v", in.At, at)
	}
}

func (s *suite) aRedelivery(t *testing.T) {
	t.Parallel()
	a := s.receiver(t, s.Secret)
	first := s.one(t, a, s.signed(s.Message(1, "Hello"), s.Secret))
	later := s.Message(1, "Hello")
	later.At = at.Add(time.Hour)
	again := s.one(t, a, s.signed(later, s.Secret))
	other := s.one(t, a, s.signed(s.Message(2, "Hello"), s.Secret))
	if first.EventID != again.EventID || first.ID != again.ID {
		t.Error("the same message, delivered again, has another ID")
	}
	if first.EventID == other.EventID || first.ID == other.ID {
		t.Error("another message with the same text has the same ID")
	}
}

func (s *suite) text(t *testing.T) {
	t.Parallel()
	a := s.receiver(t, s.Secret)
	for i, text := range []string{
		"Grüße 👩‍👩‍👧‍👦 🇨🇭 e\u0301 \u202Ertl", "+&%=;\"\\<>'\t\r\n x", " spaces ", strings.Repeat("長", 20_000),
	} {
		if in := s.one(t, a, s.signed(s.Message(i, text), s.Secret)); in.Text != text {
			t.Errorf("text %d was changed", i)
		}
	}
	if in := s.one(t, a, s.signed(s.Message(9, "a\x00b"), s.Secret)); in.Text != "ab" {
		t.Errorf("a text with NUL became %q, want %q", in.Text, "ab")
	}
}

func (s *suite) aFile(t *testing.T) {
	t.Parallel()
	if s.File == nil {
		t.Skip("consumers cannot send files on this channel")
	}
	const url = "https://files.example.test/a/1?x=y&z"
	in := s.one(t, s.receiver(t, s.Secret), s.signed(s.File(1, url), s.Secret))
	if in.Kind != message.Wrote || len(in.Attachments) != 1 {
		t.Fatalf("got %q with %d files", in.Kind, len(in.Attachments))
	}
	if a := in.Attachments[0]; a.URL != url || a.MIME != "image/png" || a.Kind != "image" {
		t.Errorf("got %+v", a)
	}
}

func (s *suite) aTap(t *testing.T) {
	t.Parallel()
	if s.Tap == nil {
		t.Skip("this channel has no buttons")
	}
	id := string(message.NewID("1")) + "/12"
	in := s.one(t, s.receiver(t, s.Secret), s.signed(s.Tap(1, id, "Yes & no"), s.Secret))
	if in.Kind != message.Wrote || in.Choice == nil || in.Choice.ID != id || in.Choice.Title != "Yes & no" {
		t.Errorf("got %q with %+v", in.Kind, in.Choice)
	}
}

func (s *suite) receipts(t *testing.T) {
	t.Parallel()
	a, seen := s.receiver(t, s.Secret), map[string]bool{}
	for n, state := range s.Receipts {
		in := s.one(t, a, s.signed(s.Receipt(n, "ref-1", state), s.Secret))
		if in.Kind != message.Receipts || in.Receipt == nil || in.Receipt.State != state || in.Receipt.Ref != "ref-1" {
			t.Fatalf("%s: got %q with %+v", state, in.Kind, in.Receipt)
		}
		if (in.Receipt.Code != "") != (state == message.Failed) {
			t.Errorf("%s has the code %q", state, in.Receipt.Code)
		}
		if want := (message.Address{Channel: s.Channel, Consumer: s.Consumer}); in.Address != want {
			t.Errorf("%s is of %q", state, in.Address)
		}
		if seen[in.EventID] {
			t.Errorf("%s has the ID of another receipt", state)
		}
		seen[in.EventID] = true
	}
}

func (s *suite) forged(t *testing.T) {
	t.Parallel()
	forgeries := map[string]func(*channels.Webhook){
		"changed body":     func(w *channels.Webhook) { w.Body = bytes.Replace(w.Body, []byte("Hello"), []byte("Hallo"), 1) },
		"shortened body":   func(w *channels.Webhook) { w.Body = w.Body[:len(w.Body)-1] },
		"no body":          func(w *channels.Webhook) { w.Body = nil },
		"another's secret": func(w *channels.Webhook) { s.Sign(w, s.Next) },
		"no header at all": func(w *channels.Webhook) { w.Header = nil },
	}
	for _, header := range s.Unsign {
		forgeries["missing "+header] = func(w *channels.Webhook) { w.Header.Del(header) }
		forgeries["empty "+header] = func(w *channels.Webhook) { w.Header.Set(header, "") }
		forgeries["changed "+header] = func(w *channels.Webhook) { w.Header.Set(header, changed(w.Header.Get(header))) }
		forgeries["senseless "+header] = func(w *channels.Webhook) { w.Header.Set(header, "\x00\xff, =, v1,") }
		forgeries["zeros in "+header] = func(w *channels.Webhook) {
			w.Header.Set(header, "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
		}
	}
	a := s.receiver(t, s.Secret)
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.signed(s.Message(1, "Hello"), s.Secret)
			forge(&w)
			got, err := a.Receive(w)
			Check(t, s.Channel, got, err)
			if fault.ClassOf(err) != fault.Denied {
				t.Fatalf("got %v, want Denied", err)
			}
			s.discreet(t, err, s.signed(s.Message(1, "Hello"), s.Secret).Header.Get(s.Unsign[0]))
		})
	}
}

// changed returns value with one character in its middle exchanged.
func changed(value string) string {
	b := []byte(value)
	i := len(b) / 2
	if b[i] == '1' {
		b[i] = '2'
	} else {
		b[i] = '1'
	}
	return string(b)
}

func (s *suite) rotation(t *testing.T) {
	t.Parallel()
	both, next := s.receiver(t, s.Next, s.Secret), s.receiver(t, s.Next)
	for _, secret := range []string{s.Secret, s.Next} {
		s.one(t, both, s.signed(s.Message(1, "Hello"), secret))
	}
	s.one(t, next, s.signed(s.Message(1, "Hello"), s.Next))
	if _, err := next.Receive(s.signed(s.Message(1, "Hello"), s.Secret)); fault.ClassOf(err) != fault.Denied {
		t.Errorf("a retired secret: got %v, want Denied", err)
	}
}

func (s *suite) expiry(t *testing.T) {
	t.Parallel()
	if !s.Expires {
		t.Skip("signatures of this channel bear no time")
	}
	a := s.receiver(t, s.Secret)
	for _, off := range []time.Duration{-time.Hour, -6 * time.Minute, 6 * time.Minute, time.Hour} {
		w := s.signed(s.Message(1, "Hello"), s.Secret)
		w.At = w.At.Add(off)
		if _, err := a.Receive(w); fault.ClassOf(err) != fault.Denied {
			t.Errorf("a signature %v off: got %v, want Denied", off, err)
		}
	}
	w := s.signed(s.Message(1, "Hello"), s.Secret)
	w.At = w.At.Add(4 * time.Minute)
	s.one(t, a, w)
}

func (s *suite) unusable(t *testing.T) {
	t.Parallel()
	a := s.receiver(t, s.Secret)
	for name, w := range s.Unusable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := a.Receive(s.signed(w, s.Secret))
			Check(t, s.Channel, got, err)
			if err != nil || len(got.Dead) == 0 || len(got.Dead[0].Body) == 0 {
				t.Errorf("got %v and %d leftovers, want it kept whole", err, len(got.Dead))
			}
		})
	}
}

func (s *suite) garbage(t *testing.T) {
	t.Parallel()
	a := s.receiver(t, s.Secret)
	all := map[string][]byte{
		"nothing": nil, "null": []byte("null"), "a number": []byte("1"), "an array": []byte("[]"),
		"a broken string": []byte(`{"events":["`), "binary": {0, 1, 2, 0xff, 0xfe}, "XML": []byte("<Response/>"),
		"deep": bytes.Repeat([]byte("["), 100_000), "big": bytes.Repeat([]byte("a"), 8<<20), "many fields": bytes.Repeat([]byte("a=&"), 100_000),
	}
	for name, body := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.Message(1, "Hello")
			w.Body = body
			got, err := a.Receive(s.signed(w, s.Secret))
			Check(t, s.Channel, got, err)
			if len(got.Events) > 0 {
				t.Error("an event came out of garbage")
			}
		})
	}
	for name, w := range s.Garbage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := a.Receive(s.signed(w, s.Secret))
			Check(t, s.Channel, got, err)
		})
	}
}

func (s *suite) route(t *testing.T) {
	t.Parallel()
	w := s.Message(1, "Hello")
	w.Route, w.Path = "nowhere", w.Path+"/nowhere"
	got, err := s.receiver(t, s.Secret).Receive(s.signed(w, s.Secret))
	Check(t, s.Channel, got, err)
	if !errors.Is(err, channels.ErrNoRoute) {
		t.Errorf("got %v, want channels.ErrNoRoute", err)
	}
}

func (s *suite) concurrent(t *testing.T) {
	t.Parallel()
	a := s.receiver(t, s.Secret)
	w := s.signed(s.Message(1, "Hello"), s.Secret)
	before := fmt.Sprintf("%q %q %q", w.Header, w.Body, w.Query)
	want, err := a.Receive(w)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			got, err := a.Receive(w)
			if err != nil {
				t.Errorf("a webhook received twice at once: %v", err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the same webhook gave something else: %s", diff)
			}
		})
	}
	group.Wait()
	if after := fmt.Sprintf("%q %q %q", w.Header, w.Body, w.Query); after != before {
		t.Error("Receive changed the webhook")
	}
	if want.Status != 0 && (want.Status < http.StatusOK || want.Status >= http.StatusMultipleChoices) {
		t.Errorf("an accepted webhook is answered %d", want.Status)
	}
}
