package simulator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// attachment is a file that a phone is told to send: its bytes, a picture of about
// so many bytes, or a URL of anybody's.
type attachment struct {
	Kind     string `json:"kind"`
	MIME     string `json:"mime"`
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	Data     []byte `json:"data"` // base64
	Generate int    `json:"generate"`
	URL      string `json:"url"`
}

// phoneMedia is a file on a phone, in either direction.
type phoneMedia struct {
	URL   string `json:"url"` // as it was told or given
	MIME  string `json:"mime"`
	Name  string `json:"name"`
	Size  int64  `json:"size"`
	File  string `json:"file"`  // its name in the store, "" while it was not fetched
	Sum   string `json:"sum"`   // SHA-256
	Error string `json:"error"` // why it was not fetched
}

// longestFile is how large a file of a channel's may be.
const longestFile = 100 << 20

// put stores a phone's file and returns it with the URL that Parley gets.
func (s *Simulator) put(a attachment, prefix, at string) (phoneMedia, error) {
	m := phoneMedia{URL: a.URL, MIME: a.MIME, Name: a.Name, Size: a.Size}
	if a.URL != "" {
		return m, nil
	}
	if a.Generate > 0 {
		a.Data, m.MIME = generated(a.Generate), "image/png"
	}
	if len(a.Data) == 0 {
		return m, badRequest("an attachment needs data, generate or url")
	}
	m.MIME = cmp.Or(m.MIME, http.DetectContentType(a.Data))
	file := &storedFile{ID: newID(prefix), MIME: m.MIME, Name: a.Name, At: s.now()}
	s.files.add(file)
	stored, err := s.files.write(file.ID, bytes.NewReader(a.Data), longestFile)
	if err != nil {
		return m, err
	}
	m.File, m.Sum, m.Size = stored.ID, stored.Sum, stored.Size
	m.URL = at + stored.ID
	return m, nil
}

// kindOfFile is image, audio, video or file.
func kindOfFile(mimeType string) string {
	kind, _, _ := strings.Cut(mimeType, "/")
	if slices.Contains([]string{"image", "audio", "video"}, kind) {
		return kind
	}
	return "file"
}

// base is this server's address, as whoever asked reached it.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// signedFile is where a file can be fetched for four hours without credentials.
func (s *Simulator) signedFile(id string) string {
	expires := strconv.FormatInt(s.now().Add(4*time.Hour).Unix(), 10)
	return "/provider/media/" + id + "?" + url.Values{"expires": {expires}, "sig": {s.swiftSignature(http.MethodGet, expires, id)}}.Encode()
}

// providerMedia is a provider's file behind a signed URL.
func (s *Simulator) providerMedia(c *call) reply {
	c.seen.summary, c.seen.path = "file of a provider", c.r.URL.Path
	id, q := c.r.PathValue("id"), c.r.URL.Query()
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	if err != nil || s.now().Unix() >= expires || q.Get("sig") != s.swiftSignature(http.MethodGet, q.Get("expires"), id) {
		return reply{status: http.StatusForbidden, reason: "signed URL is wrong or has expired", body: "Forbidden"}
	}
	if c.r.Header.Get("Authorization") != "" {
		c.warn("credentials went along with a redirect")
	}
	return s.fileReply(id)
}

func (s *Simulator) fileReply(id string) reply {
	file, ok := s.files.get(id)
	if !ok || file.Disk == "" {
		return reply{status: http.StatusNotFound, reason: "no such file", body: "Not Found"}
	}
	return reply{status: http.StatusOK, file: &file}
}

// webFile is a file of a visitor's of the http channel: who has the URL may fetch it.
func (s *Simulator) webFile(c *call) reply {
	c.seen.summary = "file of a visitor"
	return s.fileReply(c.r.PathValue("id"))
}

// mmsFile is Twilio's media resource: with the account's credentials, it leads to a
// signed URL elsewhere.
//
// Source: twilio.com/docs/messaging/api/media-resource.
func (s *Simulator) mmsFile(c *call) reply {
	c.seen.summary = "file of an MMS"
	sid, token, ok := c.r.BasicAuth()
	i := slices.IndexFunc(s.channels, func(ch *channel) bool {
		return ch.cfg.Kind == kindTwilio && ch.cfg.AccountSID == c.r.PathValue("sid") && sid == ch.cfg.AccountSID && ch.accepts(token)
	})
	if !ok || i < 0 {
		return *twilioError(http.StatusUnauthorized, 20003, "Authenticate")
	}
	c.seen.channel = s.channels[i].cfg.Name
	id := c.r.PathValue("media")
	if _, known := s.files.get(id); !known || !strings.HasPrefix(id, "ME") {
		return *twilioError(http.StatusNotFound, 20404, "The requested resource was not found")
	}
	if !s.settings.Load().MediaRedirect {
		return s.fileReply(id)
	}
	return reply{status: http.StatusTemporaryRedirect, header: http.Header{"Location": {s.signedFile(id)}}}
}

var (
	errContentType = errors.New("content type is not supported")
	errStatus      = errors.New("file was not to be had")
)

// fetchFile gets a file that Parley names, as a provider would: a plain GET, with
// bounds for what comes.
func (s *Simulator) fetchFile(channel string, m *phoneMedia, most func(mimeType string) int64) error {
	ctx, cancel := context.WithTimeout(s.life, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.reachable(m.URL), nil)
	if err != nil {
		return err
	}
	e := &exchange{at: s.now(), direction: "out", class: classMedia, method: http.MethodGet, path: r.URL.Path, channel: channel, attempt: 1,
		summary: "provider fetches a file", requestHeader: r.Header}
	began := time.Now()
	defer func() { e.took = time.Since(began); s.wire.add(e) }()
	client := &http.Client{Transport: s.provider.Transport}
	res, err := client.Do(r)
	if err != nil {
		e.failure = plain(err)
		return err
	}
	defer func() { _ = res.Body.Close() }()
	e.status, e.answerHeader = res.StatusCode, res.Header
	if res.StatusCode != http.StatusOK {
		return errStatus
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return errContentType
	}
	bound := most(kind)
	if bound == 0 {
		return errContentType
	}
	return s.takeFile(m, kind, res.Body, bound)
}

func (s *Simulator) takeFile(m *phoneMedia, kind string, from io.Reader, bound int64) error {
	file := &storedFile{ID: newID("got-"), MIME: kind, Name: m.Name, At: s.now()}
	s.files.add(file)
	stored, err := s.files.write(file.ID, from, bound)
	if err != nil {
		return err
	}
	m.File, m.Sum, m.Size, m.MIME = stored.ID, stored.Sum, stored.Size, kind
	return nil
}

// mmsBound is how large a file Twilio takes.
//
// Source: twilio.com/docs/messaging/guides/accepted-mime-types.
func mmsBound(kind string) int64 {
	switch {
	case slices.Contains([]string{"image/jpeg", "image/png", "image/gif"}, kind):
		return 5 << 20
	case slices.Contains([]string{"audio", "video", "image"}, strings.SplitN(kind, "/", 2)[0]), kind == "application/pdf",
		kind == "text/vcard", kind == "text/csv", kind == "text/calendar", kind == "text/plain", kind == "text/rtf":
		return 500 << 10
	}
	return 0
}

// mmsCode is what Twilio reports when it did not get a file.
//
// Source: twilio.com/docs/api/errors: 11200, 11751, 12300.
func mmsCode(err error) string {
	switch {
	case errors.Is(err, errTooLarge):
		return "11751"
	case errors.Is(err, errContentType):
		return "12300"
	}
	return "11200"
}

// setMedia keeps what became of a message's files. The channel is not locked.
func (p *phone) setMedia(m *phoneMessage, media []phoneMedia) {
	p.channel.mu.Lock()
	defer p.channel.mu.Unlock()
	m.media = media
	p.show(m)
}

// fetchAll fetches a message's files, and returns the first error.
func (s *Simulator) fetchAll(p *phone, m *phoneMessage, most func(string) int64) error {
	p.channel.mu.Lock()
	media := slices.Clone(m.media)
	p.channel.mu.Unlock()
	var failed error
	for i := range media {
		if err := s.fetchFile(p.channel.cfg.Name, &media[i], most); err != nil {
			media[i].Error = plain(err)
			if failed == nil {
				failed = err
			}
		}
	}
	p.setMedia(m, media)
	return failed
}
