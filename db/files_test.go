package db

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/message"
)

// noise is n bytes, the same for the same n.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(b)
	return b
}

func keep(t *testing.T, s *Store, command message.ID, body []byte) message.KeptFile {
	t.Helper()
	f, err := s.SaveFile(t.Context(), message.KeptFile{Command: command, MIME: "image/png", Name: "cat.png", Size: int64(len(body))}, bytes.NewReader(body))
	require.NoError(t, err)
	return f
}

func TestAFileComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	tokens := map[string]bool{}
	for _, n := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3*chunkSize + 7} {
		body := noise(n)
		f := keep(t, s, message.NewID("f", string(rune(n))), body)
		assert.GreaterOrEqual(t, len(f.Token), 22)
		tokens[f.Token] = true
		found, ok, err := s.File(t.Context(), f.Token)
		require.NoError(t, err)
		require.True(t, ok)
		assert.Equal(t, f, found)
		var got bytes.Buffer
		require.NoError(t, s.ReadFile(t.Context(), found, &got))
		assert.True(t, bytes.Equal(body, got.Bytes()), "%d bytes", n)
	}
	assert.Len(t, tokens, 6)
	_, ok, err := s.File(t.Context(), "no-such-token\x00")
	require.NoError(t, err)
	assert.False(t, ok)
}

func TestACommandHasOneFile(t *testing.T) {
	t.Parallel()
	s := open(t, migrated(t), Options{})
	first := keep(t, s, "c1", noise(chunkSize+1))
	again, err := s.SaveFile(t.Context(), message.KeptFile{Command: "c1", Size: 5}, iotest{t})
	require.NoError(t, err)
	assert.Equal(t, first, again)

	var wg sync.WaitGroup
	got := make([]message.KeptFile, 8)
	for i := range got {
		wg.Go(func() {
			f, err := s.SaveFile(context.Background(), message.KeptFile{Command: "c2", Size: 3}, bytes.NewReader([]byte("abc")))
			assert.NoError(t, err)
			got[i] = f
		})
	}
	wg.Wait()
	for _, f := range got {
		assert.Equal(t, got[0].Token, f.Token)
	}
}

// iotest must not be read.
type iotest struct{ t *testing.T }

func (r iotest) Read([]byte) (int, error) {
	r.t.Error("the file was read again")
	return 0, io.EOF
}

// halfway is a file during which something happens.
type halfway struct {
	io.Reader
	after int
	do    func()
}

func (h *halfway) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if h.after -= n; h.after <= 0 && h.do != nil {
		h.do()
		h.do = nil
	}
	return n, err
}

func TestHalfAFileIsNoFile(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{})
	f := message.KeptFile{Command: "c1", Size: 4 * chunkSize}
	_, err := s.SaveFile(t.Context(), f, bytes.NewReader(noise(3*chunkSize)))
	require.ErrorIs(t, err, errShort)

	// Postgres goes away in the middle of it.
	kill := func() {
		exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class c ON c.oid = relation
			WHERE c.relname = 'file_chunks' AND relnamespace = current_schema()::regnamespace AND pid <> pg_backend_pid()`)
	}
	body := noise(4 * chunkSize)
	_, err = s.SaveFile(t.Context(), f, &halfway{Reader: bytes.NewReader(body), after: 2 * chunkSize, do: kill})
	require.Error(t, err)

	broken := errors.New("the disk is gone")
	_, err = s.SaveFile(t.Context(), f, io.MultiReader(bytes.NewReader(noise(chunkSize)), failing{broken}))
	require.ErrorIs(t, err, broken)

	assert.Empty(t, s.left(t, `SELECT token FROM files UNION ALL SELECT token FROM file_chunks`))
	kept := keep(t, s, "c1", body)
	var got bytes.Buffer
	require.NoError(t, s.ReadFile(t.Context(), kept, &got))
	assert.True(t, bytes.Equal(body, got.Bytes()))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestAFileThatIsDeletedWhileItIsReadEndsInAnError(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{})
	f := keep(t, s, "c1", noise(3*chunkSize))
	w := &deleting{do: func() { exec(t, url, `DELETE FROM files`) }}
	assert.ErrorContains(t, s.ReadFile(t.Context(), f, w), "not there")
	assert.Equal(t, chunkSize, w.n)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, s.ReadFile(ctx, f, io.Discard))
}

type deleting struct {
	n  int
	do func()
}

func (d *deleting) Write(p []byte) (int, error) {
	d.n += len(p)
	d.do()
	return len(p), nil
}

func TestOldFilesAreTrimmedAFewAtATime(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, url, Options{})
	for _, c := range []message.ID{"a", "b", "c"} {
		keep(t, s, c, noise(4*chunkSize))
	}
	keep(t, s, "empty", nil)
	exec(t, url, `UPDATE files SET created_at = now() - interval '31 days' + CASE command WHEN 'a' THEN 0 WHEN 'b' THEN 1 ELSE 2 END * interval '1 second'`)
	young := keep(t, s, "young", noise(10))
	before := time.Now().Add(-30 * 24 * time.Hour)

	n, last, err := s.Trim(t.Context(), "files", before, time.Time{}, 5)
	require.NoError(t, err)
	assert.Equal(t, 8, n, "two files of four chunks: the second begins within the batch")
	n, last, err = s.Trim(t.Context(), "files", before, last, 5)
	require.NoError(t, err)
	assert.Equal(t, 5, n)
	n, _, err = s.Trim(t.Context(), "files", before, last, 5)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, []string{young.Token}, s.left(t, `SELECT token FROM files`))
	assert.Equal(t, []string{young.Token}, s.left(t, `SELECT DISTINCT token FROM file_chunks`))
}
