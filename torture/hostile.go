package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// hostileClients opens very many connections that send slowly, for ever, or
// nothing, beside ordinary messages.
func hostileClients(ctx context.Context, t *trial) error {
	c, err := t.open(ctx, pick(t, 20, 100), "")
	if err != nil {
		return err
	}
	w, err := t.watch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	goroutines, connections, err := t.size(ctx)
	if err != nil {
		return err
	}
	memory, err := t.memory(ctx, t.apis)
	if err != nil {
		return err
	}
	hostile, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	n := pick(t, 600, 2000)
	ways := []func(context.Context, net.Conn){slowHeader, slowBody, endless}
	for i := range n {
		address := t.apis[i%len(t.apis)].public
		all.Go(func() {
			for hostile.Err() == nil {
				conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(hostile, "tcp", address)
				if err != nil {
					pause(hostile, 100*time.Millisecond)
					continue
				}
				ways[i%len(ways)](hostile, conn)
				_ = conn.Close()
			}
		})
	}
	l := t.start(ctx, c, t.rate, 1)
	most, err := t.largest(ctx, pick(t, 15*time.Second, 2*time.Minute))
	if err := errors.Join(err, l.end(ctx)); err != nil {
		return err
	}
	stop()
	all.Wait()
	err = t.verify(ctx, c, time.Now(), time.Minute)
	t.times(l, w, nil)
	p99 := quantile(acks(l.attempts()), .99)
	t.note("%d hostile connections; memory of both api %d → %d MB", n, memory>>20, most>>20)
	t.check(p99 < time.Second, "p99 of others' acks is %s", round(p99))
	bound := hostileBound(n, len(t.apis))
	t.check(most < memory+bound, "memory grew by %d MB, bound %d", (most-memory)>>20, bound>>20)
	return errors.Join(err, t.shrunk(ctx, goroutines, connections))
}

// hostileBound is what n hostile connections may take of so many api processes. By
// api's design one has two goroutines and two buffers of net/http, some 24 KiB, and
// 32 KiB for a body of 16 KiB in a buffer that doubles; what is longer shares 16 MiB
// a process, 32 with the doubling. The collector lets the heap grow to twice what
// is in use.
func hostileBound(n, processes int) uint64 {
	return 2 * uint64(n*(24<<10+32<<10)+processes*(32<<20))
}

// largest is the most memory that both api have at any moment of a span.
func (t *trial) largest(ctx context.Context, span time.Duration) (most uint64, err error) {
	for end := time.Now().Add(span); time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, min(time.Second, time.Until(end)))
		now, err := t.memory(ctx, t.apis)
		if err != nil {
			return most, err
		}
		most = max(most, now)
	}
	return most, nil
}

const hostileHead = "POST /webhooks/channels/web HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"

// slowHeader sends a header, a few bytes a second.
func slowHeader(ctx context.Context, c net.Conn) {
	for i := 0; ctx.Err() == nil; i++ {
		if _, err := fmt.Fprintf(c, "%s", hostileHead[i%len(hostileHead):i%len(hostileHead)+1]); err != nil {
			return
		}
		pause(ctx, time.Second)
	}
}

// slowBody sends a body that never ends, a byte a second.
func slowBody(ctx context.Context, c net.Conn) {
	if _, err := io.WriteString(c, hostileHead+"\r\n"); err != nil {
		return
	}
	for ctx.Err() == nil {
		if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
			return
		}
		pause(ctx, time.Second)
	}
}

// endless sends a body that never ends, in large pieces, many times a second.
func endless(ctx context.Context, c net.Conn) {
	if _, err := io.WriteString(c, hostileHead+"\r\n"); err != nil {
		return
	}
	piece := make([]byte, 4096)
	for ctx.Err() == nil {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := fmt.Fprintf(c, "1000\r\n%s\r\n", piece); err != nil {
			return
		}
		pause(ctx, 50*time.Millisecond)
	}
}
