package api

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// guests are connections to a server with a door for three.
type guests struct {
	*testing.T
	address string
	door    *door
	letGo   atomic.Int64
	begun   chan struct{} // a request has been read
	proceed chan struct{} // and is answered
}

func newGuests(t *testing.T) *guests {
	t.Helper()
	g := &guests{T: t, begun: make(chan struct{}), proceed: make(chan struct{})}
	g.door = newDoor(3, func() { g.letGo.Add(1) })
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requestRead(r.Context())
		if r.URL.Path == "/wait" {
			g.begun <- struct{}{}
			<-g.proceed
		}
	})}
	g.door.guard(srv)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g.address = l.Addr().String()
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return g
}

// come opens a connection, says something, and returns when the door knows of it.
func (g *guests) come(says string) net.Conn {
	g.Helper()
	conn, err := net.Dial("tcp", g.address)
	require.NoError(g, err)
	g.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, says)
	require.NoError(g, err)
	own := conn.LocalAddr().String()
	require.Eventually(g, func() bool {
		g.door.mu.Lock()
		defer g.door.mu.Unlock()
		for c := range g.door.guests {
			if c.RemoteAddr().String() == own {
				return true
			}
		}
		return false
	}, soon, time.Millisecond)
	return conn
}

func (g *guests) answered(c net.Conn) {
	g.Helper()
	require.NoError(g, c.SetReadDeadline(time.Now().Add(soon)))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(g, err)
	_ = resp.Body.Close()
	assert.Equal(g, 200, resp.StatusCode)
}

func (g *guests) isLetGo(c net.Conn) {
	g.Helper()
	require.NoError(g, c.SetReadDeadline(time.Now().Add(soon)))
	_, err := c.Read(make([]byte, 1))
	require.Error(g, err)
	assert.NotErrorIs(g, err, os.ErrDeadlineExceeded)
}

const (
	request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	waiting = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
)

func TestAFullHouseLetsTheSlowestGo(t *testing.T) {
	t.Parallel()
	g := newGuests(t)
	slowest, slower, slow := g.come("POST / HT"), g.come(""), g.come("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
	g.answered(g.come(request))
	g.isLetGo(slowest)
	assert.EqualValues(t, 1, g.letGo.Load())
	g.answered(g.come(request))
	g.isLetGo(slower)
	g.come("")
	g.isLetGo(slow)
	assert.EqualValues(t, 3, g.letGo.Load())
}

func TestAFullHouseLetsNobodyGoWhoseRequestIsRead(t *testing.T) {
	t.Parallel()
	g := newGuests(t)
	served := g.come(waiting)
	<-g.begun
	idle := g.come(request)
	g.answered(idle)
	sending := g.come("POST")
	second := g.come(waiting)
	<-g.begun
	g.isLetGo(sending)
	third := g.come(waiting)
	<-g.begun
	g.isLetGo(idle)

	late, err := net.Dial("tcp", g.address)
	require.NoError(t, err)
	defer late.Close()
	g.isLetGo(late)
	close(g.proceed)
	for _, c := range []net.Conn{served, second, third} {
		g.answered(c)
	}
	g.answered(g.come(request)) // one of those is idle now, and goes
}
