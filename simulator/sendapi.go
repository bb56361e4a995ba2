package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"unicode/utf8"
)

// request is one request of the consumer protocol.
//
// Source: connector-api-send-api-send; messaging-window-api request schemas.
type request struct {
	Kind     string          `json:"kind"`
	ID       json.RawMessage `json:"id"`
	Type     string          `json:"type"`
	Body     json.RawMessage `json:"body"`
	Metadata json.RawMessage `json:"metadata"`

	id string
}

// The types of requests.
const (
	typeProfile = "userprofile.SetUserProfile"
	typeOpen    = "cm.ConsumerRequestConversation"
	typePublish = "ms.PublishEvent"
	typeField   = "cm.UpdateConversationField"
	typeUpload  = "ms.GenerateURLForUploadFile"
	typeFetch   = "ms.GenerateURLForDownloadFile"
)

// check looks at what all requests have in common.
func (q *request) check(c *call) *reply {
	if q.Kind != "req" {
		return invalid(`kind must be "req"`)
	}
	if json.Unmarshal(q.ID, &q.id) != nil {
		var n json.Number
		if json.Unmarshal(q.ID, &n) != nil || n == "" {
			return invalid("id must be a string of 1 to 64 characters")
		}
		c.warn("id is a number")
		q.id = n.String()
	}
	if n := utf8.RuneCountInString(q.id); n < 1 || n > 64 {
		return invalid("id must be a string of 1 to 64 characters")
	}
	if q.Type == "" {
		return invalid("type is required")
	}
	if !isObject(q.Body) {
		return invalid("body must be an object")
	}
	return nil
}

// ok is the answer to one request, as HTTP callers get it.
func (q *request) ok(body any) map[string]any {
	return map[string]any{"code": "OK", "body": body, "reqId": q.id}
}

func (q *request) done(text string) reply {
	return reply{status: http.StatusOK, body: q.ok(map[string]string{"msg": text})}
}

// send is SEND: one request about a conversation, on behalf of one consumer.
func (s *Simulator) send(c *call) reply {
	c.seen.summary = "SEND"
	a, bad := s.application(c)
	if bad != nil {
		return *bad
	}
	co, bad := s.behalf(c, a)
	if bad != nil {
		return *bad
	}
	if bad := firstOf(c.wantJSON("3"), c.clientProperties()); bad != nil {
		return *bad
	}
	if !isObject(c.body) {
		return *invalid("SEND takes one request object")
	}
	var q request
	if json.Unmarshal(c.body, &q) != nil {
		return *invalid("request members have the wrong type")
	}
	if bad := q.check(c); bad != nil {
		return *bad
	}
	switch q.Type {
	case typePublish:
		return s.publish(c, a, co, &q)
	case typeField:
		return s.updateField(c, a, co, &q)
	case typeUpload:
		return s.uploadURL(c, a, co, &q)
	case typeFetch:
		return s.downloadURL(c, a, co, &q)
	case typeProfile:
		c.seen.summary = "profile"
		if bad := checkProfile(q.Body); bad != nil {
			return *bad
		}
		a.mu.Lock()
		a.setProfile(co, q.Body)
		if co.current != nil {
			co.current.show(nil)
		}
		a.mu.Unlock()
		return q.done("OK User Profile set successfully")
	}
	return *invalid("unknown or unsupported type of request")
}

// early adds a webhook to those that must arrive before the answer, if that is told.
func (c *call) hooked(h *hook) {
	if h != nil && c.sim.faults.webhooks().Early {
		c.early = append(c.early, h.settled())
	}
}

// conversationClosed is the answer to what a closed conversation does not take.
//
// Source: Android-Messaging-SDK issue 126 for the text; its HTTP form is not documented.
func conversationClosed() *reply {
	r := refusal(http.StatusBadRequest, 40000, "Bad Request", "Bad Request, Conversation is close")
	return &r
}

// notYours is the answer when one consumer's JWS is used on another's conversation.
//
// Source: connector-api-send-api-overview; its code is not documented.
func notYours() *reply {
	r := refusal(http.StatusUnauthorized, 40100, "Unauthorized", "ConsumerJWS is of another consumer")
	return &r
}

// propertyLengths are the schema's limits of Client-Properties.
//
// Source: messaging-window-api schemas, clientPropertiesHeader.
var propertyLengths = map[string]int{
	"appId": 64, "appVersion": 32, "ipAddress": 32, "osVersion": 64, "osName": 64, "integrationVersion": 64, "browser": 64,
	"browserVersion": 64, "timeZone": 64, "deviceManufacture": 64, "deviceModel": 64,
}

var propertyValues = map[string][]string{
	"deviceFamily": {"DESKTOP", "TABLET", "MOBILE", "OTHER"},
	"os":           {"WINDOWS", "LINUX", "OSX", "ANDROID", "IOS", "OTHER"},
	"integration":  {"WEB_SDK", "MOBILE_SDK", "BRAND_SDK"},
}

var propertyFeatures = []string{
	"CO_BROWSE", "CO_APP", "PHOTO_SHARING", "SECURE_FORMS", "AUTO_MESSAGES", "RICH_CONTENT", "QUICK_REPLIES", "MULTI_DIALOG", "FILE_SHARING",
}

// clientProperties checks the header of that name, where there is one.
func (c *call) clientProperties() *reply {
	raw := c.r.Header.Get("Client-Properties")
	if raw == "" {
		return nil
	}
	p, ok := object([]byte(raw))
	if !ok {
		return invalid("Client-Properties is not a JSON object")
	}
	switch p["type"] {
	case ".ClientProperties", ".ams.headers.ClientProperties", "ClientProperties":
	default:
		return invalid("Client-Properties: type is missing or unknown")
	}
	for name, longest := range propertyLengths {
		if v, there := p[name]; there {
			if text, isText := v.(string); !isText || utf8.RuneCountInString(text) > longest {
				return invalid("Client-Properties: " + name + " is no text or too long")
			}
		}
	}
	for name, allowed := range propertyValues {
		if v, there := p[name]; there {
			if text, isText := v.(string); !isText || !slices.Contains(allowed, text) {
				return invalid("Client-Properties: " + name + " is not an allowed value")
			}
		}
	}
	if v, there := p["features"]; there {
		list, isList := v.([]any)
		if !isList {
			return invalid("Client-Properties: features is not an array")
		}
		for _, f := range list {
			if name, isText := f.(string); !isText || !slices.Contains(propertyFeatures, name) {
				return invalid("Client-Properties: unknown feature")
			}
		}
	}
	return nil
}

// features are what Client-Properties declare.
type features map[string]bool

// surveyable says whether a survey may be held.
//
// Source: messaging-window-api-tutorials-post-conversation-survey-pcs.
func (f features) surveyable() bool {
	return f["RICH_CONTENT"] && f["QUICK_REPLIES"] && f["MULTI_DIALOG"]
}

// features reads the header of a call that was checked.
func (c *call) features() features {
	return featuresOf([]byte(c.r.Header.Get("Client-Properties")))
}

func featuresOf(properties []byte) features {
	var p struct {
		Features []string `json:"features"`
	}
	_ = json.Unmarshal(properties, &p) // none where there is no header
	f := features{}
	for _, name := range p.Features {
		f[name] = true
	}
	return f
}

// metadata checks a request's metadata and returns the ExternalId in it.
func (q *request) metadata(c *call) (externalID string, bad *reply) {
	if bytes.Contains(q.Body, []byte(`"metadata"`)) { // rare: parsed only then
		if body, ok := object(q.Body); ok && body["metadata"] != nil {
			c.warn("metadata inside body is ignored: it belongs beside it")
		}
	}
	if len(q.Metadata) == 0 || string(q.Metadata) == "null" {
		q.Metadata = nil
		return "", nil
	}
	externalID, reason, strange := checkMetadata(q.Metadata)
	if reason != "" {
		return "", invalid(reason)
	}
	if strange {
		c.warn("metadata of an unknown type")
	}
	return externalID, nil
}

func firstOf(list ...*reply) *reply {
	for _, r := range list {
		if r != nil {
			return r
		}
	}
	return nil
}

func isObject(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 0 && b[0] == '{'
}

func object(b []byte) (map[string]any, bool) {
	var m map[string]any
	if !isObject(b) || json.Unmarshal(b, &m) != nil {
		return nil, false
	}
	return m, true
}
