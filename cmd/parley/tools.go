package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/user"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"parley/message"
	"parley/workflows"
)

// person opens only Temporal: what a person does to a conversation is done by its
// workflow, and is in its history.
func (p *process) person() (client.Client, error) {
	s := newSettings(p.lookuper())
	options := s.temporal(p.env)
	if err := s.err(); err != nil {
		return nil, err
	}
	return dial(options, p.log)
}

// arguments parses a tool's flags; a mistake is answered with how to call it.
func arguments(f *flag.FlagSet, synopsis string, args []string, want int) error {
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	if err == nil && f.NArg() == want {
		return nil
	}
	text := ""
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		text = err.Error() + "\n"
	}
	text += "usage: parley " + f.Name() + " " + synopsis + "\n"
	f.VisitAll(func(o *flag.Flag) { text += fmt.Sprintf("  -%s\t%s\n", o.Name, o.Usage) })
	return errUsage{text}
}

// runUpdate is close, redrive and skip: Temporal Updates of the same name.
func runUpdate(ctx context.Context, p *process, args []string) error {
	f := flag.NewFlagSet(p.command, flag.ContinueOnError)
	who := f.String("by", userName(), "who you are; it is in the conversation's history")
	reason := f.String("reason", "", "why")
	synopsis, want := "[-by NAME] [-reason TEXT] WORKFLOW-ID MESSAGE-ID", 2
	if p.command == workflows.CloseUpdate {
		synopsis, want = "[-by NAME] [-reason TEXT] WORKFLOW-ID", 1
	}
	if p.command == workflows.RedriveUpdate {
		synopsis = redriveSynopsis
	}
	if err := arguments(f, synopsis, args, want); err != nil {
		return err
	}
	c, err := p.person()
	if err != nil {
		return err
	}
	defer c.Close()
	return update(ctx, p, c, f.Arg(0), workflows.Request{Message: message.ID(f.Arg(1)), By: *who, Reason: *reason})
}

// update asks a conversation to do what the command is called.
func update(ctx context.Context, p *process, c client.Client, workflow string, q workflows.Request) error {
	handle, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflow, UpdateName: p.command, WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{q},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", p.command, err)
	}
	var got workflows.Position
	if err := handle.Get(ctx, &got); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "stage %s; waiting: %d to the cloud, %d to the channel; dead letters: %d\n",
		got.Stage, got.ToCloud, got.ToChannel, got.Dead)
	return err
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// runExport writes the history of a conversation's newest run, or of a given one.
func runExport(ctx context.Context, p *process, args []string) error {
	f := flag.NewFlagSet(p.command, flag.ContinueOnError)
	runID := f.String("run", "", "which run; the newest if not given")
	file := f.String("o", "", "the file to write; standard output if not given")
	if err := arguments(f, "[-run RUN-ID] [-o FILE] WORKFLOW-ID", args, 1); err != nil {
		return err
	}
	c, err := p.person()
	if err != nil {
		return err
	}
	defer c.Close()
	var h history.History
	events := c.GetWorkflowHistory(ctx, f.Arg(0), *runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		h.Events = append(h.Events, event)
	}
	body, err := protojson.MarshalOptions{Indent: " "}.Marshal(&h)
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	if *file == "" {
		_, err = p.out.Write(append(body, '\n'))
		return err
	}
	return os.WriteFile(*file, body, 0o600) // it holds what people wrote
}

// runReplay re-executes a history with the rules of this binary. No activity runs.
func runReplay(_ context.Context, p *process, args []string) error {
	f := flag.NewFlagSet(p.command, flag.ContinueOnError)
	if err := arguments(f, "FILE", args, 1); err != nil {
		return err
	}
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.Conversation, workflow.RegisterOptions{Name: workflows.Type})
	body, err := os.ReadFile(f.Arg(0))
	if err != nil {
		return err
	}
	var h history.History
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &h); err != nil {
		return fmt.Errorf("%s is not a history: %w", f.Arg(0), err)
	}
	execution := worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: "conversation/replay", RunID: "replay"}}
	if err := replayer.ReplayWorkflowHistoryWithOptions(sdkLogger(p), &h, execution); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	_, err = fmt.Fprintf(p.out, "%d events replayed: these rules decide as those that ran\n", len(h.Events))
	return err
}
