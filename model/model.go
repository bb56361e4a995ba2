// Package model checks the promises P1 to P5 by going through every state that a
// small conversation can get into: inbox, relay, Temporal, workflow, ledger, echo
// and both far sides, each step of each by itself, in every order, with a crash or
// a lost answer at every point.
//
// The rules are the real ones: a state of the model holds a conversation.State in
// JSON, and every event goes through its Apply. All around them is modelled after
// db, relay, workflows and activities: when one of these changes its steps, so must
// the file here that stands for it. The package talks to nobody and reads no clock.
package model

import "fmt"

// Defect is a way in which Parley could have been built wrongly. The model has
// each of them, to show that it would notice.
type Defect string

// The defects.
const (
	None                Defect = ""
	MarkBeforeSignal    Defect = "events are marked as dispatched before they are signalled"
	NoStreamLock        Defect = "a stream's number is taken without its lock"
	NoAppliedSequence   Defect = "the rules forget what they have applied"
	CompleteUndrained   Defect = "a run completes without draining its signals"
	HandOverUndrained   Defect = "a run hands over without draining its signals"
	FinishWithoutLock   Defect = "a run writes back what it applied while a dispatch is under way"
	RecordBeforeSend    Defect = "the outcome is recorded before the send"
	NoEchoCheck         Defect = "an uncertain send is repeated without looking for its echo"
	DoubtEndsUnledgered Defect = "a command that is not in the ledger ends the doubt about those behind it"
	DoubtTakenBack      Defect = "a repeat that was refused takes back the doubt about the send before it"
	MarkAfterRepeat     Defect = "a repeat is marked only when its answer has come"
)

// Scenario bounds what happens.
type Scenario struct {
	Messages  int // of the consumer
	Replies   int // of agents
	Closes    int // by agents, of any open conversation
	Faults    int // crashes, lost answers, refusals and delays, all together
	HandOvers int // continue-as-new because a history became long
	Survey    bool
	Confirms  bool // the channel gives our ID back, as an echo
	Fine      bool // every step by itself, even where nobody can see what is between two
	Broken    Defect
	Most      int // states; more is an error. 0 means no limit
}

// Report is what a check found.
type Report struct {
	States, Steps, Rests int      // Rests are states in which nothing is left to do
	Rules                int      // different conversation.State
	Depth                int      // of the longest shortest way to a state
	Broken               string   // the promise that was broken, empty when none was
	Trace                []string // the shortest way there
}

func (r Report) String() string {
	return fmt.Sprintf("%d states, %d steps, %d at rest, %d states of the rules, depth %d", r.States, r.Steps, r.Rests, r.Rules, r.Depth)
}

// Bounds of what a world can hold; a check that needs more panics.
const (
	mostMessages = 3
	mostReplies  = 2
	mostPlaces   = 5 // conversations of the cloud
	mostRows     = mostReplies + 2
	mostCommands = 40
	mostBatch    = 8
	mostSignals  = 5
	mostArrivals = 8
)

// world is everything there is at one moment. It is comparable, so that it can be
// looked up.
type world struct {
	// The channel's provider and the consumer.
	wrote     uint8 // messages posted to us for the first time
	acked     bits  // got a 2xx
	repost    bits  // got none: will be posted again
	phone     [mostArrivals]uint8
	delivered uint8
	receipts  bits // on their way to us

	// The Conversational Cloud and its agents.
	places  [mostPlaces]place
	opened  uint8 // places that were opened
	replies [mostReplies]reply
	replied uint8
	got     [mostArrivals]uint8
	taken   uint8
	echoes  [mostMessages]uint8 // on their way: the sequence + 1

	// Postgres.
	streams [1 + mostPlaces]stream
	known   [mostPlaces]binding
	bound   uint8 // bindings made so far
	ledger  [mostCommands]entry
	heard   [mostMessages]uint8 // echoes that came: the sequence + 1
	proofs  bits                // receipts that came
	dead    bits                // dead letters of messages and replies

	// Temporal, the relay and the workers.
	run     run
	late    signal // one that a dispatcher has given up and that is still on its way
	lanes   [2]attempt
	outside bits // numbers taken for messages that are not committed yet; NoStreamLock only

	// What is to be allowed for.
	marked    bits // messages and replies marked as possibly doubled
	gap       bool // a missing sequence was given up, and noted
	faults    uint8
	closes    uint8
	handOvers uint8
	applied   bits // messages and replies that the rules have acted upon
	overtaken bool // a signal came after the relay had given it up
	wrong     wrong
}

// bits is a small set. Messages are 0, 1, …; replies follow after mostMessages.
type bits uint16

func (b bits) has(i uint8) bool { return b&(1<<i) != 0 }
func (b *bits) add(i uint8)     { *b |= 1 << i }
func (b *bits) drop(i uint8)    { *b &^= 1 << i }

// place is a conversation of the cloud as it really is.
type place struct {
	open     bool
	next     uint8 // the next sequence of its dialog
	opening  bool  // the notification of its opening is on its way
	closing  bool  // that of its end is
	consumer bool  // it was the consumer who closed it
}

// reply is what an agent wrote.
type reply struct {
	place, sequence uint8
	coming          bool // its notification is on its way
}

// wrong is a promise seen broken at the moment it happened.
type wrong uint8

const (
	nothing wrong = iota
	disorderCloud
	disorderPhone
	appliedTwice
)

var wrongs = [...]string{
	"", "P3: the cloud got a message before an earlier one",
	"P3: the phone got a reply before an earlier one of its conversation, and no gap was noted",
	"P4: the rules acted twice upon the same event",
}

// count says how often a message or reply has arrived.
func count(list *[mostArrivals]uint8, n, item uint8) (times int) {
	for _, x := range list[:n] {
		if x == item {
			times++
		}
	}
	return times
}

// judge says which promise is broken; rest that nothing is left to do.
func (w *world) judge(rest bool) string {
	if w.wrong != nothing {
		return wrongs[w.wrong]
	}
	if !rest {
		return ""
	}
	for i := range w.wrote {
		times := count(&w.got, w.taken, i)
		switch {
		case times == 0 && w.acked.has(i) && !w.dead.has(i):
			return fmt.Sprintf("P2: m%d was acknowledged, and is neither in the cloud nor a dead letter", i+1)
		case times > 1 && !w.marked.has(i):
			return fmt.Sprintf("P4: m%d is in the cloud %d times and not marked", i+1, times)
		}
	}
	for i := range w.replied {
		id := mostMessages + i
		times := count(&w.phone, w.delivered, id)
		switch {
		case times == 0 && !w.dead.has(id):
			return fmt.Sprintf("P2: a%d is neither at the phone nor a dead letter", i+1)
		case times > 1 && !w.marked.has(id):
			return fmt.Sprintf("P4: a%d is at the phone %d times and not marked", i+1, times)
		}
	}
	return ""
}
