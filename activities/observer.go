package activities

import (
	"context"

	"parley/conversation"
	"parley/fault"
	"parley/message"
)

// Observer is told what an operator wants to count. An activity that runs twice
// tells twice: these are signs, the journal and the ledger are the record.
type Observer interface {
	Gap()                                                // an agent's earlier message was waited for in vain
	Uncertain()                                          // something is sent again without a confirmation
	Buried(conversation.LaneName)                        // a dead letter
	Waits(lane conversation.LaneName, class fault.Class) // a lane waits after a failure of this class
	Trimmed(table string, rows int)                      // housekeeping
}

// observer returns the Observer, or one that does not care.
func (a *Activities) observer() Observer {
	if a.Observer == nil {
		return unobserved{}
	}
	return a.Observer
}

type unobserved struct{}

func (unobserved) Gap()                                     {}
func (unobserved) Uncertain()                               {}
func (unobserved) Buried(conversation.LaneName)             {}
func (unobserved) Waits(conversation.LaneName, fault.Class) {}
func (unobserved) Trimmed(string, int)                      {}

// returns tells of a batch that came to its end, and hands its outcome on.
func (a *Activities) returns(lane conversation.LaneName, r Returned) (Returned, error) {
	if r.Stop != nil {
		a.observer().Waits(lane, r.Stop.Class)
	}
	return r, nil
}

// missed is told, with the notes of a conversation, of the sequences of the cloud
// that never arrived: its webhooks were lost, and it has given up repeating them.
// The conversation has gone on without them.
//
// This is the one place for a backfill from the cloud's history API: read the
// conversation's events of these sequences there, turn them into notifications with
// the event IDs that their webhooks would have had (dialog/sequence/type), and
// append them to the inbox. One that came after all is then recognised, and the
// rules deliver a message also when later ones went before it.
func (a *Activities) missed(_ context.Context, notes []message.Note) {
	for _, n := range notes {
		if n.What == conversation.NoteGap {
			a.observer().Gap()
		}
	}
}
