package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// call is one request to the simulator's control API.
func (s *stack) call(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, s.far+path, body)
	if err != nil {
		return err
	}
	response, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

func (s *stack) must(method, path string, in, out any) {
	s.t.Helper()
	require.NoError(s.t, s.call(method, path, in, out))
}

func (s *stack) get(target string) (int, string, error) {
	response, err := s.http.Get(target)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

// fault makes the far sides fail as described, instead of what they did before.
func (s *stack) fault(f simulator.Faults) {
	s.t.Helper()
	s.must(http.MethodPut, "/sim/faults", f, nil)
}

func (s *stack) counters() simulator.Counters {
	s.t.Helper()
	var c simulator.Counters
	s.must(http.MethodGet, "/sim/counters", nil, &c)
	return c
}

// nothingRefused checks that the far sides had no reason to complain.
func (s *stack) nothingRefused() {
	s.t.Helper()
	c := s.counters()
	assert.Zero(s.t, c.WhileClosed)
	assert.Empty(s.t, c.Warnings)
	if !assert.Empty(s.t, c.Rejected) {
		var list struct {
			Entries []simulator.Wire `json:"entries"`
		}
		s.must(http.MethodGet, "/sim/wire?rejected=1", nil, &list)
		for _, e := range list.Entries {
			var full simulator.Wire
			s.must(http.MethodGet, fmt.Sprintf("/sim/wire/%d", e.ID), nil, &full)
			s.t.Logf("%s %s: %s\n%s", e.Method, e.Path, e.Rejected, full.Request.Body)
		}
	}
}

// phone is one consumer, with what was written and what was said to them.
type phone struct {
	s                 *stack
	channel, consumer string
	name              string
	answered          int // questions of the survey

	mu    sync.Mutex
	wrote []string // acknowledged, in order
	told  []string // by agents, in order
}

// newPhone is a consumer nobody knows yet.
func (s *stack) newPhone(channel string) *phone {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.phones)
	p := &phone{s: s, channel: channel, consumer: fmt.Sprintf("+1555%07d", 2000000+n), name: fmt.Sprintf("Consumer No. %d", n)}
	if p.web() {
		p.consumer = "visitor-" + random(6)
	}
	s.phones = append(s.phones, p)
	s.secrets = append(s.secrets, p.consumer, p.name)
	return p
}

// web says whether the phone is a visitor's of an http channel; all others are
// telephones.
func (p *phone) web() bool { return strings.HasPrefix(p.channel, "web") }

func (p *phone) path(more string) string {
	return "/sim/phones/" + p.channel + "/" + url.PathEscape(p.consumer) + more
}

// posted is how an event of a phone went.
type posted struct {
	EventID   string  `json:"eventId"`
	MessageID string  `json:"messageId"`
	Status    int     `json:"status"`
	Attempts  int     `json:"attempts"`
	Ms        float64 `json:"ms"`
	Error     string  `json:"error"`
}

// event posts something that is not a message.
func (p *phone) event(kind string, body any) {
	p.s.t.Helper()
	var out posted
	p.s.must(http.MethodPost, p.path("/"+kind), body, &out)
	require.Equal(p.s.t, 2, out.Status/100, "%s: %+v", kind, out)
}

// send writes one message and returns when it is acknowledged; a sender with
// patience repeats what got no 2xx.
func (p *phone) send(text string, patient bool) (posted, error) {
	var out posted
	in := map[string]any{"text": text, "retry": patient}
	if p.web() {
		in["name"] = p.name
	}
	err := p.s.call(http.MethodPost, p.path("/text"), in, &out)
	if err == nil && out.Status/100 != 2 {
		err = fmt.Errorf("not acknowledged: %+v", out)
	}
	if err != nil {
		return out, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrote = append(p.wrote, text)
	return out, nil
}

// says writes a message that has to be acknowledged at once.
func (p *phone) says(text string) posted {
	p.s.t.Helper()
	out, err := p.send(text, false)
	require.NoError(p.s.t, err)
	p.s.secret(text)
	return out
}

// answers writes an answer to the survey, which does not reach the agent.
func (p *phone) answers(text string) {
	p.s.t.Helper()
	var out posted
	p.s.must(http.MethodPost, p.path("/text"), map[string]any{"text": text}, &out)
	require.Equal(p.s.t, 2, out.Status/100, "%+v", out)
	p.answered++
}

// secret remembers a text that must not be in a log. Short ones are words like any
// other.
func (s *stack) secret(text string) {
	if len(text) < 12 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = append(s.secrets, text)
}

func (p *phone) view() simulator.PhoneView {
	p.s.t.Helper()
	v, err := p.look()
	require.NoError(p.s.t, err)
	return v
}

func (p *phone) look() (v simulator.PhoneView, err error) {
	err = p.s.call(http.MethodGet, p.path(""), nil, &v)
	return v, err
}

// heard are the texts Parley has put on the phone, in order.
func heard(v simulator.PhoneView) []string {
	var texts []string
	for _, m := range v.Thread {
		if m.Direction == "out" && m.Kind != "system" {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// asked are the questions of the survey among what a phone heard.
func asked(v simulator.PhoneView) []string {
	return slices.DeleteFunc(heard(v), func(text string) bool { return !isQuestion(text) })
}

// isQuestion tells our own texts from those of agents, who never say such things here.
func isQuestion(text string) bool {
	return strings.Contains(text, "Please reply")
}

// conversations are those of one phone, oldest first.
func (p *phone) conversations() ([]simulator.ConversationView, error) {
	var list struct {
		Conversations []simulator.ConversationView `json:"conversations"`
	}
	if err := p.s.call(http.MethodGet, "/sim/conversations?limit=10000", nil, &list); err != nil {
		return nil, err
	}
	mine := slices.DeleteFunc(list.Conversations, func(c simulator.ConversationView) bool {
		if p.web() {
			return c.Name != p.name
		}
		return c.Phone == nil || c.Phone.Consumer != p.consumer
	})
	slices.Reverse(mine)
	return mine, nil
}

func (s *stack) detail(id string) (d simulator.DetailView, err error) {
	err = s.call(http.MethodGet, "/sim/conversations/"+id, nil, &d)
	return d, err
}

// conversation waits for a phone's n-th conversation, from 1 on.
func (p *phone) conversation(n int) string {
	p.s.t.Helper()
	id := ""
	eventually(p.s.t, fmt.Sprintf("conversation %d of a consumer is open", n), func() error {
		list, err := p.conversations()
		switch {
		case err != nil:
			return err
		case len(list) < n:
			return fmt.Errorf("there are %d: %w", len(list), errNotYet)
		}
		id = list[n-1].ID
		return nil
	})
	return id
}

// agent does something at the desk.
func (s *stack) agent(conversation, act string, body any) {
	s.t.Helper()
	s.must(http.MethodPost, "/sim/conversations/"+conversation+"/"+act, body, nil)
}

// tell is an agent's text for a phone.
func (p *phone) tell(conversation, text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.s.call(http.MethodPost, "/sim/conversations/"+conversation+"/text", map[string]any{"text": text}, nil)
	if err == nil {
		p.told = append(p.told, text)
		p.s.secret(text)
	}
	return err
}

func (p *phone) hears(conversation, text string) {
	p.s.t.Helper()
	require.NoError(p.s.t, p.tell(conversation, text))
	eventually(p.s.t, "an agent's text is on the phone", func() error {
		v, err := p.look()
		if err != nil {
			return err
		}
		if !slices.Contains(heard(v), text) {
			return errNotYet
		}
		return nil
	})
}

// published are the consumer's texts in one conversation, in order.
func published(d simulator.DetailView) []string {
	var texts []string
	for _, e := range d.Transcript {
		if e.Role == "CONSUMER" && e.Type == "ContentEvent" {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// closed waits for the end of a conversation in the cloud.
func (s *stack) closed(conversation string) {
	s.t.Helper()
	eventually(s.t, "the conversation is closed in the cloud", func() error {
		d, err := s.detail(conversation)
		if err == nil && d.Stage != "CLOSE" {
			err = errNotYet
		}
		return err
	})
}

// rated waits for the report of a survey and returns it.
func (s *stack) rated(conversation string) (d simulator.DetailView) {
	s.t.Helper()
	eventually(s.t, "the survey is reported", func() (err error) {
		d, err = s.detail(conversation)
		if err == nil && d.CSAT == nil {
			err = errNotYet
		}
		return err
	})
	return d
}

var errMore = errors.New("more arrived than was sent")

func mustConversations(p *phone) []string {
	p.s.t.Helper()
	list, err := p.conversations()
	require.NoError(p.s.t, err)
	var ids []string
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}
