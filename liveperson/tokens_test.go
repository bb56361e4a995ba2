package liveperson_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
	"parley/liveperson"
)

func TestOneRefreshServesAll(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	all := func() {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				_, err := client.Publish(t.Context(), liveperson.Publish{Consumer: "c" + strconv.Itoa(i%5), Conversation: "conv-1", Text: "hi"})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	all()
	require.Equal(t, 1, cloud.count(sentinel))
	require.Equal(t, 3, cloud.count(domainAPI))
	require.Equal(t, 5, cloud.count(idp))
	require.Equal(t, 50, cloud.count(send))

	cloud.expire() // fifty callers are refused the same token
	all()
	require.Equal(t, 2, cloud.count(sentinel))
	require.Equal(t, 5, cloud.count(idp))
}

func TestARefusedAppJWTIsReplacedOnce(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	require.NoError(t, publish(t.Context(), client))
	cloud.expire()
	require.NoError(t, publish(t.Context(), client))
	require.Equal(t, 3, cloud.count(send), "refused, then sent")

	refuse := func(w http.ResponseWriter, _ *http.Request) { refusal(w, 40102, "Invalid AppJWT") }
	cloud.next(send, refuse, refuse)
	err := publish(t.Context(), client)
	require.Equal(t, fault.Denied, fault.ClassOf(err))
	require.Equal(t, "40102", fault.CodeOf(err))
	require.Equal(t, 5, cloud.count(send), "no third attempt")
}

func TestARefusedConsumerJWSIsReplacedOnce(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	require.NoError(t, publish(t.Context(), client))
	cloud.reissue("sms/+15550100200")
	require.NoError(t, publish(t.Context(), client))
	require.Equal(t, 3, cloud.count(send))
	require.Equal(t, 2, cloud.count(idp))

	refuse := func(w http.ResponseWriter, _ *http.Request) { refusal(w, 40103, "Invalid ConsumerJWS") }
	cloud.next(send, refuse, refuse)
	err := publish(t.Context(), client)
	require.Equal(t, fault.Denied, fault.ClassOf(err))
	require.Equal(t, 5, cloud.count(send))
}

func TestBothTokensRefused(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	require.NoError(t, opens(t.Context(), client))
	cloud.expire()
	cloud.reissue("sms/+15550100200")
	require.NoError(t, opens(t.Context(), client))
}

func TestATokenRefusedWithinABatch(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	cloud.next(open, says(200, `[{"code":"OK"},{"code":401,"body":{"errorCode":40102}}]`))
	require.NoError(t, opens(t.Context(), cloud.client()))
	require.Equal(t, 2, cloud.count(open))
	require.Equal(t, 2, cloud.count(sentinel))
}

func TestTheAppJWTIsRenewedInTheBackground(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	require.NoError(t, publish(t.Context(), client))
	cloud.pass(47 * time.Minute)
	require.NoError(t, publish(t.Context(), client))
	require.Equal(t, 1, cloud.count(sentinel), "not yet at 80 %")

	cloud.pass(8 * time.Minute) // beyond 90 %
	release := make(chan struct{})
	cloud.next(sentinel, func(http.ResponseWriter, *http.Request) { <-release; panic(http.ErrAbortHandler) })
	require.NoError(t, publish(t.Context(), client), "nobody waits for the renewal")
	require.Eventually(t, func() bool { return cloud.count(sentinel) == 2 }, time.Minute, time.Millisecond)
	require.NoError(t, publish(t.Context(), client))
	close(release)
	// That one failed. The next comes by itself, a second later by the client's clock.
	require.Eventually(t, func() bool {
		cloud.pass(time.Second)
		return publish(t.Context(), client) == nil && cloud.count(sentinel) == 3
	}, time.Minute, time.Millisecond)
}

func TestAnExpiredAppJWTIsNotUsed(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	cloud.life = 10 * time.Second
	client := cloud.client()
	require.NoError(t, publish(t.Context(), client))
	cloud.pass(10 * time.Second)
	require.NoError(t, publish(t.Context(), client))
	require.Equal(t, 2, cloud.count(sentinel))
	require.Equal(t, 2, cloud.count(send), "none was refused")
}

func TestACallerWhoGivesUpTakesTheRefreshFromNobody(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	arrived, release := make(chan struct{}), make(chan struct{})
	cloud.next(sentinel, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		cloud.mu.Lock()
		defer cloud.mu.Unlock()
		cloud.issued++
		_, _ = w.Write([]byte(`{"access_token":"` + cloud.appJWT() + `"}`))
	})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- publish(ctx, client) }()
	<-arrived
	go func() { second <- publish(t.Context(), client) }()
	cancel()
	err := <-first
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, fault.Transient, fault.ClassOf(err))
	close(release)
	require.NoError(t, <-second)
	require.Equal(t, 1, cloud.count(sentinel))
}

func TestWhatIsRefusedToTheAccountIsDenied(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		service string
		status  int
		body    string
		want    fault.Class
		code    string
	}{
		"wrong secret":            {sentinel, 401, `{"error":"invalid_client"}`, fault.Denied, "invalid_client"},
		"unknown client":          {sentinel, 400, `{"error":"invalid_client","error_description":"words"}`, fault.Denied, "invalid_client"},
		"a token endpoint down":   {sentinel, 500, ``, fault.Transient, "500"},
		"a token endpoint busy":   {sentinel, 429, ``, fault.Throttled, "429"},
		"no token":                {sentinel, 200, `{}`, fault.Transient, ""},
		"a token that is a text":  {sentinel, 200, `{"access_token":"a\r\nb"}`, fault.Transient, ""},
		"unknown account":         {domainAPI, 400, ``, fault.Denied, "400"},
		"unknown service":         {domainAPI, 404, ``, fault.Denied, "404"},
		"a domain API down":       {domainAPI, 503, ``, fault.Transient, "503"},
		"a domain that is none":   {domainAPI, 200, `{"baseURI":"user:pass@host/?x"}`, fault.Transient, ""},
		"no domain":               {domainAPI, 200, `{}`, fault.Transient, ""},
		"a consumer not accepted": {idp, 400, ``, fault.Rejected, "400"},
		"consumers down":          {idp, 500, ``, fault.Transient, "500"},
		"no consumer token":       {idp, 201, `[]`, fault.Transient, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			cloud.next(c.service, says(c.status, c.body))
			client := cloud.client()
			err := publish(t.Context(), client)
			require.Equal(t, c.want, fault.ClassOf(err), "%v", err)
			require.Equal(t, c.code, fault.CodeOf(err))
			require.Zero(t, cloud.count(send))
			requireClean(t, err)

			if c.service != idp { // everyone asks again at once; the far side hears one
				require.Error(t, publish(t.Context(), client))
				require.Equal(t, 1, cloud.count(c.service))
			}
			cloud.pass(2 * time.Second)
			require.NoError(t, publish(t.Context(), client))
		})
	}
}

func TestDomainsAreLookedUpAgain(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	require.NoError(t, publish(t.Context(), client))
	require.Equal(t, 3, cloud.count(domainAPI))

	cloud.pass(59 * time.Minute)
	require.NoError(t, publish(t.Context(), client))
	require.Equal(t, 3, cloud.count(domainAPI))

	cloud.pass(2 * time.Minute) // the Domain API is down: what was known is used
	cloud.next(domainAPI, says(500, ``), says(500, ``), says(500, ``))
	require.NoError(t, publish(t.Context(), client))
	require.Eventually(t, func() bool { return cloud.count(domainAPI) >= 4 }, time.Minute, time.Millisecond)
	require.NoError(t, publish(t.Context(), client))
}

func TestAServiceThatMoved(t *testing.T) {
	t.Parallel()
	cloud, other := newCloud(t), newCloud(t)
	client := cloud.client()
	require.NoError(t, publish(t.Context(), client))
	cloud.pass(time.Minute)

	// The old host no longer knows the path, and the Domain API names another.
	moved := says(200, `{"service":"asyncMessagingEnt","baseURI":"`+other.server.Listener.Addr().String()+`/base/msg"}`)
	other.issued, other.jws = 1, map[string]int{"sms/+15550100200": 1}
	cloud.next(send, says(404, ``))
	cloud.next(domainAPI, moved)
	require.NoError(t, publish(t.Context(), client))
	require.Equal(t, 1, other.count(send))

	// It does not know the path either: one lookup, and no storm of them.
	cloud.pass(time.Minute)
	for range 5 {
		other.next(send, says(404, ``))
		cloud.next(domainAPI, moved)
		require.Equal(t, fault.Rejected, fault.ClassOf(publish(t.Context(), client)))
	}
	require.Equal(t, 5, cloud.count(domainAPI))
}

func TestAHostThatIsGoneIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	down := &switched{}
	client := cloud.client(down.use)
	require.NoError(t, publish(t.Context(), client))
	before := cloud.count(domainAPI)
	cloud.pass(time.Minute)
	down.fail(errors.New("no such host"))
	require.Equal(t, fault.Transient, fault.ClassOf(publish(t.Context(), client)))
	require.Equal(t, before, cloud.count(domainAPI), "it could not be reached either")
	down.fail(nil)
	require.NoError(t, publish(t.Context(), client), "what was known is still used")
}

func TestConsumersWhoSpokeLastAreKept(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client(func(_ *liveperson.Config, o *liveperson.Options) { o.Consumers = 2 })
	for _, c := range []struct {
		consumer string
		fetched  int
	}{{"a", 1}, {"b", 2}, {"a", 2}, {"c", 3}, {"a", 3}, {"b", 4}} {
		id, err := client.ConsumerID(t.Context(), c.consumer)
		require.NoError(t, err)
		require.Equal(t, lpID(c.consumer), id)
		require.Equal(t, c.fetched, cloud.count(idp), c.consumer)
	}
}
