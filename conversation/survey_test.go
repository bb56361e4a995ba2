package conversation

import (
	"strings"
	"testing"
	"time"

	"parley/message"
)

// surveyed is a conversation that the agent has closed and whose first question
// has been asked.
func surveyed(t *testing.T) *script {
	t.Helper()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.closes("AGENT")
	x.stage(Closing)
	x.want("the rating first", x.carries(ChannelLane), "ask C1 "+x.s.Settings.Texts.Rating)
	return x
}

// rated returns what the one report of the survey says.
func (x *script) rated() (string, int, *bool) {
	x.t.Helper()
	x.stage(Closed)
	batch := x.s.Take(CloudLane, x.at)
	if len(batch) != 1 || batch[0].Kind != Rate {
		x.t.Fatalf("want one report, got %+v", batch)
	}
	x.s.Apply(Event{Kind: BatchReturned, At: x.at, Lane: CloudLane, Results: []Result{x.accept(&batch[0])}})
	return batch[0].Status, batch[0].CSAT, batch[0].Resolved
}

func TestASurveyIsAnsweredInFull(t *testing.T) {
	t.Parallel()
	x := surveyed(t)
	x.writes("4")
	x.want("then the solution", x.carries(ChannelLane), "ask C1 "+x.s.Settings.Texts.Solved)
	x.writes("Yes!")
	status, csat, solved := x.rated()
	if status != "FILLED" || csat != 4 || solved == nil || !*solved {
		t.Errorf("got %s, %d, %v", status, csat, solved)
	}
	if !x.s.Over() {
		t.Error("something is left to do")
	}
}

func TestASurveyCountsWhatItGot(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answers []string
		status  string
		csat    int
		pending int
	}{
		{"a new matter instead of a rating", []string{"now my phone is broken as well"}, "SKIPPED", 0, 1},
		{"a new matter after the rating", []string{"5", "now my phone is broken as well"}, "PARTIALLY_FILLED", 5, 1},
		{"a short reply is asked again, once", []string{"what?", "no idea"}, "SKIPPED", 0, 0},
		{"understood when asked again", []string{"what?", "three", "what?", "nope"}, "FILLED", 3, 0},
		{"a long text may hold a digit", []string{"I have been waiting for 5 days now"}, "SKIPPED", 0, 1},
		{"nothing longer than twenty characters is swallowed", []string{"what?", "abcdefghijklmnopqrstu"}, "SKIPPED", 0, 1},
		{"twenty characters are", []string{"what?", "abcdefghijklmnopqrst"}, "SKIPPED", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := surveyed(t)
			x.writes(tt.answers...)
			if len(x.s.Pending) != tt.pending {
				t.Errorf("%d messages wait for the next conversation, want %d", len(x.s.Pending), tt.pending)
			}
			status, csat, _ := x.rated()
			if status != tt.status || csat != tt.csat {
				t.Errorf("got %s, %d, want %s, %d", status, csat, tt.status, tt.csat)
			}
		})
	}
}

func TestASurveyTimesOut(t *testing.T) {
	t.Parallel()
	x := surveyed(t)
	x.writes("2")
	x.passes(time.Hour)
	if status, csat, solved := x.rated(); status != "PARTIALLY_FILLED" || csat != 2 || solved != nil {
		t.Errorf("got %s, %d, %v", status, csat, solved)
	}
	x.want("the second question is not asked any more", x.carries(ChannelLane))
}

func TestSomeClosesAskNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reason string
		mode   SurveyMode
		stage  Stage
	}{
		{"AGENT", SurveyConnector, Closing}, {"CONSUMER", SurveyConnector, Closing}, {"SYSTEM", SurveyConnector, Closed},
		{"TIMEOUT", SurveyConnector, Closed}, {"", SurveyConnector, Closed}, {"AGENT", SurveyOff, Closed},
	} {
		x := begin(t, func(s *Settings) { s.Survey = tt.mode })
		x.writes("hello")
		x.carries(CloudLane)
		x.closes(tt.reason)
		if x.s.Stage != tt.stage {
			t.Errorf("%s with %s: stage %s, want %s", tt.reason, tt.mode, x.s.Stage, tt.stage)
		}
	}
}

func TestAWordClosesTheConversation(t *testing.T) {
	t.Parallel()
	x := begin(t)
	x.writes("hello")
	x.carries(CloudLane)
	x.writes(" BYE ")
	x.writes("this came after the word that closes")
	x.want("said, then closed", x.carries(CloudLane), "publish C1  BYE ", "close C1")
	x.stage(Closed)
	if len(x.s.Pending) != 1 {
		t.Fatalf("%d messages wait for the next conversation", len(x.s.Pending))
	}
	if status, _, _ := x.rated(); status != "SKIPPED" {
		t.Errorf("status %s: nobody waits for an answer while there is a new matter", status)
	}
	x.s = x.s.Next(x.at)
	x.want("and goes on in the next", x.carries(CloudLane), "open", "publish this came after the word that closes")
}

func TestRatingsAreUnderstood(t *testing.T) {
	t.Parallel()
	catalogue, err := LoadCatalogue(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		language, text string
		want           int
	}{
		{"en", "5", 5}, {"en", " 3 ", 3}, {"en", "4.", 4}, {"en", "Two!", 2}, {"en", "⭐⭐⭐", 3}, {"en", "*****", 5}, {"en", "4/5", 4},
		{"en", "5️⃣", 5}, {"en", "６", 0}, {"en", "٣", 3}, {"en", "0", 0}, {"en", "6", 0}, {"en", "45", 0}, {"en", "-3", 0}, {"en", "", 0}, {"en", "great", 0},
		{"en", "⭐⭐⭐⭐⭐⭐", 0}, {"de", "fünf", 5}, {"de", "Zwei", 2}, {"de-CH", "4 von 5", 4}, {"es", "cuatro", 4}, {"fr", "trois", 3}, {"fr", "five", 0},
	} {
		texts, ok := catalogue.For("sms", tt.language)
		if !ok {
			t.Fatalf("no texts for %s", tt.language)
		}
		if got := texts.rating(nil, tt.text); got != tt.want {
			t.Errorf("%s %q: %d, want %d", tt.language, tt.text, got, tt.want)
		}
	}
	if got := catalogue["en"].rating(&message.Choice{ID: "csat-2", Title: "2"}, "2"); got != 2 {
		t.Errorf("button: %d", got)
	}
}

func TestYesAndNoAreUnderstood(t *testing.T) {
	t.Parallel()
	catalogue, err := LoadCatalogue(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		language, text  string
		yes, understood bool
	}{
		{"en", "Yes", true, true}, {"en", "nope.", false, true}, {"en", "👍", true, true}, {"en", "y", true, true}, {"en", "maybe", false, false},
		{"de", "Ja!", true, true}, {"de", "noch nicht", false, true}, {"es", "Sí", true, true}, {"es", "¡no!", false, true}, {"fr", "Oui", true, true},
		{"fr", "yes", false, false},
	} {
		yes, ok := catalogue[tt.language].solved(nil, tt.text)
		if yes != tt.yes || ok != tt.understood {
			t.Errorf("%s %q: %v, %v", tt.language, tt.text, yes, ok)
		}
	}
	if yes, ok := catalogue["de"].solved(&message.Choice{ID: "solved-no"}, "Nein"); yes || !ok {
		t.Error("the button for no is not understood")
	}
}

func TestOwnTextsLieOverTheBuiltInOnes(t *testing.T) {
	t.Parallel()
	c, err := LoadCatalogue([]byte(`{"de": {"rating": "Wie war's?"}, "sms/de": {"solved": "Gelöst? (ja/nein)"}, "nl": {
		"rating": "a", "ratingAgain": "b", "solved": "c", "solvedAgain": "d", "yes": ["ja"], "no": ["nee"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	sms, _ := c.For("sms", "de-AT")
	web, _ := c.For("web", "de")
	if sms.Rating != "Wie war's?" || sms.Solved != "Gelöst? (ja/nein)" || web.Solved == sms.Solved || len(sms.Yes) == 0 {
		t.Errorf("sms %+v, web %+v", sms, web)
	}
	if _, ok := c.For("sms", "nl"); !ok {
		t.Error("a language of one's own is not found")
	}
	for _, bad := range []string{`{"nl": {"rating": "a"}}`, `[]`, `{"de": {"yes": "ja"}}`} {
		if _, err := LoadCatalogue([]byte(bad)); err == nil || !strings.Contains(err.Error(), "texts") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestAnAnswerIsNotedUnderItsMessage(t *testing.T) {
	t.Parallel()
	x := begin(t, func(s *Settings) { s.Survey, s.SurveyTimeout = SurveyConnector, time.Hour })
	x.writes("hello")
	x.carries(CloudLane)
	x.closes("AGENT")
	x.s.Notes = nil
	x.writes("5", "by the way, where is my second order?")
	if len(x.s.Notes) != 1 || x.s.Notes[0].What != "answered" || x.s.Notes[0].Command == "" {
		t.Errorf("one answer, one line: %+v", x.s.Notes)
	}
	x.s.Unnoted([]message.Note{{What: "earlier"}})
	if len(x.s.Notes) != 2 || x.s.Notes[0].What != "earlier" {
		t.Errorf("what was not written comes first again: %+v", x.s.Notes)
	}
}

func TestEveryLanguageSaysWhyAFileDidNotGo(t *testing.T) {
	t.Parallel()
	c, err := LoadCatalogue([]byte(`{"de": {"joined": "Guten Tag!"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, language := range []string{"en", "de", "es", "fr"} {
		texts := c[language]
		if texts.FileTooLarge == "" || texts.FileType == "" || texts.FileGone == "" {
			t.Errorf("%s: %+v", language, texts)
		}
		if texts.Transferred != "" || texts.Away != "" || (texts.Joined != "") != (language == "de") {
			t.Errorf("%s says what nobody asked for: %+v", language, texts)
		}
	}
}
