package api

import (
	"context"
	"fmt"
	"strings"
	"time"

	"parley/channels"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

// rereader is a Cloud that can read again what it has read before.
type rereader interface {
	Reread(body []byte) liveperson.Received
}

// Reread stores what a dead letter of a webhook holds, now that it may be possible
// to understand it, and returns how many events that made. Its signature was checked
// when it came. Reading again what was read meanwhile changes nothing.
//
// The error is a *fault.Error: Rejected when it can still not be used.
func (s *Server) Reread(ctx context.Context, d message.DeadLetter) (int, error) {
	const op = "read again"
	side, name, _ := strings.Cut(d.Source, "/")
	var a message.Arrival
	switch side {
	case "cloud":
		account, ok := s.Accounts[name].(rereader)
		if !ok {
			return 0, fault.New(fault.Rejected, op, "the account is not configured here")
		}
		h := &handlers{Server: *s, people: &people{}}
		h.Now = time.Now
		a = h.open(name, account.Reread(d.Body)).a
	case "channel":
		channel, ok := s.Channels[name].(channels.Rereader)
		if !ok {
			return 0, fault.New(fault.Rejected, op, "the channel is not configured here, or cannot read a part of a webhook")
		}
		a = channelArrival(name, channel.Reread(d.Body, time.Now()), time.Now())
	default:
		return 0, fault.New(fault.Rejected, op, "it came from nowhere we know")
	}
	if len(a.Dead) > 0 {
		return 0, fault.New(fault.Rejected, op, "it can still not be used: %s", a.Dead[0].Reason)
	}
	if len(a.Events)+len(a.Echoes) == 0 {
		return 0, fault.New(fault.Rejected, op, "there is nothing in it")
	}
	if _, err := s.Inbox.Append(ctx, a); err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	return len(a.Events), nil
}
