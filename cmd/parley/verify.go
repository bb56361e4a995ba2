package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"parley/conversation"
	"parley/db"
	"parley/message"
	"parley/workflows"
)

const verifySynopsis = "[-from TIME] [-to TIME] | -conversation ID | -channel NAME -consumer ID | -workflow ID  [-allow VERDICTS] [-json] [-list N]"

// verifyStatuses ends the help text.
const verifyStatuses = `Exit status: 0 everything is at its effect; 1 something is missing, or cannot be looked up; 2 wrong arguments;
3 something is elsewhere (inbox, unbound, lane, parked, dead letter); 4 all was sent, and of something it is uncertain
whether it arrived once. The first of 1, 3, 4 that is true; what -allow lists does not count.
`

// runVerify proves from Postgres and Temporal that every accepted event reached its
// effect. Its exit status is as verifyStatuses says.
func runVerify(ctx context.Context, p *process, args []string) error {
	f := flag.NewFlagSet(p.command, flag.ContinueOnError)
	q := question{}
	f.StringVar(&q.from, "from", "24h", "what was accepted since: a time such as 2026-01-31T15:04:05Z, or so long ago")
	f.StringVar(&q.to, "to", "0s", "what was accepted before: the same; now, if not given")
	f.StringVar(&q.conversation, "conversation", "", "only this cloud conversation's consumer, whenever")
	f.StringVar(&q.address.Channel, "channel", "", "with -consumer: only this consumer, whenever")
	f.StringVar(&q.address.Consumer, "consumer", "", "with -channel: the consumer's identity there")
	f.StringVar(&q.workflow, "workflow", "", "only this conversation, by its workflow ID, whenever")
	allow := f.String("allow", "", "verdicts that do not count for the exit status, with commas: uncertain, unbound, parked, dead letter, …")
	asJSON := f.Bool("json", false, "write JSON")
	most := f.Int("list", 100, "how many of those that are not at their effect are listed")
	if err := arguments(f, verifySynopsis, args, 0); err != nil {
		return errUsage{err.Error() + verifyStatuses}
	}
	began := time.Now()
	accepted, err := q.time(began)
	allowed, allowErr := allowances(*allow)
	if err = errors.Join(err, allowErr); err != nil {
		return errUsage{err.Error()}
	}
	store, c, identity, err := p.records(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	defer c.Close()
	asked := temporalRuns{c, namespaceOf(p)}
	if accepted.Streams, err = q.streams(ctx, store, asked); err != nil {
		return err
	}
	v := &verifier{records: store, runs: asked, identity: identity, report: &report{Counts: map[verdict]int64{}, Findings: []finding{}, most: *most, allowed: allowed}}
	if err := v.verify(ctx, accepted); err != nil {
		return err
	}
	write := v.report.write
	if *asJSON {
		write = v.report.writeJSON
	}
	if err := write(p.out, time.Since(began)); err != nil {
		return err
	}
	if status := v.report.status(); status != 0 {
		return status
	}
	return nil
}

// question is what a person wants verified.
type question struct {
	from, to, conversation, workflow string
	address                          message.Address
}

func (q *question) time(now time.Time) (a db.Accepted, err error) {
	if a.From, err = moment(q.from, now); err != nil {
		return a, err
	}
	a.To, err = moment(q.to, now)
	return a, err
}

// streams returns the streams of the one consumer who was asked for; none when it
// is about a time.
func (q *question) streams(ctx context.Context, store *db.Store, asked temporalRuns) ([]string, error) {
	if q.workflow != "" {
		state, _, found, err := asked.State(ctx, q.workflow)
		if err != nil || !found {
			return nil, errors.Join(fmt.Errorf("workflow %s cannot be asked for its address", q.workflow), err)
		}
		q.address = state.Address
	}
	if q.address == (message.Address{}) && q.conversation == "" {
		return nil, nil
	}
	streams, err := store.StreamsOf(ctx, q.address, q.conversation)
	if err == nil && len(streams) == 0 {
		err = errors.New("nothing was ever accepted for it")
	}
	return streams, err
}

// moment reads a time, or a duration before now.
func moment(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time such as 2026-01-31T15:04:05Z nor a duration such as 36h", s)
	}
	return t, nil
}

// records opens what tells where things are: Postgres and Temporal.
func (p *process) records(ctx context.Context) (*db.Store, client.Client, workflows.Identity, error) {
	config, err := LoadTool(p.lookuper(), p.env)
	if err != nil {
		return nil, nil, workflows.Identity{}, err
	}
	store, err := openStore(ctx, p, config)
	if err != nil {
		return nil, nil, workflows.Identity{}, err
	}
	key, err := store.DigestKey(ctx)
	if err != nil {
		store.Close()
		return nil, nil, workflows.Identity{}, err
	}
	c, err := dial(config.Temporal, p.log)
	if err != nil {
		store.Close()
		return nil, nil, workflows.Identity{}, err
	}
	return store, c, workflows.Identity{Key: key}, nil
}

func namespaceOf(p *process) string {
	s := newSettings(p.lookuper())
	return cmp.Or(s.temporal(p.env).Namespace, client.DefaultNamespace)
}

// temporalRuns asks a Temporal server about conversations.
type temporalRuns struct {
	client    client.Client
	namespace string
}

// Running pages through the conversations that are going on. One that began in the
// last seconds may not be listed yet: it is then asked itself.
func (t temporalRuns) Running(ctx context.Context) (map[string]bool, error) {
	running := map[string]bool{}
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: t.namespace, PageSize: 1000, Query: `WorkflowType = "` + workflows.Type + `" AND ExecutionStatus = "Running"`,
	}
	for {
		page, err := t.client.ListWorkflow(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Executions {
			running[e.Execution.WorkflowId] = true
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return running, nil
		}
	}
}

// queryWithin bounds one query: a conversation that no worker has in memory is
// re-executed first.
const queryWithin = 10 * time.Second

// State asks the newest run at a workflow ID, also one that has ended.
func (t temporalRuns) State(ctx context.Context, workflowID string) (s conversation.State, running, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	described, err := t.client.DescribeWorkflowExecution(ctx, workflowID, "")
	if gone := new(serviceerror.NotFound); errors.As(err, &gone) {
		return s, false, false, nil
	}
	if err != nil {
		return s, false, false, err
	}
	info := described.WorkflowExecutionInfo
	got, err := t.client.QueryWorkflow(ctx, workflowID, info.Execution.RunId, workflows.StateQuery)
	if err == nil {
		err = got.Get(&s)
	}
	return s, info.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, true, err
}

// write shows the counts by verdict, and where each is that is not at its effect.
func (r *report) write(w io.Writer, took time.Duration) error {
	var total, open int64
	for _, v := range verdicts {
		n := r.Counts[v]
		if total += n; !v.proven() {
			open += n
		}
		fmt.Fprintf(w, "%-12s %10d\n", v, n)
	}
	fmt.Fprintf(w, "%-12s %10d   in %s\n", "accepted", total, took.Round(time.Millisecond))
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%-12s %s  %s  %s %s %s\n", f.Verdict, f.Message, f.Stored.UTC().Format(time.RFC3339), f.Workflow, f.Conversation, f.Detail)
	}
	var err error
	if rest := open - int64(len(r.Findings)); rest > 0 {
		_, err = fmt.Fprintf(w, "and %d more: -list shows more of them\n", rest)
	}
	return err
}

func (r *report) writeJSON(w io.Writer, took time.Duration) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(struct {
		*report
		Status  int     `json:"status"`
		Seconds float64 `json:"seconds"`
	}{r, int(r.status()), took.Seconds()})
}
