package liveperson_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
	"parley/liveperson"
)

const consumersWords = "the words of +15550100200"

func publish(ctx context.Context, c *liveperson.Client) error {
	_, err := c.Publish(ctx, liveperson.Publish{Consumer: "sms/+15550100200", Conversation: "conv-1", Text: consumersWords})
	return err
}

func closes(ctx context.Context, c *liveperson.Client) error {
	return c.Close(ctx, liveperson.Close{Consumer: "sms/+15550100200", Conversation: "conv-1"})
}

func opens(ctx context.Context, c *liveperson.Client) error {
	_, err := c.Open(ctx, liveperson.Open{Consumer: "sms/+15550100200", Profile: liveperson.Profile{Name: "Mira", Phone: "+15550100200"}})
	return err
}

// requireClean makes sure that an error holds nothing of what was sent or answered.
func requireClean(t *testing.T, err error) {
	t.Helper()
	for _, s := range []string{"words", "15550100200", "Mira", secret, "eyJ", "conv-1", "127.0.0.1", "http:", "<html>"} {
		require.NotContains(t, err.Error(), s)
	}
}

// warm lets a client fetch all it needs before the call that is looked at, however
// busy the machine is and however little time the client gives each exchange.
func warm(t *testing.T, cloud *cloud, client *liveperson.Client) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := client.ConsumerID(t.Context(), someone)
		if err != nil {
			cloud.pass(2 * time.Second) // so that it asks again
			return false
		}
		return true
	}, time.Minute, time.Millisecond)
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string {
		return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(d).Format(http.TimeFormat)
	}
	echo := `{"body":{"details":"` + consumersWords + `","errorCode":%s}}`
	for name, c := range map[string]struct {
		status  int
		body    string
		retry   string // Retry-After
		publish fault.Class
		closes  fault.Class
		code    string
		after   time.Duration
	}{
		"400":                        {400, fmt.Sprintf(echo, "40017"), "", fault.Rejected, fault.Rejected, "40017", 0},
		"400 with a string code":     {400, fmt.Sprintf(echo, `"40017"`), "", fault.Rejected, fault.Rejected, "40017", 0},
		"400 with words for a code":  {400, fmt.Sprintf(echo, `"+15550100200"`), "", fault.Rejected, fault.Rejected, "400", 0},
		"400, not JSON":              {400, consumersWords, "", fault.Rejected, fault.Rejected, "400", 0},
		"400, brand is missing":      {400, fmt.Sprintf(echo, "40001"), "", fault.Denied, fault.Denied, "40001", 0},
		"closed":                     {400, `{"kind":"resp","code":400,"body":"Bad Request, Conversation is close"}`, "", fault.Gone, fault.Gone, liveperson.CodeClosed, 0},
		"closed, in plain text":      {400, `conversation is CLOSED`, "", fault.Gone, fault.Gone, liveperson.CodeClosed, 0},
		"closed, under 200":          {200, `{"code":400,"body":"Bad Request, Conversation is close"}`, "", fault.Gone, fault.Gone, liveperson.CodeClosed, 0},
		"401, another's consumer":    {401, `{}`, "", fault.Denied, fault.Denied, "401", 0},
		"401, header missing":        {401, fmt.Sprintf(echo, "40104"), "", fault.Denied, fault.Denied, "40104", 0},
		"403":                        {403, ``, "", fault.Denied, fault.Denied, "403", 0},
		"404":                        {404, ``, "", fault.Rejected, fault.Rejected, "404", 0},
		"413":                        {413, ``, "", fault.Rejected, fault.Rejected, "413", 0},
		"429":                        {429, ``, "", fault.Throttled, fault.Throttled, "429", time.Second},
		"429 with seconds":           {429, ``, "7", fault.Throttled, fault.Throttled, "429", 7 * time.Second},
		"429 with a date":            {429, ``, at(90 * time.Second), fault.Throttled, fault.Throttled, "429", 90 * time.Second},
		"429 with a date gone by":    {429, ``, at(-time.Hour), fault.Throttled, fault.Throttled, "429", time.Second},
		"429 with zero":              {429, ``, "0", fault.Throttled, fault.Throttled, "429", time.Second},
		"429 with nonsense":          {429, ``, "soon", fault.Throttled, fault.Throttled, "429", time.Second},
		"429 without end":            {429, ``, "99999999999999999999", fault.Throttled, fault.Throttled, "429", time.Hour},
		"500":                        {500, consumersWords, "", fault.Uncertain, fault.Transient, "500", 0},
		"503 with seconds":           {503, `<html>`, "12", fault.Uncertain, fault.Transient, "503", 12 * time.Second},
		"504":                        {504, ``, "", fault.Uncertain, fault.Transient, "504", 0},
		"200 with a failure inside":  {200, `{"code":429,"body":{}}`, "", fault.Throttled, fault.Throttled, "429", time.Second},
		"200 with a failure by name": {200, `{"code":"BAD_REQUEST","body":{}}`, "", fault.Rejected, fault.Rejected, "400", 0},
		"200 with an unknown code":   {200, `{"code":"` + consumersWords + `"}`, "", fault.Uncertain, fault.Transient, "", 0},
		"200 with somebody's page":   {200, `<html>`, "", fault.Uncertain, fault.Transient, "200", 0},
		"302":                        {302, ``, "", fault.Transient, fault.Transient, "302", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for call, want := range map[string]fault.Class{"publish": c.publish, "close": c.closes} {
				cloud := newCloud(t)
				header := []string{"Location", "https://elsewhere.example", "Date", at(0)}
				if c.retry != "" {
					header = append(header, "Retry-After", c.retry)
				}
				cloud.next(send, says(c.status, c.body, header...))
				f := publish
				if call == "close" {
					f = closes
				}
				err := f(t.Context(), cloud.client())
				require.Equal(t, want, fault.ClassOf(err), "%s: %v", call, err)
				require.Equal(t, c.code, fault.CodeOf(err))
				require.Equal(t, c.after, fault.RetryAfter(err))
				require.Equal(t, 1, cloud.count(send))
				requireClean(t, err)
			}
		})
	}
}

func TestOpenIsJudgedByEveryElement(t *testing.T) {
	t.Parallel()
	const envelope = `{"kind":"resp","code":400,"body":{"title":"Bad Request","details":"Consumer already has an open conversation","errorCode":40000},"type":".ReqBody$ErrorResp"}`
	for name, c := range map[string]struct {
		status int
		body   string
		want   fault.Class
		code   string
	}{
		"opened":                       {200, `[{"code":"OK","reqId":"1"},{"code":"OK","body":{"conversationId":"conv-1"},"reqId":"2"}]`, "", ""},
		"opened, the other way round":  {200, `[{"code":200,"body":{"conversationId":"conv-1"}},{"code":200}]`, "", ""},
		"opened without the profile":   {200, `[{"code":400,"body":{"msg":"no"}},{"code":"OK","body":{"conversationId":"conv-1"}}]`, "", ""},
		"opened, says 400 around it":   {400, `[{"code":400},{"code":"OK","body":{"conversationId":"conv-1"}}]`, "", ""},
		"already open":                 {400, envelope, fault.Gone, liveperson.CodeAlreadyOpen},
		"already open, in the batch":   {200, `[{"code":"OK"},` + envelope + `]`, fault.Gone, liveperson.CodeAlreadyOpen},
		"already open, both ways":      {400, `[{"code":"OK"},` + envelope + `]`, fault.Gone, liveperson.CodeAlreadyOpen},
		"already open, in plain text":  {400, `A conversation already exists`, fault.Gone, liveperson.CodeAlreadyOpen},
		"second throttled":             {200, `[{"code":"OK"},{"code":429,"body":{}}]`, fault.Throttled, "429"},
		"second failed":                {200, `[{"code":"OK"},{"code":500,"body":{}}]`, fault.Uncertain, "500"},
		"second unavailable by name":   {400, `[{"code":"OK"},{"code":"SERVICE_UNAVAILABLE"}]`, fault.Uncertain, "503"},
		"second rejected":              {200, `[{"code":"OK"},{"code":400,"body":{"errorCode":40020}}]`, fault.Rejected, "40020"},
		"second denied":                {200, `[{"code":"OK"},{"code":401,"body":{"errorCode":40104}}]`, fault.Denied, "40104"},
		"second without code, 503":     {503, `[{"code":"OK"},{"body":{}}]`, fault.Uncertain, "503"},
		"only the first, and it fails": {400, `[{"code":400,"body":{"errorCode":40021}}]`, fault.Rejected, "40021"},
		"no conversation":              {200, `[{"code":"OK"},{"code":"OK","body":{}}]`, fault.Uncertain, ""},
		"somebody's page":              {200, `<html>`, fault.Uncertain, ""},
		"an empty list":                {200, `[]`, fault.Uncertain, ""},
		"an unknown code":              {200, `[{"code":"OK"},{"code":"Mira"}]`, fault.Uncertain, ""},
		"invalid":                      {400, `{"body":{"details":"Mira"}}`, fault.Rejected, "400"},
		"throttled":                    {429, ``, fault.Throttled, "429"},
		"failed":                       {502, ``, fault.Uncertain, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			cloud.next(open, says(c.status, c.body))
			err := opens(t.Context(), cloud.client())
			require.Equal(t, c.want, fault.ClassOf(err), "%v", err)
			require.Equal(t, 1, cloud.count(open))
			if err != nil {
				require.Equal(t, c.code, fault.CodeOf(err))
				requireClean(t, err)
			}
		})
	}
}

func TestNoAnswerOnceTheRequestLeft(t *testing.T) {
	t.Parallel()
	stall := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	cutOff := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"code":"OK","body":{"seq`))
	}
	short := func(_ *liveperson.Config, o *liveperson.Options) { o.Timeout = time.Second }
	for name, handler := range map[string]http.HandlerFunc{"broken": hangUp, "too slow": stall, "cut off": cutOff} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				call    func(context.Context, *liveperson.Client) error
				service string
				want    fault.Class
			}{{publish, send, fault.Uncertain}, {opens, open, fault.Uncertain}, {closes, send, fault.Transient}} {
				cloud := newCloud(t)
				client := cloud.client(short)
				warm(t, cloud, client)
				cloud.next(c.service, handler)
				err := c.call(t.Context(), client)
				require.Equal(t, c.want, fault.ClassOf(err), "%v", err)
				require.Equal(t, 1, cloud.count(c.service))
				requireClean(t, err)
			}
		})
	}
}

func TestACallerWhoGivesUp(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	client := cloud.client()
	_, err := client.ConsumerID(t.Context(), "sms/+15550100200")
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cloud.next(send, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	err = publish(ctx, client)
	require.Equal(t, fault.Uncertain, fault.ClassOf(err), "the request had left")
	require.ErrorIs(t, err, context.Canceled)

	err = publish(ctx, client)
	require.Equal(t, fault.Transient, fault.ClassOf(err), "nothing was sent")
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, cloud.count(send))
}

func TestNothingLeavesWithoutAConnection(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]error{
		"refused":   &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused to 127.0.0.1")},
		"no such":   &net.DNSError{Err: "no such host", Name: "msg.example.net", IsNotFound: true},
		"timed out": context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			down := &switched{}
			client := cloud.client(down.use)
			_, err := client.ConsumerID(t.Context(), "sms/+15550100200")
			require.NoError(t, err)
			down.fail(fail)
			for _, call := range []func(context.Context, *liveperson.Client) error{publish, opens, closes} {
				err := call(t.Context(), client)
				require.Equal(t, fault.Transient, fault.ClassOf(err), "%v", err)
				require.NotContains(t, err.Error(), "example.net")
				requireClean(t, err)
			}
			require.Zero(t, cloud.count(send))
		})
	}
}

// A request that could be written only in part was never acted upon.
func TestAConnectionThatBreaksWhileWriting(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t)
	breaking := &switched{}
	client := cloud.client(breaking.use)
	_, err := client.ConsumerID(t.Context(), "a")
	require.NoError(t, err)
	breaking.allow(2_000)
	_, err = client.Publish(t.Context(), liveperson.Publish{Consumer: "a", Conversation: "conv-1", Text: strings.Repeat("long ", 100_000)})
	require.Equal(t, fault.Transient, fault.ClassOf(err), "%v", err)
	require.Zero(t, cloud.sequence)
}
