package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/db"
)

// slowDatabase is a real Postgres that can be made slow, and one that is not on
// the way there.
type slowDatabase struct {
	t     *testing.T
	store *db.Store
	proxy *toxiproxy.Proxy
	near  *pgx.Conn
}

func newSlowDatabase(t *testing.T, o db.Options) *slowDatabase {
	t.Helper()
	base := os.Getenv("DATABASE_URL")
	if base == "" {
		if os.Getenv("CI") == "" {
			t.Skip("DATABASE_URL is not set")
		}
		t.Fatal("DATABASE_URL is not set")
	}
	u, err := url.Parse(base)
	require.NoError(t, err)
	near, err := pgx.Connect(t.Context(), base)
	require.NoError(t, err)
	d := &slowDatabase{t: t, near: near}
	name := fmt.Sprintf("api_%d", time.Now().UnixNano())
	d.exec("CREATE SCHEMA " + name)
	t.Cleanup(func() {
		d.exec("DROP SCHEMA " + name + " CASCADE")
		_ = near.Close(context.Background())
	})
	d.exec("SET search_path TO " + name)
	d.proxy = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()),
		zerolog.New(io.Discard)), "postgres", "127.0.0.1:0", u.Host)
	require.NoError(t, d.proxy.Start())
	t.Cleanup(d.proxy.Stop)
	u.Host = d.proxy.Listen
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	require.NoError(t, db.Migrate(t.Context(), u.String(), nil))
	d.store, err = db.Open(t.Context(), u.String(), o)
	require.NoError(t, err)
	t.Cleanup(d.store.Close)
	return d
}

func (d *slowDatabase) exec(sql string) {
	d.t.Helper()
	_, err := d.near.Exec(context.Background(), sql) // also when the test is over
	require.NoError(d.t, err)
}

// delay has everything that comes back wait.
func (d *slowDatabase) delay(by time.Duration) {
	d.t.Helper()
	d.proxy.Toxics.ResetToxics(d.t.Context())
	if by == 0 {
		return
	}
	_, err := d.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":%d}}`, by.Milliseconds())))
	require.NoError(d.t, err)
}

// stored counts the events of each ID in the inbox.
func (d *slowDatabase) stored() map[string]int {
	d.t.Helper()
	rows, err := d.near.Query(d.t.Context(), `SELECT event_id FROM inbox`)
	require.NoError(d.t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d.t, err)
	n := map[string]int{}
	for _, id := range ids {
		n[id]++
	}
	return n
}

// posted is an answer and how long it took.
type posted struct {
	status int
	retry  string
	took   time.Duration
}

// post sends a webhook of the web channel.
func (h *house) post(t *testing.T, body string) posted {
	began := time.Now()
	resp, err := h.http.Client().Do(h.web("/webhooks/channels/web", body))
	if !assert.NoError(t, err) {
		return posted{}
	}
	defer resp.Body.Close()
	return posted{resp.StatusCode, resp.Header.Get("Retry-After"), time.Since(began)}
}

const typingBody = `{"events":[{"id":"t1","type":"typing","typing":true,"conversation":{"id":"c-77","participant":{"id":"` + canaryNumber + `"}}}]}`

// First presence goes, while messages are still accepted; then messages are
// refused, fast and never with a false 2xx; then all is as before.
func TestASlowPostgresCostsPresenceFirst(t *testing.T) {
	t.Parallel()
	const room = 4
	slow := newSlowDatabase(t, db.Options{Committers: 1, Group: 1, Waiting: room})
	s := newScene(t, nil)
	h := newHouse(t, func(server *Server) { server.Presence, server.Inbox = s.Presence, slow.store })
	shed := func() bool { return strings.Contains(scrape(t, s.Ops), `outcome="shed"`) }
	types := func() { require.Equal(t, 202, h.post(t, typingBody).status) }
	writes := func(id string) posted { return h.post(t, wrote(id, canaryNumber, canaryText)) }

	require.Equal(t, 202, writes("warm").status) // and its statements are prepared
	types()
	s.deskSees(t, "COMPOSING")
	require.Equal(t, 202, writes("ordinary").status)
	s.deskSees(t, "COMPOSING", "PAUSE")
	require.False(t, shed())

	slow.delay(slowFrom + 100*time.Millisecond)
	require.Equal(t, 202, writes("slow").status, "slow is not too slow")
	types()
	assert.True(t, shed())
	assert.Equal(t, []string{"COMPOSING", "PAUSE"}, s.desk.said())
	slow.delay(0)

	slow.exec("BEGIN; LOCK TABLE inbox")
	const senders = 5 * room
	refused := make([]posted, senders)
	id := func(i int) string { return fmt.Sprintf("refused %d", i) }
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() { refused[i] = writes(id(i)) })
	}
	all.Wait()
	atOnce := 0
	for _, p := range refused {
		assert.Equal(t, http.StatusServiceUnavailable, p.status)
		assert.Equal(t, retryAfter, p.retry)
		assert.Less(t, p.took, 2500*time.Millisecond)
		if p.took < storeWithin {
			atOnce++
		}
	}
	assert.GreaterOrEqual(t, atOnce, senders/2, "what finds no room does not wait for an answer")
	types()
	assert.Equal(t, []string{"COMPOSING", "PAUSE"}, s.desk.said())
	slow.exec("COMMIT")

	require.Eventually(t, func() bool { return writes("afterwards").status == 202 }, soon, 20*time.Millisecond)
	for i := range senders {
		require.Equal(t, 202, writes(id(i)).status)
	}
	n := slow.stored()
	assert.Len(t, n, 4+senders)
	for id, times := range n {
		assert.Equal(t, 1, times, id)
	}
	require.Eventually(t, func() bool { types(); return len(s.desk.said()) == 3 }, soon, 50*time.Millisecond, "presence is back")
}
