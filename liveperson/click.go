package liveperson

import (
	"strings"
	"time"
)

// button is an option if choosing it says something, else what it opens. What only
// an app could do (carts, actions of its own) is named.
func (r *rich) button(n node) []Block {
	title, actions := strings.TrimSpace(n.text("title")), n.node("click").nodes("actions")
	said, answers := says(actions)
	var blocks []Block
	if answers || len(actions) == 0 {
		blocks = r.choice(Choice{Title: title, Text: said}, n)
	}
	opens := r.opens(title, n)
	if len(blocks) == 0 && len(opens) == 0 {
		blocks = text(title)
	}
	return append(append(blocks, text(n.text("subtitle"))...), opens...)
}

// says returns what the consumer says by a click, and whether it says anything. A
// button that submits says its title.
func says(actions []node) (said string, answers bool) {
	for _, a := range actions {
		switch a.text("type") {
		case "publishText":
			said, answers = a.text("text"), true
		case "checked":
			said, answers = a.text("publishText"), true
		case "submitAsText":
			answers = true
		}
	}
	return said, answers
}

func (r *rich) checkbox(n node) []Block {
	said, _ := says(n.node("click").nodes("actions"))
	return r.choice(Choice{Title: n.text("text"), Text: said, Many: !r.single}, n)
}

// click tells where an element that is no button leads. A template has offered its
// answers already.
func (r *rich) click(n node) []Block {
	var blocks []Block
	if said, answers := says(n.node("click").nodes("actions")); answers && n.text("type") != "template" {
		blocks = r.choice(Choice{Title: firstOf(n, "caption", "title", "tooltip"), Text: said}, n)
	}
	return append(blocks, r.opens(firstOf(n, "caption", "title"), n)...)
}

// opens is what a click opens, apart from what the element shows by itself.
func (r *rich) opens(title string, n node) []Block {
	var blocks []Block
	for _, a := range n.node("click").nodes("actions") {
		if uri := uriOf(a); uri == "" || uri != n.text("url") {
			blocks = append(blocks, r.action(title, a, n)...)
		}
	}
	return blocks
}

// action is what an action that says nothing by itself opens; nothing for one that
// only an app could do.
func (r *rich) action(title string, a, n node) []Block {
	name := a.text("name")
	if name == "" {
		name = title
	}
	switch a.text("type") {
	case "link":
		return link(name, uriOf(a))
	case "navigate":
		return place(name, a)
	case "datePicker":
		return text(dates(title, a))
	case "scheduleSlotList":
		return r.slots(title, a, n)
	}
	return nil
}

func uriOf(action node) string {
	if uri := action.text("uri"); uri != "" {
		return uri
	}
	for _, where := range []string{"web", "ios", "android"} {
		if uri := action.node(where).text("uri"); uri != "" {
			return uri
		}
	}
	return ""
}

// mapped is the place that a map shows, unless a click on it leads to one: that has
// a name.
func (r *rich) mapped(n node) []Block {
	for _, a := range n.node("click").nodes("actions") {
		if a.text("type") == "navigate" {
			return nil
		}
	}
	return place(firstOf(n, "tooltip", "alt"), n)
}

// dates asks for a date in words: the consumer writes it.
func dates(title string, a node) string {
	asked := trimmed(a.text("title"))
	switch {
	case asked == "" || asked == title:
		asked = title
	case title != "":
		asked = title + ": " + asked
	}
	from, to := moment(a["minDate"]), moment(a["maxDate"])
	if !from.IsZero() && !to.IsZero() {
		asked += " (" + from.Format(time.DateOnly) + " – " + to.Format(time.DateOnly) + ")"
	}
	return strings.TrimSpace(asked)
}

// slots are appointments, each an answer of its own.
func (r *rich) slots(title string, a, n node) []Block {
	blocks := text(firstOf(node{"0": a.text("title"), "1": title}, "0", "1"))
	for _, slot := range a.nodes("slots") {
		name := slot.text("title")
		if start := moment(slot["start"]); name == "" && !start.IsZero() {
			name = start.Format("2006-01-02 15:04 MST")
		}
		blocks = append(blocks, r.choice(Choice{Title: name}, n)...)
		blocks = append(blocks, text(slot.text("description"))...)
	}
	return blocks
}

// choice offers an answer with the metadata of what is clicked.
func (r *rich) choice(c Choice, n node) []Block {
	if c.Title == "" {
		c.Title = c.Text
	}
	if c.Text == "" {
		c.Text = c.Title
	}
	if c.Title = strings.TrimSpace(c.Title); c.Title == "" || !r.spend() {
		return nil
	}
	c.Metadata = verbatim(n.node("click")["metadata"])
	r.choices = append(r.choices, c)
	return []Block{{Kind: BlockChoice, Choice: len(r.choices)}}
}
