package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load makes messages of the http channel and posts them to Parley.
type load struct {
	addr string // of the public listener
	key  []byte
	next atomic.Int64 // serial number of the next message, in either direction

	mu   sync.Mutex
	idle []*line
}

// messageSize is how long a webhook's body is, as in the measurements that the
// references come from.
const messageSize = 330

// message is the webhook for one message of a consumer.
func (l *load) message(n int, consumer string) []byte {
	id := fmt.Sprintf("evt-%d", n)
	now := time.Now().UTC()
	body := fmt.Sprintf(`{"events":[{"id":%q,"type":"message","time":%q,"conversation":{"id":"c-%s","participant":{"id":%q}},"message":{"id":"m-%d","text":"%s `,
		id, now.Format("2006-01-02T15:04:05.000Z"), consumer, consumer, n, mark(n))
	const end = `"}}]}`
	if missing := messageSize - len(body) - len(end); missing > 0 {
		body += strings.Repeat("words of a consumer, ", missing/20+1)[:missing]
	}
	body += end
	stamp := fmt.Sprint(now.Unix())
	mac := hmac.New(sha256.New, l.key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	return fmt.Appendf(nil, "POST /webhooks/channels/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
		"Webhook-Id: %s\r\nWebhook-Timestamp: %s\r\nWebhook-Signature: v1,%s\r\n\r\n%s",
		channel, l.addr, len(body), id, stamp, base64.StdEncoding.EncodeToString(mac.Sum(nil)), body)
}

func consumer(i int) string { return fmt.Sprintf("visitor-%05d", i) }

// post sends one message and returns when it is acknowledged.
func (l *load) post(n int, consumer string) error {
	c, err := l.take()
	if err != nil {
		return err
	}
	if err := c.exchange(l.message(n, consumer), http.StatusAccepted); err != nil {
		c.Close()
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, c)
	return nil
}

func (l *load) take() (*line, error) {
	l.mu.Lock()
	if n := len(l.idle); n > 0 {
		c := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		return c, nil
	}
	l.mu.Unlock()
	return dial(l.addr)
}

// line is a connection that is kept. It does less than net/http's client, which
// would take as much of the machine as what it measures.
type line struct {
	net.Conn
	r *bufio.Reader
}

func dial(addr string) (*line, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &line{c, bufio.NewReader(c)}, nil
}

// answerWithin is when the cloud and most gateways give up.
const answerWithin = 10 * time.Second

func (c *line) exchange(request []byte, want int) error {
	if err := c.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	if _, err := c.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("answered %d %s", res.StatusCode, body)
	}
	return err
}

// openLoop does n things at moments fixed in advance, every 1/rate seconds, however
// long each takes, and returns what was planned and how long after that each ended.
func openLoop(ctx context.Context, n, rate int, do func(i int) error) (planned []time.Time, took []time.Duration, err error) {
	planned, took = make([]time.Time, n), make([]time.Duration, n)
	errs := make([]error, n)
	begin := time.Now().Add(50 * time.Millisecond)
	var all sync.WaitGroup
	for i := range n {
		planned[i] = begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(time.Until(planned[i])):
		}
		all.Go(func() {
			errs[i] = do(i)
			took[i] = time.Since(planned[i])
		})
	}
	all.Wait()
	return planned, took, errors.Join(errs...)
}

// closedLoop has clients that do one thing after the other until n are begun or
// the time is over; 0 stands for no such bound. It returns how long each took.
func closedLoop(clients, n int, lasting time.Duration, do func(i int) error) ([]time.Duration, error) {
	var begun atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var errs []error
	began := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			var mine []time.Duration
			var err error
			for err == nil && (lasting == 0 || time.Since(began) < lasting) {
				i := int(begun.Add(1)) - 1
				if n > 0 && i >= n {
					break
				}
				at := time.Now()
				err = do(i)
				mine = append(mine, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			took, errs = append(took, mine...), append(errs, err)
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}

func (l *load) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.idle {
		_ = c.Close()
	}
}
