package simulator

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The content in testdata/rich.json is, element by element, what the documentation
// shows; each is taken.
//
// Source: rich-messaging-* pages.
func TestContentIsTaken(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/rich.json")
	require.NoError(t, err)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b, &all))
	for name, raw := range all {
		if chips, ok := strings.CutPrefix(name, "quick replies"); ok {
			require.NoError(t, checkChips(raw), chips)
			continue
		}
		require.NoError(t, checkContent(raw), name)
	}
	require.Greater(t, len(all), 15)
}

func TestContentIsStrict(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("ü", n) }
	button := func(click string) string { return `{"type":"button","title":"B","click":` + click + `}` }
	card := `{"type":"vertical","elements":[]}`
	for body, says := range map[string]string{
		`{"text":"x"}`:                   "type must be one of",
		`{"type":"checkbox","text":"x"}`: "type must be one of",
		`{"type":"quickReplies","itemsPerRow":1,"replies":[]}`: "type must be one of",
		`[]`:                       "must be an object",
		`{"type":"text"}`:          "text is required",
		`{"type":"text","text":1}`: "must be text",
		`{"type":"text","text":"` + long(5001) + `"}`:                                             "more than 5000",
		`{"type":"text","text":"x","colour":"red"}`:                                               "unknown property colour",
		`{"type":"text","text":"x","tooltip":"` + long(257) + `"}`:                                "more than 256",
		`{"type":"text","text":"x","style":{"size":"huge"}}`:                                      "small, medium, large",
		`{"type":"text","text":"x","rtl":"yes"}`:                                                  "true or false",
		`{"type":"button"}`:                                                                       "title is required",
		`{"type":"button","title":"` + long(129) + `"}`:                                           "more than 128",
		`{"type":"image","url":"http://x/a.png"}`:                                                 "https://",
		`{"type":"image"}`:                                                                        "url is required",
		`{"type":"map","la":"47","lo":8}`:                                                         "must be a number",
		`{"type":"carousel","elements":[` + card + `]}`:                                           "2 to 10",
		`{"type":"carousel","elements":[` + card + `,` + card + `],"padding":11}`:                 "0 to 10",
		`{"type":"carousel","elements":[` + card + `,{"type":"tabs","elements":[` + card + `]}]}`: "type must be one of",
		`{"type":"carouselSelect","elements":[` + card + `]}`:                                     "selectMode is required",
		`{"type":"accordionSelect","elements":[` + card + `],"selectMode":{"name":"x"}}`:          "titles is required",
		`{"type":"tabs","elements":[]}`:                                                           "1 to 10",
		`{"type":"list","elements":[{"type":"text","text":"x"}]}`:                                 "3 to 3",
		`{"type":"keyValuePairList","elements":[{"key":"k"}]}`:                                    "value is required",
		button(`{"actions":[{"type":"publishText"}]}`):                                            "text is required",
		button(`{"actions":[{"type":"publishText","text":"` + long(257) + `"}]}`):                 "more than 256",
		button(`{"actions":[{"type":"call","number":"1"}]}`):                                      "type must be one of",
		button(`{"actions":[{"type":"checked","publishText":"x"}]}`):                              "type must be one of",
		button(`{"actions":[{"type":"link"}]}`):                                                   "uri is required",
		button(`{"actions":[{"type":"link","uri":"https://x","target":"top"}]}`):                  "self, blank, slideout",
		button(`{"actions":[` + strings.Repeat(`{"type":"publishText","text":"x"},`, 4) + `{"type":"publishText","text":"x"}]}`): "0 to 4",
		button(`{"metadata":{}}`): "must be an array",
		button(`{"metadata":[{"type":"ExternalId","id":"` + long(65) + `"}]}`): "1 to 64",
		button(`{"metadata":[{"id":"x"}]}`):                                    "type is required",
	} {
		err := checkContent(json.RawMessage(body))
		require.Error(t, err, body)
		require.Contains(t, err.Error(), says, body)
	}
	chip := `{"type":"button","title":"Yes"}`
	for body, says := range map[string]string{
		`{"type":"quickReplies","replies":[` + chip + `]}`:                                                "itemsPerRow is required",
		`{"type":"quickReplies","itemsPerRow":9,"replies":[` + chip + `]}`:                                "1 to 8",
		`{"type":"quickReplies","itemsPerRow":1,"replies":[]}`:                                            "1 to 24",
		`{"type":"quickReplies","itemsPerRow":1,"replies":[` + strings.Repeat(chip+",", 24) + chip + `]}`: "1 to 24",
		`{"type":"quickReplies","itemsPerRow":1,"replies":[{"type":"text","text":"x"}]}`:                  "type must be one of",
		`{"type":"quickReplies","itemsPerRow":1,"replies":[{"type":"button","title":"Y","class":"x"}]}`:   "unknown property",
	} {
		err := checkChips(json.RawMessage(body))
		require.Error(t, err, body)
		require.Contains(t, err.Error(), says, body)
	}
}
