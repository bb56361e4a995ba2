package simulator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWelcome(t *testing.T) {
	t.Parallel()
	at := newClock(time.Now())
	g := newRig(t, `{"autoMessages":{"on":true,"welcome":"Welcome!","joined":"Dana has joined."}}`, WithClock(at.now))
	for name, tc := range map[string]struct {
		onOpen, onSend []string
		after          time.Duration
		welcomed       bool
	}{
		"at once":         {surveyable, surveyable, 0, true},
		"after 10 s":      {surveyable, surveyable, 10 * time.Second, true},
		"too late":        {surveyable, surveyable, 10_001 * time.Millisecond, false},
		"not on SEND":     {surveyable, surveyable[:3], 0, false},
		"not when opened": {surveyable[:3], surveyable, 0, false},
	} {
		c := g.consumer(name)
		c.features = tc.onOpen
		c.open()
		c.features = tc.onSend
		at.move(tc.after)
		for range 2 {
			status, b := c.send(textOf(c.conv, "Hello", ""))
			require.Equal(t, 200, status, b)
		}
		d := c.detail()
		require.Equal(t, tc.welcomed, d.Welcomed, name)
		require.Equal(t, tc.after.Milliseconds(), *d.FirstMs, name)
		if !tc.welcomed {
			require.Len(t, d.Transcript, 2, name)
			continue
		}
		require.Len(t, d.Transcript, 3, "once")
		require.Equal(t, []string{roleController, "Welcome!"}, []string{d.Transcript[1].Role, d.Transcript[1].Text})
		g.must("POST", "/sim/conversations/"+c.conv+"/join", `{}`, nil)
		require.Equal(t, "Dana has joined.", c.detail().Transcript[3].Text)
	}
	var f FirstMessages
	g.must("GET", "/sim/first-messages", "", &f)
	require.Equal(t, FirstMessages{Count: 5, Late: 1, Welcomed: 2, P50Ms: 0, P99Ms: 10_001, MaxMs: 10_001}, f)
	g.must("GET", "/sim/first-messages?withinMs=100&account=main", "", &f)
	require.Equal(t, 2, f.Late)
}

func TestNoWelcomeUnlessToldSo(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.features = surveyable
	c.open()
	status, _ := c.send(textOf(c.conv, "Hello", ""))
	require.Equal(t, 200, status)
	require.Len(t, c.detail().Transcript, 1)
}
