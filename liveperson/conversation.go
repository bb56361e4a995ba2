package liveperson

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"parley/fault"
)

// Profile is what agents are told about a consumer; every field may be empty.
type Profile struct {
	Name     string
	Phone    string // E.164
	Language string // e.g. "de-CH"
}

// Open asks for a conversation.
type Open struct {
	Consumer string // our name for the consumer, stable and unique over all channels
	Profile  Profile
	Skill    string // where it is routed; the account's default when empty
	Language string // of the conversation, e.g. "de-CH"; may be empty
}

// Opened names a conversation that was opened. Its MAIN dialog has the same name.
type Opened struct {
	Conversation string
	ConsumerID   string // the cloud's name for the consumer; may be empty
}

// Open opens a conversation. A profile that the cloud does not take is logged and
// is no reason to fail.
//
// Errors are those of Publish; Gone has CodeAlreadyOpen when the consumer has an
// open conversation, whose name the answer does not tell: it is in the
// notifications, whose participants name the consumer (see ConsumerID).
//
// Source: connector-api-send-api-conversation.
func (c *Client) Open(ctx context.Context, o Open) (Opened, error) {
	const op = "liveperson: open conversation"
	profile := newRequest("userprofile.SetUserProfile", o.Profile.body())
	conversation := newRequest("cm.ConsumerRequestConversation", c.conversationBody(o))
	var ok bool // whether the profile was taken
	a, err := c.call(ctx, op, o.Consumer, creates, "/conversation?v=3", []request{profile, conversation}, func(a answer) answer {
		a, ok = a.batch(profile.ID, conversation.ID)
		return a
	})
	switch {
	case err != nil:
		return Opened{}, err
	case a.alreadyOpen():
		return Opened{}, &fault.Error{Class: fault.Gone, Op: op, Code: CodeAlreadyOpen, Err: a.cause()}
	}
	if err := a.judge(op, creates, c.now()); err != nil {
		return Opened{}, err
	}
	id := a.conversationID()
	if id == "" {
		return Opened{}, fault.New(fault.Uncertain, op, "the answer names no conversation")
	}
	if !ok {
		c.log.Warn("the cloud did not take the consumer's profile", "conversation", id)
	}
	k, err := c.consumer(ctx, o.Consumer)
	if err != nil {
		k.id = "" // it was opened all the same; notifications will tell
	}
	return Opened{Conversation: id, ConsumerID: k.id}, nil
}

// batch returns the answer to the second request of the batch as if it had come
// alone, and whether the first succeeded. An answer that is no batch is judged as
// it is. What the cloud answers when only one of them fails is not documented.
func (a answer) batch(profile, conversation string) (answer, bool) {
	var list []json.RawMessage
	if json.Unmarshal(a.body, &list) != nil || len(list) == 0 {
		return a, true
	}
	ok := true
	for _, raw := range list {
		part, e := a.element(raw)
		switch {
		case e.ReqID == conversation || part.conversationID() != "":
			return part, ok
		case e.ReqID == profile && part.status != http.StatusOK:
			ok = false
		}
	}
	// The batch ended early, or its answers are not named: the last one says why.
	last, _ := a.element(list[len(list)-1])
	return last, ok
}

func (a answer) conversationID() string {
	var e envelope
	var body struct {
		ConversationID string `json:"conversationId"`
	}
	if json.Unmarshal(a.body, &e) != nil || json.Unmarshal(e.Body, &body) != nil {
		return ""
	}
	return body.ConversationID
}

func (c *Client) conversationBody(o Open) any {
	type conversationContext struct {
		Type string `json:"type"`
		Lang string `json:"lang"`
	}
	body := struct {
		BrandID     string               `json:"brandId"`
		ChannelType string               `json:"channelType"`
		SkillID     string               `json:"skillId"`
		Context     *conversationContext `json:"conversationContext,omitempty"`
	}{BrandID: c.config.SiteID, ChannelType: "MESSAGING", SkillID: o.Skill}
	if body.SkillID == "" {
		body.SkillID = "-1"
	}
	if o.Language != "" {
		body.Context = &conversationContext{"CustomContext", o.Language}
	}
	return body
}

// body is the profile as engagement attributes, an empty object for an empty one.
//
// Source: engagement-attributes-types (personal).
func (p Profile) body() any {
	if p == (Profile{}) {
		return struct{}{}
	}
	type contact struct {
		Phone string `json:"phone"`
		Type  string `json:"phoneType"`
	}
	type personal struct {
		First    string    `json:"firstname,omitempty"`
		Last     string    `json:"lastname,omitempty"`
		Language string    `json:"language,omitempty"`
		Contacts []contact `json:"contacts,omitempty"`
	}
	me := personal{Language: p.Language}
	me.First, me.Last, _ = strings.Cut(strings.TrimSpace(p.Name), " ")
	if p.Phone != "" {
		me.Contacts = []contact{{p.Phone, "MOBILE"}}
	}
	return map[string]any{"authenticatedData": map[string]any{
		"lp_sdes": []any{map[string]any{"type": "personal", "personal": me}},
	}}
}

// Close ends a conversation at once, without the cloud's own survey.
type Close struct {
	Consumer     string
	Conversation string
}

// Close closes a conversation. Errors are those of Publish, but never Uncertain;
// Gone means that it is closed already, which is as good as success.
func (c *Client) Close(ctx context.Context, cl Close) error {
	return c.updateField(ctx, "liveperson: close", cl.Consumer, cl.Conversation, map[string]any{
		"field": "ConversationStateField", "conversationState": "CLOSE",
	})
}

// How completely a consumer answered.
const (
	Filled          = "FILLED"
	PartiallyFilled = "PARTIALLY_FILLED"
	Skipped         = "SKIPPED"
)

// Rate is what a consumer answered after the conversation was closed.
type Rate struct {
	Consumer     string
	Conversation string
	CSAT         int    // 1–5; 0 when not given
	Resolved     *bool  // first contact resolution; nil when not given
	Status       string // Filled, PartiallyFilled, Skipped
}

// Rate reports CSAT and FCR of a closed conversation. What was not given is left
// out. Errors are those of Publish, but never Uncertain: a repeat says the same.
//
// Source: connector-api-send-api-examples (CSAT).
func (c *Client) Rate(ctx context.Context, r Rate) error {
	field := map[string]any{"field": "CSATRate", "status": r.Status}
	if r.CSAT != 0 {
		field["csatRate"] = r.CSAT
	}
	if r.Resolved != nil {
		field["csatResolutionConfirmation"] = *r.Resolved
	}
	return c.updateField(ctx, "liveperson: rate", r.Consumer, r.Conversation, field)
}

func (c *Client) updateField(ctx context.Context, op, consumer, conversation string, field map[string]any) error {
	_, err := c.send(ctx, op, consumer, repeatable, newRequest("cm.UpdateConversationField", map[string]any{
		"conversationId": conversation, "conversationField": field,
	}))
	return err
}
