package reactor

import (
	"slices"
	"sync"
	"testing"
)

func TestInbox_WakesTheLoopOnceForManyMessages(t *testing.T) {
	wakes := 0
	in := inbox{wake: func() { wakes++ }}
	for range 3 {
		for range 10 {
			in.post(func(m *messages) { m.results = append(m.results, postedResult{}) })
			in.post(func(m *messages) { m.stop = true })
		}
		in.take()
	}
	if wakes != 3 {
		t.Errorf("the loop was woken %d times, want 3", wakes)
	}
}

func TestInbox_ReturnsEachMessageOnceAndInOrder(t *testing.T) {
	const posters, each = 4, 1000
	woken := make(chan struct{}, 1)
	in := inbox{wake: func() { woken <- struct{}{} }} // It blocks if it is called twice before take.
	var posting sync.WaitGroup
	for p := range posters {
		posting.Go(func() {
			for i := range each {
				in.post(func(m *messages) { m.accepted = append(m.accepted, p*each+i) })
				in.post(func(m *messages) {
					m.results = append(m.results, postedResult{conn: &conn{fd: int32(p*each + i)}})
				})
			}
		})
	}
	accepted, delivered := make([][]int, posters), make([][]int, posters)
	for n := 0; n < 2*posters*each; {
		<-woken
		m := in.take()
		for _, fd := range m.accepted {
			accepted[fd/each] = append(accepted[fd/each], fd%each)
		}
		for _, d := range m.results {
			fd := int(d.conn.fd)
			delivered[fd/each] = append(delivered[fd/each], fd%each)
		}
		n += len(m.accepted) + len(m.results)
	}
	posting.Wait()
	for p := range posters {
		for _, got := range [][]int{accepted[p], delivered[p]} {
			if len(got) != each || !slices.IsSorted(got) {
				t.Errorf("%d messages of %d, %v", len(got), each, got)
			}
		}
	}
	if m := in.take(); len(m.accepted)+len(m.results) > 0 || m.any {
		t.Errorf("messages are left: %+v", m)
	}
}

func TestInbox_DoesNotWakeALoopThatHasEnded(t *testing.T) {
	in := inbox{wake: func() { t.Error("the loop is woken") }}
	in.end()
	in.post(func(m *messages) { m.results = append(m.results, postedResult{}) })
	in.post(func(m *messages) { m.stop = true })
}

func TestInbox_ReturnsAtItsEndWhatWasNotHandled(t *testing.T) {
	in := inbox{wake: func() {}}
	in.post(func(m *messages) { m.accepted = append(m.accepted, 5) })
	if got := in.end().accepted; !slices.Equal(got, []int{5}) {
		t.Errorf("%v", got)
	}
}
