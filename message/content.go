package message

import "encoding/json"

// Choice is one of several answers offered with a text.
type Choice struct {
	ID       string          `json:"id"` // what a channel's button gives back; unique among all offers to a consumer
	Title    string          `json:"title"`
	Text     string          `json:"text,omitempty"`     // what the consumer says by taking it; the title where empty
	Metadata json.RawMessage `json:"metadata,omitempty"` // the cloud's, to be given back as it came by who takes it
	Quick    bool            `json:"quick,omitempty"`    // a quick reply: gone once it, or anything else, was said
	Many     bool            `json:"many,omitempty"`     // a checkbox: several may be taken at once
}

// Says is what the consumer says by taking the choice.
func (c Choice) Says() string {
	if c.Text != "" {
		return c.Text
	}
	return c.Title
}

// BlockKind says what a Block shows.
type BlockKind string

// The kinds of Block. The last three hold other blocks.
const (
	TextBlock     BlockKind = "text"   // Text
	ImageBlock    BlockKind = "image"  // URL, Text is its caption
	LinkBlock     BlockKind = "link"   // URL, Text is its name
	PlaceBlock    BlockKind = "place"  // Latitude, Longitude, Text is its name
	FactBlock     BlockKind = "fact"   // Text is the key, Value
	ChoiceBlock   BlockKind = "choice" // Choice
	CardBlock     BlockKind = "card"
	CarouselBlock BlockKind = "carousel" // of cards, to be looked at one after the other
	ListBlock     BlockKind = "list"     // Text is its title
)

// Block is one element of structured content, in the order in which it is read.
// An adapter that can shows it natively; for all others, package channels makes
// text and buttons of it.
type Block struct {
	Kind      BlockKind `json:"kind"`
	Text      string    `json:"text,omitempty"`
	Value     string    `json:"value,omitempty"`
	URL       string    `json:"url,omitempty"`
	Latitude  float64   `json:"latitude,omitempty"`
	Longitude float64   `json:"longitude,omitempty"`
	Choice    *Choice   `json:"choice,omitempty"`
	Blocks    []Block   `json:"blocks,omitempty"`
}

// File is a file in the cloud's store. It is to be had by its path for a minute at
// a time.
type File struct {
	Path    string `json:"path"`
	Type    string `json:"type,omitempty"` // JPG, PDF, …
	Caption string `json:"caption,omitempty"`
}
