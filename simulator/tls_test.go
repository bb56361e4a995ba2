package simulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// serveTLS runs a simulator behind TLS and returns its host:port.
func serveTLS(t *testing.T, conf TLSConfig) string {
	t.Helper()
	cfg := testConfig()
	cfg.TLS = conf
	sim, err := New(cfg)
	require.NoError(t, err)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sim.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	if conf.Mode == selfSigned {
		eventually(t, "the CA is there", func() bool { _, err := loadCA(conf.Dir, time.Now()); return err == nil })
	}
	return l.Addr().String()
}

// trusting is a client that trusts one CA only.
func trusting(t *testing.T, ca string) *http.Client {
	t.Helper()
	b, err := os.ReadFile(ca)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(b))
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func TestHTTPSAndWSSOnOnePortWithACAOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tls")
	host := serveTLS(t, TLSConfig{Mode: selfSigned, Dir: dir})
	client := trusting(t, filepath.Join(dir, "ca.pem"))
	g := &rig{t: t, url: "https://" + host, http: client}
	var one map[string]string
	g.must("GET", "/api/account/"+site+"/service/asyncMessagingEnt/baseURI.json?version=1.0", "", &one)
	require.Equal(t, map[string]string{"service": "asyncMessagingEnt", "account": site, "baseURI": host}, one)

	_, in, _ := g.signIn(`{"username":"bot","password":"desk"}`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "wss://"+host+"/ws_api/account/"+site+"/messaging/brand/"+in["bearer"].(string)+"?v=2.1", &websocket.DialOptions{HTTPClient: client})
	require.NoError(t, err)
	require.NoError(t, ws.Write(ctx, websocket.MessageText, []byte(`{"kind":"req","id":"1","type":".GetClock","body":{}}`)))
	_, b, err := ws.Read(ctx)
	require.NoError(t, err)
	require.Contains(t, string(b), "currentTime")
	require.NoError(t, ws.CloseNow())

	key, err := os.Stat(filepath.Join(dir, "ca-key.pem"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), key.Mode().Perm())
	_, err = (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("https://" + host + "/sim/state")
	require.Error(t, err) // nobody else trusts it
}

func TestTheCAStaysOverRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serveTLS(t, TLSConfig{Mode: selfSigned, Dir: dir})
	client := trusting(t, filepath.Join(dir, "ca.pem"))
	again := serveTLS(t, TLSConfig{Mode: selfSigned, Dir: dir})
	(&rig{t: t, url: "https://" + again, http: client}).must("GET", "/sim/state", "", nil)
	_, err := loadCA(dir, time.Now().Add(caLife-leafLife+time.Hour))
	require.ErrorIs(t, err, errOldCA)
}

func TestACertificateOfTheCallersOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, err := ownCertificate(dir, []string{"127.0.0.1"}, time.Now())
	require.NoError(t, err)
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, certFile, keyFile, cert)
	host := serveTLS(t, TLSConfig{Cert: certFile, Key: keyFile})
	(&rig{t: t, url: "https://" + host, http: trusting(t, filepath.Join(dir, "ca.pem"))}).must("GET", "/sim/state", "", nil)
}

func TestTLSConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range []TLSConfig{
		{Mode: "yes"}, {Cert: "c"}, {Key: "k"}, {Mode: selfSigned, Dir: "d", Cert: "c", Key: "k"}, {Mode: selfSigned},
	} {
		cfg := testConfig()
		cfg.TLS = bad
		_, err := New(cfg)
		require.ErrorContains(t, err, "PARLEY_SIMULATOR_TLS")
	}
}

func TestAMissingCertificateStopsTheStart(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Addr = "127.0.0.1:0"
	cfg.TLS = TLSConfig{Cert: "/nowhere/cert.pem", Key: "/nowhere/key.pem"}
	sim, err := New(cfg)
	require.NoError(t, err)
	require.ErrorContains(t, sim.Run(t.Context()), "TLS")
}

func writePEM(t *testing.T, certFile, keyFile string, cert tls.Certificate) {
	t.Helper()
	var chain []byte
	for _, der := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certFile, chain, 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
}
