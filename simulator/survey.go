package simulator

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialogSurvey is the type of the survey bot's dialog.
const dialogSurvey = "POST_SURVEY"

func (d *dialog) survey() bool { return d.kind == dialogSurvey }

// surveyRun is the survey of one conversation.
type surveyRun struct {
	conv    *conversation
	dialog  *dialog
	bot     participant
	rules   SurveySettings // as they were when it began
	next    int            // the question that is asked
	asked   int            // times it was asked again
	turn    int            // counts what happens, so that an old timer is known
	state   string
	results []SurveyResult
}

// How a survey stands.
const (
	surveyOpen      = "open"
	surveyCompleted = "completed"
	surveyTimedOut  = "timed out"
	surveyLeft      = "left" // somebody closed the conversation meanwhile
)

// SurveyResult is the answer to one question. Only what came with the clicked
// reply's metadata counts as an answer to a question that offers replies.
type SurveyResult struct {
	Question string `json:"question"` // its id
	Kind     string `json:"kind"`
	Answer   string `json:"answer"` // the reply's id, "" for free text
	Text     string `json:"text"`
	Skipped  bool   `json:"skipped"`
	Asked    int    `json:"asked"` // times it was asked
}

// SurveyView is what is shown of a survey.
type SurveyView struct {
	State   string         `json:"state"` // none, open, completed, timed out, left
	Reason  string         `json:"reason"`
	Dialog  string         `json:"dialog"`
	CSAT    *int           `json:"csat"`
	FCR     *bool          `json:"fcr"`
	Results []SurveyResult `json:"results"`
}

// endMain closes the MAIN dialog. The survey bot takes over if it may, otherwise
// the conversation ends with it. The account is locked.
//
// Source: messaging-window-api-tutorials-post-conversation-survey-pcs, for the
// order of notifications.
func (c *conversation) endMain(by, reason, cause string, automatic bool) *hook {
	c.surveyWhy = c.noSurvey(by, cause, automatic)
	if c.surveyWhy != "" {
		return c.close(by, reason, cause)
	}
	now, main := c.acc.sim.now(), c.main()
	main.state, main.ended, main.closedBy, main.closeCause = stateClose, now, by, cause
	c.closeReason, c.agentTyping = reason, false
	bot := participant{id: identity("survey bot"), role: roleSurvey, name: "Survey bot"}
	c.others = append(c.others, bot)
	d := &dialog{
		id: dialogID(), kind: dialogSurvey, in: c, state: stateOpen, created: now, content: map[int]*event{}, install: identity("survey bot's app"),
	}
	c.dialogs = append(c.dialogs, d)
	c.acc.dialogs[d.id] = d
	c.survey = &surveyRun{conv: c, dialog: d, bot: bot, rules: c.acc.sim.settings.Load().Survey, state: surveyOpen}
	h := c.changed()
	if g := c.survey.rules.Greeting; g != "" {
		c.survey.says(g)
	}
	c.survey.ask()
	c.survey.watch()
	return h
}

// noSurvey says why no survey is held; "" when one is.
func (c *conversation) noSurvey(by, cause string, automatic bool) string {
	rules := c.acc.sim.settings.Load().Survey
	switch {
	case !rules.On || !c.acc.of(rules.Accounts):
		return "the survey bot is off"
	case automatic:
		return "the conversation was closed automatically"
	case c.skill == unassigned:
		return "the conversation has no skill"
	case len(rules.Skills) > 0 && !slices.Contains(rules.Skills, c.skill):
		return "the survey bot is not linked to the skill"
	case !c.declared.surveyable():
		return "Client-Properties of CONVERSATION lack RICH_CONTENT, QUICK_REPLIES or MULTI_DIALOG"
	case !c.sending.surveyable():
		return "Client-Properties of SEND lack RICH_CONTENT, QUICK_REPLIES or MULTI_DIALOG"
	case by == roleConsumer && cause == "":
		return "DialogChange came without closedCause"
	}
	return ""
}

// dialogID is a name of the survey dialog's form: 16 bytes in 22 characters.
func dialogID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// event tells the consumer something in the survey's dialog.
func (s *surveyRun) event(e *event) {
	if s.state != surveyOpen {
		return
	}
	e.from = s.bot
	s.conv.append(s.dialog, e)
}

func (s *surveyRun) says(text string) {
	s.event(&event{kind: contentEvent, text: text, raw: marshal(map[string]string{"type": contentEvent, "contentType": "text/plain", "message": text})})
}

func (s *surveyRun) typing(state string) {
	s.event(&event{kind: chatEvent, chatState: state, raw: marshal(map[string]string{"type": chatEvent, "chatState": state})})
}

// replies are the answers offered to a question, in the order of the chips.
func (s *surveyRun) replies() []string {
	switch s.rules.Questions[s.next].Kind {
	case askCSAT:
		return []string{"1", "2", "3", "4", "5"}
	case askFCR:
		return []string{"Yes", "No"}
	}
	return nil
}

func (s *surveyRun) question() string { return "q" + strconv.Itoa(s.next+1) }

func (s *surveyRun) answerID(i int) string { return s.question() + "-a" + strconv.Itoa(i+1) }

// answer is the metadata of one reply, to be given back as it is.
func (s *surveyRun) answer(i int) []map[string]string {
	return []map[string]string{{"type": "Answer", "id": s.answerID(i), "questionId": s.question(), "groupId": "g1", "provider": "AC"}}
}

// ask puts the question whose turn it is.
func (s *surveyRun) ask() {
	q := s.rules.Questions[s.next]
	raw := map[string]any{"type": contentEvent, "contentType": "text/plain", "message": q.Text}
	ids := []map[string]string{}
	var chips []any
	for i, title := range s.replies() {
		ids = append(ids, map[string]string{"id": s.answerID(i)})
		chips = append(chips, map[string]any{
			"type": "button", "title": title, "tooltip": title,
			"click": map[string]any{"actions": []any{map[string]string{"type": "publishText", "text": title}}, "metadata": s.answer(i)},
		})
	}
	if len(chips) > 0 {
		raw["quickReplies"] = map[string]any{"type": "quickReplies", "itemsPerRow": 8, "replies": chips}
	}
	s.asked++
	s.event(&event{kind: contentEvent, text: q.Text, raw: marshal(raw), metadata: marshal([]any{map[string]any{
		"type": "Question", "id": s.question(), "groupId": "g1", "surveyId": "s1", "provider": "AC", "replies": ids,
	}})})
}

// heard takes what the consumer wrote in the survey's dialog: the bot reads it and
// asks on, asks again, or ends. The account is locked.
func (s *surveyRun) heard(k *call, e *event) {
	if s == nil || s.state != surveyOpen {
		return
	}
	s.turn++
	s.event(&event{kind: acceptEvent, status: "READ", sequences: []int{e.sequence}, raw: marshal(map[string]any{
		"type": acceptEvent, "status": "READ", "sequenceList": []int{e.sequence},
	})})
	s.typing("COMPOSING")
	r, understood := s.read(k, e)
	switch {
	case !understood:
		s.says("Please choose one of the answers, or write \"skip\".")
		s.ask()
	default:
		r.Asked = s.asked
		s.results, s.asked = append(s.results, r), 0
		s.next++
		if s.next < len(s.rules.Questions) {
			s.ask()
		} else if s.rules.Thanks != "" {
			s.says(s.rules.Thanks)
		}
	}
	s.typing("ACTIVE")
	if s.next >= len(s.rules.Questions) {
		s.finish(surveyCompleted, "AGENT", "Completed")
		return
	}
	s.watch()
}

// read says what an answer means.
func (s *surveyRun) read(k *call, e *event) (SurveyResult, bool) {
	r := SurveyResult{Question: s.question(), Kind: s.rules.Questions[s.next].Kind, Text: e.text}
	if strings.EqualFold(strings.TrimSpace(e.text), "skip") {
		r.Skipped = true
		return r, true
	}
	if r.Kind == askText {
		return r, true
	}
	said := sameRaw(e.metadata)
	for i, title := range s.replies() {
		whole := sameRaw(marshal(s.answer(i)))
		if said == whole || (s.rules.Parse && strings.EqualFold(strings.TrimSpace(e.text), title)) {
			r.Answer, r.Text = s.answerID(i), title
			return r, true
		}
	}
	if said != "" && strings.Contains(said, `"Answer"`) {
		k.warn("Answer metadata is not that of a reply to this question")
	}
	return r, false
}

// finish ends the survey, and with it the conversation.
func (s *surveyRun) finish(state, by, cause string) {
	s.state = state
	s.turn++
	s.conv.close(by, s.conv.closeReason, cause)
}

// left ends a survey whose conversation is closed by somebody.
func (s *surveyRun) left() {
	if s != nil && s.state == surveyOpen {
		s.state = surveyLeft
		s.turn++
	}
}

// watch ends the survey when nothing happens for long enough.
//
// Source: survey knowledge pages: one hour by default; who is named as having
// closed the dialog is not documented.
func (s *surveyRun) watch() {
	if s.rules.TimeoutMs <= 0 {
		return
	}
	turn := s.turn
	s.conv.acc.sim.soon(time.Duration(s.rules.TimeoutMs)*time.Millisecond, func() {
		s.conv.acc.mu.Lock()
		defer s.conv.acc.mu.Unlock()
		if s.state == surveyOpen && s.turn == turn && s.conv.survey == s {
			s.finish(surveyTimedOut, "SYSTEM", "Timeout")
		}
	})
}

// view shows the survey of a conversation, and what it comes to.
func (c *conversation) surveyView() SurveyView {
	v := SurveyView{State: "none", Reason: c.surveyWhy, Results: []SurveyResult{}}
	if c.survey == nil {
		return v
	}
	v.State, v.Dialog = c.survey.state, c.survey.dialog.id
	v.Results = append(v.Results, c.survey.results...)
	for _, r := range v.Results {
		if r.Answer == "" {
			continue
		}
		if n, err := strconv.Atoi(r.Text); r.Kind == askCSAT && err == nil {
			v.CSAT = &n
		}
		if r.Kind == askFCR {
			yes := r.Text == "Yes"
			v.FCR = &yes
		}
	}
	return v
}

// savedSurvey is a survey in the state file.
type savedSurvey struct {
	Dialog  string         `json:"dialog"`
	Rules   SurveySettings `json:"rules"`
	Next    int            `json:"next"`
	Asked   int            `json:"asked"`
	State   string         `json:"state"`
	Results []SurveyResult `json:"results"`
}

func (s *surveyRun) saved() json.RawMessage {
	if s == nil {
		return nil
	}
	return marshal(savedSurvey{s.dialog.id, s.rules, s.next, s.asked, s.state, s.results})
}

// restoreSurvey takes a saved survey back; its time-out begins anew.
func (c *conversation) restoreSurvey(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var in savedSurvey
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("survey of %s: %w", c.id, err)
	}
	i := slices.IndexFunc(c.dialogs, func(d *dialog) bool { return d.id == in.Dialog })
	if i < 0 || in.Next > len(in.Rules.Questions) {
		return fmt.Errorf("survey of %s: its dialog is missing", c.id)
	}
	bot := participant{id: identity("survey bot"), role: roleSurvey, name: "Survey bot"}
	c.survey = &surveyRun{
		conv: c, dialog: c.dialogs[i], bot: bot, rules: in.Rules, next: in.Next, asked: in.Asked, state: in.State, results: in.Results,
	}
	if in.State == surveyOpen {
		c.survey.watch()
	}
	return nil
}
