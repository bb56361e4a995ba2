package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"parley/conversation"
)

// shown is what the search attributes of a run say.
type shown struct {
	conversation, stage, attention, skill string
	csat                                  int64
	fcr                                   string // "", "true", "false"
}

// alreadyShown reads what an earlier run, or the start, has set.
func alreadyShown(ctx workflow.Context) shown {
	attributes := workflow.GetTypedSearchAttributes(ctx)
	var s shown
	s.conversation, _ = attributes.GetKeyword(Conversed)
	s.stage, _ = attributes.GetKeyword(StageKey)
	s.attention, _ = attributes.GetKeyword(AttentionKey)
	s.skill, _ = attributes.GetKeyword(Skill)
	s.csat, _ = attributes.GetInt64(CSAT)
	if solved, ok := attributes.GetBool(FCR); ok {
		s.fcr = yesNo(&solved)
	}
	return s
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "true"
	}
	return "false"
}

func showing(s *conversation.State) shown {
	return shown{
		conversation: s.Cloud.Conversation, stage: string(s.Stage), attention: s.Attention(), skill: s.Cloud.Skill,
		csat: int64(s.Survey.CSAT), fcr: yesNo(s.Survey.Resolved),
	}
}

// show brings the details and the search attributes up to date. Each change of an
// attribute is an event of history, so only what has changed is set.
func (r *run) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, r.state.Details())
	now := showing(&r.state)
	var updates []temporal.SearchAttributeUpdate
	keyword := func(key temporal.SearchAttributeKeyKeyword, was, is string) {
		switch {
		case was == is:
		case is == "":
			updates = append(updates, key.ValueUnset())
		default:
			updates = append(updates, key.ValueSet(is))
		}
	}
	keyword(Conversed, r.shown.conversation, now.conversation)
	keyword(StageKey, r.shown.stage, now.stage)
	keyword(AttentionKey, r.shown.attention, now.attention)
	keyword(Skill, r.shown.skill, now.skill)
	if r.shown.csat != now.csat {
		updates = append(updates, number(now.csat))
	}
	if r.shown.fcr != now.fcr {
		updates = append(updates, flag(now.fcr))
	}
	if len(updates) == 0 {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		r.log.Error("search attributes not set", "err", err)
		return
	}
	r.shown = now
}

func number(n int64) temporal.SearchAttributeUpdate {
	if n == 0 {
		return CSAT.ValueUnset()
	}
	return CSAT.ValueSet(n)
}

func flag(s string) temporal.SearchAttributeUpdate {
	if s == "" {
		return FCR.ValueUnset()
	}
	return FCR.ValueSet(s == "true")
}
