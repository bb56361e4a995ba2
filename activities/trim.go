package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// Trimmer deletes what is old and finished; *db.Store is one.
type Trimmer interface {
	Trim(ctx context.Context, table string, before, after time.Time, limit int) (rows int, last time.Time, err error)
}

// Trim says what to delete: the rows of a table that are finished and older.
type Trim struct {
	Table  string    `json:"table"`
	Before time.Time `json:"before"`
}

// Trimmed is how far that got.
type Trimmed struct {
	Rows int  `json:"rows"`
	More bool `json:"more,omitempty"`
}

// How much is deleted at a time, and how long it is rested in between, so that
// nobody notices: at most 2,500 rows a second, and a tenth of the time of one
// connection on a database that is busy.
const (
	trimRows  = 250
	trimPause = 100 * time.Millisecond
	trimRests = 9           // times as long as the batch took, at least
	trimFor   = time.Minute // then it is asked for again, from any worker
)

// Trim deletes old rows in small batches until there are no more, or a minute is
// over. It may run twice.
func (a *Activities) Trim(ctx context.Context, in Trim) (Trimmed, error) {
	var out Trimmed
	var after time.Time
	for began := time.Now(); time.Since(began) < trimFor && !stopping(ctx); {
		batch := time.Now()
		rows, last, err := a.Trimmer.Trim(ctx, in.Table, in.Before, after, trimRows)
		if err != nil {
			return out, forTemporal(err)
		}
		out.Rows, after = out.Rows+rows, last
		a.observer().Trimmed(in.Table, rows)
		activity.RecordHeartbeat(ctx)
		if rows < trimRows {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(max(trimPause, trimRests*time.Since(batch))):
		}
	}
	out.More = true
	return out, nil
}
