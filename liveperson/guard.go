package liveperson

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// filesTransport carries files to and from the store. A store of LivePerson's is
// never inside our own network: a name that leads there, whoever made it so, is not
// followed. Where the configuration names a Domain API of its own, what that names
// is as trusted as the configuration, and is not guarded.
func filesTransport(dial time.Duration, guarded bool) *http.Transport {
	t := tunedTransport(dial)
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 50, 20
	t.ResponseHeaderTimeout = fileTimeout
	if !guarded {
		return t
	}
	free := &net.Dialer{Timeout: dial, KeepAlive: 15 * time.Second}
	checked := &net.Dialer{Timeout: dial, KeepAlive: 15 * time.Second, Control: onlyPublic}
	proxy := proxyHost()
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(address); err == nil && host == proxy {
			return free.DialContext(ctx, network, address)
		}
		return checked.DialContext(ctx, network, address)
	}
	return t
}

// proxyHost is the proxy of this process, empty for none. It may be inside our
// network, and decides by itself where it leads.
func proxyHost() string {
	u, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: "liveperson.net"}})
	if err != nil || u == nil {
		return ""
	}
	return u.Hostname()
}

var errNotPublic = errors.New("the address is not a public one")

// onlyPublic looks at the address that is really dialled, after its name was
// resolved.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !public(to.Addr()) {
		return errNotPublic
	}
	return nil
}

// shared are addresses that are global to look at and are not.
//
// Sources: RFC 6598 (carrier-grade NAT), RFC 6890 (special purposes), RFC 8215,
// RFC 3056 and RFC 4380 (IPv4 within IPv6).
var shared = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

// nat64 is how a network without IPv4 reaches it: the address is at its end.
//
// Source: RFC 6052.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func public(a netip.Addr) bool {
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range shared {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
