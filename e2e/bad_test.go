package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// emit has the simulator post a body of the test's own.
func (s *stack) emit(path string, body []byte) int {
	s.t.Helper()
	response, err := s.http.Post(s.far+path, "application/octet-stream", bytes.NewReader(body))
	require.NoError(s.t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	var status int
	_, err = fmt.Sscanf(string(b), `{"status":%d`, &status)
	require.NoError(s.t, err, string(b))
	return status
}

// knock posts something to Parley as a stranger does.
func (s *stack) knock(path, contentType, body string) (int, string) {
	s.t.Helper()
	response, err := s.http.Post("http://"+s.apis[0].public+path, contentType, strings.NewReader(body))
	require.NoError(s.t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return response.StatusCode, string(b)
}

// digestLike finds what could be a signature, or be made into one.
var digestLike = regexp.MustCompile(`[A-Za-z0-9+/_=-]{24,}`)

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{env: map[string]string{"PARLEY_MAX_BODY": "65536"}})
	const (
		cloud = "/sim/accounts/main/emit?signature="
		sms   = "/sim/channels/sms/emit?signature="
		web   = "/sim/channels/web/emit?signature="
	)
	json := []byte(`{"id":"evt-1","type":"message"}`)
	form := []byte("MessageSid=SM1&From=%2B15552990001&To=%2B15550100900&Body=hello")

	t.Run("without the right signature is refused without a hint", func(t *testing.T) {
		s := s.as(t)
		for _, signature := range []string{"bad", "none"} {
			assert.Equal(t, http.StatusUnauthorized, s.emit(cloud+signature, json))
			assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, s.emit(sms+signature, form))
			assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, s.emit(web+signature, json))
		}
		for path, body := range map[string]string{
			"/webhooks/liveperson/main": string(json), "/webhooks/channels/web": string(json), "/webhooks/channels/sms": string(form),
		} {
			status, answer := s.knock(path, "application/x-www-form-urlencoded", body)
			assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, status)
			assert.NotRegexp(t, digestLike, answer)
			assert.Less(t, len(answer), 200)
		}
		assert.Zero(t, s.count("inbox"))
	})
	t.Run("that is too large is refused", func(t *testing.T) {
		s := s.as(t)
		large := bytes.Repeat([]byte("x"), 65537)
		assert.Equal(t, http.StatusRequestEntityTooLarge, s.emit(cloud+"good", large))
		assert.Equal(t, http.StatusRequestEntityTooLarge, s.emit(web+"good", large))
		assert.Equal(t, http.StatusRequestEntityTooLarge, s.emit(sms+"good", append([]byte("Body="), large...)))
	})
	t.Run("for nobody we know is not found", func(t *testing.T) {
		s := s.as(t)
		for _, path := range []string{"/webhooks/channels/fax", "/webhooks/liveperson/nobody", "/webhooks", "/metrics", "/api/v1/conversations"} {
			status, _ := s.knock(path, "application/json", "{}")
			assert.Equal(t, http.StatusNotFound, status, path)
		}
	})
	t.Run("of the cloud that is of no use is kept as a dead letter", func(t *testing.T) {
		s := s.as(t)
		for i, nonsense := range []string{"this is not JSON", `{"kind":"notification","type":"ms.MessagingEventNotification","body":{"changes":"none"}}`, `[1,2,3]`} {
			assert.Equal(t, http.StatusOK, s.emit(cloud+"good", []byte(nonsense)))
			var n int
			require.NoError(t, s.row("SELECT count(*) FROM dead_letters WHERE body = $1 AND source = 'cloud/main'", []byte(nonsense)).Scan(&n))
			assert.Equal(t, 1, n, "nonsense %d", i)
		}
	})
}

// count counts the rows of a table.
func (s *stack) count(table string) (n int) {
	s.t.Helper()
	require.NoError(s.t, s.row("SELECT count(*) FROM "+table).Scan(&n))
	return n
}

func TestWrongConfigurationIsToldAtOnce(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"api", "worker"} {
		p, err := launch(command, here.parley, append(minimal(),
			"PARLEY_ACCOUNTS=main", "PARLEY_ACCOUNT_MAIN_SURVEY=perhaps", "PARLEY_ACCOUNT_MAIN_CLIENT_SECRET=the-secret-itself",
			"PARLEY_CHANNELS=sms,web", "PARLEY_CHANNEL_SMS_KIND=twilio", "PARLEY_CHANNEL_SMS_ACCOUNT=other",
			"PARLEY_CHANNEL_WEB_KIND=http", "PARLEY_CHANNEL_WEB_ACCOUNT=main", "PARLEY_CHANNEL_WEB_SECRET=whsec_not!base64",
			"PARLEY_ECHO_GRACE=soon", "TEMPORAL_ADDRESS=http://temporal"), command)
		require.NoError(t, err)
		assert.Equal(t, 2, p.status())
		text := strings.Join(p.output(), "\n")
		for _, name := range []string{
			"DATABASE_URL", "TEMPORAL_ADDRESS", "PARLEY_ECHO_GRACE", "PARLEY_ACCOUNT_MAIN_SITE_ID", "PARLEY_ACCOUNT_MAIN_CLIENT_ID",
			"PARLEY_ACCOUNT_MAIN_SURVEY", "PARLEY_CHANNEL_SMS_ACCOUNT", "PARLEY_CHANNEL_SMS_ACCOUNT_SID", "PARLEY_CHANNEL_SMS_AUTH_TOKEN",
			"PARLEY_CHANNEL_SMS_FROM", "PARLEY_CHANNEL_WEB_URL", "PARLEY_CHANNEL_WEB_SECRET", "PARLEY_PUBLIC_URL",
		} {
			assert.Contains(t, text, name, command)
		}
		assert.NotContains(t, text, "the-secret-itself")
		assert.NotContains(t, text, "whsec_not")
	}
}
