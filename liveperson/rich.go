package liveperson

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// deepest bounds the nesting of structured content; the documentation shows four
// levels. What lies deeper is left out.
const deepest = 32

// readContent reads a ContentEvent: a text, a file, or a form that we can only name.
func readContent(e *Event, event node) string {
	var f fallback
	contentType := strings.ToLower(event.text("contentType"))
	switch message := event["message"].(type) {
	case nil:
		return "content without a message"
	case map[string]any:
		m := node(message)
		path := m.text("relativePath")
		if path != "" || contentType == "hosted/file" || contentType == "hostedfile" {
			e.File = &File{Path: path, Type: m.text("fileType"), Caption: m.text("caption")}
			f.say(describe(*e.File))
			break
		}
		f.say(firstOf(m, "caption", "title", "text", "name"))
	default:
		s, ok := plain(message)
		if !ok {
			return "content of an unknown form"
		}
		f.say(s)
	}
	f.quickReplies(event.node("quickReplies"))
	e.Text, e.Choices = f.result()
	if _, words := event["message"].(string); !words && e.Text == "" {
		return "content of an unknown form"
	}
	return ""
}

// describe names a file in words: its caption and its type.
func describe(f File) string {
	caption, kind := strings.TrimSpace(f.Caption), strings.TrimSpace(f.Type)
	switch {
	case caption == "":
		if kind == "" {
			return "[file]"
		}
		return "[" + kind + "]"
	case kind == "":
		return caption
	}
	return caption + " [" + kind + "]"
}

// readRich reads structured content.
func readRich(e *Event, event node) string {
	content := event.node("content")
	if content == nil {
		content = event.node("message") // one schema has it there
	}
	var f fallback
	f.element(content, 0)
	f.quickReplies(event.node("quickReplies"))
	e.Text, e.Choices = f.result()
	if e.Text == "" {
		return "structured content with nothing to say in words"
	}
	return ""
}

// fallback turns structured content into plain text: texts in the order of the
// document, captions, options as "1) title", links as "name: address".
//
// Source: rich-messaging-structured-content-*; the rule is ours.
type fallback struct {
	lines   []string
	choices []Choice
}

func (f *fallback) say(s string) {
	if s = strings.TrimRightFunc(s, unicode.IsSpace); s != "" {
		f.lines = append(f.lines, s)
	}
}

func (f *fallback) result() (string, []Choice) {
	return strings.Join(f.lines, "\n"), f.choices
}

func (f *fallback) element(n node, depth int) {
	if n == nil || depth > deepest {
		return
	}
	switch n.text("type") {
	case "text":
		f.say(n.text("text"))
	case "image":
		f.say(firstOf(n, "caption", "alt", "url"))
	case "button", "submitButton":
		f.button(n)
		return
	case "checkbox":
		f.choice(n.text("text"), n.text("text"), n)
		return
	case "linkPreview":
		f.link(n.text("title"), n.text("url"))
	case "map":
		if n.node("click") == nil {
			f.place(firstOf(n, "tooltip", "alt"), n)
		}
	case "keyValuePairList":
		for _, pair := range n.nodes("elements") {
			f.link(pair.text("key"), pair.text("value"))
		}
		return
	case "template":
		f.template(n)
		return
	}
	titles := n.nodes("titles")
	for i, child := range n.nodes("elements") {
		if i < len(titles) {
			f.say(firstOf(titles[i], "name"))
		}
		f.element(child, depth+1)
	}
	f.click(n)
}

// button is an option if choosing it says something, else what it opens.
func (f *fallback) button(n node) {
	title := n.text("title")
	said, opens := "", false
	for _, a := range n.node("click").nodes("actions") {
		switch a.text("type") {
		case "publishText":
			said = a.text("text")
		case "link", "navigate":
			opens = true
		}
	}
	if said != "" || !opens {
		f.choice(title, said, n)
	}
	if opens {
		f.actions(title, n)
	}
}

// click tells where an element that is no button leads.
func (f *fallback) click(n node) {
	for _, a := range n.node("click").nodes("actions") {
		if a.text("type") == "publishText" {
			f.choice(firstOf(n, "caption", "title", "tooltip"), a.text("text"), n)
		}
	}
	f.actions(firstOf(n, "caption", "title"), n)
}

func (f *fallback) actions(title string, n node) {
	for _, a := range n.node("click").nodes("actions") {
		name := a.text("name")
		if name == "" {
			name = title
		}
		switch a.text("type") {
		case "link":
			f.link(name, address(a))
		case "navigate":
			f.place(name, a)
		}
	}
}

func address(action node) string {
	if uri := action.text("uri"); uri != "" {
		return uri
	}
	return action.node("web").text("uri")
}

func (f *fallback) choice(title, said string, n node) {
	if title == "" {
		title = said
	}
	if said == "" {
		said = title
	}
	if title = strings.TrimSpace(title); title == "" {
		return
	}
	c := Choice{Title: title, Text: said}
	if m := n.node("click")["metadata"]; m != nil {
		c.Metadata, _ = json.Marshal(harmless(m))
	}
	f.choices = append(f.choices, c)
	f.say(strconv.Itoa(len(f.choices)) + ") " + title)
}

func (f *fallback) link(name, uri string) {
	switch {
	case uri == "":
		f.say(name)
	case name == "" || name == uri:
		f.say(uri)
	default:
		f.say(strings.TrimSpace(name) + ": " + uri)
	}
}

func (f *fallback) place(name string, n node) {
	la, lo := n.text("la"), n.text("lo")
	if la != "" && lo != "" {
		f.link(name, "https://maps.google.com/?q="+la+","+lo)
	}
}

func (f *fallback) template(n node) {
	f.say(n.text("title"))
	for _, v := range n.list("resp") {
		if s, ok := plain(v); ok {
			f.choice(s, s, nil)
		}
	}
}

func (f *fallback) quickReplies(n node) {
	for _, r := range n.nodes("replies") {
		f.button(r)
	}
}

func firstOf(n node, keys ...string) string {
	for _, k := range keys {
		if s := n.text(k); s != "" {
			return s
		}
	}
	return ""
}
