package liveperson

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
)

// Whatever an answer says, it is judged, and the judgement repeats none of it.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		``, `<html>`, `[]`, `[{}]`, `[{"code":"OK"},{"code":429}]`, `{"code":"OK","body":{"sequence":4}}`, `{"body":{"errorCode":"words"}}`,
		`{"code":400,"body":"Bad Request, Conversation is close"}`, `{"error":"invalid_client"}`, `[{"code":1e300,"reqId":7,"body":[]},null,3]`,
	} {
		f.Add(200, body, "1")
		f.Add(400, body, "Sun, 22 Nov 2026 12:00:00 GMT")
		f.Add(503, body, "NaN")
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, body, retry string) {
		const mark = "zqx"
		a := answer{status: status, header: http.Header{"Retry-After": {retry}}, body: []byte(strings.ReplaceAll(body, "words", mark))}
		batch, _ := a.batch("1", "2")
		for _, a := range []answer{a, a.single(), batch} {
			for _, e := range []effect{repeatable, creates} {
				err := a.judge("op", e, now)
				if err == nil {
					require.True(t, a.status >= 200 && a.status < 300)
					_, err = a.open("op", e)
				}
				if err == nil {
					continue
				}
				require.NotContains(t, err.Error(), mark)
				require.GreaterOrEqual(t, fault.RetryAfter(err), time.Duration(0))
				require.LessOrEqual(t, fault.RetryAfter(err), longestWait)
				require.False(t, e == repeatable && fault.ClassOf(err) == fault.Uncertain)
			}
		}
	})
}

func TestADateToWaitForIsCountedByTheClockThatMadeIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	a := answer{header: http.Header{"Date": {"Sun, 22 Nov 2026 12:00:00 GMT"}, "Retry-After": {"Sun, 22 Nov 2026 12:00:30 GMT"}}}
	for _, off := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
		require.Equal(t, 30*time.Second, a.after(fault.Throttled, now.Add(off)), off)
	}
}

func TestCodesAreCodes(t *testing.T) {
	t.Parallel()
	for v, want := range map[any]string{
		float64(40102): "40102", "40102": "40102", "invalid_client": "invalid_client",
		"mira": "", "+15550100200": "", float64(15550100200): "", -1.0: "", 1.5: "", true: "", nil: "",
	} {
		require.Equal(t, want, word(v), "%v", v)
	}
}
