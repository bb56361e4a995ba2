package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Settings is how the far sides behave when all is well. It can be changed while
// the simulator runs.
type Settings struct {
	ParleyURL string `json:"parleyUrl"`

	AlreadyOpen       string `json:"alreadyOpen"` // reject or existing: a second CONVERSATION of a consumer
	AppJWTLifetimeSec int    `json:"appJwtLifetimeSec"`

	Signature          string            `json:"signature"`
	Retry              string            `json:"retry"`
	MaxRetries         int               `json:"maxRetries"`
	RetryIntervalMs    int               `json:"retryIntervalMs"`
	RetentionSec       int               `json:"retentionSec"`
	BackoffMs          int               `json:"backoffMs"`
	BackoffMaxMs       int               `json:"backoffMaxMs"`
	DrainMs            int               `json:"drainMs"`
	ChatStateRetries   bool              `json:"chatStateRetries"`
	WebhookTimeoutMs   int               `json:"webhookTimeoutMs"`
	WebhookConcurrency int               `json:"webhookConcurrency"`
	QueueLimit         int               `json:"queueLimit"`
	WebhookHeaders     map[string]string `json:"webhookHeaders"`

	AutoAgent    AutoAgent           `json:"autoAgent"`
	Files        FileSettings        `json:"files"`
	Survey       SurveySettings      `json:"survey"`
	AutoMessages AutoMessageSettings `json:"autoMessages"`
	AutoClose    AutoCloseSettings   `json:"autoClose"`
	Engagements  []Engagement        `json:"engagements"`

	SMSStatus        bool `json:"smsStatus"`
	SMSDelayMs       int  `json:"smsDelayMs"`
	SMSOptOut        bool `json:"smsOptOut"`
	HTTPReceipts     bool `json:"httpReceipts"`
	FetchMedia       bool `json:"fetchMedia"`    // providers fetch the files they are given
	MediaRedirect    bool `json:"mediaRedirect"` // an MMS's file is answered with a redirect to a signed URL
	SenderPatienceMs int  `json:"senderPatienceMs"`

	WireEntries int  `json:"wireEntries"`
	Transcripts bool `json:"transcripts"`
}

// AutoAgent is an agent who acts by itself on everything a consumer writes.
type AutoAgent struct {
	Join    bool   `json:"join"`
	Accept  bool   `json:"accept"`
	Read    bool   `json:"read"`
	Typing  bool   `json:"typing"`
	Echo    bool   `json:"echo"`
	Reply   string `json:"reply"`
	DelayMs int    `json:"delayMs"`
}

func (a AutoAgent) active() bool {
	return a.Join || a.Accept || a.Read || a.Typing || a.Echo || a.Reply != ""
}

// The ways webhooks are retried.
const (
	retryRetention = "retention"
	retryNumbers   = "numbers"
	retryNone      = "none"
)

// defaultSettings are LivePerson's documented numbers, with the manifest it
// recommends.
//
// Source: connector-api-webhooks-retry-policy, connector-api-webhooks-notification-protocol.
func defaultSettings(cfg Config) Settings {
	return Settings{
		ParleyURL:   strings.TrimRight(cfg.ParleyURL, "/"),
		AlreadyOpen: "reject", AppJWTLifetimeSec: 3600,
		Signature: "sha1-base64", Retry: retryRetention, MaxRetries: 5, RetryIntervalMs: 30_000,
		RetentionSec: 259_200, BackoffMs: 2000, BackoffMaxMs: 300_000, DrainMs: 4000,
		WebhookTimeoutMs: 5000, WebhookConcurrency: 64, QueueLimit: 200_000,
		SMSStatus: true, SMSDelayMs: 200, SMSOptOut: true, HTTPReceipts: true, SenderPatienceMs: 120_000,
		FetchMedia: true, MediaRedirect: true, WireEntries: 2000, Transcripts: true,
		Files: defaultFiles(), Survey: defaultSurvey(), Engagements: defaultEngagements(),
		AutoMessages: AutoMessageSettings{Accounts: []string{}, Welcome: "Welcome! An agent will be with you shortly.", WithinMs: 10_000},
		AutoClose:    AutoCloseSettings{Reason: "SYSTEM"},
	}
}

// with returns s with the members present in patch changed.
func (s Settings) with(patch []byte) (Settings, error) {
	if len(bytes.TrimSpace(patch)) == 0 {
		return s, nil
	}
	s.WebhookHeaders = nil // decoding would write into the map that others read
	restore := s.keepLists()
	d := json.NewDecoder(bytes.NewReader(patch))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("settings: %w", err)
	}
	restore()
	s.ParleyURL = strings.TrimRight(s.ParleyURL, "/")
	return s, s.check()
}

func (s Settings) check() error {
	var errs []error
	oneOf := func(name, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			errs = append(errs, fmt.Errorf("%s: one of %s", name, strings.Join(allowed, ", ")))
		}
	}
	oneOf("alreadyOpen", s.AlreadyOpen, "reject", "existing")
	oneOf("signature", s.Signature, "sha1-base64", "sha1-hex", "sha256-base64", "sha256-hex")
	oneOf("retry", s.Retry, retryRetention, retryNumbers, retryNone)
	if s.MaxRetries < 0 || s.MaxRetries > 5 {
		errs = append(errs, errors.New("maxRetries: 0 to 5"))
	}
	if s.WebhookConcurrency < 1 || s.WireEntries < 1 || s.WebhookTimeoutMs < 1 || s.QueueLimit < 1 {
		errs = append(errs, errors.New("webhookConcurrency, wireEntries, webhookTimeoutMs and queueLimit: at least 1"))
	}
	return errors.Join(errors.Join(errs...), s.checkCloud())
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
