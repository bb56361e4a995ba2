package channeltest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

// canary is a text that must not show up in an error.
const canary = "canary-words"

func (s *suite) send(t *testing.T) {
	t.Parallel()
	t.Run("a text is one request", s.oneRequest)
	t.Run("a long text comes in parts, nothing lost", s.parts)
	t.Run("a text resumes at the part that failed", s.resume)
	t.Run("nothing is sent when all parts are done", s.allDone)
	t.Run("the same message has the same key", s.key)
	t.Run("choices reach the consumer", s.choices)
	t.Run("nothing to say is not sent", s.nothing)
	t.Run("a refusal is judged", s.refusals)
	t.Run("a server error is judged by what a repeat would do", s.serverError)
	t.Run("a request that did not leave is transient", s.notLeft)
	t.Run("a request without an answer is uncertain", s.unanswered)
	t.Run("a redirect is not followed", s.redirect)
	t.Run("many at once", s.concurrentSends)
}

func (s *suite) outbound(id message.ID, text string) message.Outbound {
	return message.Outbound{
		Kind: message.Text, ID: id, Text: text,
		To: message.Address{Channel: s.Channel, Consumer: s.Consumer},
	}
}

func (s *suite) start(t *testing.T) (*provider, channels.Adapter) {
	t.Helper()
	p := newProvider(t, s.Features)
	return p, s.new(t, p.base(), s.Next, s.Secret)
}

// discreet checks that an error holds nothing of what it is about.
func (s *suite) discreet(t *testing.T, err error, more ...string) {
	t.Helper()
	shown := fmt.Sprintf("%v %+v", err, err)
	for _, hidden := range append(more, s.Consumer, strings.TrimPrefix(s.Consumer, "+"), s.Secret, s.Next, canary) {
		if hidden != "" && strings.Contains(shown, hidden) {
			t.Errorf("an error shows a text, a number or a secret: %q", shown)
		}
	}
}

// fails checks how a failure was judged.
func (s *suite) fails(t *testing.T, err error, want ...fault.Class) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a *fault.Error", err)
	}
	s.discreet(t, err)
	for _, class := range want {
		if f.Class == class {
			return
		}
	}
	t.Errorf("got %v, want one of %v", err, want)
}

func (s *suite) oneRequest(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	sent, err := a.Send(t.Context(), s.outbound(message.NewID("1"), "Hello, Ada ✓"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(channels.Sent{Refs: []string{s.Ref(1)}, Parts: 1}, sent); diff != "" {
		t.Errorf("sent: %s", diff)
	}
	all, calls := p.taken()
	if calls != 1 || len(all) != 1 || all[0].Text != "Hello, Ada ✓" || all[0].To != s.Consumer {
		t.Errorf("%d requests; the provider got %+v", calls, all)
	}
}

// long returns a text that takes n parts.
func (s *suite) long(a channels.Adapter, n int) string {
	const word = "palabra 👩‍👩‍👧‍👦 "
	wide := len(utf16.Encode([]rune(word)))
	text := strings.Repeat(word, a.Limits().Text*n/wide)
	for len(channels.Split(text, a.Limits().Text)) > n {
		text = strings.TrimSuffix(text, word)
	}
	return strings.TrimSuffix(text, " ")
}

func (s *suite) parts(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	text := s.long(a, 3)
	sent, err := a.Send(t.Context(), s.outbound(message.NewID("1"), text))
	if err != nil {
		t.Fatal(err)
	}
	all, calls := p.taken()
	if sent.Parts != 3 || calls != 3 || len(sent.Refs) != 3 {
		t.Fatalf("%d parts, %d requests, %d refs, want 3 of each", sent.Parts, calls, len(sent.Refs))
	}
	s.whole(t, all, text, a.Limits().Text)
}

// whole checks that the parts are text, each within the limit and with a key of its own.
func (s *suite) whole(t *testing.T, all []Request, text string, limit int) {
	t.Helper()
	var got strings.Builder
	keys := map[string]bool{}
	for _, r := range all {
		got.WriteString(r.Text)
		keys[r.Key] = true
		if n := len([]rune(r.Text)); n > limit {
			t.Errorf("a part has %d characters, the limit is %d", n, limit)
		}
	}
	if got.String() != text {
		t.Error("the parts do not make up the text")
	}
	if len(keys) != len(all) {
		t.Errorf("%d parts have %d keys", len(all), len(keys))
	}
}

func (s *suite) resume(t *testing.T) {
	t.Parallel()
	for failing := 1; failing <= 3; failing++ {
		t.Run(fmt.Sprint("part ", failing), func(t *testing.T) {
			t.Parallel()
			p, a := s.start(t)
			p.at(failing, hangUp)
			out := s.outbound(message.NewID("1"), s.long(a, 3))
			sent, err := a.Send(t.Context(), out)
			s.fails(t, err, fault.Uncertain)
			if sent.Parts != failing-1 || len(sent.Refs) != failing-1 {
				t.Fatalf("part %d failed, %d reported as sent with %d refs", failing, sent.Parts, len(sent.Refs))
			}
			out.Done = sent.Parts
			sent, err = a.Send(t.Context(), out)
			if err != nil || sent.Parts != 3 || len(sent.Refs) != 4-failing {
				t.Fatalf("resumed: %d parts, %d refs, %v", sent.Parts, len(sent.Refs), err)
			}
			all, calls := p.taken()
			if calls != 4 {
				t.Errorf("%d requests, want 4", calls)
			}
			s.whole(t, all, out.Text, a.Limits().Text)
		})
	}
}

func (s *suite) allDone(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	out := s.outbound(message.NewID("1"), "Hello")
	out.Done = 1
	sent, err := a.Send(t.Context(), out)
	if _, calls := p.taken(); err != nil || sent.Parts != 1 || calls != 0 {
		t.Errorf("%v, %d parts, %d requests", err, sent.Parts, calls)
	}
}

func (s *suite) key(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	for _, id := range []message.ID{message.NewID("1"), message.NewID("1"), message.NewID("2")} {
		if _, err := a.Send(t.Context(), s.outbound(id, "Hello")); err != nil {
			t.Fatal(err)
		}
	}
	all, _ := p.taken()
	if all[0].Key != all[1].Key || all[0].Key == all[2].Key || all[0].Key == "" {
		t.Errorf("keys %q, %q and %q: the first two are of the same message", all[0].Key, all[1].Key, all[2].Key)
	}
}

func (s *suite) choices(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	for n := 1; n <= 30; n++ {
		for _, text := range []string{"Which one?", ""} {
			out := s.outbound(message.NewID(fmt.Sprint(n, text)), text)
			out.Kind = message.Choices
			for i := range n {
				out.Choices = append(out.Choices, message.Choice{ID: fmt.Sprint("id-", i), Title: fmt.Sprintf("Title<%d>", i)})
			}
			if _, err := a.Send(t.Context(), out); err != nil {
				t.Fatalf("%d choices: %v", n, err)
			}
			all, _ := p.taken()
			for _, c := range out.Choices {
				if got := all[len(all)-1].Text; !strings.Contains(got, c.Title) {
					t.Fatalf("a choice out of %d did not reach the consumer: %q", n, got)
				}
			}
		}
	}
}

func (s *suite) nothing(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	for _, text := range []string{"", " \n"} {
		_, err := a.Send(t.Context(), s.outbound(message.NewID("1"), text))
		s.fails(t, err, fault.Rejected)
	}
	out := s.outbound(message.NewID("1"), "Hello")
	out.Kind = "dance"
	_, err := a.Send(t.Context(), out)
	s.fails(t, err, fault.Rejected)
	if _, calls := p.taken(); calls > 0 {
		t.Errorf("%d requests", calls)
	}
}

func (s *suite) refusals(t *testing.T) {
	t.Parallel()
	general := []Refusal{
		{Name: "429", Status: 429, Class: fault.Throttled, After: time.Second},
		{Name: "429 with Retry-After", Status: 429, Header: http.Header{"Retry-After": {"7"}}, Class: fault.Throttled, After: 7 * time.Second},
		{Name: "429 with a senseless Retry-After", Status: 429, Header: http.Header{"Retry-After": {"-9e99"}}, Class: fault.Throttled, After: time.Second},
		{Name: "401", Status: 401, Class: fault.Denied},
		{Name: "403", Status: 403, Class: fault.Denied},
		{Name: "400", Status: 400, Class: fault.Rejected},
		{Name: "413", Status: 413, Class: fault.Rejected},
		{Name: "422 in HTML", Status: 422, Body: "<html>" + canary + "</html>", Class: fault.Rejected},
	}
	for _, r := range append(general, s.Refusals...) {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			p, a := s.start(t)
			p.at(1, refuse(r))
			sent, err := a.Send(t.Context(), s.outbound(message.NewID("1"), canary))
			s.fails(t, err, r.Class)
			if got := fault.CodeOf(err); got != r.Code {
				t.Errorf("code %q, want %q", got, r.Code)
			}
			if got := fault.RetryAfter(err); got < r.After {
				t.Errorf("again after %v, want at least %v", got, r.After)
			}
			if _, calls := p.taken(); calls != 1 || sent.Parts != 0 {
				t.Errorf("%d requests and %d parts, want one and none", calls, sent.Parts)
			}
		})
	}
}

func (s *suite) serverError(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 502, 503, 504} {
		p, a := s.start(t)
		p.at(1, refuse(Refusal{Status: status, Header: http.Header{"Retry-After": {"3"}}, Body: canary}))
		_, err := a.Send(t.Context(), s.outbound(message.NewID("1"), canary))
		want := []fault.Class{fault.Uncertain}
		if a.Limits().Idempotent {
			want = append(want, fault.Transient)
		}
		s.fails(t, err, want...)
		if got := fault.RetryAfter(err); got != 3*time.Second {
			t.Errorf("%d with Retry-After: 3 is tried again after %v", status, got)
		}
	}
}

func (s *suite) notLeft(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	a := s.new(t, gone.URL, s.Secret)
	sent, err := a.Send(t.Context(), s.outbound(message.NewID("1"), canary))
	s.fails(t, err, fault.Transient)
	if sent.Parts != 0 {
		t.Errorf("%d parts sent", sent.Parts)
	}

	p, a := s.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.Send(ctx, s.outbound(message.NewID("1"), canary))
	s.fails(t, err, fault.Transient)
	if _, calls := p.taken(); calls > 0 {
		t.Error("a request left although there was no time for it")
	}
}

func (s *suite) unanswered(t *testing.T) {
	t.Parallel()
	t.Run("connection broken", func(t *testing.T) {
		t.Parallel()
		p, a := s.start(t)
		p.at(1, hangUp)
		_, err := a.Send(t.Context(), s.outbound(message.NewID("1"), canary))
		s.fails(t, err, fault.Uncertain)
		if _, calls := p.taken(); calls != 1 {
			t.Errorf("%d requests, want one", calls)
		}
	})
	t.Run("connection broken on the second use", func(t *testing.T) {
		t.Parallel()
		p, a := s.start(t)
		p.at(2, hangUp)
		for i := range 2 {
			_, err := a.Send(t.Context(), s.outbound(message.NewID("1"), canary))
			if i == 1 {
				s.fails(t, err, fault.Uncertain)
			}
		}
		if _, calls := p.taken(); calls != 2 {
			t.Errorf("%d requests, want two", calls)
		}
	})
	t.Run("an answer that is no HTTP", func(t *testing.T) {
		t.Parallel()
		p, a := s.start(t)
		p.at(1, babble)
		_, err := a.Send(t.Context(), s.outbound(message.NewID("1"), canary))
		s.fails(t, err, fault.Uncertain)
	})
	t.Run("out of time", func(t *testing.T) {
		t.Parallel()
		p, a := s.start(t)
		ctx, cancel := context.WithCancel(t.Context())
		p.at(1, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		_, err := a.Send(ctx, s.outbound(message.NewID("1"), canary))
		s.fails(t, err, fault.Uncertain)
	})
}

func (s *suite) redirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("credentials or words were taken elsewhere")
	}))
	t.Cleanup(elsewhere.Close)
	for _, location := range []string{elsewhere.URL, "::" + canary, ""} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			p, a := s.start(t)
			p.at(1, refuse(Refusal{Status: status, Header: http.Header{"Location": {location}}}))
			_, err := a.Send(t.Context(), s.outbound(message.NewID("1"), canary))
			s.fails(t, err, fault.Denied)
		}
	}
}

func (s *suite) concurrentSends(t *testing.T) {
	t.Parallel()
	p, a := s.start(t)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			if _, err := a.Send(t.Context(), s.outbound(message.NewID(fmt.Sprint(i)), "Hello")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	all, calls := p.taken()
	keys := map[string]bool{}
	for _, r := range all {
		keys[r.Key] = true
	}
	if calls != 32 || len(keys) != 32 {
		t.Errorf("%d requests with %d keys, want 32", calls, len(keys))
	}
}
