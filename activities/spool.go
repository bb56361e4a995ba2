package activities

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"parley/conversation"
	"parley/fault"
)

// Bounds on files that pass through a worker. A file is never in memory as a whole:
// it is a temporary file, of which each of these many may have one.
const (
	mostSpooled = 16               // files on their way at the same time
	spoolWait   = 20 * time.Second // for one of these places; then a lane comes again
	spoolTime   = 95 * time.Second // with the wait, less than an activity may take
	spoolBuffer = 32 << 10
	sniffed     = 3072 // bytes by which a type is told
)

// spooled is a file as a temporary file. Its type is what its bytes say.
type spooled struct {
	*os.File
	size int64
	mime string // without parameters
	kind string // "JPG", "PDF", …; empty for one that has no name
}

// Close removes the file.
func (s *spooled) Close() error {
	return errors.Join(s.File.Close(), os.Remove(s.Name()))
}

var errTooLarge = errors.New("the file is too large")

// spool reads a file, of at most so many bytes, into a temporary one. Its caller
// closes it. The error of a file that is too large is Rejected with its code, as
// soon as that is known; declared is what somebody says about its size, 0 when nobody does.
func spool(ctx context.Context, op string, from io.Reader, declared, most int64) (_ *spooled, err error) {
	tooLarge := &fault.Error{Class: fault.Rejected, Op: op, Code: conversation.CodeTooLarge, Err: errTooLarge}
	if declared > most {
		return nil, tooLarge
	}
	file, err := os.CreateTemp("", "parley-*")
	if err != nil {
		return nil, discreetly(op, err)
	}
	s := &spooled{File: file}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	to := struct{ io.Writer }{file} // without ReadFrom, which would take a buffer of its own
	if s.size, err = io.CopyBuffer(to, struct{ io.Reader }{io.LimitReader(from, most+1)}, make([]byte, spoolBuffer)); err != nil {
		return nil, discreetly(op, err)
	}
	switch {
	case s.size > most:
		return nil, tooLarge
	case s.size == 0:
		return nil, &fault.Error{Class: fault.Rejected, Op: op, Code: conversation.CodeFileGone, Err: errEmpty}
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return s, s.sniff(op)
}

var errEmpty = errors.New("the file is empty")

// sniff tells the type by the bytes: what a sender calls it is not believed.
func (s *spooled) sniff(op string) error {
	head := make([]byte, min(s.size, sniffed))
	if _, err := s.ReadAt(head, 0); err != nil {
		return discreetly(op, err)
	}
	kind := mimetype.Detect(head)
	s.mime, _, _ = strings.Cut(kind.String(), ";")
	s.kind = strings.ToUpper(strings.TrimPrefix(kind.Extension(), "."))
	return nil
}

// discreetly keeps a judged error as it is. One of the file system is Transient, and
// shown without the path.
func discreetly(op string, err error) error {
	var judged *fault.Error
	var path *os.PathError
	switch {
	case errors.As(err, &judged):
		return err
	case errors.As(err, &path):
		err = path.Err
	}
	return &fault.Error{Class: fault.Transient, Op: op, Err: err}
}

// places bounds how much of something happens at the same time.
type places chan struct{}

var errCrowded = errors.New("many files are on their way")

// take waits for a place, not for long: a lane that waits keeps a worker's slot.
func (p places) take(ctx context.Context, op string) (leave func(), err error) {
	timer := time.NewTimer(spoolWait)
	defer timer.Stop()
	select {
	case p <- struct{}{}:
		return func() { <-p }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, &fault.Error{Class: fault.Throttled, Op: op, After: time.Second, Err: errCrowded}
	}
}
