package core_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"novcomet/core"
)

// The promise over real files, with the kernel's own stamps and hints, in real time: several processes publish the same
// events by all means, in bursts, and after each burst every subscriber must learn of the last publication of each event.
func TestThePromiseIsKeptOverRealFilesWithSeveralProcessesPublishing(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 15 s")
	}
	t.Parallel()
	const events, bursts, clientsOfEachKind = 24, 6, 24
	directory, err := os.MkdirTemp("/dev/shm", "novcomet-test-*")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	watching := &core.Files{Directory: directory, Mode: 0o664}
	if err := watching.Probe(); err != nil {
		t.Fatal(err)
	}
	polling := &core.Files{Directory: directory, Mode: 0o664, Unwatched: true}
	names := make([]string, events)
	for i := range names {
		names[i] = fmt.Sprintf("event-%d", i)
	}

	ctx, leave := context.WithCancel(t.Context())
	var everybody sync.WaitGroup
	defer everybody.Wait()
	defer leave()
	var clients []*client
	for _, store := range []*core.Files{watching, polling} {
		endpoint := core.NewEndpoint(store, core.Settings{})
		endpoint.Log = discard
		defer endpoint.Close()
		for i := range clientsOfEachKind {
			c := &client{subscriber: someone(i, names), now: realInstant}
			clients = append(clients, c)
			serving := &process{endpoint: endpoint}
			everybody.Go(func() { c.run(ctx, func() *process { return serving }) })
		}
	}

	// Whole-second clients begin with the second of their own clock: now it is over, however slow this machine is.
	await(t, "an answer to each client's first poll", func() (missing string) {
		for i, c := range clients {
			if c.answers.Load() == 0 {
				return fmt.Sprintf("client %d has none", i)
			}
		}
		return ""
	})
	publishers := []*publisher{
		startPublisher(t, directory, os.Args[0]), startPublisher(t, directory, os.Args[0]),
		startPublisher(t, directory, "/bin/sh", "-c", publishingScript), startPublisher(t, directory, "/bin/sh", "-c", publishingScript),
	}
	published := map[string]int{} // at most: each may be two changes
	for burst := range bursts {
		for range 40 {
			name, means := names[rand.IntN(events)], []string{"publish", "touch", "write", "write", "post"}[rand.IntN(5)]
			publishers[rand.IntN(len(publishers))].publish(t, means, name)
			published[name] += 2
			if rand.IntN(2) == 0 {
				<-time.After(rand.N(40 * time.Millisecond))
			}
		}
		for _, p := range publishers {
			p.finish(t)
		}
		await(t, fmt.Sprintf("what burst %d published", burst), func() string { return missed(t, watching, clients) })
	}
	leave()
	everybody.Wait()
	for _, c := range clients {
		c.judgeAnswers(t, published)
	}
}

func someone(i int, names []string) subscriber {
	shuffled := slices.Clone(names)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	s := subscriber{
		precise: i%2 == 0, longFirst: i%4 == 0,
		clock:  []time.Duration{0, 400 * time.Millisecond, -10 * time.Minute}[i/2%3],
		events: shuffled[:1+rand.IntN(len(names))],
		pauses: []time.Duration{0, rand.N(200 * time.Millisecond), rand.N(time.Second)},
		tries:  1 + rand.IntN(4), sleep: 200*time.Millisecond + rand.N(600*time.Millisecond),
	}
	if s.precise {
		s.data = i%6 != 0
	}
	if i%8 == 0 {
		s.stream = &reading{breaks: []int{0, 20, 3}, cut: 90, slow: rand.N(20 * time.Millisecond)}
	}
	return s
}

func realInstant() instant { return instant{at: time.Now(), clock: core.StampOf(time.Now())} }

// await waits until nothing is missing any more, but not for ever.
func await(t *testing.T, what string, missing func() string) {
	t.Helper()
	deadline := time.After(time.Minute)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for missing() != "" {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s was missed: %s", what, missing())
		}
	}
}

// missed names a client that does not know the present stamp of one of its events.
func missed(t *testing.T, store core.Carrier, clients []*client) string {
	for i, c := range clients {
		c.mu.Lock()
		told, dataOf := maps.Clone(c.told), maps.Clone(c.carried)
		c.mu.Unlock()
		for _, event := range c.events {
			if now := stamp(t, store, event); now != 0 && !c.says(told[event], now) {
				return fmt.Sprintf("client %d (%v) was told %q of %s, which has %v", i, c.subscriber, told[event], event, now)
			}
			if content := strings.TrimSpace(carried(t, store, event)); c.data && dataOf[event] != content {
				return fmt.Sprintf("client %d (%v) was told %q of %s, which carries %q", i, c.subscriber, dataOf[event], event, content)
			}
		}
	}
	return ""
}

// judgeAnswers looks through all answers: none is malformed, or tells what the client sent, again and again.
func (c *client) judgeAnswers(t *testing.T, published map[string]int) {
	t.Helper()
	answers := map[string]int{}
	for _, p := range c.polls {
		if p.problem != nil {
			t.Errorf("%s: %v", p.body, p.problem)
		}
		for event, value := range p.answer.K {
			answers[event]++
			if c.precise && value.String() == p.sent[event] {
				t.Errorf("%s, but %s was known", p.body, event)
			}
		}
	}
	for event, n := range answers {
		if n > published[event]+1 { // What is found within 20 ms of the first arrival is told once more.
			t.Errorf("%d answers told of %s, which was changed %d times", n, event, published[event])
		}
	}
}
