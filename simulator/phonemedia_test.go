package simulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMMSOfAConsumer(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	pic := picture(t)
	g.must("POST", phonePath+"/text", `{"attachments":[{"mime":"image/png","data":"`+base64.StdEncoding.EncodeToString(pic)+`"},{"generate":20000}]}`, nil)
	form, err := url.ParseQuery(string(g.parley.all()[0].body))
	require.NoError(t, err)
	require.Equal(t, "2", form.Get("NumMedia"))
	require.Equal(t, "image/png", form.Get("MediaContentType0"))
	require.Regexp(t, `^MM[0-9a-f]{32}$`, form.Get("MessageSid"))
	link := form.Get("MediaUrl0")
	require.Regexp(t, `^`+g.url+`/2010-04-01/Accounts/AC1/Messages/MM[0-9a-f]{32}/Media/ME[0-9a-f]{32}$`, link)

	get := func(link, user string) (int, []byte, http.Header) {
		r, err := http.NewRequest("GET", link, nil)
		require.NoError(t, err)
		if user != "" {
			r.SetBasicAuth(user, "tok-demo")
		}
		client := &http.Client{Transport: g.http.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.Do(r)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		var b bytes.Buffer
		_, _ = b.ReadFrom(res.Body)
		return res.StatusCode, b.Bytes(), res.Header
	}
	status, _, _ := get(link, "")
	require.Equal(t, 401, status, "it takes the account's credentials")
	status, _, _ = get(link, "AC2")
	require.Equal(t, 401, status)
	status, _, _ = get(link+"0", "AC1")
	require.Equal(t, 404, status)
	status, _, header := get(link, "AC1")
	require.Equal(t, 307, status)
	status, body, _ := get(g.url+header.Get("Location"), "")
	require.Equal(t, 200, status)
	require.Equal(t, pic, body)
	status, _, _ = get(g.url+strings.Replace(header.Get("Location"), "sig=", "sig=0", 1), "")
	require.Equal(t, 403, status)
	g.must("PUT", "/sim/settings", `{"mediaRedirect":false}`, nil)
	status, body, _ = get(form.Get("MediaUrl1"), "AC1")
	require.Equal(t, 200, status)
	require.InDelta(t, 20000, len(body), 1000)
	g.rule(`{"class":"media","do":"fail-before","status":503,"count":1}`)
	status, _, _ = get(link, "AC1")
	require.Equal(t, 503, status)

	var p PhoneView
	g.must("GET", phonePath, "", &p)
	require.Equal(t, "media", p.Thread[0].Kind)
	require.Len(t, p.Thread[0].Media, 2)
	status, body, _ = get(g.url+p.Thread[0].Media[0].Show, "")
	require.Equal(t, 200, status)
	require.Equal(t, pic, body)
}

// files serves what Parley would: a picture, a page, something large, and nothing.
func files(t *testing.T) string {
	t.Helper()
	pic := picture(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/pic":
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(pic)
		case "/page":
			w.Header().Set("Content-Type", "text/html")
		case "/large":
			w.Header().Set("Content-Type", "application/pdf")
			_, _ = w.Write(make([]byte, 600<<10))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestMMSToAConsumer(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"smsDelayMs":0}`)
	at := files(t)
	status, b := g.sms(url.Values{"Body": {""}, "MediaUrl": {at + "/pic", at + "/pic"}})
	require.Equal(t, 201, status, b)
	require.Equal(t, "2", field1(t, b, "num_media"))
	for path, code := range map[string]string{"/nothing": "11200", "/page": "12300", "/large": "11751"} {
		status, b := g.sms(url.Values{"MediaUrl": {at + path}, "StatusCallback": {g.home + "/webhooks/channels/sms/status?" + code}})
		require.Equal(t, 201, status, b)
	}
	var p PhoneView
	settled := func() bool {
		g.must("GET", phonePath, "", &p)
		return len(p.Thread) == 4 && p.Thread[0].Status == "delivered" && p.Thread[1].Status == "failed" && p.Thread[2].Status == "failed" && p.Thread[3].Status == "failed"
	}
	eventually(t, "settled", settled)
	require.Equal(t, "media", p.Thread[0].Kind)
	require.Len(t, p.Thread[0].Media, 2)
	require.NotEmpty(t, p.Thread[0].Media[1].Sum)
	require.NotEmpty(t, p.Thread[1].Media[0].Error)
	eventually(t, "callbacks", func() bool { return len(g.parley.all()) == 3 })
	for _, a := range g.parley.all() {
		form, _ := url.ParseQuery(string(a.body))
		require.Equal(t, "failed", form.Get("MessageStatus"))
		require.Contains(t, a.path, form.Get("ErrorCode"))
	}
	for name, tc := range map[string]struct {
		media []string
		code  string
	}{"no URL": {[]string{"pic.png"}, "21620"}, "eleven": {make([]string, 11), "21623"}} {
		for i := range tc.media {
			if tc.media[i] == "" {
				tc.media[i] = at + "/pic"
			}
		}
		status, b := g.sms(url.Values{"MediaUrl": tc.media})
		require.Equal(t, 400, status, name)
		require.Contains(t, b, tc.code, name)
	}
}

func TestVisitorSendsFilesAndProfile(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	g.must("PUT", "/sim/phones/web/u-1", `{"name":"Ada","profile":{"firstName":"Ada","email":"a@example.org","customer":{"type":"gold"}}}`, nil)
	g.must("POST", "/sim/phones/web/u-1/text", `{"text":"look","attachments":[{"generate":5000,"name":"a.png"},{"kind":"file","url":"http://10.0.0.1/x","mime":"application/pdf"}]}`, nil)
	g.must("POST", "/sim/phones/web/u-1/profile", `{"profile":{"phone":"+15550100200"}}`, nil)
	var in struct {
		Events []struct {
			Type         string
			Conversation struct{ Participant map[string]any }
			Message      struct{ Attachments []webAttachment }
		}
	}
	require.NoError(t, json.Unmarshal(g.parley.all()[0].body, &in))
	e := in.Events[0]
	require.Equal(t, map[string]any{"id": "u-1", "displayName": "Ada", "firstName": "Ada", "email": "a@example.org", "customer": map[string]any{"type": "gold"}}, e.Conversation.Participant)
	require.Len(t, e.Message.Attachments, 2)
	require.Equal(t, "http://10.0.0.1/x", e.Message.Attachments[1].URL, "any URL can be named, so that guards can be tested")
	file := e.Message.Attachments[0]
	require.Equal(t, []string{"image", "image/png", "a.png"}, []string{file.Kind, file.MIME, file.Name})
	res, err := g.http.Get(file.URL)
	require.NoError(t, err)
	var b bytes.Buffer
	_, _ = b.ReadFrom(res.Body)
	_ = res.Body.Close()
	require.EqualValues(t, file.Size, b.Len())
	require.NoError(t, json.Unmarshal(g.parley.all()[1].body, &in))
	require.Equal(t, "profile", in.Events[0].Type)
	require.Equal(t, 409, g.control("POST", phonePath+"/profile", `{}`, nil))
	require.Equal(t, 400, g.control("POST", "/sim/phones/web/u-1/text", `{"attachments":[{}]}`, nil))
}

func TestVisitorGetsFilesAndCards(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	at := files(t)
	post := func(id, rest string) (int, string) {
		return g.deliver(id, `{"id":"`+id+`","conversation":{"id":"c-u-1"},`+rest+`}`)
	}
	status, b := post("1", `"kind":"media","text":"the plan","attachment":{"kind":"image","url":"`+at+`/pic","mime":"image/png","name":"plan.png","size":70}`)
	require.Equal(t, 200, status, b)
	status, b = post("2", `"kind":"media","attachment":{"url":"`+at+`/nothing","mime":"image/png"}`)
	require.Equal(t, 200, status, b)
	status, b = post("3", `"kind":"rich","text":"Keep it?","blocks":[{"kind":"card","blocks":[{"kind":"text","text":"Keep it?"},{"kind":"image","url":"https://x/a.png"},
		{"kind":"place","text":"Shop","latitude":0,"longitude":8.5},{"kind":"fact","text":"Order","value":"4711"},
		{"kind":"choice","choice":{"id":"m/1","title":"Yes"}}]},{"kind":"choice","choice":{"id":"m/2","title":"Later","quick":true}}]`)
	require.Equal(t, 200, status, b)
	var p PhoneView
	eventually(t, "fetched", func() bool {
		g.must("GET", "/sim/phones/web/u-1", "", &p)
		return len(p.Thread) == 3 && p.Thread[0].Status == "delivered" && p.Thread[1].Status == "failed"
	})
	require.NotEmpty(t, p.Thread[0].Media[0].Sum)
	require.NotEmpty(t, p.Thread[1].Media[0].Error)
	require.Equal(t, []choiceView{{"m/1", "Yes"}, {"m/2", "Later"}}, p.Thread[2].Choices)
	g.must("POST", "/sim/phones/web/u-1/choice", `{"messageId":"`+p.Thread[2].ID+`","id":"m/1","title":"Yes"}`, nil)
	all := g.parley.all()
	require.Contains(t, string(all[len(all)-1].body), `"choice":{"id":"m/1","title":"Yes"}`)

	for name, rest := range map[string]string{
		"no attachment":        `"kind":"media"`,
		"a path for a URL":     `"kind":"media","attachment":{"url":"/files/1"}`,
		"a data URL":           `"kind":"media","attachment":{"url":"data:image/png;base64,AAAA"}`,
		"an unknown member":    `"kind":"text","text":"x","metadata":[]`,
		"metadata of a choice": `"kind":"choices","text":"x","choices":[{"id":"1","title":"x","metadata":[]}]`,
		"two of one id":        `"kind":"choices","text":"x","choices":[{"id":"1","title":"x"},{"id":"1","title":"y"}]`,
		"no blocks":            `"kind":"rich","text":"x"`,
		"an unknown block":     `"kind":"rich","blocks":[{"kind":"video"}]`,
		"a text without text":  `"kind":"rich","blocks":[{"kind":"text"}]`,
		"an image of nothing":  `"kind":"rich","blocks":[{"kind":"image"}]`,
		"half a place":         `"kind":"rich","blocks":[{"kind":"place","latitude":1}]`,
		"a choice of nothing":  `"kind":"rich","blocks":[{"kind":"choice"}]`,
		"an empty card":        `"kind":"rich","blocks":[{"kind":"card"}]`,
		"a text with blocks":   `"kind":"rich","blocks":[{"kind":"text","text":"x","blocks":[{"kind":"text","text":"y"}]}]`,
		"the same choice":      `"kind":"rich","blocks":[{"kind":"choice","choice":{"id":"1","title":"x"}},{"kind":"choice","choice":{"id":"1","title":"y"}}]`,
		"cards":                `"kind":"cards"`,
	} {
		status, b := post("9", rest)
		require.Equal(t, 400, status, name)
		require.Contains(t, b, `"class":"permanent"`, name)
	}
}
