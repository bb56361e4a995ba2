package channels

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// ErrPrivate is what a dial to an address fails with that strangers must not have
// us talk to.
var ErrPrivate = errors.New("the address is not a public one")

// Bounds on the requests of a guarded transport.
const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 20 * time.Second
)

// Guarded returns a transport for URLs that come from strangers. It connects to
// public addresses only. What counts is the address that is really dialled, after
// every resolution of the name: one that resolves to something else the second
// time, or a redirect, is checked like the first. It uses no proxy, which would
// resolve names where nobody checks.
//
// The hosts of the given base URLs are exempt, with the port they name: they were
// configured.
func Guarded(exempt ...string) *http.Transport {
	g := guard{exempt: endpoints(exempt), refuse: notPublic}
	return g.transport()
}

// guard decides where connections may go.
type guard struct {
	exempt map[string]bool // host:port
	refuse func(netip.Addr) bool
	dialer net.Dialer
}

func (g *guard) transport() *http.Transport {
	g.dialer.Timeout = dialTimeout
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.DialContext = g.dial
	t.ResponseHeaderTimeout = answerTimeout
	t.DisableCompression = true // a file is passed on as it is, and has the length that was announced
	return t
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := g.dialer
	if !g.exempt[strings.ToLower(address)] {
		dialer.Control = g.control
	}
	return dialer.DialContext(ctx, network, address)
}

// control sees every address that is about to be dialled.
func (g *guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || g.refuse(to.Addr()) {
		return ErrPrivate
	}
	return nil
}

// endpoints returns the endpoints of URLs that have one.
func endpoints(urls []string) map[string]bool {
	all := make(map[string]bool, len(urls))
	for _, raw := range urls {
		if e := Endpoint(raw); e != "" {
			all[e] = true
		}
	}
	return all
}

// Endpoint returns host:port of where a URL is connected to, empty if nowhere. One
// without a scheme is https.
func Endpoint(raw string) string {
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return endpoint(u)
}

func endpoint(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

// reserved is what is not public, beyond what package netip knows by name.
//
// Source: iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry
var reserved = prefixes(
	"0.0.0.0/8",        // this network
	"100.64.0.0/10",    // carriers' NAT; the metadata service of one cloud
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"240.0.0.0/4",      // reserved, broadcast
	"168.63.129.16/32", // the platform's own service in every network of one cloud
	"::/96",            // IPv4 in an old disguise
	"::ffff:0:0:0/96",  // IPv4, translated
	"64:ff9b:1::/48",   // local translation
	"100::/64",         // discard
	"2001::/23",        // protocol assignments, Teredo among them
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4: any IPv4 address within
	"3fff::/20",        // documentation
	"5f00::/16",        // segment routing
	"fec0::/10",        // site-local of old
)

// translated is how IPv4 is reached from a network without it; the last four bytes are the address.
var translated = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(all ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(all))
	for i, p := range all {
		parsed[i] = netip.MustParsePrefix(p)
	}
	return parsed
}

// notPublic says whether an address is of this machine, of a network of its
// owner's, of a group, or of nobody.
func notPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if translated.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() {
		return true
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
