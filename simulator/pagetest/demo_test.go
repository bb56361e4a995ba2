package pagetest_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// The page as a newcomer has it after `make run`, with Parley itself behind it:
// PARLEY_DEMO_URL names it. Both channels, from the first message to the rating.
func TestRunningDemo(t *testing.T) {
	url := os.Getenv("PARLEY_DEMO_URL")
	if url == "" {
		t.Skip("PARLEY_DEMO_URL names no running demo")
	}
	g := &rig{t: t, url: url}
	g.browse()
	for _, channel := range []string{"web", "sms"} {
		g.click(id("channel-switch-" + channel))
		g.click(id("new-consumer"))
		g.see(id("phone-empty"), "Write something")
		text := "Hello from the " + channel + " channel"
		g.types(id("phone-input"), text+kb.Enter)
		g.see(id("desk-message"), text)
		g.click(id("desk-join"))
		g.types(id("desk-input"), "How can I help?"+kb.Enter)
		g.see(message("out", ""), "How can I help?")
		g.see(id("desk-message")+`[data-role="ASSIGNED_AGENT"]`, map[string]string{"web": "Read", "sms": "Delivered"}[channel])
		if channel == "web" {
			g.see(message("in", `[data-read="true"]`), "Read")
			g.types(id("phone-input"), "My order")
			g.see(id("desk-typing"), "is typing")
			g.types(id("desk-input"), "One moment")
			g.until("the agent is seen typing", `document.querySelector('[data-testid="phone-typing"]').checkVisibility()`)
			g.types(id("desk-input"), " please."+kb.Enter)
			g.gone(id("phone-typing"))
			g.types(id("phone-input"), " 48211 has not arrived."+kb.Enter)
			g.gone(id("desk-typing"))
		} else {
			g.types(id("phone-input"), "I was charged twice."+kb.Enter)
		}
		g.click(id("desk-transfer"))
		g.click(id("desk-transfer-skill-2211"))
		g.see(id("desk-skill"), "Billing")
		g.pictures("demo-" + channel)
		g.click(id("desk-close"))
		g.see(id("desk-outcome"), "by the agent")
		g.answer(channel, "5", 2)
		g.answer(channel, "Yes", 3)
		g.see(id("desk-survey"), "Answered")
		require.Equal(t, "5", g.read(`document.querySelector('[data-testid="desk-csat"]').dataset.rate`))
		require.Equal(t, "true", g.read(`document.querySelector('[data-testid="desk-fcr"]').dataset.resolved`))
		g.pictures("demo-" + channel + "-rated")
		g.types(id("phone-input"), "One more thing"+kb.Enter)
		g.see(id("desk-message"), "One more thing")
		g.see(id("desk-stage"), "Waiting")
	}
	g.quiet()
}

// answer is given to a question of the survey, by button where there are any.
func (g *rig) answer(channel, text string, questions int) {
	g.t.Helper()
	if channel == "sms" {
		g.until("the question", fmt.Sprintf(`document.querySelectorAll(%s).length >= %d`, strconv.Quote(message("out", "")), questions))
		g.types(id("phone-input"), text+kb.Enter)
		return
	}
	button := fmt.Sprintf(`[...document.querySelectorAll(%s)].find((b) => !b.disabled && b.innerText.startsWith(%s))`, strconv.Quote(id("phone-choice")), strconv.Quote(text))
	g.until("the button "+text, button)
	g.run(chromedp.Evaluate[chromedp.Void](button + ".click()"))
}
