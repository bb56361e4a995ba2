package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"parley/simulator"
)

// A poison is a webhook with a valid signature and an impossible content.
type poisonous struct{ name, body string }

func deep(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }

// poisonOf the cloud names a conversation that is there, so that what can be half
// read reaches further than the parser.
func poisonOf(conversation string) []poisonous {
	envelope := func(kind, change string) string {
		return fmt.Sprintf(`{"kind":"notification","type":%q,"body":{"changes":[%s]}}`, kind, change)
	}
	content := func(sequence, message string) string {
		return envelope("ms.MessagingEventNotification", fmt.Sprintf(`{"sequence":%s,"originatorId":"x","originatorMetadata":{"id":"x","role":"ASSIGNED_AGENT"},`+
			`"serverTimestamp":1700000000000,"event":{"type":"ContentEvent","message":%s,"contentType":"text/plain"},"conversationId":%q,"dialogId":%q}`,
			sequence, message, conversation, conversation))
	}
	return []poisonous{
		{"not JSON", "this is not JSON"},
		{"nothing", ""},
		{"a list", "[1,2,3]"},
		{"unknown type", envelope("ms.SomethingNew", `{"a":1}`)},
		{"changes of another shape", `{"kind":"notification","type":"ms.MessagingEventNotification","body":{"changes":"none"}}`},
		{"impossible sequence", content(`"nine"`, `"hello"`)},
		{"sequence of many digits", content("99999999999999999999999", `"hello"`)},
		{"message of another shape", content("900001", `{"deep":[1,2]}`)},
		{"duplicate keys", strings.Replace(content("900002", `"one"`), `"sequence"`, `"sequence":900003,"sequence"`, 1)},
		{"deep nesting", deep(200_000)},
		{"invalid UTF-8", content("900004", "\"\xff\xfe\xfd\"")},
		{"NUL", content("900005", "\"a\x00b\"")},
		{"1 MB of text", content("900007", `"`+strings.Repeat("a lot of words ", 70_000)+`"`)},
		{"cut off", content("900006", `"hello"`)[:80]},
	}
}

// notRead begins the names of what the http channel refuses with 400: no part of it
// can be read, and its sender, who still has it, learns of it at once.
const notRead = "unreadable: "

func poisonOfChannel(consumer string) []poisonous {
	event := func(id, message string) string {
		return fmt.Sprintf(`{"events":[{"id":%q,"type":"message","time":"2026-01-01T00:00:00.000Z","conversation":{"id":"c-x","participant":{"id":%q}},"message":%s}]}`, id, consumer, message)
	}
	return []poisonous{
		{notRead + "not JSON", "this is not JSON"},
		{"unknown type", `{"events":[{"id":"p-1","type":"something new"}]}`},
		{"no sender", `{"events":[{"id":"p-2","type":"message","message":{"id":"m","text":"x"}}]}`},
		{"text of another shape", event("p-3", `{"id":"m-3","text":[1]}`)},
		{notRead + "deep nesting", event("p-4", deep(100_000))},
		{"invalid UTF-8", event("p-5", "{\"id\":\"m-5\",\"text\":\"\xff\xfe\"}")},
		{"NUL", event("p-6", `{"id":"m-6","text":"a\u0000b"}`)},
	}
}

// poison sends all of it, over and over, beside ordinary messages. All of it is
// acknowledged and what is of no use is kept with a reason; nobody else notices.
func poison(ctx context.Context, t *trial) error {
	c, err := t.open(ctx, pick(t, 20, 100), "")
	if err != nil {
		return err
	}
	victim, err := t.open(ctx, 1, "web")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	l := t.start(ctx, c, t.rate, 1)
	cloud := poisonOf(victim.all[0].conversation)
	channel := poisonOfChannel(t.name + "-poisoner")
	for round := range pick(t, 2, 20) {
		for _, p := range cloud {
			var got struct{ Status int }
			if err := t.emit(ctx, "/sim/accounts/main/emit?signature=good", p.body, &got); err != nil {
				return errors.Join(err, l.end(ctx))
			}
			t.check(got.Status/100 == 2 || round > 0, "cloud, %s: answered %d", p.name, got.Status)
		}
		for _, p := range channel {
			r, err := t.webRaw(ctx, random(6), []byte(p.body))
			if err != nil {
				return errors.Join(err, l.end(ctx))
			}
			if a := t.send(r); round == 0 {
				refused := strings.HasPrefix(p.name, notRead)
				t.check(a.status/100 == 2 && !refused || a.status == http.StatusBadRequest && refused, "http channel, %s: answered %d", p.name, a.status)
			}
		}
	}
	var dead, reasons int
	err = t.db.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE reason <> '') FROM dead_letters WHERE buried_at >= $1`, t.began).Scan(&dead, &reasons)
	t.note("%d kinds of poison, %d dead letters; a body of the http channel that is no JSON is refused with 400", len(cloud)+len(channel), dead)
	t.check(dead >= 8, "only %d of the poison is kept as dead letters", dead)
	t.check(dead == reasons, "%d dead letters have no reason", dead-reasons)
	if err := errors.Join(err, l.end(ctx)); err != nil {
		return err
	}
	// The poisoner's own conversation is none of the crowd's: count the crowd alone.
	in, out := c.totals()
	t.result.messages += in + out
	began := time.Now()
	err = every(ctx, time.Second, patience, "everything arrives", func() error {
		got, err := c.count(ctx)
		if err == nil && !got.clean() {
			err = fmt.Errorf("%s; first: %s: %w", got, got.example, errNotYet)
		}
		t.result.tally = got
		return err
	})
	t.result.drained = time.Since(began)
	t.times(l, w, nil)
	return errors.Join(err, t.large(ctx), t.redrive(ctx))
}

// emit has the simulator sign and post a body as it is.
func (t *trial) emit(ctx context.Context, path, body string, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.far.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	return t.far.do(r, out)
}

// large is a text of a million characters from a consumer: it is acknowledged, and
// what is written after it arrives.
func (t *trial) large(ctx context.Context) error {
	c, err := t.open(ctx, 1, "web")
	if err != nil {
		return err
	}
	one := c.all[0]
	attempts, err := t.deliver(ctx, one, random(8), strings.Repeat("a lot of words ", 70_000))
	if err != nil {
		return err
	}
	t.check(len(attempts) == 1, "1 MB of text took %d attempts", len(attempts))
	after := c.name + " after a very long one"
	if err := c.write(ctx, one, after); err != nil {
		return err
	}
	return every(ctx, 500*time.Millisecond, time.Minute, "what follows a very long text arrives", func() error {
		in, _, err := c.received(ctx, one)
		if err == nil && (len(in) == 0 || in[len(in)-1] != after) {
			err = errNotYet
		}
		return err
	})
}

// redrive has the cloud reject one message for good, mends that, and puts it back.
func (t *trial) redrive(ctx context.Context) error {
	c, err := t.open(ctx, 1, "web")
	if err != nil {
		return err
	}
	text := c.name + " rejected at first"
	if err := t.far.faults(ctx, &simulator.Faults{Rules: []simulator.Rule{{Class: "send", Do: "fail-before", Status: 400, Match: text}}}); err != nil {
		return err
	}
	if err := errors.Join(c.write(ctx, c.all[0], text), c.write(ctx, c.all[0], c.name+" the next goes on")); err != nil {
		return err
	}
	id := ""
	if err := every(ctx, 250*time.Millisecond, time.Minute, "the message is a dead letter", func() error {
		return t.db.QueryRow(ctx, `SELECT id FROM dead_letters WHERE buried_at >= $1 AND position($2 in encode(body, 'escape')) > 0`, t.began, text).Scan(&id)
	}); err != nil {
		return err
	}
	if err := t.far.faults(ctx, nil); err != nil {
		return err
	}
	if out, err := t.tool(ctx, "redrive", "-by", "torture", "-reason", "mended", id); err != nil {
		return fmt.Errorf("redrive: %w: %s", err, out)
	}
	err = every(ctx, 250*time.Millisecond, time.Minute, "what was put back arrives", func() error {
		in, _, err := c.received(ctx, c.all[0])
		if err == nil && (len(in) == 0 || in[len(in)-1] != text) {
			err = fmt.Errorf("%d messages: %w", len(in), errNotYet)
		}
		return err
	})
	if err == nil {
		t.note("a rejected message was put back and arrived")
	}
	return err
}
