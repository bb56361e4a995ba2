// Package pagetest_test drives the demo page in a real browser. A small Parley in
// memory stands behind the simulator, so that this needs no database and no
// Temporal; TestRunningDemo drives Parley itself. The tests are not parallel: a
// browser is heavy, and one at a time is enough.
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

// message is the selector of a message on the phone.
func message(direction, rest string) string {
	return id("phone-message") + `[data-direction="` + direction + `"]` + rest
}

func TestWebChatFromHelloToRating(t *testing.T) {
	g := newRig(t)
	g.see(id("phone-empty"), "Write something on the phone")
	g.see(id("desk-empty"), "No conversation yet")
	g.pictures("empty")

	g.click(id("channel-switch-web"))
	g.types(id("phone-input"), "Hi, my order has not arrived. Can you <b>help</b>?"+kb.Enter)
	g.see(id("desk-conversation"), "Hi, my order")
	g.see(id("desk-message"), "<b>help</b>?")
	g.see(id("desk-stage"), "Waiting")
	g.see(message("in", `[data-status="accepted"]`), "Sent")

	// The consumer goes on typing; the agent accepts, answers, and both see it.
	g.types(id("phone-input"), "It is")
	g.see(id("desk-typing"), "is typing")
	g.click(id("desk-join"))
	g.see(id("desk-stage"), "Open")
	g.see(message("in", `[data-read="true"]`), "Read")
	g.see(id("desk-mark")+`[data-state="read"]`, "Read")
	g.types(id("phone-input"), " number 48211."+kb.Enter)
	g.gone(id("desk-typing"))
	g.types(id("desk-input"), "Let me")
	g.until("the agent is seen typing", `document.querySelector('[data-testid="phone-typing"]').checkVisibility()`)
	g.types(id("desk-input"), " look that up for you."+kb.Enter)
	g.see(message("out", ""), "Let me look that up")
	g.gone(id("phone-typing"))
	g.see(id("desk-message")+`[data-role="ASSIGNED_AGENT"] [data-state="read"]`, "Read")

	// A private note stays with the agents.
	g.click(id("desk-note"))
	g.types(id("desk-input"), "Parcel is stuck in customs."+kb.Enter)
	g.see(id("desk-message")+`[data-private="true"]`, "customs")
	g.click(id("desk-note"))
	g.types(id("desk-input"), "It left customs this morning and arrives tomorrow."+kb.Enter)
	g.see(message("out", ""), "arrives tomorrow")
	require.Equal(t, "false", g.read(`document.querySelector('[data-testid="phone-thread"]').innerText.includes("stuck in customs")`))

	link := g.read(`document.querySelector('[data-testid="temporal-link"]').href`)
	conversation := g.read(`document.querySelector('[data-testid="desk-conversation"]').dataset.conversation`)
	require.Equal(t, "http://127.0.0.1:8233/namespaces/default/workflows?query=ParleyConversation%3D%22"+conversation+"%22", link)

	g.click(id("desk-transfer"))
	g.click(id("desk-transfer-skill-2211"))
	g.see(id("desk-skill"), "Billing")
	g.see(id("desk-stage"), "Waiting")
	g.types(id("phone-input"), "Great, thank you!"+kb.Enter)
	g.see(id("desk-message"), "Great, thank you!")
	g.click(id("desk-join"))
	g.see(id("desk-message")+`:last-child`, "Read")
	g.pictures("chat")

	g.click(id("phone-close"))
	g.see(id("desk-outcome"), "by the consumer")
	g.see(id("desk-survey"), "Not answered yet")
	g.click(id("phone-choice") + `[data-choice="rate_5"]`)
	g.click(id("phone-choice") + `[data-choice="yes"]`)
	g.see(id("desk-survey"), "Answered")
	require.Equal(t, "5", g.read(`document.querySelector('[data-testid="desk-csat"]').dataset.rate`))
	require.Equal(t, "true", g.read(`document.querySelector('[data-testid="desk-fcr"]').dataset.resolved`))
	g.see(message("out", ""), "Thank you!")
	g.pictures("rated")

	// What comes next is a new conversation.
	g.types(id("phone-input"), "One more thing"+kb.Enter)
	g.until("a second conversation", `document.querySelectorAll('[data-testid="desk-conversation"]').length === 2`)
	g.see(id("desk-message"), "One more thing")
	g.quiet()
}

func TestSMSAndTheWire(t *testing.T) {
	g := newRig(t)
	g.click(id("channel-switch-sms"))
	g.types(id("phone-input"), "I was charged twice."+kb.Enter)
	g.see(id("desk-message"), "charged twice")
	g.types(id("desk-input"), "I am sorry. The second charge is reversed."+kb.Enter)
	g.see(message("out", `[data-status="delivered"]`), "reversed")
	g.see(id("desk-mark")+`[data-state="accepted"]`, "Delivered")
	g.gone(id("phone-close"))

	// Another consumer has another conversation.
	first := g.read(`document.querySelector('[data-testid="consumer-id"]').value`)
	g.click(id("new-consumer"))
	g.until("another number", `document.querySelector('[data-testid="consumer-id"]').value !== `+strconv.Quote(first))
	g.see(id("phone-empty"), "Write something")
	g.types(id("phone-input"), "Where is my parcel?"+kb.Enter)
	g.see(id("desk-message"), "Where is my parcel?")
	g.until("two conversations", `document.querySelectorAll('[data-testid="desk-conversation"]').length === 2`)

	// The desk leads back to the phone of the other one.
	g.run(chromedp.Focus(chromedp.CSS(id("desk-conversation"))), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	g.see(id("desk-message"), "charged twice")
	g.click(id("desk-show-phone"))
	g.see(message("in", ""), "charged twice")
	require.Equal(t, first, g.read(`document.querySelector('[data-testid="consumer-id"]').value`))
	g.click(id("desk-conversation"))
	g.see(id("desk-message"), "Where is my parcel?")
	g.click(id("desk-show-phone"))
	g.see(message("in", ""), "Where is my parcel?")

	// The wire can be narrowed to one conversation, on both sides of Parley.
	rows := `document.querySelectorAll('[data-testid="wire-row"]')`
	all, _ := strconv.Atoi(g.read(rows + ".length"))
	g.run(selectValue(id("wire-filter"), `document.querySelector('[aria-current="true"][data-testid="desk-conversation"]').dataset.conversation`))
	g.until("fewer rows", fmt.Sprintf("%s.length > 2 && %s.length < %d", rows, rows, all))
	require.Equal(t, "1", g.read(`document.querySelectorAll('[data-testid="wire-row"][data-class="sms"]').length`))

	// One request in full, with its signature.
	g.click(id("wire-row") + `[data-class="sms"]`)
	g.see(id("wire-headers"), "X-Twilio-Signature")
	g.see(id("wire-request"), "Where is my parcel?")
	g.pictures("request")
	g.click(id("wire-detail-close"))
	g.gone(id("wire-detail"))

	// Paused, nothing moves.
	g.run(selectValue(id("wire-filter"), `""`))
	g.click(id("wire-pause"))
	before := g.read(rows + ".length")
	g.types(id("desk-input"), "On its way."+kb.Enter)
	g.see(message("out", `[data-status="delivered"]`), "On its way.")
	g.see(id("wire-pause"), "new")
	require.Equal(t, before, g.read(rows+".length"))
	g.click(id("wire-pause"))
	g.until("the rest is shown", rows+".length > "+before)
	g.quiet()
}

func TestFaultsAreSwitchedAndSeen(t *testing.T) {
	g := newRig(t)
	g.gone(id("faults-banner"))
	g.click(id("faults-open"))
	g.click(id("fault-delay-send"))
	g.click(id("fault-throttle-twilio"))
	g.click(id("fault-webhooks-duplicate"))
	g.see(id("faults-banner"), "Cloud: Slow answers")
	g.see(id("faults-banner"), "SMS: 429 Too many requests")
	g.see(id("faults-banner"), "Webhooks duplicated")
	g.pictures("faults")
	g.click(id("fault-delay-send"))
	g.until("one fault fewer", `!document.querySelector('[data-testid="faults-banner"]').innerText.includes("Slow")`)
	g.run(chromedp.KeyEvent(kb.Escape))
	g.gone(id("faults-panel"))
	g.click(id("faults-off"))
	g.gone(id("faults-banner"))
	g.quiet()
}

// When Parley refuses or does not answer, the message says so, and can be sent again.
func TestParleyThatRefuses(t *testing.T) {
	g := newRig(t)
	g.parley.refuseWith(503)
	g.click(id("channel-switch-web"))
	g.types(id("phone-input"), "Anybody there?"+kb.Enter)
	g.see(message("in", `[data-status="refused"]`), "Parley answered 503")
	g.pictures("refused")
	g.parley.refuseWith(0)
	g.click(id("phone-retry"))
	g.see(message("in", `[data-status="accepted"]`), "Anybody there?")
	g.see(id("desk-message"), "Anybody there?")
	settings, err := http.NewRequestWithContext(t.Context(), http.MethodPut, g.url+"/sim/settings", strings.NewReader(`{"parleyUrl":"http://127.0.0.1:1"}`))
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(settings)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	g.types(id("phone-input"), "And now?"+kb.Enter)
	g.see(message("in", `[data-status="failed"]`), "Parley is not reachable")
	g.click(id("phone-close"))
	g.see(id("phone-error"), "Parley is not reachable")
	require.Equal(t, 1, strings.Count(g.read(`document.querySelector('[data-testid="phone-thread"]').innerText`), "Anybody there?"))
	g.quiet()
}

// A simulator that goes away and comes back is found again, and so is a person
// who left the page. What the simulator has forgotten is not written to again.
func TestThePageComesBack(t *testing.T) {
	g := newRig(t)
	g.types(id("phone-input"), "Is my invoice ready?"+kb.Enter)
	g.see(id("desk-message"), "invoice")
	number := g.read(`document.querySelector('[data-testid="consumer-id"]').value`)

	g.run(chromedp.Reload())
	g.see(id("desk-message"), "invoice")
	g.see(message("in", ""), "invoice")
	require.Equal(t, number, g.read(`document.querySelector('[data-testid="consumer-id"]').value`))
	g.quiet()

	g.stop()
	g.see(id("stream-state"), "Reconnecting")
	g.see(id("page-error"), "connection to the simulator is lost")
	g.start(g.addr)
	g.see(id("stream-state"), "Live")
	g.gone(id("page-error"))
	g.see(id("phone-empty"), "Write something")
	g.until("somebody new", `document.querySelector('[data-testid="consumer-id"]').value !== `+strconv.Quote(number))
	g.see(id("desk-empty"), "No conversation yet")
}
