package liveperson_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"parley/liveperson"
)

// switched is a network that can be told to fail. It keeps no connection open.
type switched struct {
	mu      sync.Mutex
	err     error
	limited bool
	left    int // bytes that new connections carry before they break
}

func (s *switched) use(_ *liveperson.Config, o *liveperson.Options) {
	o.HTTP = &http.Client{Transport: &http.Transport{DialContext: s.dial, DisableKeepAlives: true}}
}

func (s *switched) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *switched) allow(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limited, s.left = true, bytes
}

func (s *switched) dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil || !s.limited {
		return conn, err
	}
	return &breaking{Conn: conn, left: s.left}, nil
}

type breaking struct {
	net.Conn
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		n, _ := b.Conn.Write(p[:b.left])
		b.left = 0
		_ = b.Conn.Close()
		return n, errors.New("broken pipe")
	}
	b.left -= len(p)
	return b.Conn.Write(p)
}
