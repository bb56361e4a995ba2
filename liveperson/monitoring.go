package liveperson

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"parley/fault"
)

// Engagement asks which campaign a consumer's conversation belongs to.
type Engagement struct {
	Consumer string   // our name for the consumer: unique, and not to be guessed
	Known    bool     // the brand itself has established who the consumer is
	Entry    []string // where the consumer comes from, e.g. "sec://sport", "lang://de"
	Profile  Profile  // decides on the target audience
}

// Campaign is what Open needs in order to route by campaign, and to show the
// connector as the source. Every field may be empty.
type Campaign struct {
	Campaign     string
	Engagement   string
	Visitor      string
	Session      string
	Context      string // of the interaction
	Language     string
	Conversation string // of the consumer, open already: to be adopted instead of opening another
	Remembered   bool   // the cloud did not answer: campaign and engagement are those of somebody who came the same way
}

// The states of an engagement.
const statusConversation = "conversation"

// Bounds on what is remembered of campaigns. They are changed by people, rarely.
const (
	campaignLife  = time.Hour
	campaignsKept = 256
)

// engagementPause is how long the cloud asks to wait after a failure, for the
// first time; then 30 s, then 90 s.
//
// Source: rt-interactions-monitoring-methods-engagement.
const engagementPause = 10 * time.Second

// codeLoading is the internalCode of an account that is only being loaded.
const codeLoading = "20"

// Engagement asks the Monitoring API for a campaign. Without one the answer is an
// empty Campaign with the visitor's names. When the API fails or does not answer,
// the campaign that another consumer with the same entry points and tier got
// within the last hour stands in.
//
// The error is a *fault.Error: Transient for 5xx and no answer, after 10 s;
// Throttled for 429; Rejected for other 4xx. None of them is a reason not to open a
// conversation.
//
// Source: rt-interactions-monitoring-methods-engagement.
func (c *Client) Engagement(ctx context.Context, e Engagement) (Campaign, error) {
	found, err := c.askEngagement(ctx, e)
	if err == nil {
		c.campaigns.keep(e.key(), found, c.now())
		return found, nil
	}
	if class := fault.ClassOf(err); class.Retryable() {
		if known, ok := c.campaigns.find(e.key(), c.now()); ok {
			c.log.Info("no answer about a campaign, a known one stands in", "class", string(class), "code", fault.CodeOf(err))
			return known, nil
		}
	}
	return Campaign{}, err
}

func (c *Client) askEngagement(ctx context.Context, e Engagement) (Campaign, error) {
	const op = "liveperson: engagement"
	raw, err := encode(c.engagementBody(e))
	if err != nil {
		return Campaign{}, fault.New(fault.Rejected, op, "the request cannot be encoded")
	}
	path := "/api/account/" + url.PathEscape(c.config.SiteID) + "/app/" + url.PathEscape(c.config.ClientID) + "/engagement?v=1.0"
	a, err := c.reach(ctx, op, serviceMonitoring, repeatable, path, func(target string) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(raw))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
		}
		return req, err
	})
	if err == nil {
		err = a.judgeEngagement(op, c.now())
	}
	n := object(a.body)
	if err == nil && n == nil {
		err = &fault.Error{Class: fault.Transient, Op: op, Err: answer{}.cause()}
	}
	if err != nil {
		return Campaign{}, unhurried(onlyThis(err))
	}
	return readCampaign(n), nil
}

// unhurried is a failure with the time that the cloud asks to wait after one.
func unhurried(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Class != fault.Transient || f.After > 0 {
		return err
	}
	later := *f
	later.After = engagementPause
	return &later
}

// judgeEngagement judges an answer of the Monitoring API. What it refuses it
// refuses to this request alone: nothing else of the account stops for it.
func (a answer) judgeEngagement(op string, now time.Time) error {
	class, code := a.class(repeatable), a.shownCode()
	switch {
	case class == "":
		return nil
	case a.status >= 500:
		if object(a.body).text("internalCode") == codeLoading {
			code = codeLoading
		}
	case class != fault.Throttled && class != fault.Transient:
		class = fault.Rejected
	}
	return &fault.Error{Class: class, Op: op, Code: code, After: a.after(class, now), Err: a.cause()}
}

type identity struct {
	Issuer string `json:"iss"`
	Level  string `json:"acr"`
	Sub    string `json:"sub"`
}

type engagementRequest struct {
	Identities []identity        `json:"identities"`
	Client     map[string]string `json:"clientProperties"`
	Entry      []string          `json:"entryPoints"`
	Attributes []any             `json:"engagementAttributes"`
}

func (c *Client) engagementBody(e Engagement) engagementRequest {
	level := "0"
	if e.Known {
		level = "loa1"
	}
	return engagementRequest{
		Identities: []identity{{c.config.appID(), level, e.Consumer}},
		Client:     map[string]string{"appId": c.config.appID()},
		Entry:      append([]string{}, e.Entry...),
		Attributes: append([]any{}, e.Profile.attributes()...),
	}
}

// readCampaign takes the first engagement that can be used, and a conversation
// that is open already from whichever tells of one.
func readCampaign(n node) Campaign {
	found := Campaign{Visitor: n.text("visitorId"), Session: n.text("sessionId")}
	for _, d := range n.nodes("engagementDetails") {
		if id := d.text("conversationId"); id != "" && strings.EqualFold(d.text("status"), statusConversation) {
			found.Conversation = id
		}
		if found.Campaign == "" && d.text("campaignId") != "" && d.text("engagementId") != "" {
			found.Campaign, found.Engagement = d.text("campaignId"), d.text("engagementId")
			found.Context, found.Language = d.text("contextId"), d.text("language")
		}
	}
	return found
}

// key says who gets the same campaign: who comes the same way, and is of the same
// tier.
func (e Engagement) key() string {
	return strings.Join(append([]string{e.Profile.Customer.Type}, e.Entry...), "\x00")
}

// campaigns remembers what was found, for when the Monitoring API does not answer.
type campaigns struct {
	mu    sync.Mutex
	byKey map[string]campaignAt
}

type campaignAt struct {
	campaign Campaign
	at       time.Time
}

func newCampaigns() *campaigns { return &campaigns{byKey: map[string]campaignAt{}} }

// keep remembers what is not one visitor's own.
func (k *campaigns) keep(key string, c Campaign, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.Campaign == "" {
		delete(k.byKey, key)
		return
	}
	if _, known := k.byKey[key]; !known && len(k.byKey) >= campaignsKept {
		clear(k.byKey) // entry points are configured: this many are a mistake, not a need
	}
	k.byKey[key] = campaignAt{Campaign{Campaign: c.Campaign, Engagement: c.Engagement, Language: c.Language, Remembered: true}, now}
}

func (k *campaigns) find(key string, now time.Time) (Campaign, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	got, ok := k.byKey[key]
	if !ok || now.Sub(got.at) >= campaignLife {
		return Campaign{}, false
	}
	return got.campaign, true
}
