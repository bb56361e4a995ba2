package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

func TestRow_AgentTextOfSeveralLines(t *testing.T) {
	s := row(t)
	for _, channel := range []string{"sms", "web"} {
		p, id := s.opened(channel)
		s.agent(id, "text", map[string]any{"text": "It ships tomorrow.\n\nYour number: <A-17> & more 👋\n"})
		m := p.gets("the text is on the phone", saying("It ships tomorrow."))
		assert.Equal(t, "It ships tomorrow.\n\nYour number: <A-17> & more 👋", m.Text)
	}
}

func TestRow_ManagerJoinsAndPrivateMessages(t *testing.T) {
	s := row(t)
	for _, channel := range []string{"sms", "web"} {
		p, id := s.opened(channel)
		p.hears(id, "One moment please")
		s.agent(id, "private", map[string]any{"text": "This one is difficult"})
		s.agent(id, "manager", map[string]any{"text": "I am the manager, good morning"})
		p.gets("the manager's words are on the phone", saying("I am the manager, good morning"))
		s.agent(id, "event", map[string]any{"role": "MANAGER", "audience": "AGENTS_AND_MANAGERS",
			"event": map[string]any{"type": "ContentEvent", "contentType": "text/plain", "message": "Give them a voucher"}})
		p.hears(id, "We send you a voucher")
		assert.Equal(t, []string{"One moment please", "I am the manager, good morning", "We send you a voucher"}, heard(p.view()))
	}
}

// line waits for a line of the journal about a conversation and returns its detail.
func (s *stack) line(conversation, what string) (detail string) {
	s.t.Helper()
	eventually(s.t, "the journal says "+what, func() error {
		return s.row("SELECT detail FROM journal WHERE conversation = $1 AND what = $2 ORDER BY id DESC LIMIT 1", conversation, what).Scan(&detail)
	})
	return detail
}

func TestRow_JoinAndTransferNotice(t *testing.T) {
	s := row(t)
	p, id := s.opened("web-told")
	s.agent(id, "join", map[string]any{"agent": "Dana"})
	p.gets("the consumer is told", saying("An agent is with you now."))
	s.agent(id, "transfer", map[string]any{"skill": "2210"})
	s.agent(id, "transfer", map[string]any{"skill": "2211"})
	p.gets("the consumer is told", saying("We pass you on to another department."))
	eventually(t, "the transfer can be searched for", func() error {
		return s.found(1, fmt.Sprintf(`ParleyConversation = %q AND ParleySkill = "2211"`, id))
	})
	s.agent(id, "join", map[string]any{"agent": "Robin"})
	p.hears(id, "Robin here, how can I help?")
	assert.NotEmpty(t, s.line(id, "joined"))
	assert.Equal(t, "from skill 2210 to 2211", s.line(id, "transferred"))
	texts := heard(p.view())
	assert.Equal(t, []string{"An agent is with you now.", "We pass you on to another department.", "An agent is with you now.", "Robin here, how can I help?"}, texts)

	silent, other := s.opened("web") // which has no texts for it
	s.agent(other, "join", map[string]any{"agent": "Dana"})
	s.agent(other, "transfer", map[string]any{"skill": "2211"})
	silent.hears(other, "Only this is said")
	assert.Equal(t, []string{"Only this is said"}, heard(silent.view()))
}

func TestRow_WaitEstimate(t *testing.T) {
	s := row(t)
	p, id := s.opened("web-told")
	till := time.Date(2031, 5, 4, 8, 30, 0, 0, time.UTC)
	s.agent(id, "delay", map[string]any{"type": "HOLIDAY", "tillWhen": till.UnixMilli()})
	p.gets("the consumer is told", saying("Nobody is here until 2031-05-04 08:30 UTC."))
	s.agent(id, "delay", map[string]any{})
	p.hears(id, "We are back earlier")
	assert.Equal(t, "HOLIDAY 2031-05-04 08:30 UTC", s.line(id, "away"))
	assert.Contains(t, s.line(id, "waits"), "an answer is expected by ")
	assert.Equal(t, []string{"Nobody is here until 2031-05-04 08:30 UTC.", "An agent is with you now.", "We are back earlier"}, heard(p.view()))
}

func TestRow_TransferToSkill(t *testing.T) {
	s := row(t)
	p, id := s.opened("sms")
	p.hears(id, "I pass you on")
	s.agent(id, "transfer", map[string]any{"skill": "2212"})
	p.says("Who is there now?")
	s.onDesk(id, "Who is there now?")
	s.agent(id, "join", map[string]any{"agent": "Robin"})
	p.hears(id, "Robin from returns")
	assert.Len(t, mustConversations(p), 1)
}

func TestRow_SignatureVerification(t *testing.T) {
	s := strained(t)
	for _, form := range []string{"sha1-base64", "sha1-hex", "sha256-base64", "sha256-hex"} {
		s.set(fmt.Sprintf(`{"signature":%q}`, form))
		p, id := s.opened("web")
		p.hears(id, "Signed with "+form)
		for _, signature := range []string{"bad", "none"} {
			assert.Equal(t, http.StatusUnauthorized, s.emit("/sim/accounts/main/emit?signature="+signature, []byte(`{"kind":"notification"}`)), form)
		}
	}
}

// agentWrote is a notification of an agent's text, as the cloud would send it.
func agentWrote(t testing.TB, conversation string, sequence int, text string) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"kind": "notification", "type": "ms.MessagingEventNotification", "body": map[string]any{"changes": []any{map[string]any{
		"sequence": sequence, "originatorId": "1f2e3d4c-5b6a-5978-8a9b-0c1d2e3f4a5b",
		"originatorMetadata": map[string]any{"id": "1f2e3d4c-5b6a-5978-8a9b-0c1d2e3f4a5b", "role": "ASSIGNED_AGENT"},
		"serverTimestamp":    time.Now().UnixMilli(), "conversationId": conversation, "dialogId": conversation,
		"event": map[string]any{"type": "ContentEvent", "contentType": "text/plain", "message": text},
	}}}})
	require.NoError(t, err)
	return b
}

// signed is a request of the cloud's to one account's route.
func (s *stack) signed(at, account, secret string, body []byte) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, at+"/webhooks/liveperson/"+account, strings.NewReader(string(body)))
	require.NoError(s.t, err)
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Liveperson-Signature", "sha1="+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
}

// What one account signs opens no other account's route.
func TestRow_SignatureOfAnotherAccount(t *testing.T) {
	s := row(t)
	p, id := s.opened("web")
	body := agentWrote(t, id, 50, "A word from elsewhere")
	at := "http://" + s.apis[0].public
	for secret, want := range map[string]int{"QUIET": http.StatusUnauthorized, "MAIN": http.StatusOK} {
		response, err := s.http.Do(s.signed(at, "main", s.env["PARLEY_ACCOUNT_"+secret+"_CLIENT_SECRET"], body))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, want, response.StatusCode, secret)
	}
	p.gets("what was signed is on the phone", saying("A word from elsewhere"))
	assert.Len(t, heard(p.view()), 1)
}

// Webhooks come several times, in any order, and some not at all.
func TestRow_DuplicateOrderAndLossHandling(t *testing.T) {
	s := strained(t)
	phones := []*phone{s.newPhone("sms"), s.newPhone("web")}
	for _, p := range phones {
		p.says("The first words of " + p.name)
		p.conversation(1)
	}
	s.fault(simulator.Faults{Webhooks: simulator.WebhookFaults{Duplicate: 2, ShuffleMs: 400}})
	s.talk(phones, 8)
	s.settled(2*patience, phones...)

	s.fault(simulator.Faults{})
	p := phones[1]
	id := mustConversations(p)[0]
	before := heard(p.view())
	s.fault(simulator.Faults{Webhooks: simulator.WebhookFaults{LoseCount: 1}})
	s.agent(id, "text", map[string]any{"text": "This one is lost on its way"})
	s.agent(id, "text", map[string]any{"text": "This one is not"})
	p.gets("what came is not held up by what did not", saying("This one is not"))
	assert.Equal(t, append(before, "This one is not"), heard(p.view()))
	p.says("I have heard nothing of the other")
	assert.Contains(t, s.line(id, "gap"), "did not arrive in time")
}

// An old snapshot that comes late opens nothing again.
func TestRow_OlderSnapshotChangesNothing(t *testing.T) {
	s := row(t)
	p, id := s.opened("web-quiet")
	var first string
	eventually(t, "the first snapshot was sent", func() error {
		var hooks struct {
			Entries []simulator.Wire `json:"entries"`
		}
		err := s.call(http.MethodGet, "/sim/wire?direction=out&class=webhook&bodies=1&limit=1000&conversation="+id, nil, &hooks)
		i := slices.IndexFunc(hooks.Entries, func(w simulator.Wire) bool {
			return strings.Contains(w.Request.Body, "ExConversationChangeNotification")
		})
		switch {
		case err != nil:
			return err
		case i < 0:
			return errNotYet
		}
		first = hooks.Entries[i].Request.Body
		return nil
	})
	s.agent(id, "close", nil)
	s.over(id)
	assert.Equal(t, http.StatusOK, s.emit("/sim/accounts/quiet/emit", []byte(first)))
	s.unasked(p, id)
}
