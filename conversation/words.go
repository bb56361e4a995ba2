package conversation

import (
	"slices"
	"strconv"
	"strings"

	"parley/message"
)

// publishLimit is the longest text the cloud is given in one message, in
// characters. The limit is not documented; 8000 is assumed (liveperson.md §5.2).
const publishLimit = 8000

// say queues a consumer's message for a dialog: what was clicked, then the text,
// then the files.
func (s *State) say(in message.Inbound, dialog string) {
	s.Counts.Inbound++
	k, clicked := s.clicked(in, dialog)
	if clicked {
		in.Text, in.Choice = k.text, nil
	}
	if k.live {
		s.act(in.ID, k)
	}
	parts := partsOf(in, s.Rules)
	for i := range parts {
		c := parts[i].command(in, i, len(parts))
		c.Conversation, c.Dialog, c.Number = s.Cloud.Conversation, dialog, s.Counts.Inbound
		if k.live {
			c.Metadata = k.metadata
		}
		s.ToCloud.push(c)
	}
	if s.Rules < 2 {
		return
	}
	if k.live {
		s.spoken(dialog, &k.offer)
	} else {
		s.spoken(dialog, nil)
	}
	if dialog == s.Cloud.Conversation {
		s.urge(in.ID, said(in))
	}
}

// part is what goes to the cloud as one message: a piece of the text, or a file.
type part struct {
	text string
	file *message.Attachment
}

// partsOf cuts a message into what the cloud takes as one. By the first rules a file
// was a line of the text.
func partsOf(in message.Inbound, rules int) []part {
	text := said(in)
	if rules < 2 {
		text = Words(in)
	}
	var parts []part
	if text != "" || len(in.Attachments) == 0 {
		for _, p := range pieces(first(text, nothingSaid), publishLimit) {
			parts = append(parts, part{text: p})
		}
	}
	if rules >= 2 {
		for i := range in.Attachments {
			parts = append(parts, part{file: &in.Attachments[i]})
		}
	}
	return parts
}

// command is the command for the part at i of n. Its source is what it would be
// published from in another conversation: a part finds its way by itself, since
// those before it may be through.
func (p part) command(in message.Inbound, i, n int) Command {
	c := Command{ID: partID(in.ID, i), Kind: Publish, Text: p.text, Ref: in.Ref}
	if p.file != nil {
		file := *p.file
		c.Kind, c.Text, c.Attachment = PublishFile, file.Name, &file
	}
	switch {
	case n == 1:
		c.Source = &in
	case i == 0 && p.file == nil:
		in.Text, in.Choice, in.Attachments = p.text, nil, nil
		c.Source = &in
	default:
		c.Source = &message.Inbound{Kind: in.Kind, ID: c.ID, Address: in.Address, At: in.At, Text: p.text}
		if p.file != nil {
			c.Source.Attachments = []message.Attachment{*p.file}
		}
	}
	return c
}

func partID(id message.ID, i int) message.ID {
	if i == 0 {
		return id
	}
	return message.NewID(string(id), strconv.Itoa(i))
}

// Parts returns the IDs under which a consumer's message is published by the newest
// rules: its own and, where its text is too long for one message or it has files,
// those of the parts that follow.
func Parts(in message.Inbound) []message.ID { return PartsUnder(in, LatestRules) }

// PartsUnder is Parts by the rules that a run had, which may have been older.
func PartsUnder(in message.Inbound, rules int) []message.ID {
	ids := make([]message.ID, len(partsOf(in, rules)))
	for i := range ids {
		ids[i] = partID(in.ID, i)
	}
	return ids
}

// nothingSaid stands for a message in which there is nothing to show.
const nothingSaid = "[empty message]"

// Words is what an inbound message says in plain text: the text, the title of the
// answer that was taken, and a line for each attachment.
func Words(in message.Inbound) string {
	var lines []string
	if text := said(in); text != "" {
		lines = append(lines, text)
	}
	for i := range in.Attachments {
		lines = append(lines, "["+describe(&in.Attachments[i])+"]")
	}
	return first(strings.Join(lines, "\n"), nothingSaid)
}

// said is the text of a message, else the title of the answer that was taken.
func said(in message.Inbound) string {
	if in.Text == "" && in.Choice != nil {
		return first(in.Choice.Title, in.Choice.ID)
	}
	return in.Text
}

// describe says in a few words what a file is.
func describe(a *message.Attachment) string {
	words := slices.DeleteFunc([]string{first(a.Kind, "file"), a.Name, a.MIME}, func(w string) bool { return w == "" })
	return strings.Join(words, " ")
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// pieces cuts a text into parts of at most limit characters, at white space where
// there is some in the second half of a part.
func pieces(text string, limit int) []string {
	runes := []rune(text)
	var out []string
	for len(runes) > limit {
		cut := limit
		for i := limit; i > limit/2; i-- {
			if runes[i] == ' ' || runes[i] == '\n' {
				cut = i
				break
			}
		}
		out = append(out, string(runes[:cut]))
		runes = runes[cut:]
	}
	return append(out, string(runes))
}
