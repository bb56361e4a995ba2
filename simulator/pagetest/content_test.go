package pagetest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// settings changes the simulator's.
func (g *rig) settings(patch string) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodPut, g.url+"/sim/settings", strings.NewReader(patch))
	require.NoError(g.t, err)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(g.t, err)
	require.NoError(g.t, answer.Body.Close())
	require.Equal(g.t, http.StatusOK, answer.StatusCode)
}

// press clicks the first element of a kind with a title that can be pressed.
func (g *rig) press(selector, title string) {
	g.t.Helper()
	button := fmt.Sprintf(`[...document.querySelectorAll(%s)].find((b) => b.checkVisibility() && !b.disabled && b.innerText.trim() === %s)`, strconv.Quote(selector), strconv.Quote(title))
	g.until("the button "+title, button)
	g.run(chromedp.Evaluate[chromedp.Void](button + ".click()"))
}

// loaded waits until a picture is really shown.
func (g *rig) loaded(selector string) {
	g.t.Helper()
	g.until(selector+" is loaded", fmt.Sprintf(`[...document.querySelectorAll(%s)].some((i) => i.complete && i.naturalWidth > 1)`, strconv.Quote(selector)))
}

func TestAPictureArrivesAtTheDesk(t *testing.T) {
	for _, channel := range []string{"sms", "web"} {
		t.Run(channel, func(t *testing.T) {
			g := newRig(t)
			g.click(id("channel-switch-" + channel))
			g.click(id("phone-attach"))
			g.click(id("phone-sample-parcel"))
			g.see(id("phone-attached"), "parcel.jpg")
			g.types(id("phone-input"), "It came like this"+kb.Enter)
			g.gone(id("phone-attached"))
			g.see(message("in", ""), "It came like this")
			g.loaded(id("phone-file-picture"))
			g.until("the file with a preview", `document.querySelector('[data-testid="desk-message"] [data-preview="true"]')`)
			g.loaded(id("desk-message") + " " + id("desk-file-picture"))
			g.pictures("picture-" + channel)

			// And back: a document from the desk.
			g.click(id("desk-attach"))
			g.click(id("desk-sample-return-label"))
			g.see(id("desk-attached"), "return-label.pdf")
			g.types(id("desk-input"), "Your return label"+kb.Enter)
			g.see(message("out", `[data-kind="media"]`), "Your return label")
			g.until("the file can be opened", `document.querySelector('[data-testid="phone-message"][data-direction="out"] a[href*="/sim/files/"]')`)
			g.see(id("desk-mark")+`[data-state="`+map[string]string{"sms": "accepted", "web": "read"}[channel]+`"]`, map[string]string{"sms": "Delivered", "web": "Read"}[channel])
			g.pictures("files-" + channel)
			g.quiet()
		})
	}
}

func TestACardIsAnsweredByNumberOnSMS(t *testing.T) {
	g := newRig(t)
	g.click(id("channel-switch-sms"))
	g.types(id("phone-input"), "My parcel is not right"+kb.Enter)
	g.see(id("desk-message"), "not right")
	g.click(id("desk-cards"))
	g.click(id("cards-sample-2"))
	g.see(id("cards-preview"), "It is damaged")
	g.pictures("cards")
	g.click(id("cards-send"))
	g.gone(id("cards-dialog"))
	g.see(id("desk-card"), "What happened to your parcel?")
	g.see(message("out", ""), "1) It is damaged")
	g.see(message("out", ""), "3) It never came")
	g.types(id("phone-input"), "2"+kb.Enter)
	g.see(id("desk-click"), "Something is missing")
	g.see(id("desk-click"), "ACTION")
	g.see(id("desk-message")+`[data-role="CONSUMER"]`, "Something is missing")
	g.until("the element is marked", `document.querySelector('[data-testid="desk-card"] [data-taken="true"]')?.innerText.includes("Something is missing")`)
	g.run(chromedp.Click(chromedp.CSS(id("desk-click") + " summary")))
	g.see(id("desk-click"), "PARCEL-INCOMPLETE")
	g.click(id("desk-info"))
	g.see(id("facts-clicks"), "Something is missing")
	g.see(id("facts-case"), "3344")
	g.pictures("clicked")
	g.quiet()
}

// What LivePerson would refuse is said where it is written, and nothing is sent.
func TestACardThatIsWrong(t *testing.T) {
	g := newRig(t)
	g.types(id("phone-input"), "Show me something"+kb.Enter)
	g.see(id("desk-message"), "Show me")
	g.click(id("desk-cards"))
	g.until("the samples", `document.querySelector('[data-testid="cards-json"]').value.length > 100`)
	write := func(text string) {
		g.run(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const j = document.querySelector('[data-testid="cards-json"]'); j.value = %s; j.dispatchEvent(new Event("input")); }`, strconv.Quote(text))))
	}
	write(`{"type": "vertical", `)
	g.see(id("cards-error"), "Not JSON")
	require.Equal(t, "true", g.read(`document.querySelector('[data-testid="cards-send"]').disabled`))
	write(`{"type": "vertical", "elements": [{"type": "button"}]}`)
	g.click(id("cards-send"))
	g.see(id("cards-error"), "content.elements[0]: title is required")
	g.pictures("refused-card")
	write(`{"type": "vertical", "elements": [{"type": "text", "text": "Better"}]}`)
	g.click(id("cards-send"))
	g.gone(id("cards-dialog"))
	g.see(message("out", ""), "Better")
}

func TestCardsAndQuickRepliesInTheChat(t *testing.T) {
	g := newRig(t)
	g.click(id("channel-switch-web"))
	g.run(selectValue(id("consumer-language"), `"de"`))
	g.types(id("phone-input"), "Which colours are there?"+kb.Enter)
	g.see(id("desk-message"), "colours")
	g.click(id("desk-cards"))
	g.click(id("cards-sample-1"))
	g.click(id("cards-send"))
	g.see(id("phone-card"), "Runner, green")
	g.loaded(id("phone-card") + " img")
	g.press(id("phone-choice"), "Choose red")
	g.see(id("desk-click"), "Choose red")
	g.see(id("desk-message")+`[data-role="CONSUMER"]`, "Red")

	g.click(id("desk-quick"))
	g.types(id("desk-quick-input"), "Yes, Not today")
	g.types(id("desk-input"), "Shall I keep a pair for you?"+kb.Enter)
	g.see(message("out", ""), "keep a pair")
	g.press(id("phone-choice"), "Not today")
	g.see(id("desk-click"), "Not today")
	g.until("the chips are used up", `[...document.querySelectorAll('[data-testid="phone-choice"]')].filter((b) => b.innerText === "Yes").every((b) => b.disabled)`)
	g.see(id("desk-quick-replies"), "Not today")
	g.click(id("desk-info"))
	g.see(id("facts-consumer"), "de")
	g.pictures("chat-cards")
	g.quiet()
}

// Who writes is shown; what is private stays at the desk; who takes over is, too.
func TestManagerNoteAndTransfer(t *testing.T) {
	g := newRig(t)
	g.click(id("channel-switch-web"))
	g.types(id("phone-input"), "This is the third time."+kb.Enter)
	g.see(id("desk-message"), "third time")
	g.run(chromedp.Evaluate[chromedp.Void](`{ const i = document.querySelector('[data-testid="desk-input"]'); i.value = "I am sorry to hear that.\nLet me see."; i.dispatchEvent(new Event("input")); }`))
	g.click(id("desk-send"))
	g.see(message("out", ""), "sorry to hear that.\nLet me see")
	g.click(id("desk-note"))
	g.types(id("desk-input"), "Third complaint, offer a refund."+kb.Enter)
	g.see(id("desk-message")+`[data-private="true"]`, "offer a refund")
	g.click(id("desk-note"))
	g.run(selectValue(id("desk-voice"), `"manager"`))
	g.types(id("desk-input"), "You get your money back today."+kb.Enter)
	g.see(id("desk-message")+`[data-role="MANAGER"]`, "Manager")
	g.see(message("out", ""), "money back")
	g.run(selectValue(id("desk-voice"), `"controller"`))
	g.types(id("desk-input"), "Your refund has been booked."+kb.Enter)
	g.see(message("out", ""), "has been booked")
	g.click(id("desk-transfer"))
	g.click(id("desk-transfer-skill-2211"))
	g.see(id("desk-skill"), "Billing")
	g.see(id("desk-stage"), "Waiting")
	g.pictures("transfer")
	require.Equal(t, "false", g.read(`document.querySelector('[data-testid="phone-thread"]').innerText.includes("offer a refund")`))
	g.quiet()
}

func TestTheSurveyBotAsksOnThePhone(t *testing.T) {
	g := newRig(t)
	g.settings(`{"survey":{"on":true}}`)
	g.click(id("channel-switch-web"))
	g.types(id("phone-input"), "Thanks, all is well."+kb.Enter)
	g.see(id("desk-message"), "all is well")
	g.click(id("desk-join"))
	g.click(id("desk-close"))
	g.see(id("desk-surveying"), "survey bot")
	g.see(id("desk-stage"), "Survey")
	g.see(id("desk-divider"), "Survey")
	g.pictures("survey")
	g.press(id("phone-choice"), "4")
	g.see(message("out", ""), "Was your question answered?")
	g.press(id("phone-choice"), "Yes")
	g.see(id("desk-outcome"), "by the agent")
	g.see(id("desk-survey"), "Answered")
	g.until("the rating", `document.querySelector('[data-testid="desk-csat"]').dataset.rate === "4"`)
	require.Equal(t, "true", g.read(`document.querySelector('[data-testid="desk-fcr"]').dataset.resolved`))
	g.pictures("surveyed")

	// The agent has forgotten something, and writes again.
	g.click(id("desk-resume"))
	g.see(id("desk-stage"), "Open")
	g.until("a second conversation", `document.querySelectorAll('[data-testid="desk-conversation"]').length === 2`)
	g.click(id("desk-close-more"))
	g.click(id("desk-close-bare"))
	g.see(id("desk-outcome"), "by the agent")
	g.quiet()
}
