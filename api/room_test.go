package api

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLongBodiesShareARoomAndGiveItBack(t *testing.T) {
	t.Parallel()
	r := newRoom(100 << 10)
	body := func(n int) *tenant { return &tenant{Reader: bytes.NewReader(make([]byte, n)), room: r} }

	short, first, second := body(ownRoom), body(ownRoom+90<<10), body(ownRoom+20<<10)
	for _, b := range []*tenant{short, first} {
		_, err := io.ReadAll(b)
		require.NoError(t, err)
	}
	assert.EqualValues(t, 10<<10, r.left.Load(), "a short one takes nothing")
	_, err := io.ReadAll(second)
	require.ErrorIs(t, err, errCrowded)
	_, err = io.ReadAll(body(ownRoom))
	require.NoError(t, err, "ordinary webhooks do not notice")

	second.leave()
	first.leave()
	short.leave()
	assert.EqualValues(t, 100<<10, r.left.Load())
	_, err = io.ReadAll(body(ownRoom + 100<<10))
	assert.NoError(t, err)
}
