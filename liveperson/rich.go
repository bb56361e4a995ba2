package liveperson

import (
	"strings"
)

// Bounds on structured content. The documentation shows four levels and allows 256
// elements in each; what lies beyond is left out.
const (
	deepest   = 32
	mostParts = 2048
)

// readContent reads a ContentEvent: a text, a file, or a form that we can only name.
func readContent(e *Event, event node) string {
	r := newRich()
	said := ""
	switch message := event["message"].(type) {
	case nil:
		return "content without a message"
	case map[string]any:
		said = readThing(e, node(message), strings.ToLower(event.text("contentType")))
	default:
		s, ok := plain(message)
		if !ok {
			return "content of an unknown form"
		}
		said = s
	}
	blocks := append(text(said), r.quickReplies(event.node("quickReplies"))...)
	e.Text, e.Choices = inWords(blocks, r.choices), r.choices
	if len(e.Choices) > 0 || len(blocks) > 1 {
		e.Blocks = blocks
	}
	if _, words := event["message"].(string); !words && e.Text == "" {
		return "content of an unknown form"
	}
	return ""
}

// readThing reads what is not a text, and names it in words. A secure form needs a
// service of its own, and is only named.
//
// Source: messaging-window-api request schemas (secure forms).
func readThing(e *Event, m node, contentType string) string {
	path := m.text("relativePath")
	if path != "" || contentType == "hosted/file" || contentType == "hostedfile" {
		e.File = &File{Path: path, Type: m.text("fileType"), Caption: m.text("caption")}
		return named(e.File.Caption, e.File.Type, "file")
	}
	name := firstOf(m, "caption", "title", "text", "name")
	if strings.HasPrefix(contentType, "forms/") {
		return named(name, "form", "form")
	}
	w := words{}
	w.pair(name, firstOf(m, "url", "uri"))
	return strings.Join(w.lines, "\n")
}

// named is a caption with what kind of thing it stands for.
func named(caption, kind, otherwise string) string {
	caption, kind = strings.TrimSpace(caption), strings.TrimSpace(kind)
	switch {
	case caption == "" && kind == "":
		return "[" + otherwise + "]"
	case caption == "":
		return "[" + kind + "]"
	case kind == "":
		return caption
	}
	return caption + " [" + kind + "]"
}

// readRich reads structured content.
func readRich(e *Event, event node) string {
	content := event.nodes("content")
	if len(content) == 0 {
		content = event.nodes("message") // one schema has it there
	}
	r := newRich()
	for _, n := range content {
		e.Blocks = append(e.Blocks, r.element(n, 0)...)
	}
	e.Blocks = append(e.Blocks, r.quickReplies(event.node("quickReplies"))...)
	e.Text, e.Choices = inWords(e.Blocks, r.choices), r.choices
	if e.Text == "" {
		return "structured content with nothing to say in words"
	}
	return ""
}

// rich turns structured content into blocks. Properties that it does not know are
// ignored, and elements that it does not know are looked into.
//
// Source: rich-messaging-structured-content-*, json-pollock and
// lp-rich-content-validator schemas.
type rich struct {
	choices []Choice
	left    int  // parts that are still read
	single  bool // within a select that takes one answer
}

func newRich() *rich { return &rich{left: mostParts} }

func (r *rich) spend() bool {
	r.left--
	return r.left >= 0
}

func (r *rich) element(n node, depth int) []Block {
	if n == nil || depth > deepest || !r.spend() {
		return nil
	}
	switch n.text("type") {
	case "button", "submitButton":
		return r.button(n)
	case "checkbox":
		return r.checkbox(n)
	}
	return append(r.shown(n, depth), r.click(n)...)
}

// shown is what an element shows, without where a click on it leads.
func (r *rich) shown(n node, depth int) []Block {
	switch n.text("type") {
	case "text":
		return text(n.text("text"))
	case "image":
		return image(n)
	case "linkPreview":
		return link(n.text("title"), n.text("url"))
	case "map":
		return r.mapped(n)
	case "keyValuePairList":
		return r.facts(n)
	case "template":
		return r.template(n)
	case "vertical", "horizontal":
		return holding(Block{Kind: BlockCard}, r.flat(n, depth))
	case "carousel", "carouselSelect", "tabs":
		return holding(Block{Kind: BlockCarousel}, r.cards(n, depth))
	case "accordionSelect":
		return holding(Block{Kind: BlockList}, r.cards(n, depth))
	case "list", "section":
		return r.list(n, depth)
	}
	if blocks := r.flat(n, depth); len(blocks) > 0 {
		return blocks
	}
	return text(firstOf(n, "text", "title", "caption", "name", "alt"))
}

// flat returns what an element's children show. A card within it is only layout.
func (r *rich) flat(n node, depth int) []Block {
	var all []Block
	for _, child := range n.nodes("elements") {
		for _, b := range r.element(child, depth+1) {
			if b.Kind == BlockCard && b.Text == "" {
				all = append(all, b.Blocks...)
				continue
			}
			all = append(all, b)
		}
	}
	return all
}

// cards returns an element's children, each a card of its own. A select that takes
// one answer has no checkboxes that go together.
func (r *rich) cards(n node, depth int) []Block {
	outer := r.single
	if mode := n.node("selectMode"); mode != nil {
		r.single = strings.EqualFold(mode.text("type"), "single")
	}
	defer func() { r.single = outer }()
	titles := n.nodes("titles")
	var all []Block
	for i, child := range n.nodes("elements") {
		card, inside := Block{Kind: BlockCard}, r.element(child, depth+1)
		if len(inside) == 1 && inside[0].Kind == BlockCard {
			inside = inside[0].Blocks
		}
		if i < len(titles) {
			card.Text = trimmed(titles[i].text("name"))
			inside = append(text(titles[i].text("additional")), inside...)
		}
		all = append(all, holding(card, inside)...)
	}
	return all
}

// list has its first text as its title, and so have its sections.
func (r *rich) list(n node, depth int) []Block {
	inside := r.flat(n, depth)
	list := Block{Kind: BlockList}
	if len(inside) > 0 && inside[0].Kind == BlockText {
		list.Text, inside = inside[0].Text, inside[1:]
	}
	return holding(list, inside)
}

// holding is a block with others in it, nothing where there is nothing to show.
func holding(b Block, inside []Block) []Block {
	if len(inside) == 0 && b.Text == "" {
		return nil
	}
	b.Blocks = inside
	return []Block{b}
}

func (r *rich) facts(n node) []Block {
	var all []Block
	for _, pair := range n.nodes("elements") {
		key, value := strings.TrimSpace(pair.text("key")), trimmed(pair.text("value"))
		if (key != "" || value != "") && r.spend() {
			all = append(all, Block{Kind: BlockFact, Text: key, Value: value})
		}
	}
	return all
}

// template is a question with its answers. They share the metadata of its click.
func (r *rich) template(n node) []Block {
	blocks := text(n.text("title"))
	for _, v := range n.list("resp") {
		if s, ok := plain(v); ok {
			blocks = append(blocks, r.choice(Choice{Title: s, Quick: true}, n)...)
		}
	}
	return blocks
}

func (r *rich) quickReplies(n node) []Block {
	first := len(r.choices)
	var all []Block
	for _, reply := range n.nodes("replies") {
		all = append(all, r.button(reply)...)
	}
	for i := first; i < len(r.choices); i++ {
		r.choices[i].Quick = true
	}
	return all
}

func text(s string) []Block {
	if s = trimmed(s); s == "" {
		return nil
	}
	return []Block{{Kind: BlockText, Text: s}}
}

func image(n node) []Block {
	url := n.text("url")
	if caption := trimmed(firstOf(n, "caption", "alt")); url != "" || caption != "" {
		return []Block{{Kind: BlockImage, Text: caption, URL: url}}
	}
	return nil
}

func link(name, uri string) []Block {
	if uri = strings.TrimSpace(uri); uri == "" {
		return text(name)
	}
	return []Block{{Kind: BlockLink, Text: strings.TrimSpace(name), URL: uri}}
}

func place(name string, n node) []Block {
	la, ok := angle(n["la"], 90)
	lo, also := angle(n["lo"], 180)
	if !ok || !also {
		return text(name)
	}
	return []Block{{Kind: BlockPlace, Text: strings.TrimSpace(name), Latitude: la, Longitude: lo}}
}

func firstOf(n node, keys ...string) string {
	for _, k := range keys {
		if s := n.text(k); s != "" {
			return s
		}
	}
	return ""
}
