package pagetest_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestRunningDemoWalk shows what Parley can do, through the page as `make run` serves
// it: a picture, a card that is answered by number, a transfer, the survey bot, a card
// in a chat. The pictures of it go to the folder named by PARLEY_DEMO_SHOTS.
func TestRunningDemoWalk(t *testing.T) {
	url := os.Getenv("PARLEY_DEMO_URL")
	if url == "" {
		t.Skip("PARLEY_DEMO_URL names no running demo")
	}
	g := &rig{t: t, url: url}
	g.browse()
	g.sendsAPicture()
	g.answersACard()
	g.isTransferred()
	g.isSurveyed()
	g.picksFromACard()
	g.quiet()
}

func (g *rig) sendsAPicture() {
	g.click(id("channel-switch-sms"))
	g.click(id("new-consumer"))
	g.see(id("phone-empty"), "Write something")
	g.click(id("phone-attach"))
	g.click(id("phone-sample-parcel"))
	g.see(id("phone-attached"), "parcel.jpg")
	g.types(id("phone-input"), "My mug came like this."+kb.Enter)
	g.see(id("desk-message"), "My mug came like this.")
	g.until("the picture at the desk, with a preview", `document.querySelector('[data-testid="desk-message"] [data-preview="true"]')`)
	g.loaded(id("desk-message") + " " + id("desk-file-picture"))
	g.click(id("desk-join"))
	g.see(id("desk-mark")+`[data-state="read"]`, "Read")
	g.keep("walk-1-picture")
}

func (g *rig) answersACard() {
	g.click(id("desk-cards"))
	g.click(id("cards-sample-2"))
	g.click(id("cards-send"))
	g.see(message("out", ""), "1) It is damaged")
	g.types(id("phone-input"), "1"+kb.Enter)
	g.see(id("desk-click"), "It is damaged")
	g.see(id("desk-message")+`[data-role="CONSUMER"]`, "It is damaged")
	g.keep("walk-2-card-by-number")
}

func (g *rig) isTransferred() {
	g.click(id("desk-note"))
	g.types(id("desk-input"), "Damaged on the way, refund 12.90."+kb.Enter)
	g.see(id("desk-message")+`[data-private="true"]`, "refund")
	g.click(id("desk-note"))
	g.types(id("desk-input"), "I am passing you on to billing, for the refund."+kb.Enter)
	g.see(message("out", ""), "passing you on")
	g.click(id("desk-transfer"))
	g.click(id("desk-transfer-skill-2211"))
	g.see(id("desk-skill"), "Billing")
	g.see(id("desk-stage"), "Waiting")
	g.see(message("out", `[data-status="delivered"]:last-child`), "passing you on")
	g.keep("walk-3-transfer")
	require.Equal(g.t, "false", g.read(`document.querySelector('[data-testid="phone-thread"]').innerText.includes("refund 12.90")`))
}

// picksFromACard shows the same kind of card in a chat, which has it natively.
func (g *rig) picksFromACard() {
	g.click(id("channel-switch-web"))
	g.click(id("new-consumer"))
	g.see(id("phone-empty"), "Write something")
	g.run(selectValue(id("consumer-language"), `"de"`))
	g.types(id("phone-input"), "Which colours are there?"+kb.Enter)
	g.see(id("desk-message"), "Which colours are there?")
	g.click(id("desk-cards"))
	g.click(id("cards-sample-1"))
	g.click(id("cards-send"))
	g.press(id("phone-choice"), "Choose red")
	g.see(id("desk-click"), "Choose red")
	g.see(id("desk-message")+`[data-role="CONSUMER"]`, "Red")
	g.click(id("desk-info"))
	g.see(id("facts-clicks"), "Choose red")
	g.see(id("facts-consumer"), "de")
	g.see(id("desk-mark")+`[data-state="read"]`, "Read")
	g.keep("walk-5-cards-in-the-chat")
	g.click(id("desk-info"))

	// Several answers at once, from a list of boxes.
	g.click(id("desk-cards"))
	g.click(id("cards-sample-3"))
	g.click(id("cards-send"))
	g.press(id("phone-check"), "Socks")
	g.press(id("phone-check"), "Laces")
	g.press(id("phone-submit"), "Send")
	g.see(id("desk-message")+`[data-role="CONSUMER"]`, "Socks, Laces")
}

// isSurveyed needs a channel of an account that has a survey bot; without one the
// walk ends here.
func (g *rig) isSurveyed() {
	channel := g.surveyed()
	if channel == "" {
		g.t.Log("no account of this demo has a survey bot")
		return
	}
	g.click(id("channel-switch-" + channel))
	g.click(id("new-consumer"))
	g.see(id("phone-empty"), "Write something")
	g.types(id("phone-input"), "Is my refund on its way?"+kb.Enter)
	g.see(id("desk-message"), "Is my refund on its way?")
	g.click(id("desk-transfer")) // conversations without a skill have no survey
	g.click(id("desk-transfer-skill-2211"))
	g.see(id("desk-skill"), "Billing")
	g.types(id("desk-input"), "It is. You have it tomorrow."+kb.Enter)
	g.see(message("out", ""), "You have it tomorrow")
	g.click(id("desk-close"))
	g.see(id("desk-surveying"), "survey bot")
	g.press(id("phone-choice"), "5")
	g.press(id("phone-choice"), "Yes")
	g.see(id("desk-survey"), "Answered")
	g.until("the rating", `document.querySelector('[data-testid="desk-csat"]').dataset.rate === "5"`)
	g.keep("walk-4-survey-bot")
}

// surveyed names a web chat whose account has a survey bot.
func (g *rig) surveyed() string {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+"/sim/state", nil)
	require.NoError(g.t, err)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(g.t, err)
	defer func() { _ = answer.Body.Close() }()
	var state struct {
		Channels []struct{ Name, Kind, Account string }
		Settings struct {
			Survey struct {
				On       bool
				Accounts []string
			}
		}
	}
	require.NoError(g.t, json.NewDecoder(answer.Body).Decode(&state))
	for _, c := range state.Channels {
		if s := state.Settings.Survey; s.On && c.Kind == "http" && (len(s.Accounts) == 0 || slices.Contains(s.Accounts, c.Account)) {
			return c.Name
		}
	}
	return ""
}

// keep takes a picture of the walk.
func (g *rig) keep(name string) {
	g.t.Helper()
	folder := os.Getenv("PARLEY_DEMO_SHOTS")
	if folder == "" {
		return
	}
	g.look(1600, 1000, "light")
	// What scrolls is at its end once the window has its new size.
	g.run(chromedp.Evaluate[chromedp.Void](`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`, chromedp.EvalAwaitPromise))
	png, err := chromedp.Run(g.ctx, chromedp.CaptureScreenshot())
	require.NoError(g.t, err)
	require.NoError(g.t, os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644)) //nolint:gosec // pictures for the documentation
	g.look(1280, 800, "light")
}
