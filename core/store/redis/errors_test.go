//go:build e2e

package redis_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/servertest"
	"novcomet/core/store"
	"novcomet/core/store/redis"
)

const (
	// rights are the rights that the README names.
	rights = "~" + prefix + "* &" + prefix + "* " +
		"+eval +evalsha +type +time +hget +hset +hdel +pexpire +persist +publish +subscribe +unsubscribe +ping"
	// clusterRights are needed in a Cluster, too.
	clusterRights = " +cluster|slots +asking"
)

// noChannels are the rights without those to channels.
var noChannels = strings.Replace(rights, " &"+prefix+"*", " resetchannels", 1)

// startWithUser starts a server that has the user novcomet with these rights, and opens the user's store.
func startWithUser(t *testing.T, rights string) (*servertest.Redis, *redis.Store) {
	t.Helper()
	server := servertest.StartRedis(t, servertest.RedisOptions{Password: "of the administrator"})
	setUser(server, rights)
	return server, open(t, userOptions(server.Address()))
}

func userOptions(addresses ...string) redis.Options {
	return redis.Options{Addresses: addresses, Username: "novcomet", Password: "secret"}
}

func setUser(server *servertest.Redis, rights string) {
	arguments := []any{"ACL", "SETUSER", "novcomet", "reset", "on", ">secret"}
	for rule := range strings.FieldsSeq(rights) {
		arguments = append(arguments, rule)
	}
	server.Do(arguments...)
}

func TestReadme_NamesRights(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := strings.NewReplacer("~"+prefix+"*", "'~novcomet:*'", "&"+prefix+"*", "'&novcomet:*'").Replace(rights)
	for _, want := range []string{quoted, "`" + strings.TrimSpace(clusterRights) + "`"} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("the README does not contain %s", want)
		}
	}
}

func TestStore_NeedsEachRightThatReadmeNames(t *testing.T) {
	server, _ := startWithUser(t, rights)
	useAll := func() error {
		a, options := coretest.MustID("a"), userOptions(server.Address())
		s := open(t, options)
		_, published := s.Publish(t.Context(), a, nil)
		_, cleared := s.Publish(t.Context(), a, []byte{})
		_, checked := s.Check(t.Context(), []event.ID{a})
		options.Expire = time.Hour
		_, expiring := open(t, options).Publish(t.Context(), a, nil)
		return errors.Join(published, cleared, checked, expiring, watchPublication(t, s, "a"))
	}
	if err := useAll(); err != nil {
		t.Fatalf("with all rights: %v", err)
	}
	all := strings.Fields(rights)
	for i, right := range all {
		if right == "+unsubscribe" || right == "+ping" {
			continue // Watch needs them only after some seconds.
		}
		server.Do("ACL", "DELUSER", "novcomet")
		server.Do("SCRIPT", "FLUSH")
		setUser(server, strings.Join(slices.Delete(slices.Clone(all), i, i+1), " "))
		if err := useAll(); err == nil {
			t.Errorf("no error without %s", right)
		}
	}
}

func TestPublish_DeniedKeyIsErrorOfThatEvent(t *testing.T) {
	_, s := startWithUser(t, strings.Replace(rights, "~"+prefix+"*", "~"+prefix+"mine*", 1))
	publish(t, s, "mine")
	_, err := s.Publish(t.Context(), coretest.MustID("yours"), nil)
	if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), `"yours"`) {
		t.Errorf("%v; want an error about this event", err)
	}
}

func TestPublish_DeniedChannelStoresNothing(t *testing.T) {
	_, s := startWithUser(t, noChannels)
	if _, err := s.Publish(t.Context(), coretest.MustID("a"), nil); err == nil {
		t.Error("no error")
	}
	if stamp := check(t, s, "a").Stamps[0]; stamp != 0 {
		t.Errorf("the event was published at %v", stamp)
	}
}

func TestStore_WrongLoginIsUnavailableWithServersReason(t *testing.T) {
	server := servertest.StartRedis(t, servertest.RedisOptions{Password: "secret"})
	for name, o := range map[string]redis.Options{
		"a wrong password": {Password: "guessed"},
		"no password":      {},
		"an unknown user":  {Username: "nobody", Password: "secret"},
	} {
		o.Addresses = []string{server.Address()}
		s := open(t, o)
		_, published := s.Publish(t.Context(), coretest.MustID("a"), nil)
		_, checked := s.Check(t.Context(), nil)
		for _, err := range []error{published, checked} {
			if !errors.Is(err, store.ErrUnavailable) ||
				!strings.Contains(err.Error(), "WRONGPASS") && !strings.Contains(err.Error(), "NOAUTH") {
				t.Errorf("%s: %v; want ErrUnavailable with the server's reason", name, err)
			}
		}
	}
}

func TestStore_OneAddressOfClusterIsErrorThatAsksForMore(t *testing.T) {
	cluster := servertest.StartCluster(t, servertest.RedisOptions{}, servertest.RedisOptions{})
	s := open(t, redis.Options{Addresses: cluster.Addresses()[:1]})
	_, err := s.Publish(t.Context(), coretest.MustID(eventOfEachServer(cluster)[1]), nil)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "several of its addresses") {
		t.Errorf("%v; want ErrUnavailable that asks for several addresses", err)
	}
}
