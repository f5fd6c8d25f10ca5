package main

import (
	"net"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"novcomet/core/servertest"
)

func TestNotify_ReportsEachStateToSystemd(t *testing.T) {
	t.Parallel()
	listening, path := listeningSocket(t)
	directory := filepath.Dir(path)
	address := filepath.Join(directory, "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	receive := func(want string) {
		t.Helper()
		message := make([]byte, 512)
		systemd.SetReadDeadline(time.Now().Add(servertest.Patience))
		n, err := systemd.Read(message)
		if err != nil || !regexp.MustCompile("^"+want+"$").Match(message[:n]) {
			t.Fatalf("systemd received %q, %v; want %q", message[:n], err, want)
		}
	}
	yaml := writeFile(t, filepath.Join(directory, "comet.yaml"), "log: info\n")
	p := start(t, directory, startOptions{
		args: []string{"--config", yaml}, env: []string{"NOTIFY_SOCKET=" + address}, stdin: listening,
	})
	receive("READY=1")
	for _, text := range []string{"log: info\n", "invalid: true\n"} {
		writeFile(t, yaml, text)
		if err := p.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		receive("MONOTONIC_USEC=[0-9]+\nRELOADING=1")
		receive("READY=1")
	}
	p.terminate()
	receive("STOPPING=1")
}
