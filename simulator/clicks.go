package simulator

import (
	"bytes"
	"encoding/json"
	"slices"
)

// offered is an element of structured content, or a quick reply, that can be
// clicked.
type offered struct {
	Title    string `json:"title"`
	Text     string `json:"text"`     // of its publishText
	Metadata string `json:"metadata"` // in one form, so that it can be compared; "" for none
}

// Click is what a consumer clicked: the ACTION, and the text that went with it.
type Click struct {
	Dialog   string          `json:"dialog"`
	Sequence int             `json:"sequence"`
	Title    string          `json:"title"`
	Text     string          `json:"text"`
	Metadata json.RawMessage `json:"metadata"`
	At       string          `json:"at"`
	Action   bool            `json:"action"` // an ACTION said so
	Said     bool            `json:"said"`   // its text came with its metadata
}

// keptOffers is how many messages with clickable elements a dialog remembers.
const keptOffers = 100

// offers lists what can be clicked in an event.
func offers(raw json.RawMessage) []offered {
	var root any
	if json.Unmarshal(raw, &root) != nil {
		return nil
	}
	var found []offered
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case map[string]any:
			if click, ok := v["click"].(map[string]any); ok {
				found = append(found, offerOf(v, click))
			}
			for _, name := range []string{"content", "elements", "quickReplies", "replies"} {
				walk(v[name])
			}
		}
	}
	walk(root)
	return found
}

func offerOf(element, click map[string]any) offered {
	o := offered{Metadata: sameForm(click["metadata"])}
	for _, name := range []string{"title", "caption", "text"} {
		if o.Title == "" {
			o.Title, _ = element[name].(string)
		}
	}
	actions, _ := click["actions"].([]any)
	for _, a := range actions {
		action, _ := a.(map[string]any)
		switch action["type"] {
		case "publishText":
			o.Text, _ = action["text"].(string)
		case "checked":
			o.Text, _ = action["publishText"].(string)
		}
	}
	return o
}

// sameForm is metadata in one form: members sorted, no spaces; "" for none.
func sameForm(metadata any) string {
	list, _ := metadata.([]any)
	if len(list) == 0 {
		return ""
	}
	return string(marshal(list))
}

func sameRaw(metadata json.RawMessage) string {
	var list []any
	if json.Unmarshal(metadata, &list) != nil {
		return ""
	}
	return sameForm(list)
}

// offer remembers what can be clicked in an event of the agents'. The account is locked.
func (d *dialog) offer(e *event) {
	if !bytes.Contains(e.raw, []byte(`"click"`)) {
		return // most events: not parsed
	}
	list := offers(e.raw)
	if len(list) == 0 {
		return
	}
	if d.offers == nil {
		d.offers = map[int][]offered{}
	}
	d.offers[e.sequence] = list
	d.offerOrder = append(d.offerOrder, e.sequence)
	if len(d.offerOrder) > keptOffers {
		delete(d.offers, d.offerOrder[0])
		d.offerOrder = d.offerOrder[1:]
	}
}

// clicked notes an ACTION, and warns when it names nothing that was offered with
// the same metadata.
func (c *conversation) clicked(k *call, d *dialog, e *event) {
	want := sameRaw(e.metadata)
	for _, n := range e.sequences {
		i := slices.IndexFunc(d.offers[n], func(o offered) bool { return o.Metadata == want })
		if i < 0 {
			c.counters.unknownClicks++
			k.warn("ACTION names no element with this metadata")
			continue
		}
		o := d.offers[n][i]
		c.counters.actions++
		c.note(Click{Dialog: d.id, Sequence: n, Title: o.Title, Text: o.Text, Metadata: e.metadata, At: stamp(c.acc.sim.now()), Action: true})
	}
}

// keptClicks bounds the memory of clicks.
const keptClicks = 1000

func (c *conversation) note(click Click) {
	if len(c.clicks) >= keptClicks {
		c.clicks = c.clicks[1:]
	}
	c.clicks = append(c.clicks, click)
}

// clickText notes the text of a click and says whether it was one: a content event
// with the metadata of an element that was offered.
func (c *conversation) clickText(k *call, d *dialog, e *event) bool {
	want := sameRaw(e.metadata)
	if want == "" {
		return false
	}
	for i := len(c.clicks) - 1; i >= 0; i-- {
		click := &c.clicks[i]
		if click.Dialog != d.id || click.Said || sameRaw(click.Metadata) != want {
			continue
		}
		click.Said = true
		if click.Text != "" && click.Text != e.text {
			k.warn("the text of a click is not its publishText")
		}
		return true
	}
	for n, list := range d.offers {
		for _, o := range list {
			if o.Metadata == want {
				k.warn("the text of a click came without its ACTION")
				c.counters.clicksWithoutAction++
				c.note(Click{Dialog: d.id, Sequence: n, Title: o.Title, Text: o.Text, Metadata: e.metadata, At: stamp(c.acc.sim.now()), Said: true})
				return true
			}
		}
	}
	return false
}
