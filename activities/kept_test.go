package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/conversation"
	"parley/db"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

func deliverFile(caption string) conversation.Command {
	return conversation.Command{
		ID: "file-2", Kind: conversation.Deliver, Conversation: "C1", Dialog: "C1", Sequence: 6, Text: caption + " [PNG]",
		File: &message.File{Path: "/v1/agent.PNG", Type: "PNG", Caption: caption},
	}
}

func (d *desk) has(body []byte) {
	d.cloud.download = func() (liveperson.Downloaded, error) {
		return liveperson.Downloaded{Body: io.NopCloser(bytes.NewReader(body)), Size: int64(len(body)), MIME: "text/html"}, nil
	}
}

func TestAnAgentsFileReachesTheConsumer(t *testing.T) {
	ownTemp(t)
	picture := asPNG(colourful(30, 30))
	const link = "https://hooks.example.org/parley/files/TOKEN-file-2"

	d := newFileDesk(t, channels.Limits{Media: []channels.Media{{MIME: "image/", Size: 1 << 20}}})
	d.has(picture)
	got := d.carry(t, d.ToChannel, deliverFile("cat.png"))
	require.Nil(t, got.Stop)
	require.Len(t, d.phone.got, 1)
	out := d.phone.got[0]
	assert.Equal(t, message.Media, out.Kind)
	assert.Equal(t, "cat.png", out.Text)
	assert.Equal(t, &message.Attachment{Kind: "image", MIME: "image/png", Name: "cat.png", Size: int64(len(picture)), URL: link}, out.Attachment)

	d = newFileDesk(t, channels.Limits{Media: []channels.Media{{MIME: "image/", Size: 10}}})
	d.has(picture)
	require.Nil(t, d.carry(t, d.ToChannel, deliverFile("a cat")).Stop)
	out = d.phone.got[0]
	assert.Equal(t, message.Text, out.Kind, "it is larger than the channel takes")
	assert.Equal(t, "a cat: "+link, out.Text)
	assert.Equal(t, "file.png", d.l.files["file-2"].Name)

	// The channel did not take it: the second attempt finds the stored file.
	d.l.entries["file-2"] = message.Entry{Command: "file-2", State: message.Undone}
	d.cloud.download = func() (liveperson.Downloaded, error) { return liveperson.Downloaded{}, errors.New("asked again") }
	require.Nil(t, d.carry(t, d.ToChannel, deliverFile("a cat")).Stop)
	assert.Len(t, d.phone.got, 2)
}

func TestAgentsFilesThatCannotGo(t *testing.T) {
	ownTemp(t)
	for name, tt := range map[string]struct {
		change func(*desk)
		class  fault.Class
		code   string
	}{
		"gone": {func(d *desk) {
			d.cloud.download = func() (liveperson.Downloaded, error) {
				return liveperson.Downloaded{}, &fault.Error{Class: fault.Rejected, Code: liveperson.CodeFileGone}
			}
		}, fault.Rejected, conversation.CodeFileGone},
		"too large": {func(d *desk) {
			d.cloud.download = func() (liveperson.Downloaded, error) {
				return liveperson.Downloaded{Body: io.NopCloser(strings.NewReader("")), Size: mostOfAgents + 1}, nil
			}
		}, fault.Rejected, conversation.CodeTooLarge},
		"breaks off": {func(d *desk) {
			d.cloud.download = func() (liveperson.Downloaded, error) {
				return liveperson.Downloaded{Body: io.NopCloser(io.MultiReader(strings.NewReader("\x89PNG"), failingReader{})), Size: -1}, nil
			}
		}, fault.Transient, ""},
		"Postgres is away":         {func(d *desk) { d.has([]byte("\x89PNG")); d.l.broken = true }, fault.Transient, ""},
		"without a URL of ours":    {func(d *desk) { d.Files.publicURL = "" }, fault.Rejected, ""},
		"where there are no files": {func(d *desk) { d.Files = nil }, fault.Rejected, ""},
	} {
		d := newFileDesk(t, channels.Limits{})
		tt.change(d)
		got := d.carry(t, d.ToChannel, deliverFile("x"))
		require.NotNil(t, got.Stop, name)
		assert.Equal(t, tt.class, got.Stop.Class, "%s: %s", name, got.Stop.Text)
		assert.Equal(t, tt.code, got.Stop.Code, name)
		assert.Empty(t, d.phone.got, name)
	}
}

// A worker that died while it fetched the file has sent nothing.
func TestAFileThatWasNotKeptWasNotSent(t *testing.T) {
	ownTemp(t)
	d := newFileDesk(t, channels.Limits{Correlated: true})
	d.has(asPNG(colourful(30, 30)))
	d.l.entries["file-2"] = message.Entry{Command: "file-2", State: message.Intended, Since: time.Now(), Attempts: 1}
	got := d.carry(t, d.ToChannel, deliverFile("x"))
	require.Nil(t, got.Stop)
	assert.Empty(t, got.Results[0].Note)

	d.l.entries["file-2"] = message.Entry{Command: "file-2", State: message.Intended, Since: time.Now(), Attempts: 1}
	got = d.carry(t, d.ToChannel, deliverFile("x"))
	require.NotNil(t, got.Stop, "it is kept, so it may have been sent")
	assert.Equal(t, fault.Uncertain, got.Stop.Class)
}

func TestTheLadder(t *testing.T) {
	t.Parallel()
	yes := message.Choice{ID: "n/1", Title: "Yes", Metadata: []byte(`[]`)}
	c := conversation.Command{
		ID: "d1", Kind: conversation.Deliver, Text: "Keep it?\n1) Yes", Choices: []message.Choice{yes},
		Blocks: []message.Block{{Kind: message.TextBlock, Text: "Keep it?"}, {Kind: message.ChoiceBlock, Choice: &yes}},
	}
	for want, limits := range map[message.OutboundKind]channels.Limits{
		message.Rich: {Rich: true}, message.Choices: {Choices: 3}, message.Text: {},
	} {
		d := newDesk(t, Confirm, limits)
		require.Nil(t, d.carry(t, d.ToChannel, c).Stop)
		assert.Equal(t, want, d.phone.got[0].Kind)
		if want == message.Text {
			assert.Equal(t, c.Text, d.phone.got[0].Text)
		}
		if want == message.Choices {
			assert.Equal(t, "Keep it?", d.phone.got[0].Text)
		}
	}
}

// keeper is the ledger with files in Postgres.
type keeper struct {
	*ledger
	store *db.Store
}

func (k *keeper) FileOf(ctx context.Context, id message.ID) (message.KeptFile, bool, error) {
	return k.store.FileOf(ctx, id)
}

func (k *keeper) SaveFile(ctx context.Context, f message.KeptFile, body io.Reader) (message.KeptFile, error) {
	return k.store.SaveFile(ctx, f, body)
}

// postgres opens a schema of this test's own.
func postgres(t *testing.T) *db.Store {
	t.Helper()
	base := os.Getenv("DATABASE_URL")
	if base == "" {
		t.Skip("DATABASE_URL is not set")
	}
	admin, err := pgx.Connect(t.Context(), base)
	require.NoError(t, err)
	schema := fmt.Sprintf("activities_%d", time.Now().UnixNano())
	_, err = admin.Exec(t.Context(), `CREATE SCHEMA `+schema)
	require.NoError(t, err)
	u, err := url.Parse(base)
	require.NoError(t, err)
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	require.NoError(t, db.Migrate(t.Context(), u.String(), nil))
	s, err := db.Open(t.Context(), u.String(), db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		_, err := admin.Exec(context.Background(), `DROP SCHEMA `+schema+` CASCADE`)
		assert.NoError(t, err)
		_ = admin.Close(context.Background())
	})
	return s
}

func TestAnAgentsFileIsKeptInPostgres(t *testing.T) {
	ownTemp(t)
	store := postgres(t)
	d := newFileDesk(t, channels.Limits{})
	d.Store = &keeper{d.l, store}
	body := append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("page"), 200_000)...)
	d.has(body)
	require.Nil(t, d.carry(t, d.ToChannel, deliverFile("invoice.pdf")).Stop)
	_, token, found := strings.Cut(d.phone.got[0].Text, "/files/")
	require.True(t, found)
	f, ok, err := store.File(t.Context(), token)
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, []string{"application/pdf", "invoice.pdf"}, []string{f.MIME, f.Name})
	var got bytes.Buffer
	require.NoError(t, store.ReadFile(t.Context(), f, &got))
	assert.True(t, bytes.Equal(body, got.Bytes()))
}
