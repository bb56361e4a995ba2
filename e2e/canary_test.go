package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"parley/simulator"
)

// canary is what must be nowhere but where messages are kept.
type canary struct {
	t     testing.TB
	words []string
	seen  int // places that were looked at
}

const (
	canaryNumber = "5558675309"
	canaryName   = "Wilhelmina Canary"
	canaryText   = "xanadu-canary"
)

// look fails the test if a canary is in a text.
func (c *canary) look(where, text string) {
	c.seen++
	for _, w := range c.words {
		if strings.Contains(text, w) {
			c.t.Errorf("%s holds %q: %.600s", where, w, text)
		}
	}
}

// A number, a name and a text go through every path there is.
func TestNothingOfAConsumerIsInLogsMetricsOrTheTemporalUI(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{env: map[string]string{
		"PARLEY_LOG_LEVEL": "debug", "PARLEY_ECHO_GRACE": "1s", "PARLEY_MAX_BODY": "65536", "PARLEY_REORDER_WINDOW": "500ms",
	}})
	sms := &phone{s: s, channel: "sms", consumer: "+1" + canaryNumber}
	web := &phone{s: s, channel: "web", consumer: "visitor-" + canaryNumber, name: canaryName}
	for _, p := range []*phone{sms, web} {
		s.everyPath(p)
	}
	s.strangers()

	c := &canary{t: t, words: []string{canaryNumber, canaryName, "Wilhelmina", canaryText}}
	for _, v := range s.services() {
		_, body, err := s.get("http://" + v.ops + "/metrics")
		require.NoError(t, err)
		require.Contains(t, body, "go_goroutines")
		c.look("metrics of "+v.command, body)
	}
	s.logs(func(process, line string) { c.look("log of "+process, line) })
	if p := s.server.process; p != nil {
		c.look("log of Temporal", strings.Join(p.output(), "\n"))
	}
	runs, err := s.runs("")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(runs), 4)
	for _, r := range runs {
		s.searchRun(c, r)
	}
	s.searchTables(c)
	t.Logf("%d places looked at, of them %d runs", c.seen, len(runs))
}

// everyPath takes a consumer through everything that can happen to a message.
func (s *stack) everyPath(p *phone) {
	t := s.t
	t.Helper()
	words := func(what string) string {
		return canaryText + " " + what + ", signed " + canaryName + " " + canaryNumber
	}
	number := 0
	says := func(what string) string {
		text := words(what)
		_, err := p.send(text, true)
		require.NoError(t, err)
		return text
	}
	says("opens a conversation")
	first := p.conversation(1)
	p.hears(first, words("is greeted"))
	s.agent(first, "private", map[string]any{"text": words("is talked about")})
	if p.channel == "web" {
		p.event("typing", map[string]any{"on": true})
		p.event("read", map[string]any{})
	}
	for _, f := range []simulator.Faults{
		rules(simulator.Rule{Class: "send", Do: "drop-after", Count: 1, Match: content}),
		rules(simulator.Rule{Class: "send", Do: "fail-before", Count: 1, Match: content}),
		rules(simulator.Rule{Class: "send", Do: "throttle", Count: 1}),
		rules(simulator.Rule{Class: "send", Do: "expire", Count: 1}),
		{Webhooks: simulator.WebhookFaults{Duplicate: 2, ShuffleMs: 100}},
	} {
		number++
		s.fault(f)
		s.onDesk(first, says(fmt.Sprintf("meets a fault of the cloud, %d", number)))
	}
	for _, do := range []string{"drop-after", "fail-before", "throttle"} {
		number++
		s.fault(rules(simulator.Rule{Class: provider(p), Do: do, Count: 1}))
		p.hears(first, words(fmt.Sprintf("meets a fault of the channel, %d", number)))
	}
	s.fault(rules(simulator.Rule{Class: "send", Do: "fail-before", Status: 400, Match: "unacceptable"}, simulator.Rule{Class: provider(p), Do: "fail-before", Status: 400, Match: "unacceptable"}))
	says("is unacceptable to the cloud")
	s.agent(first, "text", map[string]any{"text": words("is unacceptable to the channel")})
	workflow := s.workflowOf(first)
	var ids []string
	eventually(t, "there are two dead letters", func() error {
		var all string
		err := s.row("SELECT coalesce(string_agg(id, ' ' ORDER BY source), '') FROM dead_letters WHERE channel = $1", p.channel).Scan(&all)
		if ids = strings.Fields(all); err == nil && len(ids) < 2 {
			err = errNotYet
		}
		return err
	})
	s.fault(simulator.Faults{})
	eventually(t, "they can be redriven", func() error {
		if out, status := s.parley("redrive", "-by", "operator", workflow, ids[0]); status != 0 {
			return fmt.Errorf("%s: %w", out, errNotYet)
		}
		return nil
	})
	s.operate("skip", "-by", "operator", "-reason", "no longer needed", workflow, ids[1])
	p.event("text", map[string]any{"text": "STOP"})
	s.onDesk(first, "STOP")
	s.agent(first, "text", map[string]any{"text": words("is not wanted")})
	p.event("text", map[string]any{"text": "START"})
	s.onDesk(first, "START")
	s.agent(first, "close", nil)
	s.asks(p, 1)
	says("does not answer our question but has a new matter")
	s.rated(first)
	second := p.conversation(2)
	p.hears(second, words("is greeted again"))
	s.operate("close", "-by", "operator", s.workflowOf(second))
	s.asks(p, 2)
	p.answers("5")
	s.asks(p, 3)
	p.answers("yes")
	s.rated(second)
}

func provider(p *phone) string {
	if p.channel == "web" {
		return "http"
	}
	return "twilio"
}

// strangers sends what is refused, with all of it inside.
func (s *stack) strangers() {
	s.t.Helper()
	all := canaryText + " " + canaryName + " " + canaryNumber
	for _, path := range []string{
		"/sim/accounts/main/emit?signature=bad", "/sim/accounts/main/emit?signature=good", "/sim/channels/web/emit?signature=good", "/sim/channels/web/emit?signature=bad",
	} {
		s.emit(path, []byte(all))
		s.emit(path, []byte(`{"kind":"notification","body":{"changes":[{"`+all+`":1}]}}`))
		s.emit(path, []byte(all+strings.Repeat("x", 65536)))
	}
	s.emit("/sim/channels/sms/emit?signature=good", []byte("From=%2B1"+canaryNumber+"&Body="+canaryText))
	s.emit("/sim/channels/sms/emit?signature=bad", []byte("From=%2B1"+canaryNumber+"&Body="+canaryText))
	s.knock("/webhooks/channels/sms?From="+canaryNumber+"&Body="+canaryText, "text/plain", all)
	s.knock("/webhooks/channels/"+canaryText, "text/plain", all)
	s.knock("/"+canaryNumber, "text/plain", all)
}

// searchRun looks at everything that people, and not only workflows, see of a run.
func (s *stack) searchRun(c *canary, r *workflow.WorkflowExecutionInfo) {
	t := s.t
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.look("the list of runs", protojson.Format(r)+readable(r.SearchAttributes.GetIndexedFields())+readable(r.Memo.GetFields()))
	d, err := s.temporal.DescribeWorkflowExecution(ctx, r.Execution.WorkflowId, r.Execution.RunId)
	require.NoError(t, err)
	metadata := d.ExecutionConfig.GetUserMetadata()
	c.look("the description of a run", protojson.Format(d)+readable(map[string]*commonpb.Payload{"summary": metadata.GetSummary(), "details": metadata.GetDetails()}))
	for _, a := range d.PendingActivities {
		c.look("a pending activity", protojson.Format(a.GetLastFailure()))
	}
	value, err := s.temporal.QueryWorkflow(ctx, r.Execution.WorkflowId, r.Execution.RunId, "__temporal_workflow_metadata")
	require.NoError(t, err)
	var details sdk.WorkflowMetadata
	require.NoError(t, value.Get(&details))
	c.look("the current details", protojson.Format(&details))

	summaries := 0
	for _, e := range s.history(r.Execution.WorkflowId, r.Execution.RunId) {
		if m := e.GetUserMetadata(); m != nil {
			summaries++
			c.look("a summary in the history", readable(map[string]*commonpb.Payload{"summary": m.GetSummary(), "details": m.GetDetails()}))
		}
		c.look("a failed activity", protojson.Format(e.GetActivityTaskFailedEventAttributes().GetFailure()))
		c.look("search attributes in the history", readable(e.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields()))
	}
	assert.NotZero(t, summaries)
}

// readable decodes payloads, which protojson shows in Base64.
func readable(payloads map[string]*commonpb.Payload) string {
	var b strings.Builder
	for name, p := range payloads {
		fmt.Fprintf(&b, "\n%s=%s", name, p.GetData())
	}
	return b.String()
}

// searchTables looks at the columns that are made for people.
func (s *stack) searchTables(c *canary) {
	s.t.Helper()
	for what, query := range map[string]string{
		"the journal":            "SELECT string_agg(what || ' ' || detail, ' ') FROM journal",
		"reasons of the dead":    "SELECT string_agg(reason || ' ' || code, ' ') FROM dead_letters",
		"remarks in the ledger":  "SELECT string_agg(note, ' ') FROM ledger",
		"names of conversations": "SELECT string_agg(conversation, ' ') FROM bindings",
	} {
		var all string
		require.NoError(s.t, s.row(query).Scan(&all))
		require.NotEmpty(s.t, all)
		c.look(what, all)
	}
}
