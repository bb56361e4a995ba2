package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"parley/simulator"
)

// far is the simulator, seen through its control API.
type far struct {
	url  string
	http *http.Client
}

func (f *far) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, f.url+path, body)
	if err != nil {
		return err
	}
	return f.do(r, out)
}

func (f *far) do(r *http.Request, out any) error {
	response, err := f.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %d %s", r.Method, r.URL.Path, response.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

func (f *far) counters(ctx context.Context) (c simulator.Counters, err error) {
	err = f.call(ctx, http.MethodGet, "/sim/counters", nil, &c)
	return c, err
}

func (f *far) settings(ctx context.Context, patch map[string]any) error {
	return f.call(ctx, http.MethodPut, "/sim/settings", patch, nil)
}

// faults makes the far sides fail as described, instead of what they did before;
// nil ends every fault.
func (f *far) faults(ctx context.Context, what *simulator.Faults) error {
	if what == nil {
		what = &simulator.Faults{}
	}
	return f.call(ctx, http.MethodPut, "/sim/faults", what, nil)
}

// hits is how often rules were applied.
func (f *far) hits(ctx context.Context) (n int, err error) {
	var now simulator.Faults
	err = f.call(ctx, http.MethodGet, "/sim/faults", nil, &now)
	for _, r := range now.Rules {
		n += r.Hits
	}
	return n, err
}

// conversations are the newest ones, at most so many.
func (f *far) conversations(ctx context.Context, most int) ([]simulator.ConversationView, error) {
	var list struct {
		Conversations []simulator.ConversationView `json:"conversations"`
	}
	err := f.call(ctx, http.MethodGet, fmt.Sprintf("/sim/conversations?limit=%d", most), nil, &list)
	return list.Conversations, err
}

func (f *far) detail(ctx context.Context, id string) (d simulator.DetailView, err error) {
	err = f.call(ctx, http.MethodGet, "/sim/conversations/"+id, nil, &d)
	return d, err
}

func (f *far) phone(ctx context.Context, channel, consumer string) (v simulator.PhoneView, err error) {
	err = f.call(ctx, http.MethodGet, "/sim/phones/"+channel+"/"+url.PathEscape(consumer), nil, &v)
	return v, err
}

// tell has an agent write.
func (f *far) tell(ctx context.Context, conversation, text string) error {
	return f.call(ctx, http.MethodPost, "/sim/conversations/"+conversation+"/text", map[string]string{"text": text}, nil)
}
