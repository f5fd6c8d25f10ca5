//go:build long

package main

import (
	"net/http"
	"testing"

	"novcomet/core/servertest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestServer_AnswersEighteenThousandThatAskAgainAtOnce(t *testing.T) {
	const n = 18_000
	needOpenFiles(t, n+1200)
	testCrowd(t, n)
}

func TestServer_LeaksNothingInAHundredThousandConnections(t *testing.T) {
	const n = 100_000
	s, path := startInProcess(t, t.TempDir())
	poll := Request(1, 0, Get("subscribed[a]=now&wait=0"), "")
	requestAll := func(n int) {
		t.Helper()
		for range n {
			w, err := tryConnect(path) // connect would keep each until the end of the test.
			if err != nil {
				t.Fatal(err)
			}
			w.Send(t, poll)
			w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
			w.Close()
		}
		servertest.WaitFor(t, "all connections are closed", func() bool { return s.reactor.Connections() == 0 })
	}
	requestAll(n / 100)
	before := measureFootprint()
	requestAll(n)
	before.wantAgain(t)
}
