package activities

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"parley/channels"
	"parley/conversation"
	"parley/fault"
	"parley/message"
)

// shelves has so many rows to delete, and fails after some.
type shelves struct {
	rows, fails int
	after       []time.Time
}

func (s *shelves) Trim(_ context.Context, _ string, _, after time.Time, limit int) (int, time.Time, error) {
	s.after = append(s.after, after)
	if s.fails > 0 && len(s.after) > s.fails {
		return 0, after, errors.New("database down")
	}
	n := min(s.rows, limit)
	s.rows -= n
	return n, after.Add(time.Hour), nil
}

// tally counts what it is told.
type tally struct{ gaps, uncertain, dead, waits, trimmed int }

func (t *tally) Gap()                                     { t.gaps++ }
func (t *tally) Uncertain()                               { t.uncertain++ }
func (t *tally) Buried(conversation.LaneName)             { t.dead++ }
func (t *tally) Waits(conversation.LaneName, fault.Class) { t.waits++ }
func (t *tally) Trimmed(_ string, n int)                  { t.trimmed += n }

func trims(t *testing.T, s *shelves, o Observer) (Trimmed, error) {
	t.Helper()
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	a := &Activities{Trimmer: s, Observer: o, Log: slog.New(slog.DiscardHandler)}
	env.RegisterActivity(a.Trim)
	v, err := env.ExecuteActivity(a.Trim, Trim{Table: "inbox", Before: time.Now()})
	if err != nil {
		return Trimmed{}, err
	}
	var out Trimmed
	require.NoError(t, v.Get(&out))
	return out, nil
}

func TestTrimGoesOnInBatches(t *testing.T) {
	t.Parallel()
	s, o := &shelves{rows: 2*trimRows + 7}, &tally{}
	out, err := trims(t, s, o)
	require.NoError(t, err)
	assert.Equal(t, Trimmed{Rows: 2*trimRows + 7}, out)
	assert.Equal(t, out.Rows, o.trimmed)
	require.Len(t, s.after, 3)
	assert.True(t, s.after[2].After(s.after[1]), "what is gone is not looked for again")

	_, err = trims(t, &shelves{rows: 5 * trimRows, fails: 1}, nil)
	assert.Error(t, err)
}

func TestObserverIsTold(t *testing.T) {
	t.Parallel()
	o := &tally{}
	d := newDesk(t, Confirm, channels.Limits{})
	d.Observer = o
	d.cloud.fails["one"] = []error{failed(fault.Transient)}
	d.carry(t, d.ToCloud, publish("one"))
	bad := publish("bad")
	bad.Bury = "refused"
	d.carry(t, d.ToCloud, bad)
	d.l.entries["id-two"] = message.Entry{Command: "id-two", State: message.Intended, Since: time.Now().Add(-time.Hour)}
	d.carry(t, d.ToCloud, publish("two"))
	require.NoError(t, d.noted(t.Context(), []message.Note{{What: conversation.NoteGap}, {What: "late"}}))
	assert.Equal(t, &tally{gaps: 1, uncertain: 1, dead: 1, waits: 1}, o)
}

func TestPartsOfADeadLetterAreNotSentAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	c := conversation.Command{ID: "d1", Kind: conversation.Deliver, Text: "a long text"}
	d.l.entries["d1"] = message.Entry{Command: "d1", State: message.Undone, Outcome: message.Outcome{Parts: 2}}
	d.carry(t, d.ToChannel, c)
	require.Len(t, d.phone.got, 1)
	assert.Equal(t, 2, d.phone.got[0].Done)
}
