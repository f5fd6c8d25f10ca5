package sim

import (
	"flag"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// The same histories are played each time, so that the code alone decides the result. Flags of the command
// line win.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "300", "rapid.seed": "1"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

func TestHistories_OfPolls(t *testing.T) { playAndJudge(t, Polls()) }

func TestHistories_OfStreamsAndData(t *testing.T) { playAndJudge(t, StreamsAndData()) }

func playAndJudge(t *testing.T, histories *rapid.Generator[*History]) {
	rapid.Check(t, func(rt *rapid.T) {
		h := histories.Draw(rt, "history")
		var r *Record
		synctest.Test(t, func(t *testing.T) { r = h.Play(t.Context(), nil) }) // It panics if a goroutine does not end.
		if v := r.Judge(); v != nil {
			rt.Log(r)
			rt.Fatal(v)
		}
	})
}
