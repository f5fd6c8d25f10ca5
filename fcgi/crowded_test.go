package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestPublicationsThatWaitForTheStoreLeaveRespondersToPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		s := within(t, &memory{publish: func() { <-open }}, io.Discard)
		var publishers []*webServer
		for range 20 {
			w := s.accepted(t)
			w.send(t, sentRequest(1, 0, asked("publish=a"), ""))
			publishers = append(publishers, w)
		}
		synctest.Wait()
		if n := s.responders.busy(); n != 4 {
			t.Errorf("%d of 8 responders publish; want half of them", n)
		}
		w := s.accepted(t)
		w.send(t, sentRequest(1, 0, asked("subscribed[a]=now&wait=0"), ""))
		w.wantResponse(t, 1, http.StatusOK, `{"s":0`)
		close(open)
		for _, w := range publishers {
			w.wantResponse(t, 1, http.StatusOK, "true")
		}
		s.end()
	})
}

func TestLargeAnswersWaitForRoomAndOthersDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := newResponders(2)
		defer rs.close()
		one, other := rs.room(large+1), rs.room(1<<20)
		third := make(chan func(), 1)
		go func() { third <- rs.room(large + 1) }()
		for range 100 {
			rs.room(large)()
		}
		synctest.Wait()
		if len(third) != 0 || !rs.othersWait() {
			t.Error("there is room for three, with two places")
		}
		one()
		(<-third)()
		if rs.othersWait() {
			t.Error("somebody waits who has had room")
		}
		other()
	})
}

func TestAReaderThatIsOnlySlowGetsAllOfIt(t *testing.T) {
	const size, patience = 1 << 20, 10 * time.Second
	for name, test := range map[string]struct {
		pause   time.Duration // between two reads of 64 KiB
		crowded bool
		all     bool
	}{
		"slow": {9 * time.Second, false, true}, "too slow": {11 * time.Second, false, false},
		"slow while others wait":     {900 * time.Millisecond, true, true},
		"too slow while others wait": {1100 * time.Millisecond, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				c := newConnection(theirs, patience)
				go func() {
					c.writeWithin(bytes.Repeat([]byte("x"), size), patience, func() bool { return test.crowded })
					c.Close()
				}()
				got, part := 0, make([]byte, 64<<10)
				for {
					time.Sleep(test.pause)
					n, err := io.ReadFull(ours, part)
					got += n
					if err != nil {
						break
					}
				}
				if all := got == size; all != test.all {
					t.Errorf("%d of %d bytes came", got, size)
				}
			})
		})
	}
}
