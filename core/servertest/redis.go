//go:build linux

package servertest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

const redisServer = "redis-server"

// RedisOptions are how a Redis server differs from the default.
type RedisOptions struct {
	// Arguments are additional arguments of redis-server.
	Arguments []string
	// Ahead is how far the server's clock is ahead of this machine's, in whole seconds. If negative, the
	// clock is behind.
	Ahead time.Duration
	// SettableClock makes it possible to change Ahead while the server runs, by [Redis.SetAhead].
	SettableClock bool
	// Password is the password of the default user. If empty, none is needed.
	Password string
	// TLS makes the server accept only TLS. It has a certificate that it has signed itself.
	TLS bool
}

// Redis is a Redis server. Its Password is the one that [Redis.Do] uses.
type Redis struct {
	RedisOptions
	process

	roots *x509.CertPool // nil without TLS
}

// StartRedis starts a Redis server.
func StartRedis(t testing.TB, o RedisOptions) *Redis {
	t.Helper()
	r := &Redis{RedisOptions: o}
	r.prepare(t)
	if o.TLS {
		r.Arguments = slices.Concat(r.Arguments, r.certify())
	}
	r.Restart()
	return r
}

// Restart starts the server again after Kill, with the data that the command SAVE has saved.
func (r *Redis) Restart() {
	r.t.Helper()
	logging.Disable() // go-redis logs each failed attempt.
	arguments := []string{
		"--port", fmt.Sprint(r.port), "--bind", "127.0.0.1", "--dir", r.directory,
		"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
	}
	if r.TLS {
		// The last --port counts.
		arguments = append(arguments, "--port", "0", "--tls-port", fmt.Sprint(r.port))
	}
	if r.Password != "" {
		arguments = append(arguments, "--requirepass", r.Password, "--masterauth", r.Password)
	}
	r.run(redisServer, r.clock(), append(arguments, r.Arguments...), func() bool {
		_, err := r.do("PING")
		return err == nil
	})
}

// certify makes the files of a certificate, and returns the arguments that name them.
func (r *Redis) certify() (arguments []string) {
	r.t.Helper()
	server := httptest.NewTLSServer(nil) // It has a certificate for 127.0.0.1.
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		r.t.Fatal(err)
	}
	r.roots = x509.NewCertPool()
	r.roots.AddCert(server.Certificate())
	certificateFile, keyFile := filepath.Join(r.directory, "certificate.pem"), filepath.Join(r.directory, "key.pem")
	for file, block := range map[string]*pem.Block{
		certificateFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		keyFile:         {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	return []string{
		"--tls-cert-file", certificateFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certificateFile,
		"--tls-auth-clients", "no",
	}
}

// TLSConfig returns how to connect to the server: nil without TLS.
func (r *Redis) TLSConfig() *tls.Config {
	if r.roots == nil {
		return nil
	}
	return &tls.Config{RootCAs: r.roots}
}

// Do sends a command and returns the answer.
func (r *Redis) Do(arguments ...any) any {
	r.t.Helper()
	answer, err := r.do(arguments...)
	if err != nil {
		r.t.Fatalf("%v on %s: %v", arguments, r.Address(), err)
	}
	return answer
}

func (r *Redis) do(arguments ...any) (any, error) {
	client := goredis.NewClient(&goredis.Options{
		Addr: r.Address(), Password: r.Password, TLSConfig: r.TLSConfig(),
		Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
	})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return client.Do(ctx, arguments...).Result()
}

// IsMaster reports whether the server answers, and is no replica.
func (r *Redis) IsMaster() bool { return strings.HasPrefix(r.role(), "[master") }

func (r *Redis) waitUntilReplica() {
	r.t.Helper()
	r.waitFor("the replica has the master's data", func() bool { return strings.Contains(r.role(), " connected ") })
}

// role returns "[master …]", or "[slave HOST PORT STATE …]".
func (r *Redis) role() string {
	answer, _ := r.do("ROLE") // The server may not answer yet.
	return fmt.Sprint(answer)
}
