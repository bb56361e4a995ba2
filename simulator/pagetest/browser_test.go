package pagetest_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

const whsec = "whsec_Z2VuZXJpYy1zZWNyZXQtZGVtby0wMDAx"

// rig is a simulator with a small Parley behind it, and a browser that shows its page.
type rig struct {
	t      *testing.T
	parley *miniParley
	addr   string
	url    string
	stop   func() // the simulator
	ctx    context.Context

	mu     sync.Mutex
	errors []string // what the browser had to complain about
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if testing.Short() {
		t.Skip("drives a browser")
	}
	g := &rig{t: t, parley: newMiniParley(t)}
	t.Cleanup(g.parley.close)
	g.start("127.0.0.1:0")
	t.Cleanup(func() { g.stop() })
	g.browse()
	return g
}

// start runs a simulator that knows nothing yet.
func (g *rig) start(addr string) {
	g.t.Helper()
	sim, err := simulator.New(simulator.Config{
		ParleyURL: g.parley.srv.URL, TemporalUI: "http://127.0.0.1:8233",
		Accounts: []simulator.Account{{Name: "main", SiteID: "40112233", ClientID: "client-1", ClientSecret: []string{"secret-1"}}},
		Channels: []simulator.Channel{
			{Name: "sms", Kind: "twilio", Account: "main", AccountSID: "AC1", AuthToken: []string{"tok-demo"}, From: "+15550100900"},
			{Name: "web", Kind: "http", Account: "main", Secret: []string{whsec}},
		},
	})
	require.NoError(g.t, err)
	listener, err := net.Listen("tcp", addr)
	require.NoError(g.t, err)
	g.addr = listener.Addr().String()
	g.url = "http://" + g.addr
	g.parley.talkTo(g.url)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- sim.Serve(ctx, listener) }()
	g.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(g.t, <-stopped)
	})
}

// browse starts a browser with a profile of its own.
func (g *rig) browse() {
	g.t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "" {
			g.t.Skip("no chromium is installed")
		}
		g.t.Fatal("CI needs chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(g.t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	g.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	g.t.Cleanup(cancel)
	g.ctx = ctx
	g.run(chromedp.Steps()) // starts the browser
	require.NoError(g.t, chromedp.Listen(ctx, g.hear))
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	require.NoError(g.t, err)
	g.look(1280, 800, "light")
	g.run(chromedp.Navigate(g.url + "/"))
	g.see(id("stream-state"), "Live")
}

// hear keeps what a browser would show in its console.
func (g *rig) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
		g.complain(text)
	case *runtime.EventConsoleAPICalled:
		g.complain(fmt.Sprintf("console.%s", e.Type))
	case *log.EventEntryAdded:
		g.complain(e.Entry.Text + " " + e.Entry.URL)
	}
}

func (g *rig) complain(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.errors = append(g.errors, text)
}

// quiet requires that the browser had nothing to complain about.
func (g *rig) quiet() {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	require.Empty(g.t, g.errors, "the browser's console")
}

func (g *rig) run(actions ...chromedp.Action[chromedp.Void]) {
	g.t.Helper()
	require.NoError(g.t, chromedp.Do(g.ctx, actions...))
}

func id(testid string) string { return `[data-testid="` + testid + `"]` }

// read evaluates JavaScript.
func (g *rig) read(script string) string {
	g.t.Helper()
	out, err := chromedp.Run(g.ctx, chromedp.Evaluate[string]("String("+script+")"))
	require.NoError(g.t, err)
	return out
}

// patience is how long something may take on a machine that has other work too.
const patience = 45 * time.Second

// until waits for an expression to become true.
func (g *rig) until(what, script string) {
	g.t.Helper()
	err := chromedp.Do(g.ctx, chromedp.Poll[chromedp.Void]("Boolean("+script+")", chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		g.shoot("failure")
		require.NoError(g.t, err, "never happened: "+what)
	}
}

// see waits until one of the elements shows a text.
func (g *rig) see(selector, text string) {
	g.t.Helper()
	g.until(selector+" shows "+text, fmt.Sprintf(`[...document.querySelectorAll(%s)].some((e) => e.checkVisibility() && e.innerText.includes(%s))`, strconv.Quote(selector), strconv.Quote(text)))
}

func (g *rig) gone(selector string) {
	g.t.Helper()
	g.until(selector+" is gone", fmt.Sprintf(`![...document.querySelectorAll(%s)].some((e) => e.checkVisibility())`, strconv.Quote(selector)))
}

func (g *rig) click(selector string) {
	g.t.Helper()
	g.until(selector+" can be clicked", fmt.Sprintf(`document.querySelector(%s)?.checkVisibility() && !document.querySelector(%s).disabled`, strconv.Quote(selector), strconv.Quote(selector)))
	g.run(chromedp.Click(chromedp.CSS(selector)))
}

func (g *rig) types(selector, text string) {
	g.t.Helper()
	g.run(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// selectValue chooses an option, as a person would.
func selectValue(selector, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const s = document.querySelector(%s); s.value = %s; s.dispatchEvent(new Event("change", { bubbles: true })); }`, strconv.Quote(selector), value))
}

// look sets the window's size and the colour scheme.
func (g *rig) look(width, height int64, scheme string) {
	g.t.Helper()
	g.run(chromedp.EmulateViewport(width, height))
	_, err := chromedp.Call(g.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	require.NoError(g.t, err)
}

// shoot keeps a picture of the page, for people, when PARLEY_PAGE_PICTURES names a folder.
func (g *rig) shoot(name string) {
	g.t.Helper()
	folder := os.Getenv("PARLEY_PAGE_PICTURES")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(g.ctx, chromedp.CaptureScreenshot())
	require.NoError(g.t, err)
	require.NoError(g.t, os.WriteFile(filepath.Join(folder, "page-"+strings.ReplaceAll(name, " ", "-")+".png"), png, 0o600))
}

// pictures keeps the page as it is, in the sizes and schemes it is made for.
func (g *rig) pictures(name string) {
	g.t.Helper()
	if os.Getenv("PARLEY_PAGE_PICTURES") == "" {
		return
	}
	for _, size := range [][2]int64{{1280, 800}, {1600, 1000}, {1024, 800}} {
		for _, scheme := range []string{"light", "dark"} {
			g.look(size[0], size[1], scheme)
			g.shoot(fmt.Sprintf("%s-%d-%s", name, size[0], scheme))
		}
	}
	g.look(1280, 800, "light")
}

// keys presses keys, wherever the focus is.
func (g *rig) keys(keys string) {
	g.t.Helper()
	g.run(chromedp.KeyEvent(keys))
}

func focus(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%s).focus()`, strconv.Quote(selector)))
}
