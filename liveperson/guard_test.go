package liveperson

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/fault"
)

func TestWhatIsPublic(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"93.184.215.14", "8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:8.8.8.8", "64:ff9b::808:808"} {
		require.True(t, public(netip.MustParseAddr(s)), s)
	}
	for _, s := range []string{
		"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "0.1.2.3", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "fe80::1",
		"fd00::1", "fc00::1", "100.64.0.1", "100.127.255.255", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "192.0.0.8", "198.18.0.1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001::1", "64:ff9b:1::1",
	} {
		require.False(t, public(netip.MustParseAddr(s)), s)
	}
}

// A store of LivePerson's own is never inside our network. One that a configured
// Domain API names is wherever that says.
func TestTheStoreIsGuarded(t *testing.T) {
	t.Parallel()
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	for domainAPI, open := range map[string]bool{"": false, DefaultDomainAPI: false, "api.liveperson.net/": false, "http://127.0.0.1:1/": true} {
		c, err := New(Config{Name: "main", SiteID: "1", ClientID: "2", ClientSecrets: []string{"s"}, DomainAPI: domainAPI}, Options{DialTimeout: 10 * time.Second})
		require.NoError(t, err)
		for _, target := range []string{server.URL, "http://localhost:" + port} {
			before := reached
			got, _, err := c.get(t.Context(), "op", target)
			if open {
				require.NoError(t, err)
				require.NoError(t, got.Body.Close())
				require.Equal(t, before+1, reached)
				continue
			}
			require.ErrorIs(t, err, errNotConnected)
			require.Equal(t, fault.Transient, fault.ClassOf(err))
			require.Equal(t, before, reached)
		}
	}
}
