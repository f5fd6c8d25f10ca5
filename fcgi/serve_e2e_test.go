//go:build e2e

package main

import (
	"net/http"
	"testing"

	"novcomet/core/store/files/coarsetest"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestServe_DeliversPublicationsOfAnotherProcess(t *testing.T) {
	eachStore(t, func(t *testing.T, s testStore) {
		env := append([]string{longPoll}, s.env...)
		_, one := startServer(t, "", env...)
		_, other := startServer(t, "", env...)
		w := connect(t, one)
		w.Send(t, Request(1, 0, Get("subscribed[a]=0.000000"), ""))
		wantWaiting(t, one, 1)
		wantPublished(t, other, "a")
		w.WantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	})
}

func TestServe_RefusesADirectoryThatKeepsOnlySeconds(t *testing.T) {
	directory := coarsetest.Mount(t)
	p, _ := startServer(t, directory)
	p.wantExit(1, "file.directory", directory, "units of 1s", "/dev/shm")

	checked := start(t, directory, startOptions{args: []string{checkCommand}})
	checked.wantExit(1)
	wantText(t, checked.stdout.String(), "problem  directory", "units of 1s", "/dev/shm")
}
