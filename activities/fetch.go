package activities

import (
	"context"
	"errors"

	"parley/conversation"
	"parley/message"
)

// Fetched is what was left in the inbox, in order, as far as one signal carries.
type Fetched struct {
	Events []message.Stored `json:"events"`
}

var errNotThere = errors.New("the inbox no longer holds what was left in it")

// Fetch reads events of a stream that were left in the inbox. It changes nothing.
func (a *Activities) Fetch(ctx context.Context, in conversation.Behind) (Fetched, error) {
	ctx, cancel := heard(ctx)
	defer cancel()
	events, err := a.Store.Stored(ctx, in.Stream, in.After, in.Last)
	if err == nil && (len(events) == 0 || events[0].Sequence != in.After+1) {
		err = errNotThere // a person has to look: going on would lose messages
	}
	return Fetched{Events: events}, forTemporal(err)
}
