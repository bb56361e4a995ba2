package liveperson

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"parley/fault"
)

// Open asks for a conversation.
type Open struct {
	Consumer string // our name for the consumer, stable and unique over all channels
	Profile  Profile
	Skill    string   // where it is routed; the account's default when empty
	Urgency  string   // NORMAL, URGENT, PRIORITIZED; the account's default when empty
	Language string   // of the conversation, e.g. "de-CH"; may be empty
	Campaign Campaign // what Engagement has found; the zero value for none
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
	profile := newRequest(setUserProfile, o.Profile.body())
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

// requestConversation is the body of cm.ConsumerRequestConversation.
type requestConversation struct {
	BrandID     string               `json:"brandId"`
	ChannelType string               `json:"channelType"`
	TTR         string               `json:"ttrDefName,omitempty"`
	SkillID     string               `json:"skillId"`
	Campaign    *campaignInfo        `json:"campaignInfo,omitempty"`
	Context     *conversationContext `json:"conversationContext,omitempty"`
}

type campaignInfo struct {
	CampaignID   string `json:"campaignId"`
	EngagementID string `json:"engagementId"`
}

type conversationContext struct {
	Type        string `json:"type"`
	Lang        string `json:"lang,omitempty"`
	VisitorID   string `json:"visitorId,omitempty"`
	SessionID   string `json:"sessionId,omitempty"`
	Interaction string `json:"interactionContextId,omitempty"`
}

func (c *Client) conversationBody(o Open) requestConversation {
	body := requestConversation{BrandID: c.config.SiteID, ChannelType: "MESSAGING", TTR: o.Urgency, SkillID: o.Skill}
	if body.SkillID == "" {
		body.SkillID = "-1"
	}
	found := o.Campaign
	if found.Campaign != "" && found.Engagement != "" {
		body.Campaign = &campaignInfo{found.Campaign, found.Engagement}
	}
	lang := o.Language
	if lang == "" {
		lang = found.Language
	}
	switch {
	case found.Visitor != "" && found.Session != "":
		body.Context = &conversationContext{"SharkContext", lang, found.Visitor, found.Session, found.Context}
	case lang != "":
		body.Context = &conversationContext{Type: "CustomContext", Lang: lang}
	}
	return body
}

// The ways to close.
const (
	CloseAll    = ""       // everything at once, without the cloud's own survey
	CloseDialog = "dialog" // only the MAIN dialog: the cloud's survey may follow
	CloseStage  = "stage"  // everything, a survey that is open included
)

// closedByConsumer is the cause that is told with CloseDialog. Without one the
// cloud closes the dialog and starts no survey.
//
// Source: node-agent-sdk, issue 153.
const closedByConsumer = "Closed by consumer"

// Close ends a conversation.
type Close struct {
	Consumer     string
	Conversation string
	Dialog       string // of CloseDialog; the conversation's MAIN dialog when empty
	Way          string // CloseAll, CloseDialog, CloseStage
}

// Close closes a conversation. Errors are those of Publish, but never Uncertain;
// Gone means that it is closed already, which is as good as success.
//
// Sources: connector-api-send-api-examples (close),
// messaging-window-api-tutorials-post-conversation-survey-pcs.
func (c *Client) Close(ctx context.Context, cl Close) error {
	const op = "liveperson: close"
	var field map[string]any
	switch cl.Way {
	case CloseAll:
		field = map[string]any{"field": "ConversationStateField", "conversationState": "CLOSE"}
	case CloseStage:
		field = map[string]any{"field": "Stage", "conversationState": "CLOSE"}
	case CloseDialog:
		dialog := cl.Dialog
		if dialog == "" {
			dialog = cl.Conversation
		}
		field = map[string]any{"field": "DialogChange", "type": "UPDATE", "dialog": map[string]any{
			"dialogId": dialog, "state": "CLOSE", "closedCause": closedByConsumer,
		}}
	default:
		return fault.New(fault.Rejected, op, "there is no such way to close")
	}
	return c.updateField(ctx, op, cl.Consumer, cl.Conversation, field)
}

// Urge changes how soon a conversation should be answered.
type Urge struct {
	Consumer     string
	Conversation string
	Urgency      string        // NORMAL, URGENT, PRIORITIZED, CUSTOM
	Within       time.Duration // of CUSTOM
}

// Urge sets a conversation's time to respond. Errors are those of Publish, but
// never Uncertain: a repeat says the same.
//
// Source: connector-api-send-api-examples (TTR).
func (c *Client) Urge(ctx context.Context, u Urge) error {
	field := map[string]any{"field": "TTRField", "ttrType": u.Urgency}
	if u.Within > 0 {
		field["value"] = int(u.Within.Seconds())
	}
	return c.updateField(ctx, "liveperson: urge", u.Consumer, u.Conversation, field)
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
