package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1" // Twilio signs with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// attempt is one request of a provider's to Parley. Status 0 is no answer.
type attempt struct {
	began  time.Time
	took   time.Duration
	status int
}

// deliver posts one message of a consumer, as its provider would, until it is
// acknowledged, and tells each attempt.
func (s *stack) deliver(ctx context.Context, c *consumer, id, text string) ([]attempt, error) {
	var all []attempt
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		a := s.once(ctx, c, id, text)
		all = append(all, a)
		if a.status/100 == 2 {
			return all, nil
		}
		if ctx.Err() != nil {
			return all, ctx.Err()
		}
		pause(ctx, wait)
	}
}

func (s *stack) once(ctx context.Context, c *consumer, id, text string) attempt {
	var r *http.Request
	var err error
	if c.channel == "sms" {
		r, err = s.sms(ctx, c, id, text)
	} else {
		r, err = s.web(ctx, c, id, text)
	}
	if err != nil {
		return attempt{began: time.Now()}
	}
	return s.send(r)
}

func (s *stack) send(r *http.Request) attempt {
	a := attempt{began: time.Now()}
	response, err := s.post.Do(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		a.status = response.StatusCode
	}
	a.took = time.Since(a.began)
	return a
}

// sms is a webhook of Twilio's.
func (s *stack) sms(ctx context.Context, c *consumer, id, text string) (*http.Request, error) {
	form := url.Values{"MessageSid": {"SM" + id}, "SmsSid": {"SM" + id}, "AccountSid": {s.env["PARLEY_CHANNEL_SMS_ACCOUNT_SID"]},
		"From": {c.name}, "To": {s.env["PARLEY_CHANNEL_SMS_FROM"]}, "Body": {text}, "NumMedia": {"0"}, "ApiVersion": {"2010-04-01"}}
	const route = "/webhooks/channels/sms"
	mac := hmac.New(sha1.New, []byte(s.env["PARLEY_CHANNEL_SMS_AUTH_TOKEN"]))
	_, _ = io.WriteString(mac, publicURL+route)
	var names []string
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		_, _ = io.WriteString(mac, name+form.Get(name))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gateway.url+route, bytes.NewReader([]byte(form.Encode())))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r, nil
}

// web is a webhook of the http channel's.
func (s *stack) web(ctx context.Context, c *consumer, id, text string) (*http.Request, error) {
	quoted, err := json.Marshal(text)
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"events":[{"id":"evt-%s","type":"message","time":%q,"conversation":{"id":"c-%s","participant":{"id":%q}},"message":{"id":"m-%s","text":%s}}]}`,
		id, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), c.name, c.name, id, quoted)
	return s.webRaw(ctx, id, []byte(body))
}

// webRaw signs any bytes as the http channel's provider.
func (s *stack) webRaw(ctx context.Context, id string, body []byte) (*http.Request, error) {
	stamp := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s.%s.%s", "msg-"+id, stamp, body)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gateway.url+"/webhooks/channels/web", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Webhook-Id", "msg-"+id)
	r.Header.Set("Webhook-Timestamp", stamp)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r, nil
}
