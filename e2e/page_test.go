package e2e

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// What a newcomer does after `make run`: write on the phone, answer at the desk,
// transfer, close, rate, and follow the link to the workflow.
func TestDemoPageFromHelloToTheWorkflow(t *testing.T) {
	t.Parallel()
	slow(t)
	s := newStack(t, options{ownTemporal: true, env: map[string]string{"TEMPORAL_NAMESPACE": "default"}})
	b := newBrowser(t)
	b.do(chromedp.Navigate(s.far + "/"))
	b.sees(id("stream-state"), "Live")
	for _, channel := range []string{"sms", "web"} {
		b.clicks(id("channel-switch-" + channel))
		b.clicks(id("new-consumer"))
		b.sees(id("phone-empty"), "Write something")
		hello := "Hello from the phone, over " + channel
		b.types(id("phone-input"), hello+kb.Enter)
		b.sees(id("desk-message"), hello)
		b.clicks(id("desk-join"))
		b.types(id("desk-input"), "How can I help you?"+kb.Enter)
		b.sees(onPhone("out"), "How can I help you?")
		b.sees(id("desk-message")+`[data-role="ASSIGNED_AGENT"]`, map[string]string{"web": "Read", "sms": "Delivered"}[channel])
		b.clicks(id("desk-transfer"))
		b.clicks(id("desk-transfer-skill-2211"))
		b.sees(id("desk-skill"), "Billing")
		b.clicks(id("desk-close"))
		b.answers(channel, "5", 2)
		b.answers(channel, "Yes", 3)
		b.sees(id("desk-survey"), "Answered")
		require.Equal(t, "5", b.reads(`document.querySelector('[data-testid="desk-csat"]').dataset.rate`))
		require.Equal(t, "true", b.reads(`document.querySelector('[data-testid="desk-fcr"]').dataset.resolved`))
		b.types(id("phone-input"), "There is one more thing"+kb.Enter)
		b.sees(id("desk-message"), "There is one more thing")
	}
	link := b.reads(`document.querySelector('[data-testid="temporal-link"]').href`)
	require.Contains(t, link, s.server.ui)
	eventually(t, "the workflow can be searched for", func() error { return s.found(1, `ParleyChannel = "web" AND ParleyStage = "open"`) })
	b.do(chromedp.Navigate(link))
	b.sees("body", "conversation/web/")
	b.until("the workflow can be opened", `document.querySelector('a[href*="/workflows/conversation%2Fweb"]')`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('a[href*="/workflows/conversation%2Fweb"]').click()`))
	const tab = `[...document.querySelectorAll("a")].find((a) => a.innerText.includes("User Metadata"))`
	b.until("the workflow's page is open", tab)
	b.do(chromedp.Evaluate[chromedp.Void](tab + ".click()"))
	b.frames("web ↔ main") // the summary
	b.frames("a conversation on channel web")
}

// frames waits until a frame of the page shows a text: the Temporal UI renders
// Markdown in frames of its own.
func (b *browser) frames(text string) {
	b.t.Helper()
	b.until("a frame shows "+text, fmt.Sprintf(`[...document.querySelectorAll("iframe")].some((f) => f.contentDocument?.body?.innerText.includes(%s))`, strconv.Quote(text)))
}

// onPhone selects the messages of one direction.
func onPhone(direction string) string {
	return id("phone-message") + `[data-direction="` + direction + `"]`
}

// answers gives an answer to the survey, by a button where there are any.
func (b *browser) answers(channel, text string, questions int) {
	b.t.Helper()
	if channel == "sms" {
		b.until("the question", fmt.Sprintf(`document.querySelectorAll(%s).length >= %d`, strconv.Quote(onPhone("out")), questions))
		b.types(id("phone-input"), text+kb.Enter)
		return
	}
	button := fmt.Sprintf(`[...document.querySelectorAll(%s)].find((b) => !b.disabled && b.innerText.startsWith(%s))`,
		strconv.Quote(id("phone-choice")), strconv.Quote(text))
	b.until("the button "+text, button)
	b.do(chromedp.Evaluate[chromedp.Void](button + ".click()"))
}
