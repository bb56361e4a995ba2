package api

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/channels/webhook"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

func TestALeftoverIsReadAgain(t *testing.T) {
	t.Parallel()
	cloud, err := liveperson.New(liveperson.Config{
		Name: "main", SiteID: "1", ClientID: "c", ClientSecrets: []string{"s"}, DomainAPI: "https://domains.example",
	}, liveperson.Options{})
	require.NoError(t, err)
	web, err := webhook.New(webhook.Config{Channel: "web", URL: "https://chat.example", Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}})
	require.NoError(t, err)
	s := &Server{Accounts: map[string]Cloud{"main": cloud}, Channels: map[string]channels.Adapter{"web": web}}
	reply := `{"conversationId":"C1","dialogId":"C1","sequence":3,"originatorMetadata":{"role":"ASSIGNED_AGENT","id":"a"},"event":{"type":"ContentEvent","message":"hi"}}`
	words := `{"id":"e1","type":"message","conversation":{"id":"r","participant":{"id":"p"}},"message":{"id":"m","text":"hello"}}`
	for name, tt := range map[string]struct {
		source, body string
		events       int
	}{
		"a change of the cloud's":      {"cloud/main", reply, 1},
		"a whole notification":         {"cloud/main", `{"type":"ms.MessagingEventNotification","body":{"changes":[` + reply + `]}}`, 1},
		"an event of a channel":        {"channel/web", words, 1},
		"a whole batch":                {"channel/web", `{"events":[` + words + `]}`, 1},
		"what is still not understood": {"channel/web", `{"id":"e1","type":"dance"}`, 0},
		"what is nothing":              {"cloud/main", `nonsense`, 0},
		"an account that is gone":      {"cloud/other", reply, 0},
		"from nowhere":                 {"", reply, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inbox := &keeper{}
			s := *s
			s.Inbox, s.Now = inbox, time.Now
			n, err := s.Reread(t.Context(), message.DeadLetter{ID: "d", Source: tt.source, Body: []byte(tt.body)})
			assert.Equal(t, tt.events, n)
			assert.Len(t, inbox.events, tt.events)
			if tt.events == 0 {
				assert.Equal(t, fault.Rejected, fault.ClassOf(err))
				return
			}
			require.NoError(t, err)
			assert.True(t, inbox.events[0].Urgent && inbox.events[0].Starts)
		})
	}
}

type keeper struct{ events []message.Event }

func (k *keeper) Append(_ context.Context, a message.Arrival) ([]string, error) {
	k.events = append(k.events, a.Events...)
	return nil, nil
}
