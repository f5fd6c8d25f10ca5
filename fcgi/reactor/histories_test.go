package reactor

import (
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"novcomet/core"
	"novcomet/core/cgienv"
	"novcomet/core/sim"
)

// As in package sim, the same histories are played each time. Flags of the command line win.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "300", "rapid.seed": "1"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// The histories of package sim are played through a web server and the reactor. Bytes move in pieces of any
// length; connections are kept, or break at any step; clients leave; the process ends. The judge of package
// sim judges the answers. No connection may be closed without an answer, and nothing may be left in the end.
func TestHistories_ThroughTheReactor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := rapid.OneOf(sim.Polls(), sim.StreamsAndData()).Draw(rt, "history")
		s := drawSchedule(rt)
		var r *sim.Record
		var proxies []*proxy
		synctest.Test(t, func(t *testing.T) {
			r = h.Play(t.Context(), func(e *core.Endpoint) sim.Server {
				p := startProxy(s, e)
				proxies = append(proxies, p)
				return p
			})
		})
		var problems []string
		if v := r.Judge(); v != nil {
			problems = append(problems, fmt.Sprint(v))
		}
		for _, p := range proxies {
			problems = append(problems, p.problems...)
		}
		if len(problems) > 0 {
			rt.Log(r)
			rt.Fatal(strings.Join(problems, " "))
		}
	})
}

func drawSchedule(t *rapid.T) schedule {
	pick := func(from ...int) int { return rapid.SampledFrom(from).Draw(t, "") }
	return schedule{
		seed:     rapid.Uint64Range(0, 1000).Draw(t, ""),
		piece:    pick(math.MaxInt32, 300, 40, 7, 1),
		size:     pick(socketSize, 4000, 150, 40, 9),
		keeps:    pick(0, 100, 70),
		breaks:   pick(0, 0, 10, 50),
		aborts:   pick(0, 50, 100),
		slowSend: time.Duration(pick(0, 0, 0, 40, 3000)) * time.Millisecond,
		slowRead: time.Duration(pick(0, 0, 7, 300, 2000)) * time.Millisecond,
		places:   pick(10_000, fewPlaces),
	}
}

func startProxy(s schedule, e *core.Endpoint) *proxy {
	p := &proxy{schedule: s}
	log := slog.New(slog.NewTextHandler(p, nil))
	service := &testService{handler: cgienv.Handler{Endpoint: e, Location: p.location, Log: log}}
	p.bubble = startBubbleOf(service, Options{MaxConnections: s.places, Log: log})
	return p
}
