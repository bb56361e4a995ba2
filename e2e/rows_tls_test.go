package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authority issues certificates for one test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	require.NoError(a.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

// issues makes a certificate for 127.0.0.1, or for a client, and returns its files.
func (a *authority) issues(name string) (cert, key string) {
	a.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, k.Public(), a.key)
	require.NoError(a.t, err)
	raw, err := x509.MarshalECPrivateKey(k)
	require.NoError(a.t, err)
	return a.write(name+".pem", "CERTIFICATE", der), a.write(name+".key", "EC PRIVATE KEY", raw)
}

// caller trusts the authority and shows a certificate of its own, if it has one.
func (a *authority) caller(certFile, keyFile string, newest uint16) *http.Client {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: newest}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		require.NoError(a.t, err)
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: patience}
}

// The public listener speaks TLS by itself, and asks the cloud, and nobody else, for
// a client certificate.
func TestRow_MutualTLS(t *testing.T) {
	s := row(t)
	ours, stranger := newAuthority(t), newAuthority(t)
	cert, key := ours.issues("parley")
	v := &service{command: "api", env: map[string]string{
		"PARLEY_API_ADDR": "127.0.0.1:0", "PARLEY_OPS_ADDR": "127.0.0.1:0", "PARLEY_API_TLS_CERT": cert, "PARLEY_API_TLS_KEY": key,
		"PARLEY_API_CLIENT_CA": filepath.Join(ours.dir, "ca.pem"),
	}}
	s.start(v)
	t.Cleanup(func() { assert.NoError(t, v.process.terminate(cleanUpWithin)) })
	s.ready(v)
	at := "https://" + v.public

	p, id := s.opened("web")
	body := agentWrote(t, id, 60, "A word over mutual TLS")
	send := func(c *http.Client) (int, error) {
		response, err := c.Do(s.signed(at, "main", s.env["PARLEY_ACCOUNT_MAIN_CLIENT_SECRET"], body))
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	status, err := send(ours.caller("", "", tls.VersionTLS13))
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, status, "without a certificate")
	theirs, theirKey := stranger.issues("stranger")
	_, err = send(ours.caller(theirs, theirKey, tls.VersionTLS13))
	assert.Error(t, err, "with a stranger's certificate")
	gateway, gatewayKey := ours.issues("gateway")
	_, err = send(ours.caller(gateway, gatewayKey, tls.VersionTLS11))
	assert.Error(t, err, "over an old version of TLS")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		status, err = send(ours.caller(gateway, gatewayKey, version))
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
	}
	p.gets("what came is on the phone", saying("A word over mutual TLS"))
	assert.Len(t, heard(p.view()), 1, "it came twice")

	// Channels and consumers have no certificates.
	response, err := ours.caller("", "", tls.VersionTLS13).Post(at+"/webhooks/channels/web", "application/json", nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "for want of a signature")
	response, err = ours.caller("", "", tls.VersionTLS13).Get(at + "/files/guessed")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}
