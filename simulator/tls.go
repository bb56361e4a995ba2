package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// TLSConfig makes the simulator speak https and wss in place of http and ws.
type TLSConfig struct {
	Cert  string   `env:"PARLEY_SIMULATOR_TLS_CERT"`                               // PEM files of the caller's own
	Key   string   `env:"PARLEY_SIMULATOR_TLS_KEY"`                                //
	Mode  string   `env:"PARLEY_SIMULATOR_TLS"`                                    // self-signed: a CA and a certificate are made
	Dir   string   `env:"PARLEY_SIMULATOR_TLS_DIR, default=.parley/simulator-tls"` // where they are kept
	Hosts []string `env:"PARLEY_SIMULATOR_TLS_HOSTS"`                              // names and addresses besides localhost
}

const selfSigned = "self-signed"

func (c *TLSConfig) check() error {
	switch {
	case c.Mode != "" && c.Mode != selfSigned:
		return errors.New("PARLEY_SIMULATOR_TLS: self-signed, or empty")
	case (c.Cert == "") != (c.Key == ""):
		return errors.New("PARLEY_SIMULATOR_TLS_CERT and PARLEY_SIMULATOR_TLS_KEY: both or none")
	case c.Cert != "" && c.Mode != "":
		return errors.New("PARLEY_SIMULATOR_TLS=self-signed makes its own certificate: give no PARLEY_SIMULATOR_TLS_CERT")
	case c.Mode == selfSigned && c.Dir == "":
		return errors.New("PARLEY_SIMULATOR_TLS_DIR: a folder is required")
	}
	return nil
}

// secure returns l, behind TLS where that is configured.
func (s *Simulator) secure(l net.Listener) (net.Listener, error) {
	c := s.cfg.TLS
	if c.Cert == "" && c.Mode == "" {
		return l, nil
	}
	var cert tls.Certificate
	var err error
	if c.Cert != "" {
		cert, err = tls.LoadX509KeyPair(c.Cert, c.Key)
	} else {
		hosts := append([]string{"localhost", "127.0.0.1", "::1"}, c.Hosts...)
		if host, _, splitErr := net.SplitHostPort(l.Addr().String()); splitErr == nil {
			hosts = append(hosts, host)
		}
		cert, err = ownCertificate(c.Dir, hosts, time.Now())
		s.log.Info("clients trust the simulator with this file as SSL_CERT_FILE (node: NODE_EXTRA_CA_CERTS)", "file", caFile(c.Dir))
	}
	if err != nil {
		return nil, fmt.Errorf("simulator: TLS: %w", err)
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}), nil
}

// caFile is the absolute path of the CA's certificate.
func caFile(dir string) string {
	path := filepath.Join(dir, "ca.pem")
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// How long what is made here is good for. A certificate is made at every start, the
// CA only when it is missing or nearly over, so that who trusts it need not look again.
const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 90 * 24 * time.Hour
)

// ownCertificate returns a new certificate for hosts, signed by the CA in dir,
// which is made where there is none.
func ownCertificate(dir string, hosts []string, now time.Time) (tls.Certificate, error) {
	ca, err := loadCA(dir, now)
	if err != nil {
		if ca, err = makeCA(dir, now); err != nil {
			return tls.Certificate{}, err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := template("Parley simulator", now, leafLife)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip == nil {
			leaf.DNSNames = append(leaf.DNSNames, host)
		} else if !ip.IsUnspecified() {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca.Leaf, &key.PublicKey, ca.PrivateKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, ca.Certificate[0]}, PrivateKey: key}, nil
}

func template(name string, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life), BasicConstraintsValid: true,
	}, nil
}

var errOldCA = errors.New("the CA is nearly over")

func loadCA(dir string, now time.Time) (tls.Certificate, error) {
	ca, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem"))
	if err != nil {
		return ca, err
	}
	if ca.Leaf == nil || !ca.Leaf.IsCA || now.Add(leafLife).After(ca.Leaf.NotAfter) {
		return ca, errOldCA
	}
	return ca, nil
}

func makeCA(dir string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	root, err := template("Parley simulator CA", now, caLife)
	if err != nil {
		return tls.Certificate{}, err
	}
	root.IsCA, root.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return tls.Certificate{}, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	err = errors.Join(os.WriteFile(filepath.Join(dir, "ca-key.pem"), secret, 0o600), os.WriteFile(filepath.Join(dir, "ca.pem"), public, 0o644))
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(public, secret)
}
