package model

import (
	"fmt"

	"parley/conversation"
)

// kind is what sort of step was taken.
type kind uint8

const (
	stored kind = iota + 1
	storedUnanswered
	repeated
	numbered
	committed
	notifiedOpen
	notifiedClosed
	notifiedReply
	echoed
	read
	signalled
	signalLate
	signalRefused
	signalUnanswered
	lateSignal
	mark
	relayDied
	task
	longHistory
	writtenBack
	timer
	intends
	looks
	buries
	confirms
	waitsEcho
	repeats
	repeatsDoubtful
	marksAgain
	sends
	sendRefused
	sendLost
	sendUnanswered
	binds
	records
	recordFails
	goesOn
	workerDied
	batchGivenUp
	replies
	closes
)

// optional says that the outside world may do it or not: without it the state is
// at rest. Taking a message from the consumer is; what follows from it is not.
func (k kind) optional() bool {
	return k == stored || k == storedUnanswered || k == numbered || k == longHistory || k == replies || k == closes
}

// step is one step of one process.
type step struct {
	kind kind
	a, b uint8
}

// emit is told of a step that can be taken, and what comes of it.
type emit func(by step, next world)

// sentences say a step in words. %[1]s is the message, stream, lane or place,
// %[2]s the command, sequence or second place.
var sentences = map[kind]string{
	stored:           "the webhook with %[1]s is stored and answered",
	storedUnanswered: "the webhook with %[1]s is stored; the answer is lost",
	repeated:         "%[1]s is posted again, changes nothing, and is answered",
	numbered:         "the webhook with %[1]s takes a number; it is not committed yet",
	committed:        "the webhook with %[1]s is committed and answered",
	notifiedOpen:     "the cloud's notification that %[1]s is open is stored",
	notifiedClosed:   "the cloud's notification that %[1]s is closed is stored",
	notifiedReply:    "the cloud's notification of %[1]s is stored",
	echoed:           "the echo of %[1]s arrives",
	read:             "relay, %[1]s: reads what waits, up to %[2]s",
	signalled:        "relay, %[1]s: signals up to %[2]s",
	signalLate:       "relay, %[1]s: signals up to %[2]s, gets no answer; the signal is still on its way",
	signalRefused:    "relay, %[1]s: signals up to %[2]s in vain",
	signalUnanswered: "relay, %[1]s: signals up to %[2]s; the answer is lost",
	lateSignal:       "%[1]s: the signal that the relay had given up arrives",
	mark:             "relay, %[1]s: marks up to %[2]s as dispatched",
	relayDied:        "relay, %[1]s: dies",
	task:             "workflow: takes its turn",
	longHistory:      "workflow: its history has become long",
	writtenBack:      "workflow: has written back what it applied",
	timer:            "time passes; the workflow's timer fires",
	intends:          "worker, %[1]s: intends the batch",
	looks:            "worker, %[1]s: is about to send %[2]s",
	buries:           "worker, %[1]s: makes %[2]s a dead letter",
	confirms:         "worker, %[1]s: finds the echo of %[2]s",
	waitsEcho:        "worker, %[1]s: %[2]s may have been sent, waits for its echo",
	repeats:          "worker, %[1]s: %[2]s may have been sent; a repeat does no harm",
	repeatsDoubtful:  "worker, %[1]s: %[2]s may have been sent, no echo came: will send it again",
	marksAgain:       "worker, %[1]s: writes down that %[2]s is sent again",
	sends:            "worker, %[1]s: sends %[2]s",
	sendRefused:      "worker, %[1]s: sends %[2]s and is refused for now",
	sendLost:         "worker, %[1]s: sends %[2]s, which is lost, and gets no answer",
	sendUnanswered:   "worker, %[1]s: sends %[2]s; it arrives, the answer is lost",
	binds:            "worker, %[1]s: binds the conversation of %[2]s",
	records:          "worker, %[1]s: records the outcome of %[2]s",
	recordFails:      "worker, %[1]s: cannot record the outcome of %[2]s and ends the batch",
	goesOn:           "worker, %[1]s: goes on after %[2]s",
	workerDied:       "worker, %[1]s: dies; another one begins the batch again",
	batchGivenUp:     "worker, %[1]s: dies; the workflow is told that the batch came to no end",
	replies:          "an agent writes %[1]s in %[2]s",
	closes:           "an agent closes %[1]s",
}

// words says a step as a person would.
func (h *house) words(s step, before, after *world) string {
	first, second := item(s.a), ""
	switch {
	case s.kind >= intends && s.kind <= batchGivenUp:
		first = "lane to the " + string(h.rules.lanes()[s.a])
		second = h.commandName(before, s)
	case s.kind >= read && s.kind <= relayDied:
		first, second = streamWords(s.a), fmt.Sprint(s.b)
	case s.kind == notifiedOpen, s.kind == notifiedClosed, s.kind == closes:
		first = placeName(s.a)
	case s.kind == replies:
		second = placeName(s.b)
	}
	// An argument that a sentence does not use must not show as an error.
	text := fmt.Sprintf(sentences[s.kind]+"%[1]s%[2]s", first, second)
	text = text[:len(text)-len(first)-len(second)]
	if s.kind == task {
		text += h.turnWords(after)
	}
	return text
}

// commandName is the command a lane was at, by its kind and message.
func (h *house) commandName(w *world, s step) string {
	a := &w.lanes[s.a]
	if a.phase <= scheduled || int(s.b) >= len(h.rules.batches[a.batch].commands) {
		return ""
	}
	return commandWords(&h.rules.batches[a.batch].commands[s.b])
}

func commandWords(c *conversation.Command) string {
	name := string(c.Kind)
	for i := range uint8(mostMessages + mostReplies) {
		if itemID(i) == c.ID {
			name += " " + item(i)
		}
	}
	if c.Conversation != "" {
		name += " in " + c.Conversation
	}
	return name
}

// turnWords says where the conversation stands after a workflow task.
func (h *house) turnWords(w *world) string {
	if !w.run.alive {
		return ": completes"
	}
	s := h.rules.state(w.run.rules)
	text := ": " + string(s.Stage)
	if s.Cloud.Conversation != "" {
		text += " in " + s.Cloud.Conversation
	}
	for i, l := range [...]*conversation.Lane{&s.ToCloud, &s.ToChannel} {
		for j := range l.Queue {
			if j == 0 {
				text += "; to the " + string(h.rules.lanes()[i]) + ":"
			} else {
				text += ","
			}
			text += " " + commandWords(&l.Queue[j])
		}
	}
	if w.run.finishing {
		text += ", about to end"
	}
	return text
}

func streamWords(s uint8) string {
	if s == 0 {
		return "stream of the channel"
	}
	return "stream of " + placeName(s-1)
}
