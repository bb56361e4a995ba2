package simulator

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// metadataTypes are those of the protocol's schema.
//
// Source: messaging-window-api schemas, metadata.
var metadataTypes = []string{"ExternalId", "ActionReason", "BotResponse", "EscalationSummary", "IBMWatsonInfo", "Question", "Answer"}

// checkMetadata checks a list of metadata and returns the ExternalId in it, the
// reason it is refused for, and the types in it that no schema knows.
func checkMetadata(raw json.RawMessage) (externalID, bad string, strange bool) {
	var list []map[string]any
	if json.Unmarshal(raw, &list) != nil {
		return "", "metadata must be an array of objects", false
	}
	for _, m := range list {
		kind, _ := m["type"].(string)
		if kind == "" {
			return "", "metadata: type is required", false
		}
		switch kind {
		case "ExternalId":
			id, isText := m["id"].(string)
			if !isText || id == "" || utf8.RuneCountInString(id) > 64 {
				return "", "metadata: id of ExternalId must have 1 to 64 characters", false
			}
			externalID = id
		case "BotResponse":
			if !botResponse(m) {
				return "", "metadata: BotResponse is beyond its limits", false
			}
		}
		strange = strange || !slices.Contains(metadataTypes, kind)
	}
	return externalID, "", strange
}

// botResponse says whether a BotResponse keeps its limits.
func botResponse(m map[string]any) bool {
	if v, there := m["externalConversationId"]; there {
		if id, isText := v.(string); !isText || utf8.RuneCountInString(id) > 64 {
			return false
		}
	}
	for _, name := range []string{"businessCases", "intents"} {
		if v, there := m[name]; there {
			if list, isList := v.([]any); !isList || len(list) > 16 {
				return false
			}
		}
	}
	return true
}
