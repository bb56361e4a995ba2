package simulator

import (
	"cmp"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// longestSMS is the most characters one message resource takes.
//
// Source: twilio.com/docs/messaging/api/message-resource.
const longestSMS = 1600

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// Words by which a consumer opts out and in again, when they are all there is.
//
// Source: Twilio's default handling of English keywords on long codes.
var (
	optOutWords = []string{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"}
	optInWords  = []string{"START", "YES", "UNSTOP"}
	helpWords   = []string{"HELP", "INFO"}
)

// twilioError is the error envelope of the REST API.
func twilioError(status, code int, message string) *reply {
	return &reply{status: status, reason: message, body: map[string]any{
		"code": code, "message": message, "status": status, "more_info": "https://www.twilio.com/docs/errors/" + number(code),
	}}
}

// twilioCreate is POST …/Messages.json.
//
// Source: twilio.com/docs/messaging/api/message-resource#create-a-message-resource.
func (s *Simulator) twilioCreate(c *call) reply {
	c.seen.summary = "SMS"
	ch, form, bad := s.twilioForm(c)
	if bad != nil {
		return ch.refused(nil, bad)
	}
	to := form.Get("To")
	ch.mu.Lock()
	defer ch.mu.Unlock()
	p := ch.phone(to)
	if p.optedOut && s.settings.Load().SMSOptOut {
		return ch.refused(p, twilioError(http.StatusBadRequest, 21610, "Attempt to send to unsubscribed recipient"))
	}
	m := &phoneMessage{id: newID("SM"), out: true, kind: "text", text: form.Get("Body"), status: "queued", ref: reference(form)}
	for _, link := range form["MediaUrl"] {
		m.kind = "media"
		m.media = append(m.media, phoneMedia{URL: link})
	}
	p.add(m)
	c.seen.summary = "SMS → phone"
	if m.media != nil {
		c.seen.summary = "MMS → phone"
	}
	if m.media != nil && s.settings.Load().FetchMedia {
		s.soon(0, func() { s.followMMS(p, m, form.Get("StatusCallback")) })
	} else {
		s.follow(p, m, form.Get("StatusCallback"), "sent")
	}
	at := m.at.UTC().Format(time.RFC1123Z)
	return reply{status: http.StatusCreated, body: map[string]any{
		"sid": m.id, "account_sid": ch.cfg.AccountSID, "api_version": "2010-04-01", "body": m.text, "from": ch.cfg.From, "to": to,
		"status": "queued", "direction": "outbound-api", "num_segments": number(segments(m.text)), "num_media": number(len(m.media)), "price": nil,
		"error_code": nil, "error_message": nil, "messaging_service_sid": nil, "date_created": at, "date_updated": at, "date_sent": nil,
		"uri": "/2010-04-01/Accounts/" + ch.cfg.AccountSID + "/Messages/" + m.id + ".json",
	}}
}

// refused counts a rejection; a phone is given with the channel locked, and then
// the rejection is the phone's. The channel is nil when nobody knows whose it is.
func (c *channel) refused(p *phone, out *reply) reply {
	switch {
	case p != nil:
		p.counters.Rejected++
	case c != nil:
		c.mu.Lock()
		c.rejected++
		c.mu.Unlock()
	}
	return *out
}

// twilioForm checks who asks and what for.
func (s *Simulator) twilioForm(c *call) (*channel, url.Values, *reply) {
	sid, token, ok := c.r.BasicAuth()
	var accounts []*channel
	for _, ch := range s.channels {
		if ch.cfg.Kind == kindTwilio && ch.cfg.AccountSID == c.r.PathValue("sid") {
			accounts = append(accounts, ch)
		}
	}
	if len(accounts) == 0 || !ok || sid != accounts[0].cfg.AccountSID || !accounts[0].accepts(token) {
		return nil, nil, twilioError(http.StatusUnauthorized, 20003, "Authenticate")
	}
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	form, formErr := url.ParseQuery(string(c.body))
	if err != nil || kind != "application/x-www-form-urlencoded" || formErr != nil {
		return accounts[0], nil, twilioError(http.StatusBadRequest, 20001, "Content-Type must be application/x-www-form-urlencoded")
	}
	from := cmp.Or(form.Get("From"), form.Get("MessagingServiceSid"))
	i := slices.IndexFunc(accounts, func(ch *channel) bool { return ch.cfg.From == from })
	ch := accounts[max(i, 0)]
	c.seen.channel = ch.cfg.Name
	text := form.Get("Body")
	switch {
	case form.Get("To") == "":
		return ch, nil, twilioError(http.StatusBadRequest, 21604, "A 'To' phone number is required.")
	case !e164.MatchString(form.Get("To")):
		return ch, nil, twilioError(http.StatusBadRequest, 21211, "Invalid 'To' Phone Number")
	case from == "":
		return ch, nil, twilioError(http.StatusBadRequest, 21603, "A 'From' phone number is required.")
	case i < 0:
		return ch, nil, twilioError(http.StatusBadRequest, 21606, "The 'From' phone number is not a valid message-capable number for this account.")
	case text == "" && len(form["MediaUrl"]) == 0:
		return ch, nil, twilioError(http.StatusBadRequest, 21602, "Message body is required.")
	case utf8.RuneCountInString(text) > longestSMS:
		return ch, nil, twilioError(http.StatusBadRequest, 21617, "The concatenated message body exceeds the 1600 character limit")
	}
	if len(form["MediaUrl"]) > 10 {
		return ch, nil, twilioError(http.StatusBadRequest, 21623, "Number of media files exceeds allowed limit")
	}
	if slices.ContainsFunc(form["MediaUrl"], func(link string) bool { return !webURL(link) }) {
		return ch, nil, twilioError(http.StatusBadRequest, 21620, "Invalid media URL(s)")
	}
	if cb := form.Get("StatusCallback"); cb != "" {
		if u, err := url.Parse(cb); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return ch, nil, twilioError(http.StatusBadRequest, 21609, "The 'StatusCallback' URL is not a valid URL.")
		}
	}
	return ch, form, nil
}

func (c *channel) accepts(token string) bool {
	return slices.ContainsFunc(c.cfg.AuthToken, func(t string) bool { return subtle.ConstantTimeCompare([]byte(t), []byte(token)) == 1 })
}

// reference is the sender's own id in the status callback's query: Twilio has no
// other place for one.
func reference(form url.Values) string {
	u, err := url.Parse(form.Get("StatusCallback"))
	if err != nil {
		return ""
	}
	return u.RawQuery
}

// segments is how many SMS a text takes; as if every text outside of ASCII were UCS-2.
func segments(text string) int {
	one, many, n := 160, 153, utf8.RuneCountInString(text)
	if len(text) != n {
		one, many = 70, 67
	}
	if n <= one {
		return 1
	}
	return (n + many - 1) / many
}

// follow moves a message on, from queued to sent to what the phone does with it,
// and reports each step to the callback.
func (s *Simulator) follow(p *phone, m *phoneMessage, callback, next string) {
	delay := ms(s.settings.Load().SMSDelayMs)
	s.soon(delay, func() {
		ch := p.channel
		ch.mu.Lock()
		if p.delivery == "none" || ch.phones[p.consumer] != p {
			ch.mu.Unlock()
			return
		}
		state, code := next, ""
		if next == "delivered" && p.delivery != "delivered" {
			state, code = p.delivery, p.code
			if code == "" {
				code = "30008"
			}
		}
		m.status, m.code = state, code
		p.show(m)
		ch.mu.Unlock()
		if s.settings.Load().SMSStatus && callback != "" {
			s.callBack(ch, p.consumer, m.id, state, code, callback)
		}
		if next == "sent" {
			s.follow(p, m, callback, "delivered")
		}
	})
}

// followMMS fetches the files first: without them the message fails.
func (s *Simulator) followMMS(p *phone, m *phoneMessage, callback string) {
	err := s.fetchAll(p, m, mmsBound)
	if err == nil {
		s.follow(p, m, callback, "sent")
		return
	}
	ch, code := p.channel, mmsCode(err)
	ch.mu.Lock()
	m.status, m.code = "failed", code
	p.show(m)
	ch.mu.Unlock()
	if s.settings.Load().SMSStatus && callback != "" {
		s.callBack(ch, p.consumer, m.id, "failed", code, callback)
	}
}

// callBack posts one status to a StatusCallback.
func (s *Simulator) callBack(ch *channel, to, sid, state, code, callback string) delivery {
	form := url.Values{
		"MessageSid": {sid}, "SmsSid": {sid}, "MessageStatus": {state}, "SmsStatus": {state}, "AccountSid": {ch.cfg.AccountSID},
		"From": {ch.cfg.From}, "To": {to}, "ApiVersion": {"2010-04-01"},
	}
	if code != "" {
		form.Set("ErrorCode", code)
	}
	d, _ := s.twilioPost(ch, "status", "SMS "+state, callback, form, "", false)
	return d
}

// twilioPost posts a form, signed over the public URL, with Twilio's retry: once
// more when the connection failed. patient repeats everything that got no 2xx.
//
// Source: twilio.com/docs/usage/webhooks/webhooks-connection-overrides.
func (s *Simulator) twilioPost(ch *channel, class, summary, target string, form url.Values, signature string, patient bool) (delivery, int) {
	if signature == "" {
		signature = twilioSignature(first(ch.cfg.AuthToken), target, form)
	}
	header := http.Header{
		"Content-Type":               {"application/x-www-form-urlencoded"},
		"X-Twilio-Signature":         {signature},
		"I-Twilio-Idempotency-Token": {newID("")},
	}
	if signature == "none" {
		header.Del("X-Twilio-Signature")
	}
	again := func(attempt int, d delivery) bool { return attempt == 1 && d.Status == 0 }
	if patient {
		again = func(_ int, d delivery) bool { return d.Status/100 != 2 }
	}
	return s.postToChannel(ch, class, summary, s.reachable(target), header, []byte(form.Encode()), 15*time.Second, again)
}

// reachable is where a public URL of Parley's is reached from here.
func (s *Simulator) reachable(target string) string {
	if rest, ok := strings.CutPrefix(target, s.publicURL()); ok {
		return s.settings.Load().ParleyURL + rest
	}
	return target
}

// optOut follows the words for opting out and in, and is what the phone then sees
// from the provider itself. The channel is locked.
func (p *phone) optOut(text string) {
	word := strings.ToUpper(strings.TrimSpace(text))
	notice := ""
	switch {
	case slices.Contains(optOutWords, word):
		p.optedOut = true
		notice = "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe."
	case slices.Contains(optInWords, word) && p.optedOut:
		p.optedOut = false
		notice = "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe."
	case slices.Contains(helpWords, word):
		notice = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."
	}
	if notice != "" {
		p.add(&phoneMessage{id: newID("SM"), out: true, kind: "system", text: notice, status: "delivered"})
	}
}
