package simulator

import (
	"errors"
	"fmt"
	"slices"
)

// FileSettings are the rules of the file store.
//
// Source: connector-api-send-api-examples ("Share an image": 3 MB, four types, one
// minute); the mobile SDK's and the knowledge centre's pages for what agents may send.
type FileSettings struct {
	URLSec        int      `json:"urlSec"` // how long a signed URL is good for
	MaxBytes      int64    `json:"maxBytes"`
	Types         []string `json:"types"`
	AgentMaxBytes int64    `json:"agentMaxBytes"`
	AgentTypes    []string `json:"agentTypes"`
}

// SurveySettings is the survey bot of the accounts named; of all where none is.
type SurveySettings struct {
	On        bool             `json:"on"`
	Accounts  []string         `json:"accounts"`
	Skills    []string         `json:"skills"` // it is linked to; empty: every skill but the unassigned one
	Greeting  string           `json:"greeting"`
	Questions []SurveyQuestion `json:"questions"`
	Thanks    string           `json:"thanks"`
	Parse     bool             `json:"parse"` // takes a title that was typed for a click
	TimeoutMs int              `json:"timeoutMs"`
}

// SurveyQuestion is one question of the survey bot's.
type SurveyQuestion struct {
	Kind string `json:"kind"` // csat, fcr or text
	Text string `json:"text"`
}

// The kinds of questions.
const (
	askCSAT = "csat"
	askFCR  = "fcr"
	askText = "text"
)

// AutoMessageSettings is the controller bot.
type AutoMessageSettings struct {
	On       bool     `json:"on"`
	Accounts []string `json:"accounts"`
	Welcome  string   `json:"welcome"`
	Joined   string   `json:"joined"` // said when an agent joins; "" says nothing
	WithinMs int      `json:"withinMs"`
}

// AutoCloseSettings end a conversation in which nobody answers the agent.
//
// Source: knowledge pages on auto-close, for "only while the consumer's answer is
// pending" and "no survey"; its closeReason is not documented.
type AutoCloseSettings struct {
	AfterMs int    `json:"afterMs"` // 0: never
	Reason  string `json:"reason"`  // SYSTEM or TIMEOUT
}

// Engagement is a campaign's engagement, shown at its entry points.
type Engagement struct {
	Account      string   `json:"account"`     // "" for all
	EntryPoints  []string `json:"entryPoints"` // all of them must be named; none: shown everywhere
	CampaignID   string   `json:"campaignId"`
	EngagementID string   `json:"engagementId"`
	Revision     int      `json:"revision"`
	Skill        string   `json:"skill"` // where its conversations go
	Language     string   `json:"language"`
	WindowID     string   `json:"windowId"`
	ConnectorID  int      `json:"connectorId"`
}

func defaultFiles() FileSettings {
	images := []string{"JPG", "JPEG", "PNG", "GIF"}
	return FileSettings{
		URLSec: 60, MaxBytes: 3 << 20, Types: images,
		AgentMaxBytes: 5 << 20, AgentTypes: append(slices.Clone(images), "PDF", "DOCX", "PPTX", "XLSX"),
	}
}

func defaultSurvey() SurveySettings {
	return SurveySettings{
		Accounts: []string{}, Skills: []string{}, Greeting: "One moment please, before you go.",
		Questions: []SurveyQuestion{
			{Kind: askCSAT, Text: "How satisfied are you with our service?"},
			{Kind: askFCR, Text: "Was your question answered?"},
		},
		Thanks: "Thank you for your answers.", TimeoutMs: 3_600_000,
	}
}

func defaultEngagements() []Engagement {
	return []Engagement{
		{EntryPoints: []string{"sec://orders"}, CampaignID: "3344", EngagementID: "5566", Revision: 3, Skill: "2210", WindowID: "9911", ConnectorID: 12},
		{EntryPoints: []string{"sec://billing"}, CampaignID: "3344", EngagementID: "5577", Revision: 1, Skill: "2211", WindowID: "9911", ConnectorID: 12},
	}
}

// keepLists sets the lists aside that decoding would write into, although others
// read them, and returns what puts those back that were not given.
func (s *Settings) keepLists() (restore func()) {
	undo := []func(){
		aside(&s.Files.Types), aside(&s.Files.AgentTypes), aside(&s.Survey.Accounts), aside(&s.Survey.Skills),
		aside(&s.Survey.Questions), aside(&s.AutoMessages.Accounts), aside(&s.Engagements),
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

func aside[T any](list *[]T) (restore func()) {
	before := *list
	*list = nil
	return func() {
		if *list == nil {
			*list = before
		}
	}
}

func (s Settings) checkCloud() error {
	var errs []error
	if s.Files.URLSec < 1 || s.Files.MaxBytes < 1 || s.Files.AgentMaxBytes < 1 {
		errs = append(errs, errors.New("files: urlSec, maxBytes and agentMaxBytes: at least 1"))
	}
	for i, q := range s.Survey.Questions {
		if !slices.Contains([]string{askCSAT, askFCR, askText}, q.Kind) || q.Text == "" {
			errs = append(errs, fmt.Errorf("survey.questions[%d]: kind is csat, fcr or text, and text is required", i))
		}
	}
	if s.Survey.On && len(s.Survey.Questions) == 0 {
		errs = append(errs, errors.New("survey.questions: at least one"))
	}
	if s.AutoClose.Reason != "SYSTEM" && s.AutoClose.Reason != "TIMEOUT" {
		errs = append(errs, errors.New("autoClose.reason: one of SYSTEM, TIMEOUT"))
	}
	for i, e := range s.Engagements {
		if e.CampaignID == "" || e.EngagementID == "" {
			errs = append(errs, fmt.Errorf("engagements[%d]: campaignId and engagementId are required", i))
		}
	}
	return errors.Join(errs...)
}

// of says whether something that is on for some accounts is on for this one.
func (a *account) of(names []string) bool {
	return len(names) == 0 || slices.Contains(names, a.cfg.Name) || slices.Contains(names, a.cfg.SiteID)
}
