package simulator

import "maps"

// tally counts what was done to one conversation. The account's mutex guards it,
// except hooks.
type tally struct {
	requests, published, withoutID        int
	byExternalID, byText                  map[string]int
	doubledIDs, doubledTexts              int // publishes that repeated an earlier one's
	whileClosed, contentWhileClosed       int
	rejected                              map[string]int
	acceptStatus, chatStates, csatReports int
	unknownSequences                      int
	files, actions, unknownClicks         int
	clicksWithoutAction                   int
	hooks                                 hookCounters
}

func newTally() *tally {
	return &tally{byExternalID: map[string]int{}, byText: map[string]int{}, rejected: map[string]int{}}
}

// ConversationCounters is what is shown of a tally.
type ConversationCounters struct {
	Requests           int             `json:"requests"`
	Published          int             `json:"published"`
	ByExternalID       map[string]int  `json:"byExternalId"`
	WithoutExternalID  int             `json:"withoutExternalId"`
	ByText             map[string]int  `json:"byText"`
	DoubledExternalIDs map[string]int  `json:"doubledExternalIds"`
	DoubledTexts       map[string]int  `json:"doubledTexts"`
	WhileClosed        int             `json:"whileClosed"`
	ContentWhileClosed int             `json:"contentWhileClosed"`
	Rejected           map[string]int  `json:"rejected"`
	AcceptStatus       int             `json:"acceptStatus"`
	ChatStates         int             `json:"chatStates"`
	CSATReports        int             `json:"csatReports"`
	UnknownSequences   int             `json:"unknownSequences"`
	Files              int             `json:"files"`
	Actions            int             `json:"actions"`       // clicks on what was offered
	UnknownClicks      int             `json:"unknownClicks"` // ACTIONs that fit no offer
	ClicksNoAction     int             `json:"clicksWithoutAction"`
	Webhooks           WebhookCounters `json:"webhooks"`
}

// content counts a content event of the consumer; detailed says whether to
// remember its id and text.
func (t *tally) content(externalID, text string, detailed bool) {
	t.published++
	if externalID == "" {
		t.withoutID++
	}
	if !detailed {
		return
	}
	if externalID != "" {
		t.byExternalID[externalID]++
		if t.byExternalID[externalID] > 1 {
			t.doubledIDs++
		}
	}
	t.byText[text]++
	if t.byText[text] > 1 {
		t.doubledTexts++
	}
}

func (t *tally) view() ConversationCounters {
	return ConversationCounters{
		Requests: t.requests, Published: t.published, ByExternalID: maps.Clone(t.byExternalID), WithoutExternalID: t.withoutID,
		ByText: maps.Clone(t.byText), DoubledExternalIDs: doubled(t.byExternalID), DoubledTexts: doubled(t.byText),
		WhileClosed: t.whileClosed, ContentWhileClosed: t.contentWhileClosed, Rejected: maps.Clone(t.rejected),
		AcceptStatus: t.acceptStatus, ChatStates: t.chatStates, CSATReports: t.csatReports, UnknownSequences: t.unknownSequences,
		Files: t.files, Actions: t.actions, UnknownClicks: t.unknownClicks, ClicksNoAction: t.clicksWithoutAction,
		Webhooks: t.hooks.view(),
	}
}

func doubled(counts map[string]int) map[string]int {
	d := map[string]int{}
	for k, n := range counts {
		if n > 1 {
			d[k] = n
		}
	}
	return d
}
