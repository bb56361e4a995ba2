package webhook

import (
	"cmp"

	"parley/channels"
	"parley/message"
)

// option is a choice as the other side gets it: what the cloud wants back with it
// stays here.
type option struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Quick bool   `json:"quick,omitempty"` // in blocks only
	Many  bool   `json:"many,omitempty"`  // in blocks only
}

// optionOf gives a choice an ID and a title: where one is missing, the other serves.
func optionOf(c message.Choice) option {
	return option{ID: channels.Clean(cmp.Or(c.ID, c.Title)), Title: channels.Clean(cmp.Or(c.Title, c.Text, c.ID))}
}

func options(choices []message.Choice) []option {
	all := make([]option, len(choices))
	for i, c := range choices {
		all[i] = optionOf(c)
	}
	return all
}

// block is a message.Block as the other side gets it.
type block struct {
	Kind      string   `json:"kind"`
	Text      string   `json:"text,omitempty"`
	Value     string   `json:"value,omitempty"`
	URL       string   `json:"url,omitempty"`
	Latitude  *float64 `json:"latitude,omitempty"`
	Longitude *float64 `json:"longitude,omitempty"`
	Choice    *option  `json:"choice,omitempty"`
	Blocks    []block  `json:"blocks,omitempty"`
}

func blocksOf(all []message.Block) []block {
	var out []block
	for _, b := range all {
		one := block{
			Kind: string(b.Kind), Text: channels.Clean(b.Text), Value: channels.Clean(b.Value), URL: channels.Clean(b.URL), Blocks: blocksOf(b.Blocks),
		}
		if b.Kind == message.PlaceBlock {
			one.Latitude, one.Longitude = &b.Latitude, &b.Longitude
		}
		if b.Choice != nil {
			o := optionOf(*b.Choice)
			o.Quick, o.Many = b.Choice.Quick, b.Choice.Many
			one.Choice = &o
		}
		out = append(out, one)
	}
	return out
}

// attachment is a file as the other side gets it: it may fetch it from the URL.
type attachment struct {
	Kind string `json:"kind"`
	MIME string `json:"mime,omitempty"`
	Name string `json:"name,omitempty"`
	Size int64  `json:"size,omitempty"`
	URL  string `json:"url"`
}

func attachmentOf(a message.Attachment) *attachment {
	return &attachment{
		Kind: cmp.Or(channels.Clean(a.Kind), channels.KindOf(a.MIME)),
		MIME: channels.Clean(a.MIME),
		Name: channels.Clean(a.Name),
		Size: a.Size,
		URL:  channels.Clean(a.URL),
	}
}
