package simulator

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
)

// readOpening checks the batch of CONVERSATION: SetUserProfile first, then
// ConsumerRequestConversation.
//
// Source: connector-api-send-api-conversation.
func readOpening(c *call, a *account) (profile, wanted *request, o opening, bad *reply) {
	body := bytes.TrimSpace(c.body)
	if len(body) == 0 || body[0] != '[' {
		return nil, nil, o, invalid("CONVERSATION takes an array of requests")
	}
	var batch []request
	if json.Unmarshal(body, &batch) != nil {
		return nil, nil, o, invalid("request members have the wrong type")
	}
	if len(batch) < 2 {
		return nil, nil, o, invalid("CONVERSATION takes at least two requests")
	}
	for i := range batch {
		if bad := batch[i].check(c); bad != nil {
			return nil, nil, o, bad
		}
	}
	profile, wanted = &batch[0], &batch[1]
	if profile.Type != typeProfile || wanted.Type != typeOpen {
		return nil, nil, o, invalid("userprofile.SetUserProfile must be first and cm.ConsumerRequestConversation second")
	}
	if len(batch) > 2 {
		c.warn("CONVERSATION with more than two requests: the others are ignored")
	}
	if bad := checkProfile(profile.Body); bad != nil {
		return nil, nil, o, bad
	}
	o, bad = readWanted(wanted.Body, a.cfg.SiteID)
	if p := c.r.Header.Get("Client-Properties"); p != "" {
		o.properties = json.RawMessage(p) // checked to be JSON
	}
	o.features = c.features()
	if bad == nil {
		a.routed(c, &o)
	}
	return profile, wanted, o, bad
}

// readWanted checks the body of cm.ConsumerRequestConversation.
func readWanted(raw json.RawMessage, site string) (opening, *reply) {
	var in struct {
		BrandID      *string `json:"brandId"`
		ChannelType  *string `json:"channelType"`
		TTRDefName   *string `json:"ttrDefName"`
		SkillID      *string `json:"skillId"`
		CampaignInfo *struct {
			CampaignID   json.RawMessage `json:"campaignId"`
			EngagementID json.RawMessage `json:"engagementId"`
		} `json:"campaignInfo"`
		Context json.RawMessage `json:"conversationContext"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return opening{}, invalid("members of ConsumerRequestConversation have the wrong type")
	}
	if in.BrandID == nil || *in.BrandID == "" {
		r := refusal(400, 40001, "Missing parameter", "Brand Id is missing")
		return opening{}, &r
	}
	if *in.BrandID != site {
		return opening{}, invalid("brandId is not the account's")
	}
	if in.ChannelType != nil && *in.ChannelType != "MESSAGING" {
		return opening{}, invalid("channelType must be MESSAGING")
	}
	o := opening{context: in.Context}
	if in.CampaignInfo != nil {
		o.campaign, o.engagement = plainText(in.CampaignInfo.CampaignID), plainText(in.CampaignInfo.EngagementID)
	}
	if in.TTRDefName != nil {
		if !slices.Contains([]string{"NORMAL", "URGENT", "PRIORITIZED", "CUSTOM"}, *in.TTRDefName) {
			return o, invalid("unknown ttrDefName")
		}
		o.ttr = *in.TTRDefName
	}
	if in.SkillID != nil {
		if o.skill = *in.SkillID; !skillID.MatchString(o.skill) {
			return o, invalid("skillId must be -1 or a number, as text")
		}
	}
	if in.CampaignInfo != nil && (!stringOrNumber(in.CampaignInfo.CampaignID) || !stringOrNumber(in.CampaignInfo.EngagementID)) {
		return o, invalid("campaignInfo needs campaignId and engagementId")
	}
	if len(in.Context) > 0 && string(in.Context) != "null" {
		m, ok := object(in.Context)
		if kind, isText := m["type"].(string); !ok || !isText || kind == "" {
			return o, invalid("conversationContext needs a type")
		}
		return o, checkContext(m)
	}
	return o, nil
}

var (
	skillID  = regexp.MustCompile(`^(-1|[0-9]{1,19})$`)
	language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z]{2})?$`)
)

// checkContext checks the members of a conversationContext.
func checkContext(m map[string]any) *reply {
	for _, name := range []string{"visitorId", "sessionId", "interactionContextId", "lang"} {
		v, there := m[name]
		if !there {
			continue
		}
		if text, isText := v.(string); !isText || text == "" {
			return invalid("conversationContext: " + name + " must be text")
		}
	}
	if lang, there := m["lang"].(string); there && !language.MatchString(lang) {
		return invalid("conversationContext: lang must be a language and a country, such as de-CH")
	}
	if list, there := m["features"]; there {
		if _, isList := list.([]any); !isList {
			return invalid("conversationContext: features must be an array")
		}
	}
	return nil
}

// plainText is a string's text, or a number's digits.
func plainText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func stringOrNumber(raw json.RawMessage) bool {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	switch v := v.(type) {
	case string:
		return v != ""
	case float64:
		return true
	}
	return false
}
