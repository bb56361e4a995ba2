package channels

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhichAddressesArePublic(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.127.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1", "::ffff:168.63.129.16", "::ffff:0:127.0.0.1",
		"fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::", "2001::1", "2001:db8::1", "100::1", "3fff::1", "5f00::1",
	} {
		require.True(t, notPublic(netip.MustParseAddr(a)), a)
	}
	for _, a := range []string{
		"8.8.8.8", "1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "223.255.255.255", "168.63.129.17",
		"::ffff:8.8.8.8", "64:ff9b::808:808", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1",
	} {
		require.False(t, notPublic(netip.MustParseAddr(a)), a)
	}
	require.True(t, notPublic(netip.Addr{}))
}

// secret is a server that nobody should reach.
func secretServer(t *testing.T, network, address string) *httptest.Server {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("this machine has no %s: %v", address, err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a private address was reached")
	})}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func TestGuardedReachesNothingPrivate(t *testing.T) {
	t.Parallel()
	v4, v6 := secretServer(t, "tcp4", "127.0.0.1:0"), "[::1]:1"
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		_ = l.Close()
		v6 = secretServer(t, "tcp6", "[::1]:0").Listener.Addr().String()
	}
	_, port, _ := net.SplitHostPort(v4.Listener.Addr().String())
	client := http.Client{Transport: Guarded()}
	for _, host := range []string{
		"127.0.0.1:" + port, "localhost:" + port, "LOCALHOST:" + port, "127.1.2.3:" + port, "0.0.0.0:" + port, "0:" + port,
		"[::ffff:127.0.0.1]:" + port, "[::ffff:7f00:1]:" + port, "[::]:" + port, v6, "10.255.255.1:1", "169.254.169.254", "[fe80::1%25lo]:" + port, "[fd00:ec2::254]",
		"127.0.0.1.:" + port, "2130706433:" + port, "0x7f.1:" + port,
	} {
		resp, err := client.Get("http://" + host + "/")
		if err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s was reached", host)
			continue
		}
		var unknown *net.DNSError // what is no address is looked up as a name
		if !errors.Is(err, ErrPrivate) && !errors.As(err, &unknown) && !strings.Contains(err.Error(), "invalid URL") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestGuardedExemptsWhatWasConfiguredWithItsPortOnly(t *testing.T) {
	t.Parallel()
	open := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "open") }))
	t.Cleanup(open.Close)
	shut := secretServer(t, "tcp4", "127.0.0.1:0")
	client := http.Client{Transport: Guarded("not a url\x00", "", open.URL+"/base/path?x=1", "https://api.example.test")}
	require.Equal(t, "open", body(t, &client, open.URL+"/any"))
	_, err := client.Get(shut.URL)
	require.ErrorIs(t, err, ErrPrivate)
	require.Equal(t, map[string]bool{"a.test:443": true, "b.test:80": true, "[::1]:8": true, "c.test:443": true}, endpoints([]string{"https://A.test/x", "http://b.test", "http://[::1]:8/", "c.test"}))
}

func body(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

func TestGuardedUsesNoProxy(t *testing.T) {
	t.Parallel()
	require.Nil(t, Guarded().Proxy)
}

// zone is a resolver that answers each question another way, by a server of
// its own. Two addresses of this machine play a public and a private one.
type zone struct {
	mu      sync.Mutex
	answers [][]netip.Addr // for each question about an address of IPv4, the last for all further ones
}

func (n *zone) resolver(t *testing.T) *net.Resolver {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go n.serve(conn)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}
}

func (n *zone) serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(n.answer(buffer[:size]), from)
	}
}

// answer repeats the question, RFC 1035, and adds the addresses due.
func (n *zone) answer(query []byte) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root, type and class
	var due []netip.Addr
	if query[end-3] == 1 { // A
		due = n.next()
	}
	out := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(len(due)), 0, 0, 0, 0}, query[12:end]...)
	for _, a := range due {
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, a.AsSlice()...)
	}
	return out
}

func (n *zone) next() []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	due := n.answers[0]
	if len(n.answers) > 1 {
		n.answers = n.answers[1:]
	}
	return due
}

func TestANameThatIsReboundIsRefused(t *testing.T) {
	t.Parallel()
	public, private := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	shut := secretServer(t, "tcp4", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(shut.Listener.Addr().String())
	l, err := net.Listen("tcp4", net.JoinHostPort(public.String(), port))
	if err != nil {
		t.Skipf("this machine has no second address of its own: %v", err)
	}
	open := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "open")
	})}}
	open.Start()
	t.Cleanup(open.Close)

	n := &zone{answers: [][]netip.Addr{{public}, {private, public}, {private}}}
	g := guard{refuse: func(a netip.Addr) bool { return a != public }, dialer: net.Dialer{Resolver: n.resolver(t)}}
	client := &http.Client{Transport: g.transport()}
	url := "http://rebound.test:" + port
	require.Equal(t, "open", body(t, client, url), "first it was public")
	require.Equal(t, "open", body(t, client, url), "of two addresses, only the public one is dialled")
	_, err = client.Get(url)
	require.ErrorIs(t, err, ErrPrivate)
}
