package api

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// mostConnections bounds what connections take: each costs some 24 KiB, maxHeader,
// and up to 2 × ownRoom for the body it may send unasked. An ordinary api has less
// than a hundred, as a webhook is answered within milliseconds.
const mostConnections = 2048

// door lets connections in. A plain limit would be a gift to whoever opens very
// many and says nothing; at this one a newcomer is let in all the same, and the
// one goes that has been sending its request for longest, which is never one that
// sends it at once. Then one that is idle. A request that has been read is never
// given up: when all are such, the newcomer has to come again.
type door struct {
	most    int
	letGo   func() // counts
	mu      sync.Mutex
	guests  map[net.Conn]*guest
	sending list.List // of *guest, the oldest first: from the connection's begin, or from when it was idle
	idle    list.List
}

// guest is a connection. It is in one of the lists, or in none while its request
// is being served.
type guest struct {
	conn net.Conn
	in   *list.List
	at   *list.Element
}

func newDoor(most int, letGo func()) *door {
	return &door{most: most, letGo: letGo, guests: map[net.Conn]*guest{}}
}

type doorKey struct{}

// guard makes all connections of srv come through the door.
func (d *door) guard(srv *http.Server) {
	srv.ConnState = d.changed
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, doorKey{}, func() { d.read(c) })
	}
}

// requestRead tells the door, if there is one, that a request is complete.
func requestRead(ctx context.Context) {
	if read, ok := ctx.Value(doorKey{}).(func()); ok {
		read()
	}
}

func (d *door) changed(c net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guests[c]
	switch {
	case state == http.StateNew:
		d.enter(c)
	case g == nil: // has been let go
	case state == http.StateActive:
		if g.in != &d.sending {
			d.move(g, &d.sending)
		}
	case state == http.StateIdle:
		d.move(g, &d.idle)
	case state == http.StateClosed, state == http.StateHijacked:
		d.move(g, nil)
		delete(d.guests, c)
	}
}

func (d *door) enter(c net.Conn) {
	if len(d.guests) >= d.most {
		d.letGo()
		out := d.oldest()
		if out == nil {
			_ = c.Close()
			return
		}
		_ = out.conn.Close()
		d.move(out, nil)
		delete(d.guests, out.conn)
	}
	g := &guest{conn: c}
	d.guests[c] = g
	d.move(g, &d.sending)
}

func (d *door) oldest() *guest {
	for _, l := range []*list.List{&d.sending, &d.idle} {
		if e := l.Front(); e != nil {
			return e.Value.(*guest)
		}
	}
	return nil
}

func (d *door) move(g *guest, to *list.List) {
	if g.in != nil {
		g.in.Remove(g.at)
	}
	if g.in = to; to != nil {
		g.at = to.PushBack(g)
	}
}

func (d *door) read(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if g := d.guests[c]; g != nil {
		d.move(g, nil)
	}
}
