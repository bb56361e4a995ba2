package simulator

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"
)

// clock is .GetClock.
func (c *agentConn) clock(q *agentRequest) agentAnswer {
	return answers(q.Type, map[string]int64{"currentTime": c.desk.sim.now().UnixMilli()})
}

// subscribeConversations is .ams.aam.SubscribeExConversations. The conversations
// that belong to the subscription now are its first notification.
func (c *agentConn) subscribeConversations(q *agentRequest) agentAnswer {
	var b struct {
		States   []string `json:"convState"`
		AgentIDs []string `json:"agentIds"`
	}
	if json.Unmarshal(q.Body, &b) != nil || len(b.States) == 0 {
		return wrong("convState is required")
	}
	for _, state := range b.States {
		if state != stateOpen && state != stateClose {
			return wrong("convState holds OPEN or CLOSE")
		}
	}
	w := &conversationWatch{id: uuid.NewString(), states: b.States, agents: b.AgentIDs, shown: map[string]bool{}}
	c.conversations = append(c.conversations, w)
	a := answers(q.Type, map[string]string{"subscriptionId": w.id})
	a.then = func() {
		var changes []agentChange
		for _, conv := range c.desk.acc.order {
			if kind := w.look(conv); kind != "" {
				changes = append(changes, agentChange{Type: kind, Result: conv.agentResult()})
			}
		}
		if len(changes) > 0 {
			c.notify(conversationNotice(w.id, changes...))
		}
	}
	return a
}

// unsubscribeConversations is .ams.aam.UnsubscribeExConversations.
func (c *agentConn) unsubscribeConversations(q *agentRequest) agentAnswer {
	var b struct {
		ID string `json:"subscriptionId"`
	}
	is := func(w *conversationWatch) bool { return w.id == b.ID }
	if json.Unmarshal(q.Body, &b) != nil || !slices.ContainsFunc(c.conversations, is) {
		return wrong("unknown subscriptionId")
	}
	c.conversations = slices.DeleteFunc(c.conversations, is)
	return answers(q.Type, struct{}{})
}

// queryMessages is .ams.ms.QueryMessages: the dialog's events so far; those to
// come follow as OnlineEventDistribution. An event with the sequence given is
// still included: programs that give none want the first one, which has 0.
func (c *agentConn) queryMessages(q *agentRequest) agentAnswer {
	var b struct {
		DialogID string `json:"dialogId"`
		Newer    int    `json:"newerThanSequence"`
		Older    *int   `json:"olderThanSequence"`
		Most     int    `json:"maxQuantity"`
	}
	if json.Unmarshal(q.Body, &b) != nil || b.DialogID == "" {
		return wrong("dialogId is required")
	}
	d := c.desk.acc.dialogs[b.DialogID]
	if d == nil {
		return wrong("unknown dialog")
	}
	c.dialogs[d.id] = true
	changes := []flatEvent{}
	for _, e := range d.in.transcript {
		if e.dialog == d.id && e.sequence >= b.Newer && (b.Older == nil || e.sequence < *b.Older) {
			changes = append(changes, e.flat(d.in))
		}
	}
	if b.Most > 0 && len(changes) > b.Most {
		changes = changes[len(changes)-b.Most:]
	}
	a := answers(q.Type, changes)
	a.conv = d.in.id
	return a
}

// userProfile is .ams.userprofile.GetUserProfile; its body is the consumer's id.
func (c *agentConn) userProfile(q *agentRequest) agentAnswer {
	var id string
	if json.Unmarshal(q.Body, &id) != nil {
		var b struct {
			UserID string `json:"userId"`
		}
		if json.Unmarshal(q.Body, &b) != nil || b.UserID == "" {
			return wrong("body is the consumer's id")
		}
		id = b.UserID
	}
	for _, co := range c.desk.acc.consumers {
		if co.lp != id {
			continue
		}
		profile, _ := object(co.profile)
		auth, _ := profile["authenticatedData"].(map[string]any)
		if auth == nil {
			auth = map[string]any{"lp_sdes": []any{}}
		}
		return answers(q.Type, map[string]any{
			"userId": co.lp, "authenticatedData": auth, "claims": map[string]any{}, "privateData": map[string]any{},
		})
	}
	return wrong("unknown consumer")
}

// requestConversation is .ams.cm.AgentRequestConversation: the agent resumes a
// closed conversation as a new one.
func (c *agentConn) requestConversation(q *agentRequest) agentAnswer {
	var b struct {
		ChannelType string `json:"channelType"`
		ConsumerID  string `json:"consumerId"`
		Context     *struct {
			Type   string `json:"type"`
			Origin string `json:"originConversationId"`
		} `json:"conversationContext"`
	}
	switch {
	case json.Unmarshal(q.Body, &b) != nil || b.Context == nil:
		return wrong("conversationContext is required")
	case b.ChannelType != "MESSAGING":
		return wrong("channelType must be MESSAGING")
	case b.Context.Type != "ProactiveContext":
		return wrong("conversationContext.type must be ProactiveContext")
	}
	origin := c.desk.acc.conversations[b.Context.Origin]
	if origin == nil || origin.consumer.lp != b.ConsumerID {
		return wrong("originConversationId is not a conversation of the consumer's")
	}
	d, err := origin.doReopen(act{Mode: "new", Agent: c.who.name})
	if err != nil {
		return wrong(err.Error())
	}
	a := answers(q.Type, map[string]string{"conversationId": d.Conversation})
	a.conv = d.Conversation
	return a
}
