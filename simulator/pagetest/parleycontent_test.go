package pagetest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// change is one entry of a notification.
type change struct {
	ConversationID, DialogID string
	Sequence                 int
	MessageAudience          string
	OriginatorMetadata       struct{ Role string }
	Event                    struct {
		Type, ContentType, ChatState, Status string
		SequenceList                         []int
		Message                              json.RawMessage
		Content                              element
		QuickReplies                         struct{ Replies []element }
	}
	Result struct {
		ConvID              string
		ConversationDetails struct {
			Stage   string
			Dialogs []struct{ DialogID, DialogType, State string }
		}
	}
}

// element is one of structured content.
type element struct {
	Type, Text, Title, URL, Caption string
	Elements                        []element
	Click                           struct {
		Actions  []struct{ Type, Text string }
		Metadata json.RawMessage
	}
}

// option is a choice as the http channel has it.
type option struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Quick bool   `json:"quick,omitempty"`
}

type block struct {
	Kind   string  `json:"kind"`
	Text   string  `json:"text,omitempty"`
	URL    string  `json:"url,omitempty"`
	Choice *option `json:"choice,omitempty"`
	Blocks []block `json:"blocks,omitempty"`
}

// offer is what can be clicked in one message.
type offer struct {
	dialog   string
	sequence int
	choices  []offered
}

type offered struct {
	option
	says     string
	metadata json.RawMessage
}

// stands notes how a conversation stands: which dialog is open, and whether it ended.
func (p *miniParley) stands(k *talk, c change) {
	d := c.Result.ConversationDetails
	for _, one := range d.Dialogs {
		if one.DialogType == "POST_SURVEY" {
			k.dialog = one.DialogID
		}
	}
	if d.Stage != "CLOSE" || k.closed {
		return
	}
	k.closed = true
	if k.dialog != k.id { // the survey bot has asked
		delete(p.open, k.at)
		return
	}
	k.asked = 1
	p.deliver(k, -1, "How satisfied were you, from 1 to 5?", five())
}

// content is what an agent or a bot sends: a text, a file, a card.
func (p *miniParley) content(k *talk, c change) {
	o := offer{dialog: c.DialogID, sequence: c.Sequence}
	text := ""
	_ = json.Unmarshal(c.Event.Message, &text)
	blocks := o.blocks([]element{c.Event.Content})
	for _, e := range c.Event.QuickReplies.Replies {
		blocks = append(blocks, o.choice(e, true))
	}
	if len(o.choices) > 0 {
		k.offers = append(k.offers, o)
	}
	switch {
	case c.Event.ContentType == "hosted/file":
		p.handOn(k, c)
	case k.at.channel == "sms":
		p.deliver(k, c.Sequence, strings.Join(append(slices.DeleteFunc([]string{text}, func(s string) bool { return s == "" }), o.words(blocks)...), "\n"), nil)
	case c.Event.Type == "RichContentEvent":
		p.sent[p.provider(k, map[string]any{"kind": "rich", "blocks": blocks, "text": "A card"})] = mark{k, c.Sequence}
	default:
		var options []option
		for _, one := range o.choices {
			options = append(options, option{ID: one.ID, Title: one.Title})
		}
		p.deliver(k, c.Sequence, text, options)
	}
}

// blocks are the few kinds that the tests send.
func (o *offer) blocks(elements []element) []block {
	var all []block
	for _, e := range elements {
		switch e.Type {
		case "vertical":
			all = append(all, block{Kind: "card", Blocks: o.blocks(e.Elements)})
		case "carousel":
			all = append(all, block{Kind: "carousel", Blocks: o.blocks(e.Elements)})
		case "text":
			all = append(all, block{Kind: "text", Text: e.Text})
		case "image":
			all = append(all, block{Kind: "image", URL: e.URL, Text: e.Caption})
		case "button":
			all = append(all, o.choice(e, false))
		}
	}
	return all
}

func (o *offer) choice(e element, quick bool) block {
	says := e.Title
	for _, a := range e.Click.Actions {
		if a.Type == "publishText" {
			says = a.Text
		}
	}
	c := offered{says: says, metadata: e.Click.Metadata, option: option{ID: fmt.Sprintf("%s/%d/%d", o.dialog, o.sequence, len(o.choices)+1), Title: e.Title, Quick: quick}}
	o.choices = append(o.choices, c)
	return block{Kind: "choice", Choice: &c.option}
}

func (o *offer) words(blocks []block) []string {
	var lines []string
	for _, b := range blocks {
		switch {
		case b.Choice != nil:
			i := slices.IndexFunc(o.choices, func(c offered) bool { return c.ID == b.Choice.ID })
			lines = append(lines, fmt.Sprintf("%d) %s", i+1, b.Choice.Title))
		case b.Text != "":
			lines = append(lines, b.Text)
		}
		lines = append(lines, o.words(b.Blocks)...)
	}
	return lines
}

// clicked finds out whether a message stands for something offered, and then tells
// of the click before what is said by it.
func (p *miniParley) clicked(k *talk, m said) bool {
	for i := len(k.offers) - 1; i >= 0; i-- {
		o := k.offers[i]
		for n, c := range o.choices {
			typed := i == len(k.offers)-1 && (m.text == strconv.Itoa(n+1) || strings.EqualFold(m.text, c.Title)) && !slices.ContainsFunc(o.choices, func(x offered) bool { return x.Title == m.text && x.ID != c.ID })
			if o.dialog != k.dialog || (m.choice != c.ID && (m.choice != "" || !typed)) {
				continue
			}
			p.bearing(k, map[string]any{"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": []int{o.sequence}}, c.metadata)
			k.refs[p.bearing(k, map[string]any{"type": "ContentEvent", "contentType": "text/plain", "message": c.says}, c.metadata)] = m.ref
			return true
		}
	}
	return false
}

// bearing publishes an event with the metadata of what was clicked.
func (p *miniParley) bearing(k *talk, event map[string]any, metadata json.RawMessage) int {
	var out struct{ Body struct{ Sequence int } }
	p.next++
	p.call(http.MethodPost, sendPath, k.at, map[string]any{
		"kind": "req", "id": strconv.Itoa(p.next), "type": "ms.PublishEvent", "body": map[string]any{"dialogId": k.dialog, "event": event}, "metadata": metadata,
	}, &out)
	return out.Body.Sequence
}

// attached is a file of a consumer's.
type attached struct{ MIME, Name, URL string }

func mmsFiles(form url.Values) []attached {
	var all []attached
	n, _ := strconv.Atoi(form.Get("NumMedia"))
	for i := range n {
		all = append(all, attached{MIME: form.Get(fmt.Sprint("MediaContentType", i)), URL: form.Get(fmt.Sprint("MediaUrl", i))})
	}
	return all
}

// signed is a temporary URL of the cloud's file store.
type signed struct {
	Body struct {
		RelativePath string
		QueryParams  map[string]string
	}
}

func (p *miniParley) urlOf(s signed) string {
	q := url.Values{}
	for name, v := range s.Body.QueryParams {
		q.Set(name, v)
	}
	return p.at(s.Body.RelativePath) + "?" + q.Encode()
}

func (p *miniParley) ask(k *talk, kind string, body map[string]string) signed {
	var out signed
	p.next++
	p.call(http.MethodPost, sendPath, k.at, map[string]any{"kind": "req", "id": strconv.Itoa(p.next), "type": kind, "body": body}, &out)
	return out
}

// passOn uploads a consumer's file and publishes it, with itself as its preview.
func (p *miniParley) passOn(k *talk, f attached) int {
	r, _ := http.NewRequest(http.MethodGet, f.URL, nil)
	if k.at.channel == "sms" {
		r.SetBasicAuth("AC1", "tok-demo")
	}
	res, err := p.client.Do(r)
	if err != nil {
		p.t.Log("a file was not to be had:", err)
		return -1
	}
	bytesOf, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	kind := map[string]string{"image/jpeg": "JPG", "image/png": "PNG"}[f.MIME]
	to := p.ask(k, "ms.GenerateURLForUploadFile", map[string]string{"fileSize": strconv.Itoa(len(bytesOf)), "fileType": kind})
	put, _ := http.NewRequest(http.MethodPut, p.urlOf(to), bytes.NewReader(bytesOf))
	p.do(put, nil)
	return p.publish(k, map[string]any{"type": "ContentEvent", "contentType": "hosted/file", "message": map[string]string{
		"fileType": kind, "relativePath": to.Body.RelativePath, "caption": f.Name, "preview": tinyPicture,
	}})
}

// tinyPicture is a preview: one grey point.
const tinyPicture = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNs+M9QDwAFfwJ/0Jq0dAAAAABJRU5ErkJggg=="

// handOn gives an agent's file to the channel.
func (p *miniParley) handOn(k *talk, c change) {
	var f struct{ Caption, FileType, RelativePath string }
	_ = json.Unmarshal(c.Event.Message, &f)
	at := p.urlOf(p.ask(k, "ms.GenerateURLForDownloadFile", map[string]string{"relativePath": f.RelativePath}))
	if k.at.channel == "sms" {
		p.sms(k, c.Sequence, f.Caption, at)
		return
	}
	mime := map[string]string{"JPG": "image/jpeg", "PNG": "image/png", "PDF": "application/pdf"}[f.FileType]
	p.sent[p.provider(k, map[string]any{"kind": "media", "text": f.Caption, "attachment": map[string]any{"url": at, "mime": mime, "name": f.Caption}})] = mark{k, c.Sequence}
}

// sms sends one, with a file where there is one.
func (p *miniParley) sms(k *talk, sequence int, text, file string) {
	form := url.Values{"To": {k.at.consumer}, "From": {"+15550100900"}, "Body": {text}, "StatusCallback": {p.srv.URL + "/webhooks/channels/sms/status"}}
	if file != "" {
		form.Set("MediaUrl", file)
	}
	r, _ := http.NewRequest(http.MethodPost, p.at("/2010-04-01/Accounts/AC1/Messages.json"), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("AC1", "tok-demo")
	var out struct{ Sid string }
	p.do(r, &out)
	p.sent[out.Sid] = mark{k, sequence}
}
