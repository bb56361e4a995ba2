package liveperson_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
	"parley/liveperson"
)

// calls are what a caller can ask of the Send API, by what a repeat would do.
var calls = map[string]struct {
	service string
	creates bool
	do      func(context.Context, *liveperson.Client) error
}{
	"open":    {open, true, opens},
	"publish": {send, true, publish},
	"publish file": {send, true, func(ctx context.Context, c *liveperson.Client) error {
		_, err := c.PublishFile(ctx, liveperson.PublishFile{Consumer: someone, Conversation: "conv-1", Path: "/p", Type: "JPG", Caption: consumersWords})
		return err
	}},
	"accept": {send, false, func(ctx context.Context, c *liveperson.Client) error {
		_, err := c.Accept(ctx, liveperson.Accept{Consumer: someone, Conversation: "conv-1", Status: liveperson.Read, Sequences: []int{1}})
		return err
	}},
	"chat state": {send, false, func(ctx context.Context, c *liveperson.Client) error {
		return c.ChatState(ctx, liveperson.ChatState{Consumer: someone, Conversation: "conv-1", State: liveperson.Composing})
	}},
	"close": {send, false, closes},
	"urge": {send, false, func(ctx context.Context, c *liveperson.Client) error {
		return c.Urge(ctx, liveperson.Urge{Consumer: someone, Conversation: "conv-1", Urgency: "URGENT"})
	}},
	"rate": {send, false, func(ctx context.Context, c *liveperson.Client) error {
		return c.Rate(ctx, liveperson.Rate{Consumer: someone, Conversation: "conv-1", Status: liveperson.Skipped})
	}},
	"profile": {send, false, func(ctx context.Context, c *liveperson.Client) error {
		return c.SetProfile(ctx, liveperson.SetProfile{Consumer: someone, Profile: liveperson.Profile{Name: "Mira"}})
	}},
	"upload": {send, false, uploads},
}

func TestAWayToCloseThatIsNone(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	err := cloud.client().Close(t.Context(), liveperson.Close{Consumer: "a", Conversation: "conv-1", Way: "loudly"})
	require.Equal(t, fault.Rejected, fault.ClassOf(err))
	require.Zero(t, cloud.count(send))
}

// Every error that the documentation names, however often the cloud repeats it, in
// every call: what it means, how often the call is made, and which tokens are
// fetched anew.
//
// Sources: connector-api-send-api-authorization-and-authentication,
// connector-api-send-api-conversation, retry-policy-recommendations.
func TestEveryDocumentedError(t *testing.T) {
	t.Parallel()
	body := func(code int, title string) string {
		return fmt.Sprintf(`{"kind":"resp","code":%d,"body":{"title":%q,"details":%q,"errorCode":%d},"type":".ReqBody$ErrorResp"}`, code/100, title, consumersWords, code)
	}
	const unknown = fault.Class("uncertain where a repeat creates something, transient otherwise")
	stall := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		want     fault.Class
		code     string
		after    time.Duration
		calls    int // in all
		app, jws int // tokens fetched anew
	}{
		"40001 missing parameter":    {says(400, body(40001, "Missing parameter")), fault.Denied, "40001", 0, 1, 0, 0},
		"40102 invalid AppJWT":       {says(401, body(40102, "Invalid AppJWT")), fault.Denied, "40102", 0, 2, 1, 0},
		"40103 invalid ConsumerJWS":  {says(401, body(40103, "Invalid ConsumerJWS")), fault.Denied, "40103", 0, 2, 0, 1},
		"40104 no ConsumerJWS":       {says(401, body(40104, "ConsumerJWS is missing")), fault.Denied, "40104", 0, 1, 0, 0},
		"40105 no AppJWT":            {says(401, body(40105, "AppJWT is missing")), fault.Denied, "40105", 0, 1, 0, 0},
		"401, another's":             {says(401, `{}`), fault.Denied, "401", 0, 1, 0, 0},
		"400":                        {says(400, body(40000, "Bad Request")), fault.Rejected, "40000", 0, 1, 0, 0},
		"400, conversation is close": {says(400, `{"code":400,"body":"Bad Request, Conversation is close"}`), fault.Gone, liveperson.CodeClosed, 0, 1, 0, 0},
		"403":                        {says(403, ``), fault.Denied, "403", 0, 1, 0, 0},
		"404":                        {says(404, ``), fault.Rejected, "404", 0, 1, 0, 0},
		"405":                        {says(405, ``), fault.Rejected, "405", 0, 1, 0, 0},
		"429":                        {says(429, consumersWords), fault.Throttled, "429", time.Second, 1, 0, 0},
		"429 with a time":            {says(429, ``, "Retry-After", "17"), fault.Throttled, "429", 17 * time.Second, 1, 0, 0},
		"500":                        {says(500, consumersWords), unknown, "500", 0, 1, 0, 0},
		"502":                        {says(502, `<html>`), unknown, "502", 0, 1, 0, 0},
		"503 with a time":            {says(503, ``, "Retry-After", "30"), unknown, "503", 30 * time.Second, 1, 0, 0},
		"504":                        {says(504, ``), unknown, "504", 0, 1, 0, 0},
		"no answer in time":          {stall, unknown, "", 0, 1, 0, 0},
		"no answer at all":           {hangUp, unknown, "", 0, 1, 0, 0},
		"200, not JSON":              {says(200, consumersWords), unknown, "200", 0, 1, 0, 0},
		"200 with an unknown code":   {says(200, `{"code":"PERHAPS"}`), unknown, "", 0, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience, late := 30*time.Second, name == "no answer in time"
			if late {
				patience = 2 * time.Second
			}
			for call, how := range calls {
				if late && call != "open" && call != "publish" && call != "close" {
					continue // they would only wait as long again
				}
				t.Run(call, func(t *testing.T) {
					t.Parallel()
					cloud := newCloud(t)
					client := cloud.client(func(_ *liveperson.Config, o *liveperson.Options) { o.Timeout = patience })
					warm(t, cloud, client)
					app, jws := cloud.count(sentinel), cloud.count(idp)
					cloud.next(how.service, c.answer, c.answer, c.answer, c.answer)
					err := how.do(t.Context(), client)
					want, code := c.want, c.code
					switch {
					case want == unknown && how.creates:
						want = fault.Uncertain
					case want == unknown:
						want = fault.Transient
					}
					if call == "open" && name == "200, not JSON" {
						code = "" // the answer is a batch without a code
					}
					require.Equal(t, want, fault.ClassOf(err), "%v", err)
					require.Equal(t, code, fault.CodeOf(err))
					require.Equal(t, c.after, fault.RetryAfter(err))
					require.Equal(t, c.calls, cloud.count(how.service))
					require.Equal(t, app+c.app, cloud.count(sentinel))
					require.Equal(t, jws+c.jws, cloud.count(idp))
					requireClean(t, err)
				})
			}
		})
	}
}

// However many are refused at once, one of them fetches the token.
func TestARefusalIsMendedOnceForAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil    func(*cloud)
		app, jws int
	}{
		"40102": {(*cloud).expire, 2, 1},
		"40103": {func(c *cloud) { c.reissue(someone) }, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			client := cloud.client()
			require.NoError(t, publish(t.Context(), client))
			c.spoil(cloud)
			var wg sync.WaitGroup
			for range 40 {
				wg.Go(func() {
					if err := publish(t.Context(), client); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.Equal(t, c.app, cloud.count(sentinel))
			require.Equal(t, c.jws, cloud.count(idp))
		})
	}
}

// The whole of it: an account that is down is asked less and less, and one that is
// up again is used.
func TestADeadAccountFailsFast(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	told := make(chan bool, 10)
	client := cloud.client(func(_ *liveperson.Config, o *liveperson.Options) { o.Circuit = func(open bool) { told <- open } })
	_, err := client.ConsumerID(t.Context(), someone)
	require.NoError(t, err)
	for i := range 10 {
		cloud.next(send, says(503+i%2, ``))
		require.Equal(t, fault.Uncertain, fault.ClassOf(publish(t.Context(), client)), strconv.Itoa(i))
	}
	require.True(t, <-told)
	for call, how := range calls {
		err := how.do(t.Context(), client)
		require.Equal(t, fault.Transient, fault.ClassOf(err), "%s: %v", call, err)
		require.GreaterOrEqual(t, fault.RetryAfter(err), time.Second)
		require.LessOrEqual(t, fault.RetryAfter(err), 30*time.Second)
		requireClean(t, err)
	}
	require.Equal(t, 10, cloud.count(send))
	require.Zero(t, cloud.count(open))

	_, err = client.ConsumerID(t.Context(), someone)
	require.NoError(t, err, "what is known is known")
	require.Eventually(t, func() bool { return publish(t.Context(), client) == nil }, 30*time.Second, 50*time.Millisecond)
	require.False(t, <-told)
	require.NoError(t, publish(t.Context(), client))
}
