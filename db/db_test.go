package db

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"parley/message"
)

// schemaURL makes a schema for one test and returns the URL by which it is the
// only one seen.
func schemaURL(t testing.TB) string {
	t.Helper()
	base := os.Getenv("DATABASE_URL")
	if base == "" {
		if os.Getenv("CI") == "" {
			t.Skip("DATABASE_URL is not set")
		}
		t.Fatal("DATABASE_URL is not set")
	}
	name := fmt.Sprintf("db_%d_%s", time.Now().UnixNano(), strings.ToLower(strings.Map(letters, t.Name())))
	name = name[:min(len(name), 60)]
	exec(t, base, `CREATE SCHEMA `+name)
	t.Cleanup(func() { exec(t, base, `DROP SCHEMA `+name+` CASCADE`) })
	u, err := url.Parse(base)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}

func exec(t testing.TB, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), sql, args...)
	require.NoError(t, err)
}

// migrated returns the URL of a schema that is ready for use.
func migrated(t testing.TB) string {
	t.Helper()
	url := schemaURL(t)
	require.NoError(t, Migrate(t.Context(), url, nil))
	return url
}

// open opens a Store as one process would.
func open(t testing.TB, url string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, o)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

var phone = message.Address{Channel: "sms", Consumer: "+15550100200"}

func wrote(a message.Address, id string) message.Event {
	body, _ := json.Marshal(message.Inbound{Kind: message.Wrote, EventID: id, Address: a, Text: "text of " + id})
	return message.Event{
		Stream: message.Stream{Address: a}, Source: "channel/" + a.Channel, EventID: id, Urgent: true, Starts: true, Body: body,
	}
}

func said(conversation, id string) message.Event {
	return message.Event{
		Stream: message.Stream{Account: "main", Conversation: conversation}, Source: "cloud/main", EventID: id, Urgent: true,
		Body: json.RawMessage(`{"eventId":"` + id + `"}`),
	}
}

func arrival(events ...message.Event) message.Arrival { return message.Arrival{Events: events} }

// taken dispatches a stream once and returns what was handed over.
func taken(t testing.TB, s *Store, key string) (message.Dispatch, message.DispatchState) {
	t.Helper()
	var got message.Dispatch
	state, err := s.Dispatch(t.Context(), key, 0, 0, func(_ context.Context, d message.Dispatch) error {
		got = d
		return nil
	})
	require.NoError(t, err)
	return got, state
}

// eventually waits for a condition.
func eventually(t testing.TB, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(20 * time.Second); !cond(); <-tick.C {
		if time.Now().After(until) {
			t.Fatal("waited too long")
		}
	}
}
