package pagetest_test

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// nameless lists what can be used but does not say what it is, to whoever cannot see it.
const nameless = `[...document.querySelectorAll("button, input, select, textarea, a[href], [role=img], [role=dialog], [role=menu]")]
	.filter((e) => e.checkVisibility() && !(e.getAttribute("aria-label") || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent || e.labels?.[0]?.textContent.trim() || e.innerText?.trim() || e.querySelector("img[alt]:not([alt=''])")))
	.map((e) => e.outerHTML.slice(0, 120)).join("\n")`

// overflowing lists what is wider than the window.
const overflowing = `[...document.querySelectorAll("body *")]
	.filter((e) => e.checkVisibility() && !e.closest(".carousel, .symbols") && e.getBoundingClientRect().right > innerWidth + 1)
	.map((e) => e.outerHTML.slice(0, 120)).join("\n") + (document.documentElement.scrollWidth > innerWidth ? "the page scrolls sideways" : "")`

// faint lists texts whose contrast to what is behind them is below 4.5, as WCAG 2 asks for.
const faint = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
	const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
	const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return rgba("white"); };
	return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility({ opacityProperty: true }) && !e.closest(":disabled, .symbols, figcaption, .screen > .statusbar") && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())).filter((e) => {
		const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))];
		return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
	}).map((e) => e.outerHTML.slice(0, 120)).join("\n");
})()`

// Everything can be used without a mouse and without sight, and is seen well, at the
// sizes and in the colours the page is made for.
func TestThePageIsForEverybody(t *testing.T) {
	g := newRig(t)
	check := func(where string) {
		t.Helper()
		for _, size := range [][2]int64{{1280, 800}, {1600, 1000}} {
			for _, scheme := range []string{"light", "dark"} {
				g.look(size[0], size[1], scheme)
				require.Empty(t, g.read(overflowing), "%s is too wide at %d", where, size[0])
				require.Empty(t, g.read(faint), "%s is hard to read in the %s colours", where, scheme)
			}
		}
		g.look(1280, 800, "light")
		require.Empty(t, g.read(nameless), "%s has something without a name", where)
	}
	check("the empty page")
	g.click(id("channel-switch-web"))
	g.click(id("phone-attach"))
	check("the choice of files")
	g.keys(kb.Escape)
	g.gone(id("phone-sample-parcel"))
	g.types(id("phone-input"), "Show me what there is, please."+kb.Enter)
	g.see(id("desk-message"), "what there is")

	// A card, by keyboard alone.
	g.run(focus(id("desk-cards")))
	g.keys(kb.Enter)
	g.see(id("cards-preview"), "Order it")
	check("the picker of cards")
	g.keys(kb.Escape)
	g.gone(id("cards-dialog"))
	require.Equal(t, "desk-cards", g.read(`document.activeElement.dataset.testid`), "the focus comes back")
	g.keys(kb.Enter)
	g.run(focus(id("cards-send")))
	g.keys(kb.Enter)
	g.see(id("phone-card"), "Order it")
	g.run(focus(id("phone-choice")))
	g.keys(kb.Enter)
	g.see(id("desk-click"), "Order it")
	g.click(id("desk-info"))
	g.see(id("facts-clicks"), "Order it")
	check("a case with a card")
	g.run(focus(id("desk-facts")))
	g.keys(kb.Escape)
	g.gone(id("desk-facts"))
	require.Equal(t, "desk-info", g.read(`document.activeElement.dataset.testid`), "the focus comes back")
	g.quiet()
}
