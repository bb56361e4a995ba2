package liveperson_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/liveperson"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestReceiveGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/notifications/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			got := receive(t, body)
			for i := range got.Events {
				require.True(t, json.Valid(got.Events[i].Raw))
				got.Events[i].Raw = nil
			}
			shown, err := json.MarshalIndent(got, "", "  ")
			require.NoError(t, err)
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, append(shown, '\n'), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(string(want)), string(shown))
		})
	}
}

func TestReceiveKeepsWhatItCannotUse(t *testing.T) {
	t.Parallel()
	const message = `{"type":"ms.MessagingEventNotification","body":{"changes":`
	deep := strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000)
	for name, body := range map[string]string{
		"nothing":                  ``,
		"no JSON":                  `hello`,
		"a NUL":                    "\x00",
		"not UTF-8":                "\xff\xfe",
		"a list":                   `[]`,
		"a string":                 `"x"`,
		"half an object":           `{"type":"ms.MessagingEventNotification"`,
		"no type":                  `{"kind":"notification"}`,
		"a type that is a number":  `{"type":7,"body":{"changes":[{}]}}`,
		"unknown type":             `{"type":"ms.Something","body":{"changes":[{}]}}`,
		"no body":                  `{"type":"ms.MessagingEventNotification"}`,
		"a body that is a string":  `{"type":"ms.MessagingEventNotification","body":"x"}`,
		"no changes":               `{"type":"ms.MessagingEventNotification","body":{}}`,
		"changes that are null":    message + `null}}`,
		"an empty list":            message + `[]}}`,
		"a change that is null":    message + `[null]}}`,
		"no event":                 message + `[{"dialogId":"d"}]}}`,
		"unknown event":            message + `[{"dialogId":"d","event":{"type":"X"}}]}}`,
		"no conversation":          message + `[{"event":{"type":"ChatStateEvent","chatState":"ACTIVE"}}]}}`,
		"an impossible name":       message + `[{"dialogId":"` + strings.Repeat("d", 300) + `","event":{"type":"ChatStateEvent","chatState":"ACTIVE"}}]}}`,
		"no message":               message + `[{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent"}}]}}`,
		"a message that is a list": message + `[{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":[1]}}]}}`,
		"an empty rich message":    message + `[{"dialogId":"d","sequence":1,"event":{"type":"RichContentEvent","content":{}}}]}}`,
		"a status of nothing":      message + `[{"dialogId":"d","sequence":1,"event":{"type":"AcceptStatusEvent","status":"READ"}}]}}`,
		"a status without status":  message + `[{"dialogId":"d","sequence":1,"event":{"type":"AcceptStatusEvent","sequenceList":[1]}}]}}`,
		"nested too deeply":        message + `[{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":` + deep + `}}]}}`,
		"a change without result":  `{"type":"cqm.ExConversationChangeNotification","body":{"changes":[{"type":"UPSERT"}]}}`,
		"a change of nothing":      `{"type":"cqm.ExConversationChangeNotification","body":{"changes":[{"result":{}}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := receive(t, []byte(body))
			require.Empty(t, got.Events)
			require.Len(t, got.Dead, 1)
			require.NotEmpty(t, got.Dead[0].Reason)
			require.Equal(t, body, string(got.Dead[0].Body))
		})
	}
}

func TestReceiveIsLenient(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ change, text string }{
		"a lone change":      {`{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":"hi"}}`, "hi"},
		"a prefixed type":    {`[{"dialogId":"d","sequence":1,"event":{"type":".ams.ms.ContentEvent","message":"hi"}}]`, "hi"},
		"duplicate keys":     {`[{"dialogId":"x","dialogId":"d","sequence":7,"sequence":1,"event":{"type":"ContentEvent","message":"a","message":"hi"}}]`, "hi"},
		"a number as text":   {`[{"dialogId":"d","sequence":1.0,"event":{"type":"ContentEvent","message":42}}]`, "42"},
		"NUL in the text":    {`[{"dialogId":"d","sequence":"1","event":{"type":"ContentEvent","message":"a\u0000b"}}]`, "a\uFFFDb"},
		"half an emoji":      {`[{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":"a\ud83d"}}]`, "a\uFFFD"},
		"not UTF-8":          {"[{\"dialogId\":\"d\",\"sequence\":1,\"event\":{\"type\":\"ContentEvent\",\"message\":\"a\xff\"}}]", "a\uFFFD"},
		"white space after":  {`[{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":"  hi \r\n\t\n"}}]`, "  hi"},
		"metadata as object": {`[{"dialogId":"d","sequence":1,"metadata":{"type":"x"},"event":{"type":"ContentEvent","message":"hi"}}]`, "hi"},
		"an absurd time":     {`[{"dialogId":"d","sequence":1,"serverTimestamp":9e18,"event":{"type":"ContentEvent","message":"hi"}}]`, "hi"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := receive(t, []byte(`{"type":"ms.MessagingEventNotification","body":{"changes":`+c.change+`}}`))
			require.Empty(t, got.Dead)
			require.Len(t, got.Events, 1)
			e := got.Events[0]
			require.Equal(t, c.text, e.Text)
			require.Equal(t, "d", e.Dialog)
			require.Equal(t, "d", e.Conversation)
			require.Equal(t, 1, e.Sequence)
			require.Equal(t, "d/1/ContentEvent", e.ID)
			require.Zero(t, e.Time)
		})
	}
}

func TestOneBadChangeSpoilsNoOther(t *testing.T) {
	t.Parallel()
	got := receive(t, []byte(`{"type":"ms.MessagingEventNotification","body":{"changes":[
		{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":"one"}}, 7,
		{"dialogId":"d","sequence":2,"event":{"type":"ContentEvent","message":"two"}}]}}`))
	require.Len(t, got.Events, 2)
	require.Equal(t, "two", got.Events[1].Text)
	require.Len(t, got.Dead, 1)
	require.Equal(t, "7", string(got.Dead[0].Body))
}

func TestEventIDs(t *testing.T) {
	t.Parallel()
	id := func(change string) string {
		kind := "ms.MessagingEventNotification"
		if strings.Contains(change, `"result"`) {
			kind = "cqm.ExConversationChangeNotification"
		}
		got := receive(t, []byte(`{"type":"`+kind+`","body":{"sentTs":`+"1717490180000"+`,"changes":[`+change+`]}}`))
		require.Len(t, got.Events, 1, "%+v", got.Dead)
		return got.Events[0].ID
	}
	content := id(`{"dialogId":"d","sequence":1,"event":{"type":"ContentEvent","message":"a"}}`)
	require.Equal(t, content, id(`{"sequence":1,"dialogId":"d","conversationId":"c","event":{"message":"b","type":"ContentEvent"}}`))
	require.NotEqual(t, content, id(`{"dialogId":"e","sequence":1,"event":{"type":"ContentEvent","message":"a"}}`))
	require.NotEqual(t, content, id(`{"dialogId":"d","sequence":1,"event":{"type":"AcceptStatusEvent","status":"READ","sequenceList":[1]}}`))

	unnumbered := id(`{"dialogId":"d","event":{"type":"ContentEvent","message":"a"}}`)
	require.Equal(t, unnumbered, id(`{"event":{"message":"a","type":"ContentEvent"}, "dialogId":"d"}`))
	require.NotEqual(t, unnumbered, id(`{"dialogId":"d","event":{"type":"ContentEvent","message":"b"}}`))

	change := id(`{"type":"UPSERT","result":{"convId":"c","conversationDetails":{"stage":"OPEN","metaDataLastUpdateTs":5}}}`)
	require.True(t, strings.HasPrefix(change, "c/5/"))
	require.Equal(t, change, id(`{"result":{"conversationDetails":{"metaDataLastUpdateTs":5,"stage":"OPEN"},"convId":"c"},"type":"UPSERT"}`))
	require.NotEqual(t, change, id(`{"type":"UPSERT","result":{"convId":"c","conversationDetails":{"stage":"CLOSE","metaDataLastUpdateTs":5}}}`))

	require.Empty(t, id(`{"dialogId":"d","event":{"type":"ChatStateEvent","chatState":"ACTIVE"}}`))
}

func TestChangeAnswersQuestions(t *testing.T) {
	t.Parallel()
	change := func(file string, i int) *liveperson.Change {
		body, err := os.ReadFile("testdata/notifications/" + file + ".json")
		require.NoError(t, err)
		return receive(t, body).Events[i].Change
	}
	const consumer = "e2b7a1c4d9f00613582a7b6c4e1d9035f8a2c7b1e6d4093f5a8b2c7d1e60f94a"
	for _, c := range []struct {
		file           string
		event          int
		open, mainOpen bool
		assigned       bool
		consumer       string
	}{
		{"created", 0, true, true, true, consumer},
		{"closed", 0, false, false, false, consumer},
		{"survey-opens", 0, true, false, true, consumer},
		{"older-change", 0, false, false, false, consumer},
		{"offered-and-rated", 0, true, true, false, consumer}, // only offered
		{"offered-and-rated", 1, false, false, false, consumer},
		{"offered-and-rated", 2, false, false, false, ""}, // DELETE
	} {
		got := change(c.file, c.event)
		_, assigned := got.Agent()
		require.Equal(t, c.open, got.Open(), "%s %d", c.file, c.event)
		require.Equal(t, c.mainOpen, got.MainOpen(), "%s %d", c.file, c.event)
		require.Equal(t, c.assigned, assigned, "%s %d", c.file, c.event)
		require.Equal(t, c.consumer, got.Consumer(), "%s %d", c.file, c.event)
	}
}

func TestChangeTellsWhoIsThereAndWhatIsOpen(t *testing.T) {
	t.Parallel()
	const main = "7d0c2f5e-1a4b-4c8d-9e6f-2b3a4c5d6e7f"
	for _, c := range []struct {
		file         string
		event        int
		main, survey string
		manager      bool
		urgency      string
		delay        liveperson.Delay
	}{
		{"created", 0, main, "", false, "NORMAL", liveperson.Delay{}},
		{"survey-opens", 0, main, "Zk3vQ9sXTb2mLw0aPqRtYg", false, "NORMAL", liveperson.Delay{}},
		{"survey-beside-cobrowse", 0, main, "survey-2", true, "URGENT", liveperson.Delay{}}, // the newest that is open
		{"survey-beside-cobrowse", 1, main, "", false, "URGENT", liveperson.Delay{}},        // all is over; the manager was only invited
		{"offered-and-rated", 0, main, "", false, "", liveperson.Delay{Type: "NIGHT", Until: time.UnixMilli(1717500000000).UTC()}},
		{"older-change", 0, "", "", false, "", liveperson.Delay{}},
	} {
		body, err := os.ReadFile("testdata/notifications/" + c.file + ".json")
		require.NoError(t, err)
		got := receive(t, body).Events[c.event].Change
		require.Equal(t, c.main, got.Main(), "%s %d", c.file, c.event)
		require.Equal(t, c.survey, got.Survey(), "%s %d", c.file, c.event)
		require.Equal(t, c.manager, got.Manager(), "%s %d", c.file, c.event)
		require.Equal(t, c.urgency, got.Urgency, "%s %d", c.file, c.event)
		require.Equal(t, c.delay, got.Delay, "%s %d", c.file, c.event)
	}
}

func FuzzReceive(f *testing.F) {
	files, err := filepath.Glob("testdata/notifications/*.json")
	require.NoError(f, err)
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(body)
	}
	f.Add([]byte("\x00"))
	f.Add([]byte(`{"type":"ms.MessagingEventNotification","body":{"changes":[{"dialogId":"\u0000","event":{"type":"RichContentEvent","content":{"type":"text","text":"\ud800"}}}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		first, second := receive(t, body), receive(t, body)
		require.NotEmpty(t, len(first.Events)+len(first.Dead), "nothing that was signed may vanish")
		require.Equal(t, first, second)
		for _, d := range first.Dead {
			require.NotEmpty(t, d.Reason)
		}
		for _, e := range first.Events {
			require.NotEmpty(t, e.Conversation)
			require.Equal(t, e.Kind == liveperson.KindChatState, e.ID == "")
			requireReadable(t, e)
			e.Raw = nil
			shown, err := json.Marshal(e)
			require.NoError(t, err)
			require.False(t, bytes.Contains(shown, []byte(`\u0000`)) && !bytes.Contains(shown, []byte(`\\u0000`)), "jsonb refuses %s", shown)
		}
	})
}

// receive takes a body that is signed correctly.
func receive(t testing.TB, body []byte) liveperson.Received {
	t.Helper()
	got, err := newClient(t, "https://unused", secret).Receive(sign(body), body)
	require.NoError(t, err)
	return got
}

func sign(body []byte) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return signedAs("sha256=" + hex.EncodeToString(mac.Sum(nil)))
}

func BenchmarkReceive(b *testing.B) {
	body, err := os.ReadFile("testdata/notifications/survey-opens.json")
	require.NoError(b, err)
	c, header := newClient(b, "https://unused", secret), sign(body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Receive(header, body); err != nil {
			b.Fatal(err)
		}
	}
}
