package workflows

import (
	"go.temporal.io/sdk/workflow"

	"parley/conversation"
)

// Position is what an update answers: where the conversation stands after it.
type Position struct {
	Stage     conversation.Stage `json:"stage"`
	Attention string             `json:"attention,omitempty"`
	ToCloud   int                `json:"toCloud"`   // commands waiting
	ToChannel int                `json:"toChannel"` // commands waiting
	Dead      int                `json:"dead"`
}

// handlers registers the query and the three updates. An update's validator says
// no, with a reason for the person who asked, before anything is in the history.
func (r *run) handlers(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, StateQuery, func() (conversation.State, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "The whole state of the conversation. It holds what consumers wrote."})
	if err != nil {
		return err
	}
	for _, u := range [...]struct {
		name, description string
		kind              conversation.OperationKind
	}{
		{CloseUpdate, "Close the conversation, as if the consumer had.", conversation.CloseNow},
		{RedriveUpdate, "Put a dead message back on its way, or let a waiting one go now.", conversation.Redrive},
		{SkipUpdate, "Drop a dead or waiting message for good.", conversation.Skip},
	} {
		if err := r.update(ctx, u.name, u.description, u.kind); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) update(ctx workflow.Context, name, description string, kind conversation.OperationKind) error {
	operation := func(q Request) conversation.Operation {
		return conversation.Operation{Kind: kind, Command: q.Message, By: q.By, Reason: q.Reason}
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, name,
		func(ctx workflow.Context, q Request) (Position, error) {
			o := operation(q)
			r.apply(conversation.Event{Kind: conversation.PersonActed, At: workflow.Now(ctx), Operation: &o})
			r.nudge.SendAsync(true)
			return r.position(), nil
		},
		workflow.UpdateHandlerOptions{
			Description: description,
			Validator:   func(q Request) error { return r.state.Allows(operation(q)) },
		})
}

func (r *run) position() Position {
	return Position{
		Stage: r.state.Stage, Attention: r.state.Attention(),
		ToCloud: len(r.state.ToCloud.Queue), ToChannel: len(r.state.ToChannel.Queue), Dead: len(r.state.Dead),
	}
}
