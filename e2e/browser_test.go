package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser is a real one, without a window.
type browser struct {
	t   *testing.T
	ctx context.Context
}

// newBrowser starts Chromium with a profile of its own. It reaches nothing but this
// machine.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "" {
			t.Skip("no Chromium is installed")
		}
		t.Fatal("CI needs Chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(1280, 800))
	return b
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

// id selects an element by the name that the page gives it for tests.
func id(name string) string { return `[data-testid="` + name + `"]` }

// reads evaluates JavaScript.
func (b *browser) reads(script string) string {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+script+")"))
	require.NoError(b.t, err)
	return out
}

// until waits for an expression to become true.
func (b *browser) until(what, script string) {
	b.t.Helper()
	err := chromedp.Do(b.ctx, chromedp.Poll[chromedp.Void]("Boolean("+script+")", chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(look)))
	require.NoError(b.t, err, "never happened: "+what)
}

// sees waits until one of the elements shows a text.
func (b *browser) sees(selector, text string) {
	b.t.Helper()
	b.until(selector+" shows "+text, fmt.Sprintf(`[...document.querySelectorAll(%s)].some((e) => e.checkVisibility() && e.innerText.includes(%s))`,
		strconv.Quote(selector), strconv.Quote(text)))
}

// clicks an element as soon as that is possible.
func (b *browser) clicks(selector string) {
	b.t.Helper()
	b.until(selector+" can be clicked", fmt.Sprintf(`(e => e?.checkVisibility() && !e.disabled)(document.querySelector(%s))`, strconv.Quote(selector)))
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

func (b *browser) types(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}
