package conversation

import (
	"fmt"
	"strings"
)

// Waiting says in a few words what the conversation waits for, for the Temporal UI.
func (s *State) Waiting() string {
	switch {
	case s.holding():
		return "waiting for an agent's earlier message"
	case s.ToCloud.Attempts > 0 && len(s.ToCloud.Queue) > 0:
		return fmt.Sprintf("next attempt towards the cloud, after %d", s.ToCloud.Attempts)
	case s.ToChannel.Attempts > 0 && len(s.ToChannel.Queue) > 0:
		return fmt.Sprintf("next attempt towards the channel, after %d", s.ToChannel.Attempts)
	case s.Stage == Closing && s.Survey.Left:
		return "waiting for the cloud to close the conversation"
	case s.Stage == Closing:
		return "waiting for the consumer's answer to the survey"
	}
	return "waiting"
}

// Details describes the conversation in Markdown for a person who looks at it in
// the Temporal UI. It holds nothing a consumer or an agent wrote.
func (s *State) Details() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n\n", args...) }
	line("**%s** — %s", stageWords[s.Stage], s.where())
	if s.Cloud.Conversation != "" {
		line("Cloud conversation `%s` of account `%s`, skill %s, %s.", s.Cloud.Conversation, s.Settings.Account,
			first(s.Cloud.Skill, "not known yet"), agentWords[s.Cloud.Agent])
		s.describeWait(line)
	}
	line("%d from the consumer, %d from agents.", s.Counts.Inbound, s.Counts.Outbound)
	describeLane(line, "to the cloud", &s.ToCloud)
	describeLane(line, "to the channel", &s.ToChannel)
	for _, b := range s.Behind {
		line("%d more are left in the inbox until there is room.", b.Last-b.After)
	}
	if s.Counts.DeadLetters > 0 {
		line("**%d dead letter(s)**: look them up, then use the update `redrive` or `skip`.", s.Counts.DeadLetters)
	}
	if s.Counts.Uncertain > 0 {
		line("%d sent again without a confirmation: possibly doubled.", s.Counts.Uncertain)
	}
	if s.Counts.Gaps > 0 {
		line("%d time(s) an agent's earlier message did not arrive in time.", s.Counts.Gaps)
	}
	if s.OptedOut {
		line("The consumer has opted out: agents' messages become dead letters.")
	}
	if s.Closer != "" {
		line("Closed by %s.", strings.ToLower(s.Closer))
	}
	if s.Stage == Closing && s.cloudAsks() {
		line("Survey: %s.", s.describeSurvey())
	}
	if s.Survey.Asking != "" {
		line("Survey: asked for the %s.", surveyWords[s.Survey.Asking])
	}
	if s.Survey.Status != "" {
		line("Survey: %s%s.", s.Survey.Status, s.Survey.words())
	}
	return b.String()
}

var stageWords = map[Stage]string{Opening: "Opening", Open: "Open", Closing: "Closing (survey)", Closed: "Closed"}
var agentWords = map[bool]string{false: "no agent assigned", true: "an agent is assigned"}
var surveyWords = map[string]string{askRating: "rating", askSolved: "solution"}

func (s *State) where() string {
	return fmt.Sprintf("a conversation on channel `%s`", s.Address.Channel)
}

// describeWait says who else takes part and how long the consumer has to wait.
func (s *State) describeWait(line func(string, ...any)) {
	c := &s.Cloud
	if c.AgentID != "" {
		line("Agent `%s`.", c.AgentID)
	}
	if c.Manager {
		line("A manager takes part.")
	}
	if s.Urgency != "" {
		line("Urgency asked for: %s.", strings.ToLower(s.Urgency))
	}
	if !c.AnswerBy.IsZero() {
		line("An answer is expected by %s.", until(c.AnswerBy))
	}
	if c.Delay != "" {
		line("Nobody answers now (%s), until %s.", strings.ToLower(c.Delay), first(until(c.DelayTo), "an unknown time"))
	}
}

// describeSurvey says how far the cloud's own survey is.
func (s *State) describeSurvey() string {
	switch v := &s.Survey; {
	case v.Left:
		return "left, the conversation is being closed"
	case v.Dialog == "":
		return "not begun yet"
	case v.Late:
		return "not answered in time"
	}
	return "the cloud is asking"
}

func describeLane(line func(string, ...any), name string, l *Lane) {
	if len(l.Queue) == 0 {
		return
	}
	state := "queued"
	switch {
	case l.Parked != "":
		state = "**parked**: " + l.Parked
	case l.Attempts > 0:
		state = fmt.Sprintf("waiting after %d failed attempt(s)", l.Attempts)
	case l.Flying > 0:
		state = fmt.Sprintf("%d being sent", l.Flying)
	}
	line("%d %s: %s.", len(l.Queue), name, state)
}

func (v Survey) words() string {
	var parts []string
	if v.CSAT > 0 {
		parts = append(parts, fmt.Sprintf("CSAT %d", v.CSAT))
	}
	if v.Resolved != nil {
		parts = append(parts, map[bool]string{true: "solved", false: "not solved"}[*v.Resolved])
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}
