package twilio

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"parley/channels"
	"parley/message"
)

const fetchOp = "twilio: fetch"

// maxMedia bounds NumMedia; Twilio carries ten.
const maxMedia = 100

// attachments are the files of a message, by reference: they are to be had with
// Fetch, and stay with Twilio until they are deleted there.
func attachments(form url.Values) []message.Attachment {
	n, _ := strconv.Atoi(form.Get("NumMedia"))
	var all []message.Attachment
	for i := range min(n, maxMedia) {
		index := strconv.Itoa(i)
		link, mime := channels.Clean(form.Get("MediaUrl"+index)), channels.Clean(form.Get("MediaContentType"+index))
		if link != "" {
			all = append(all, message.Attachment{Kind: channels.KindOf(mime), MIME: mime, URL: link, Ref: mediaSID(link)})
		}
	}
	return all
}

// mediaSID returns Twilio's name of a file, the last part of its URL; empty if that
// looks like something else.
func mediaSID(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	sid := u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	if !strings.HasPrefix(sid, "ME") || !channels.Name(sid) {
		return ""
	}
	return sid
}

// Fetch gets a file that a consumer has sent. Twilio asks for the account's
// credentials and sends us on to where it keeps the file, which does not get them.
//
// Source: twilio.com/docs/messaging/api/media-resource
func (a *Adapter) Fetch(ctx context.Context, at message.Attachment) (io.ReadCloser, error) {
	header := http.Header{}
	if a.ours(at.URL) {
		credentials := base64.StdEncoding.EncodeToString([]byte(a.account + ":" + a.tokens[0]))
		header.Set("Authorization", "Basic "+credentials)
	}
	file, err := a.files.Get(ctx, at.URL, header)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// ours says whether a URL leads to the API, whose regions have hosts of their own.
func (a *Adapter) ours(link string) bool {
	u, err := url.Parse(link)
	if err != nil {
		return false
	}
	return channels.Endpoint(link) == a.host || u.Scheme == "https" && strings.HasSuffix(strings.ToLower(u.Host), ".twilio.com")
}
