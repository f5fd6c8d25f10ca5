package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate is a server's, for 127.0.0.1, that it has signed itself.
type Certificate struct {
	// File has it in PEM, for clients that are to trust it.
	File string

	key  string
	pool *x509.CertPool
}

// NewCertificate makes one, in a directory that goes with the test.
func NewCertificate(t testing.TB) *Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	c := &Certificate{File: filepath.Join(directory, "certificate.pem"), key: filepath.Join(directory, "key.pem"), pool: x509.NewCertPool()}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	c.pool.AppendCertsFromPEM(public)
	for name, content := range map[string][]byte{c.File: public, c.key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// Config trusts this certificate alone.
func (c *Certificate) Config() *tls.Config { return &tls.Config{RootCAs: c.pool} }

func (c *Certificate) arguments() []string {
	return []string{"--tls-cert-file", c.File, "--tls-key-file", c.key, "--tls-ca-cert-file", c.File, "--tls-auth-clients", "no", "--tls-replication", "yes", "--tls-cluster", "yes"}
}
