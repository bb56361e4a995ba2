package db

import (
	"context"
	"fmt"
	"time"
)

// ClockOffset returns how far this process's clock is ahead of the database's,
// which is less than nothing when it is behind. It is exact to half of the time
// that the answer takes. Nothing is decided by it: what is judged by a clock is
// judged by the database's, or counted from when it was learnt.
func (s *Store) ClockOffset(ctx context.Context) (time.Duration, error) {
	conn, err := s.pool.Acquire(ctx) // which may take a while
	if err != nil {
		return 0, fmt.Errorf("ask for the time: %w", redacted(err))
	}
	defer conn.Release()
	var theirs time.Time
	began := time.Now()
	if err := conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return 0, fmt.Errorf("ask for the time: %w", redacted(err))
	}
	return offset(began, time.Since(began), theirs), nil
}

// offset takes it that the database read its clock half way through.
func offset(began time.Time, took time.Duration, theirs time.Time) time.Duration {
	return began.Add(took / 2).Sub(theirs)
}
