package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// TLS is how the public listener is secured by itself, where nothing in front of it
// does. The zero value leaves it to others.
type TLS struct {
	Cert, Key string // files, PEM
	ClientCA  string // a file with the authorities of the cloud's client certificates; empty: none is asked for
}

// rereadAfter is how often a renewed certificate is looked for.
const rereadAfter = time.Minute

func (s *settings) tls() TLS {
	const cert, key, ca = "PARLEY_API_TLS_CERT", "PARLEY_API_TLS_KEY", "PARLEY_API_CLIENT_CA"
	t := TLS{Cert: s.text(cert, ""), Key: s.text(key, ""), ClientCA: s.text(ca, "")}
	switch {
	case s.idle:
		return t
	case t.Cert != "" && t.Key == "":
		s.problem(key, "is not set; set it to the file with the key of %s", cert)
	case t.Cert == "" && t.Key != "":
		s.problem(cert, "is not set; set it to the file with the certificate of %s", key)
	case t.Cert != "":
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			s.problem(cert, "and %s cannot be used; check that both files can be read, are PEM and belong together", key)
		}
	case t.ClientCA != "":
		s.problem(ca, "is set without %s; client certificates need a listener that speaks TLS", cert)
	}
	if t.ClientCA != "" {
		if _, err := authorities(t.ClientCA); err != nil {
			s.problem(ca, "names a file that cannot be used; put certificates in PEM into it")
		}
	}
	return t
}

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}

// secure returns the listener with TLS, if it is configured. A client certificate is
// asked of everybody and verified where one is given: whether there must be one is
// for the route to say, as channels and consumers have none.
func (t TLS) secure(l net.Listener, log *slog.Logger) (net.Listener, error) {
	if t.Cert == "" {
		return l, nil
	}
	pair := &keyPair{TLS: t, log: log}
	if _, err := pair.certificate(nil); err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.certificate}
	if t.ClientCA != "" {
		pool, err := authorities(t.ClientCA)
		if err != nil {
			return nil, err
		}
		config.ClientCAs, config.ClientAuth = pool, tls.VerifyClientCertIfGiven
	}
	return tls.NewListener(l, config), nil
}

// keyPair is a certificate that is read again when it was renewed.
type keyPair struct {
	TLS
	log *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	read    time.Time
}

// certificate returns the newest certificate that can be used.
func (p *keyPair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil && time.Since(p.read) < rereadAfter {
		return p.current, nil
	}
	p.read = time.Now()
	pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	switch {
	case err == nil:
		p.current = &pair
	case p.current == nil:
		return nil, fmt.Errorf("certificate of the public listener: %w", err)
	default: // perhaps it is being written
		p.log.Warn("the certificate of the public listener cannot be read again: the one before stays", "err", err)
	}
	return p.current, nil
}
