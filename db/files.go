package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"parley/message"
)

// chunkSize is how much of a file is in memory at a time, in bytes.
const chunkSize = 256 << 10

// fileConnections bounds how many files are stored at the same time. Reading takes
// a connection only for as long as one chunk needs.
const fileConnections = 4

const createFile = `
INSERT INTO files (token, command, mime, name, size)
VALUES (@token, @command, @mime, @name, @size)
ON CONFLICT (command) DO NOTHING`

// SaveFile keeps a file for a command, in one commit, and returns it with the token
// it is read by. body must hold f.Size bytes, of which a quarter of a megabyte is in
// memory at a time. A command that has a file already keeps it: what is given now is
// not read then.
func (s *Store) SaveFile(ctx context.Context, f message.KeptFile, body io.Reader) (message.KeptFile, error) {
	f.Token = rand.Text() // 130 random bits
	kept := true
	err := pgx.BeginFunc(ctx, s.files, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, createFile, pgx.StrictNamedArgs{
			"token": f.Token, "command": toKey(string(f.Command)), "mime": toText(f.MIME), "name": toText(f.Name), "size": f.Size,
		})
		if kept = err == nil && tag.RowsAffected() == 1; !kept {
			return err
		}
		chunks := &chunker{token: f.Token, from: io.LimitReader(body, f.Size), left: f.Size}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"file_chunks"}, []string{"token", "n", "body"}, chunks)
		if chunks.err != nil { // the server only repeats it
			return chunks.err
		}
		return err
	})
	if err != nil {
		return message.KeptFile{}, fmt.Errorf("keep file: %w", redacted(err))
	}
	if kept {
		return f, nil
	}
	f, found, err := s.FileOf(ctx, f.Command)
	if err == nil && !found { // deleted just now, for its age
		err = errors.New("keep file: it was deleted meanwhile")
	}
	return f, err
}

var errShort = errors.New("the file ended too early")

// chunker reads a file chunk by chunk for a copy into the database.
type chunker struct {
	token string
	from  io.Reader
	left  int64
	n     int32
	buf   []byte
	err   error
}

func (c *chunker) Next() bool {
	if c.left == 0 || c.err != nil {
		return false
	}
	if c.buf == nil {
		c.buf = make([]byte, min(chunkSize, c.left))
	} else {
		c.n++
	}
	c.buf = c.buf[:min(int64(len(c.buf)), c.left)]
	if _, err := io.ReadFull(c.from, c.buf); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		c.err = errShort
	} else {
		c.err = err
	}
	c.left -= int64(len(c.buf))
	return c.err == nil
}

func (c *chunker) Values() ([]any, error) { return []any{c.token, c.n, c.buf}, nil }

func (c *chunker) Err() error { return c.err }

const selectFile = `SELECT token, command, mime, name, size FROM files WHERE `

// FileOf returns the file that is kept for a command.
func (s *Store) FileOf(ctx context.Context, command message.ID) (message.KeptFile, bool, error) {
	return s.file(ctx, selectFile+`command = @key`, toKey(string(command)))
}

// File returns the file that a token opens.
func (s *Store) File(ctx context.Context, token string) (message.KeptFile, bool, error) {
	return s.file(ctx, selectFile+`token = @key`, toText(token))
}

func (s *Store) file(ctx context.Context, sql, key string) (message.KeptFile, bool, error) {
	var f message.KeptFile
	found, err := scanned(s.pool.QueryRow(ctx, sql, pgx.StrictNamedArgs{"key": key}), &f.Token, &f.Command, &f.MIME, &f.Name, &f.Size)
	if err != nil {
		return message.KeptFile{}, false, fmt.Errorf("look up file: %w", err)
	}
	f.MIME, f.Name = fromText(f.MIME), fromText(f.Name)
	return f, found, nil
}

const selectChunk = `SELECT body FROM file_chunks WHERE token = @token AND n = @n`

// ReadFile writes a file to w, chunk by chunk; no connection is held while w takes
// its time. An error may come after a part was written: the file may be deleted for
// its age meanwhile.
func (s *Store) ReadFile(ctx context.Context, f message.KeptFile, w io.Writer) error {
	var chunk []byte
	for n, left := 0, f.Size; left > 0; n++ {
		found, err := scanned(s.pool.QueryRow(ctx, selectChunk, pgx.StrictNamedArgs{"token": f.Token, "n": n}), &chunk)
		if err != nil {
			return fmt.Errorf("read file: %w", err)
		}
		if !found {
			return errors.New("read file: a part of it is not there")
		}
		if _, err := w.Write(chunk); err != nil {
			return fmt.Errorf("read file: %w", err)
		}
		left -= int64(len(chunk))
	}
	return nil
}
