package liveperson

import (
	"encoding/json"
	"strconv"
	"strings"
)

// longestName bounds the names of conversations and dialogs, which become keys in
// a database. Those in use have 36 characters at most.
const longestName = 200

// readMessage reads one change of a MessagingEventNotification.
func readMessage(n node) (Event, string) {
	event := n.node("event")
	originator := n.node("originatorMetadata")
	e := Event{
		Conversation: n.text("conversationId"),
		Dialog:       n.text("dialogId"),
		Originator:   n.text("originatorId"),
		Role:         originator.word("role"),
		Time:         n.time("serverTimestamp"),
		ExternalID:   externalID(n, event),
		Metadata:     attached(n, event),
	}
	e.Sequence, _ = sequence(n["sequence"])
	if e.Originator == "" {
		e.Originator = originator.text("id")
	}
	if audience := n.word("messageAudience"); audience != "" {
		e.Private = audience != "ALL"
	}
	// Older notifications name only the dialog, which is then MAIN.
	if e.Conversation == "" {
		e.Conversation = e.Dialog
	}
	if e.Dialog == "" {
		e.Dialog = e.Conversation
	}
	switch {
	case n == nil:
		return e, "a change is not an object"
	case event == nil:
		return e, "a change without an event"
	case e.Conversation == "":
		return e, "an event of no conversation"
	case len(e.Conversation) > longestName || len(e.Dialog) > longestName:
		return e, "an event of a conversation with an impossible name"
	}
	return readEvent(e, n, event)
}

func readEvent(e Event, n, event node) (Event, string) {
	kind := event.text("type")
	reason := ""
	switch kind = kind[strings.LastIndexByte(kind, '.')+1:]; kind {
	case "ContentEvent":
		e.Kind = KindContent
		reason = readContent(&e, event)
	case "RichContentEvent", "RichContent":
		e.Kind, kind = KindContent, "RichContentEvent"
		reason = readRich(&e, event)
	case "AcceptStatusEvent":
		e.Kind = KindAccept
		reason = readAccept(&e, event)
	case "ChatStateEvent":
		e.Kind = KindChatState
		if e.ChatState = event.word("chatState"); e.ChatState == "" {
			reason = "a chat state that says nothing"
		}
		return e, reason // no ID: it may be repeated
	default:
		return e, "unknown type of event"
	}
	if e.Sequence >= 0 {
		e.ID = e.Dialog + "/" + strconv.Itoa(e.Sequence) + "/" + kind
	} else {
		e.ID = e.Dialog + "/" + digest(n) + "/" + kind
	}
	return e, reason
}

func readAccept(e *Event, event node) string {
	e.Status = event.word("status")
	for _, v := range event.list("sequenceList") {
		if n, ok := sequence(v); ok {
			e.Sequences = append(e.Sequences, n)
		}
	}
	switch {
	case e.Status == "":
		return "an accept status that says nothing"
	case len(e.Sequences) == 0:
		return "an accept status of no message"
	}
	return ""
}

// externalID finds the ExternalId among what the sender attached.
func externalID(places ...node) string {
	for _, p := range places {
		for _, m := range p.nodes("metadata") {
			if strings.EqualFold(m.text("type"), "ExternalId") {
				return m.text("id")
			}
		}
	}
	return ""
}

// attached is all that the sender attached: beside the event, or within it.
func attached(places ...node) json.RawMessage {
	for _, p := range places {
		if m := verbatim(p["metadata"]); m != nil {
			return m
		}
	}
	return nil
}

// readChange reads one change of an ExConversationChangeNotification.
func readChange(n node) (Event, string) {
	result := n.node("result")
	details := result.node("conversationDetails")
	c := &Change{
		Type:         n.word("type"),
		State:        details.word("state"),
		Stage:        details.word("stage"),
		CloseReason:  details.word("closeReason"),
		Skill:        details.text("skillId"),
		Brand:        details.text("brandId"),
		Started:      details.time("startTs"),
		Ended:        details.time("endTs"),
		AnswerBy:     result.time("effectiveTTR"),
		Participants: participants(details.nodes("participants")),
		Dialogs:      dialogs(details.nodes("dialogs")),
		Urgency:      details.node("ttr").word("ttrType"),
		Delay:        delay(details.node("delay")),
		CSAT:         csat(details.node("csat")),
	}
	c.First, _ = boolean(details["firstConversation"])
	if c.Stage == "" {
		c.Stage = c.State
	}
	own, _ := integer(details["metaDataLastUpdateTs"])
	c.Version = version(own, details)
	e := Event{
		Kind:         KindChange,
		Conversation: conversationOf(result, c.Dialogs),
		Sequence:     -1,
		Time:         details.time("metaDataLastUpdateTs"),
		Change:       c,
	}
	e.ID = e.Conversation + "/" + strconv.FormatInt(own, 10) + "/" + digest(n)
	switch {
	case n == nil:
		return e, "a change is not an object"
	case result == nil:
		return e, "a change without a result"
	case e.Conversation == "":
		return e, "a change of no conversation"
	case len(e.Conversation) > longestName:
		return e, "a change of a conversation with an impossible name"
	}
	return e, ""
}

// conversationOf finds the conversation's name, which its MAIN dialog shares.
func conversationOf(result node, dialogs []Dialog) string {
	for _, key := range []string{"convId", "conversationId"} {
		if s := result.text(key); s != "" {
			return s
		}
	}
	for _, d := range dialogs {
		if d.Type == dialogMain {
			return d.ID
		}
	}
	return ""
}

// version orders snapshots. Where the snapshot has no number of its own, the
// newest of its parts stands in.
func version(own int64, details node) int64 {
	if own > 0 {
		return own
	}
	newest := int64(0)
	for _, key := range []string{"startTs", "endTs"} {
		v, _ := integer(details[key])
		newest = max(newest, v)
	}
	for _, d := range details.nodes("dialogs") {
		for _, key := range []string{"metaDataLastUpdateTs", "creationTs", "endTs"} {
			v, _ := integer(d[key])
			newest = max(newest, v)
		}
	}
	return newest
}

func participants(list []node) []Participant {
	var all []Participant
	for _, n := range list {
		all = append(all, Participant{ID: n.text("id"), Role: n.word("role"), State: n.word("state")})
	}
	return all
}

func dialogs(list []node) []Dialog {
	var all []Dialog
	for _, n := range list {
		all = append(all, Dialog{
			ID:           n.text("dialogId"),
			Type:         n.word("dialogType"),
			Channel:      n.word("channelType"),
			State:        n.word("state"),
			Created:      n.time("creationTs"),
			Ended:        n.time("endTs"),
			ClosedBy:     n.word("closedBy"),
			ClosedCause:  n.text("closedCause"),
			App:          n.node("metaData").text("appInstallId"),
			Participants: participants(n.nodes("participantsDetails")),
		})
	}
	return all
}

func delay(n node) Delay {
	return Delay{Type: n.word("type"), Until: n.time("tillWhen")}
}

func csat(n node) *CSAT {
	if n == nil {
		return nil
	}
	c := &CSAT{Status: n.word("status")}
	if rate, ok := integer(n["csatRate"]); ok && rate >= 1 && rate <= 5 {
		c.Rate = int(rate)
	}
	if resolved, ok := boolean(n["csatResolutionConfirmation"]); ok {
		c.Resolved = &resolved
	}
	return c
}
