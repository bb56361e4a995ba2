package conversation

import (
	"strconv"
	"strings"
	"time"

	"parley/message"
)

// Bounds on metadata in the journal, in bytes: of one message, and of all the lines
// that wait to be written.
const (
	mostMetadata = 4 << 10
	mostNoted    = 64 << 10
)

// noteMetadata keeps what came along with an agent's event in the journal. Lines of
// another kind matter more: it is left out while too much is waiting to be written.
func (s *State) noteMetadata(n *message.Notification, at time.Time) {
	if s.Rules < 2 || len(n.Metadata) == 0 {
		return
	}
	size := 0
	for i := range s.Notes {
		size += len(s.Notes[i].Detail)
	}
	if size > mostNoted {
		return
	}
	text := string(n.Metadata)
	if len(text) > mostMetadata {
		text = strings.ToValidUTF8(text[:mostMetadata-len("…")], "") + "…"
	}
	s.note(at, n.ID, "metadata", text)
}

// learn takes over what a snapshot says of the conversation.
func (c *Cloud) learn(n *message.Change) {
	c.Version, c.Skill, c.Agent = n.Version, n.Skill, n.Agent
	c.AgentID, c.Manager, c.AnswerBy, c.Delay, c.DelayTo = n.AgentID, n.Manager, n.AnswerBy, n.Delay, n.DelayTo
}

// unassigned is the skill of a conversation that has none.
const unassigned = "-1"

// noticed notes what a snapshot says that is new, before it is learnt: who takes
// part, and how long the consumer has to wait. The consumer is told where the texts
// have a line for it.
func (s *State) noticed(n *message.Change, at time.Time) {
	if s.Rules < 2 || !n.Open || !n.MainOpen {
		return
	}
	was := &s.Cloud
	if was.Skill != "" && was.Skill != unassigned && n.Skill != "" && n.Skill != was.Skill {
		s.note(at, "", "transferred", "from skill "+was.Skill+" to "+n.Skill)
		s.announce(s.Settings.Texts.Transferred, "transferred", n.Version)
	}
	switch {
	case n.Agent && (!was.Agent || was.AgentID != n.AgentID):
		s.note(at, "", "joined", first("agent "+n.AgentID, "an agent"))
		s.announce(s.Settings.Texts.Joined, "joined", n.Version)
	case was.Agent && !n.Agent:
		s.note(at, "", "left", "no agent is assigned")
	}
	if n.Manager != was.Manager {
		s.note(at, "", map[bool]string{true: "joined", false: "left"}[n.Manager], "a manager")
	}
	if was.AnswerBy.IsZero() && !n.AnswerBy.IsZero() {
		s.note(at, "", "waits", "an answer is expected by "+n.AnswerBy.UTC().Format(time.RFC3339))
	}
	if n.Delay != "" && (n.Delay != was.Delay || !n.DelayTo.Equal(was.DelayTo)) {
		s.note(at, "", "away", first(strings.TrimSpace(n.Delay+" "+until(n.DelayTo)), n.Delay))
		s.announce(strings.ReplaceAll(s.Settings.Texts.Away, "{until}", until(n.DelayTo)), "away", n.Version)
	}
}

// announce tells the consumer what a snapshot says.
func (s *State) announce(line, what string, version int64) {
	s.tell(line, what, s.Settings.Account, s.Cloud.Conversation, strconv.FormatInt(version, 10))
}

// until says a time so that it can be read anywhere.
func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}
