//go:build e2e

package redis_test

import (
	"crypto/tls"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/redis"
	"novcomet/core/redis/redistest"
)

// rights are those that the README names.
const rights = "~" + prefix + "* &" + prefix + "* +eval +evalsha +type +time +hget +hset +hdel +pexpire +persist +publish +subscribe +unsubscribe +ping"

func TestTheReadmeNamesTheseRights(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := strings.NewReplacer("~"+prefix+"*", "'~novcomet:*'", "&"+prefix+"*", "'&novcomet:*'").Replace(rights)
	for _, want := range []string{quoted, "`" + strings.TrimSpace(clusterRights) + "`"} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("it does not say %s", want)
		}
	}
}

// clusterRights are needed in a Cluster as well.
const clusterRights = " +cluster|slots +asking"

// withUsers starts a server with these users beside the default one.
func withUsers(t *testing.T, users map[string]string) *redistest.Server {
	t.Helper()
	server := &redistest.Server{Password: "of the administrator"}
	server.Start(t)
	for name, rules := range users {
		addUser(server, name, rules)
	}
	return server
}

func addUser(server *redistest.Server, name, rules string) {
	arguments := []any{"ACL", "SETUSER", name, "reset", "on", ">secret"}
	for rule := range strings.FieldsSeq(rules) {
		arguments = append(arguments, rule)
	}
	server.Do(arguments...)
}

func TestAUserNeedsTheRightsThatTheReadmeNamesAndNoMore(t *testing.T) {
	all := strings.Fields(rights)
	server := withUsers(t, map[string]string{"novcomet": rights})
	check := func() error {
		a, options := mustID(t, "a"), redis.Options{Addresses: []string{server.Address()}, Username: "novcomet", Password: "secret"}
		store := open(t, options)
		_, published := store.Publish(t.Context(), a)
		_, cleared := store.PublishData(t.Context(), a, nil)
		_, looked := store.Stamps(t.Context(), []core.ID{a})
		options.Expire = time.Hour
		_, expiring := open(t, options).Publish(t.Context(), a)
		return errors.Join(published, cleared, looked, expiring, hears(t, store, "a"))
	}
	if err := check(); err != nil {
		t.Fatalf("with all of them: %v", err)
	}
	for i, right := range all {
		switch right {
		case "+unsubscribe", "+ping": // needed later
			continue
		}
		server.Do("ACL", "DELUSER", "novcomet")
		server.Do("SCRIPT", "FLUSH")
		addUser(server, "novcomet", strings.Join(slices.Delete(slices.Clone(all), i, i+1), " "))
		if err := check(); err == nil {
			t.Errorf("it works without %s", right)
		}
	}
}

func TestAnEventThatTheUserMayNotPublishIsAnErrorOfThatEvent(t *testing.T) {
	server := withUsers(t, map[string]string{"novcomet": strings.Replace(rights, "~"+prefix+"*", "~"+prefix+"mine*", 1)})
	store := open(t, redis.Options{Addresses: []string{server.Address()}, Username: "novcomet", Password: "secret"})
	mustPublish(t, store, "mine")
	if _, err := store.Publish(t.Context(), mustID(t, "yours")); err == nil || errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), `"yours"`) {
		t.Errorf("%v; want an error of this event", err)
	}
}

func TestWithoutTheRightToTellNothingIsPublished(t *testing.T) {
	server := withUsers(t, map[string]string{"novcomet": strings.Replace(rights, " &"+prefix+"*", " resetchannels", 1)})
	store := open(t, redis.Options{Addresses: []string{server.Address()}, Username: "novcomet", Password: "secret"})
	if _, err := store.Publish(t.Context(), mustID(t, "a")); err == nil {
		t.Error("no error")
	}
	if stamp := mustLook(t, store, "a").Stamps[0]; stamp != 0 {
		t.Errorf("it was published all the same: %v", stamp)
	}
}

func TestAWrongPasswordSaysSoAndIsNotUsedForPolls(t *testing.T) {
	server := withUsers(t, nil)
	for name, o := range map[string]redis.Options{
		"wrong": {Password: "guessed"},
		"none":  {},
		"user":  {Username: "nobody", Password: "of the administrator"},
	} {
		o.Addresses = []string{server.Address()}
		store := open(t, o)
		_, err := store.Publish(t.Context(), mustID(t, "a"))
		_, looked := store.Stamps(t.Context(), nil)
		for _, err := range []error{err, looked} {
			if !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), "WRONGPASS") && !strings.Contains(err.Error(), "NOAUTH") {
				t.Errorf("%s: %v; want the server's reason", name, err)
			}
		}
	}
}

func TestTLSIsVerified(t *testing.T) {
	server := &redistest.Server{Certificate: redistest.NewCertificate(t), Password: "secret"}
	server.Start(t)
	address := []string{server.Address()}
	store := open(t, redis.Options{Addresses: address, TLS: server.TLS(), Password: "secret"})
	stamp := mustPublish(t, store, "a")
	if got := mustLook(t, store, "a").Stamps[0]; got != stamp {
		t.Errorf("%v is seen as %v", stamp, got)
	}
	if err := hears(t, store, "a"); err != nil {
		t.Error(err)
	}
	for name, o := range map[string]redis.Options{
		"a certificate that nobody vouches for": {TLS: &tls.Config{}},
		"no TLS":                                {},
	} {
		o.Addresses, o.Password = address, "secret"
		if _, err := open(t, o).Publish(t.Context(), mustID(t, "a")); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
