package simulator

import (
	"bytes"
	"encoding/json"
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
	if in.TTRDefName != nil {
		if !slices.Contains([]string{"NORMAL", "URGENT", "PRIORITIZED", "CUSTOM"}, *in.TTRDefName) {
			return o, invalid("unknown ttrDefName")
		}
		o.ttr = *in.TTRDefName
	}
	if in.SkillID != nil {
		o.skill = *in.SkillID
	}
	if in.CampaignInfo != nil && (!stringOrNumber(in.CampaignInfo.CampaignID) || !stringOrNumber(in.CampaignInfo.EngagementID)) {
		return o, invalid("campaignInfo needs campaignId and engagementId")
	}
	if len(in.Context) > 0 && string(in.Context) != "null" {
		m, ok := object(in.Context)
		if kind, isText := m["type"].(string); !ok || !isText || kind == "" {
			return o, invalid("conversationContext needs a type")
		}
	}
	return o, nil
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

// checkProfile checks the body of userprofile.SetUserProfile: what is known must
// have the right shape, what is not known is let through.
//
// Source: connector-api-send-api-conversation; engagement-attributes-types.
func checkProfile(raw json.RawMessage) *reply {
	in, ok := object(raw)
	if !ok {
		return invalid("profile must be an object")
	}
	auth, there := in["authenticatedData"]
	if !there || auth == nil {
		return nil
	}
	data, ok := auth.(map[string]any)
	if !ok {
		return invalid("authenticatedData must be an object")
	}
	sdes, there := data["lp_sdes"]
	if !there {
		return nil
	}
	list, ok := sdes.([]any)
	if !ok {
		return invalid("lp_sdes must be an array")
	}
	for _, entry := range list {
		if bad := checkSDE(entry); bad != nil {
			return bad
		}
	}
	return nil
}

var phoneTypes = []any{"HOME", "MOBILE", "WORK", "FAX", "MAIN", "HOME_FAX", "WORK_FAX", "PAGER", "OTHER"}

func checkSDE(entry any) *reply {
	sde, ok := entry.(map[string]any)
	if !ok {
		return invalid("lp_sdes holds objects")
	}
	switch sde["type"] {
	case "ctmrinfo":
		info, ok := sde["info"].(map[string]any)
		if !ok {
			return invalid("ctmrinfo needs info")
		}
		return texts(info, "cstatus", "ctype", "customerId", "currency", "socialId", "imei", "userName", "companyBranch", "accountName", "role", "loginStatus")
	case "personal":
		personal, ok := sde["personal"].(map[string]any)
		if !ok {
			return invalid("personal needs personal")
		}
		if bad := texts(personal, "firstname", "lastname", "language", "company"); bad != nil {
			return bad
		}
		return checkContacts(personal["contacts"])
	}
	return invalid("only ctmrinfo and personal are supported in lp_sdes")
}

func checkContacts(v any) *reply {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return invalid("contacts must be an array")
	}
	for _, entry := range list {
		contact, ok := entry.(map[string]any)
		if !ok {
			return invalid("contacts holds objects")
		}
		if bad := texts(contact, "email", "phone", "phoneType"); bad != nil {
			return bad
		}
		if kind, there := contact["phoneType"]; there && !slices.Contains(phoneTypes, kind) {
			return invalid("unknown phoneType")
		}
	}
	return nil
}

// texts says when a member that must be text is something else.
func texts(m map[string]any, names ...string) *reply {
	for _, name := range names {
		if v, there := m[name]; there {
			if _, isText := v.(string); !isText {
				return invalid("profile: " + name + " must be text")
			}
		}
	}
	return nil
}
