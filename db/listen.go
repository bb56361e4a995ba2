package db

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
)

// notifyChannel is where Bind tells of streams that can now be dispatched. The
// server's channels are shared by all schemas of a database.
func (s *Store) notifyChannel() string {
	h := fnv.New64a()
	h.Write([]byte(s.schema))
	return fmt.Sprintf("parley_bound_%016x", h.Sum64())
}

// Listen calls bound with the key of each stream that a Bind, in any process, has
// made ready to be dispatched, until ctx ends, and then returns nil. It connects
// again when the connection breaks; what is missed meanwhile is in Pending.
func (s *Store) Listen(ctx context.Context, bound func(key string)) error {
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		// Whatever broke it, a new connection is the only cure; Ready tells people.
		_ = s.listenOnce(ctx, bound)
		if time.Since(began) > time.Minute {
			wait = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, 5*time.Second)
		}
	}
	return nil
}

func (s *Store) listenOnce(ctx context.Context, bound func(key string)) error {
	cfg := s.pool.Config().ConnConfig
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `LISTEN `+pgx.Identifier{s.notifyChannel()}.Sanitize()); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		bound(n.Payload)
	}
}
