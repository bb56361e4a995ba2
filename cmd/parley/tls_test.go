package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/api"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func (a *authority) write(name, kind string, der []byte) {
	require.NoError(a.t, os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes name.pem and name.key, and returns the pair.
func (a *authority) issue(name string, serial int64) tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", private)
	pair, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
	require.NoError(a.t, err)
	return pair
}

func (a *authority) client(certificates ...tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	config := &tls.Config{RootCAs: pool}
	if len(certificates) > 0 { // also one that the server does not ask for
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificates[0], nil }
	}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// unsigned is a Cloud that takes no webhook.
type unsigned struct{}

func (unsigned) Receive(http.Header, []byte) (liveperson.Received, error) {
	return liveperson.Received{}, fault.New(fault.Denied, "receive", "not signed")
}

type noInbox struct{}

func (noInbox) Append(context.Context, message.Arrival) ([]string, error) { return nil, nil }

// served serves the public routes with TLS and returns their base URL.
func served(t *testing.T, c TLS) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secured, err := c.secure(l, log)
	require.NoError(t, err)
	server := &api.Server{Accounts: map[string]api.Cloud{"main": unsigned{}}, Inbox: noInbox{}, Ops: api.NewOps(log), Log: log, CloudCertificate: c.ClientCA != ""}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, secured, 0) }()
	t.Cleanup(func() { cancel(); assert.NoError(t, <-done) })
	return "https://" + l.Addr().String()
}

func post(client *http.Client, url string) (int, error) {
	resp, err := client.Post(url, "application/json", strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestTheCloudShowsItsCertificate(t *testing.T) {
	t.Parallel()
	ours, clouds, strangers := newAuthority(t, "ours"), newAuthority(t, "the cloud's"), newAuthority(t, "a stranger's")
	ours.issue("api", 2)
	base := served(t, TLS{Cert: ours.file("api.pem"), Key: ours.file("api.key"), ClientCA: clouds.file("ca.pem")})
	webhook, channel := base+"/webhooks/liveperson/main", base+"/webhooks/channels/sms"

	status, err := post(ours.client(), webhook)
	require.NoError(t, err)
	assert.Equal(t, 401, status)
	resp, err := ours.client().Post(webhook, "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	text := make([]byte, 100)
	n, _ := resp.Body.Read(text)
	_ = resp.Body.Close()
	assert.Equal(t, "client certificate missing\n", string(text[:n]))

	resp, err = ours.client(clouds.issue("cloud", 3)).Post(webhook, "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	n, _ = resp.Body.Read(text)
	_ = resp.Body.Close()
	assert.Equal(t, "signature missing or wrong\n", string(text[:n]), "the certificate is fine; now the signature counts")

	_, err = post(ours.client(strangers.issue("stranger", 4)), webhook)
	assert.Error(t, err, "a certificate of somebody else ends the handshake")

	status, err = post(ours.client(), channel)
	require.NoError(t, err)
	assert.Equal(t, 404, status, "channels need none")
	_, err = http.Get(strings.Replace(channel, "https", "http", 1))
	if err == nil {
		assert.NotEqual(t, 200, resp.StatusCode)
	}
}

func TestARenewedCertificateIsTaken(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "ours")
	a.issue("api", 2)
	pair := &keyPair{TLS: TLS{Cert: a.file("api.pem"), Key: a.file("api.key")}, log: slog.New(slog.DiscardHandler)}
	serial := func() int64 {
		c, err := pair.certificate(nil)
		require.NoError(t, err)
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		require.NoError(t, err)
		return leaf.SerialNumber.Int64()
	}
	assert.EqualValues(t, 2, serial())
	a.issue("api", 3)
	assert.EqualValues(t, 2, serial(), "not at each handshake")
	pair.read = time.Now().Add(-2 * rereadAfter)
	assert.EqualValues(t, 3, serial())
	require.NoError(t, os.WriteFile(a.file("api.pem"), []byte("half"), 0o600))
	pair.read = time.Now().Add(-2 * rereadAfter)
	assert.EqualValues(t, 3, serial(), "half a file is none")
}

func TestTLSOfTheEnvironment(t *testing.T) {
	t.Parallel()
	a, b := newAuthority(t, "a"), newAuthority(t, "b")
	a.issue("api", 2)
	b.issue("other", 3)
	load := func(cert, key, ca string) error {
		vars := complete()
		vars["PARLEY_API_TLS_CERT"], vars["PARLEY_API_TLS_KEY"], vars["PARLEY_API_CLIENT_CA"] = cert, key, ca
		c, err := loadAPI(vars)
		assert.Empty(t, c.Warnings)
		return err
	}
	require.NoError(t, load(a.file("api.pem"), a.file("api.key"), a.file("ca.pem")))
	for want, files := range map[string][3]string{
		"PARLEY_API_TLS_KEY: is not set; set it to the file":          {a.file("api.pem")},
		"PARLEY_API_TLS_CERT: and PARLEY_API_TLS_KEY cannot be used":  {a.file("api.pem"), b.file("other.key")},
		"PARLEY_API_CLIENT_CA: is set without PARLEY_API_TLS_CERT":    {"", "", a.file("ca.pem")},
		"PARLEY_API_CLIENT_CA: names a file that cannot be used; put": {a.file("api.pem"), a.file("api.key"), a.file("api.key")},
	} {
		got := problems(t, load(files[0], files[1], files[2]))
		require.Len(t, got, 1, want)
		assert.Contains(t, got[0], want)
	}
}
