package simulator

import (
	"net/url"
	"slices"
	"strconv"
)

// webAttachment is a file that Parley names for a visitor of the http channel.
type webAttachment struct {
	Kind string `json:"kind"`
	MIME string `json:"mime"`
	Name string `json:"name"`
	Size int64  `json:"size"`
	URL  string `json:"url"`
}

// webBlock is one element of structured content on the http channel.
type webBlock struct {
	Kind      string     `json:"kind"`
	Text      string     `json:"text"`
	Value     string     `json:"value"`
	URL       string     `json:"url"`
	Latitude  *float64   `json:"latitude"`
	Longitude *float64   `json:"longitude"`
	Choice    *webChoice `json:"choice"`
	Blocks    []webBlock `json:"blocks"`
}

// webChoice is a choice within blocks.
type webChoice struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Quick bool   `json:"quick"`
	Many  bool   `json:"many"`
}

// checkMedia checks what a message of kind media holds.
func (o *outbound) checkMedia() *reply {
	a := o.Attachment
	switch {
	case a == nil:
		return permanent("media needs an attachment")
	case !webURL(a.URL):
		return permanent("attachment.url must be an absolute http or https URL")
	case a.Size < 0:
		return permanent("attachment.size must not be negative")
	case !slices.Contains([]string{"", "image", "audio", "video", "file"}, a.Kind):
		return permanent("attachment.kind is image, audio, video or file")
	}
	return nil
}

func webURL(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// checkChoices checks offers: 1 to 24, each with an id of its own.
func checkChoices(list []choiceView) *reply {
	if len(list) == 0 || len(list) > 24 {
		return permanent("choices has 1 to 24 elements")
	}
	seen := map[string]bool{}
	for _, c := range list {
		if c.ID == "" || c.Title == "" {
			return permanent("choices need an id and a title each")
		}
		if seen[c.ID] {
			return permanent("ids of choices must differ")
		}
		seen[c.ID] = true
	}
	return nil
}

// checkRich checks what a message of kind rich holds.
func (o *outbound) checkRich() *reply {
	if len(o.Blocks) == 0 {
		return permanent("rich needs blocks")
	}
	w := blockWalk{seen: map[string]bool{}}
	if reason := w.all(o.Blocks, "blocks", 1); reason != "" {
		return permanent(reason)
	}
	o.Choices = w.choices
	return nil
}

// blockWalk looks at every block once, and gathers the choices.
type blockWalk struct {
	seen    map[string]bool
	choices []choiceView
}

func (w *blockWalk) all(list []webBlock, path string, depth int) string {
	if depth > 16 {
		return path + ": is too deep"
	}
	for i, b := range list {
		if reason := w.one(b, path+"["+strconv.Itoa(i)+"]", depth); reason != "" {
			return reason
		}
	}
	return ""
}

func (w *blockWalk) one(b webBlock, path string, depth int) string {
	holds := b.Kind == "card" || b.Kind == "carousel" || b.Kind == "list"
	switch {
	case !slices.Contains([]string{"text", "image", "link", "place", "fact", "choice", "card", "carousel", "list"}, b.Kind):
		return path + ": unknown kind"
	case b.Kind == "text" && b.Text == "", b.Kind == "fact" && (b.Text == "" || b.Value == ""):
		return path + ": a text is missing"
	case (b.Kind == "image" || b.Kind == "link") && b.URL == "":
		return path + ": url is required"
	case b.Kind == "place" && (b.Latitude == nil || b.Longitude == nil):
		return path + ": latitude and longitude are required"
	case (b.Kind == "choice") != (b.Choice != nil):
		return path + ": a choice, and nothing else, has a choice"
	case holds && len(b.Blocks) == 0, !holds && len(b.Blocks) > 0:
		return path + ": only cards, carousels and lists hold blocks, and they do"
	}
	if c := b.Choice; c != nil {
		if c.ID == "" || c.Title == "" || w.seen[c.ID] {
			return path + ": a choice needs a title, and an id of its own"
		}
		w.seen[c.ID] = true
		w.choices = append(w.choices, choiceView{ID: c.ID, Title: c.Title})
	}
	return w.all(b.Blocks, path+".blocks", depth+1)
}
