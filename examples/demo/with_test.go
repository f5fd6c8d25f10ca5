//go:build e2e

package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestDemo_RunsARealServer(t *testing.T) {
	d := start(t, "--port", freePort(t), "--directory", openDirectory(t), "--with", "nginx")
	if got := d.get(t, "/comet.php?publish=news"); got != "true" {
		t.Errorf("publishing: %s", got)
	}
	d.interrupt()
	if err := <-d.ended; err != nil {
		t.Errorf("it did not end cleanly: %v", err)
	}
}

func TestDemo_KilledLeavesNoServer(t *testing.T) {
	port := freePort(t)
	cmd := exec.Command(os.Args[0], "--port", port, "--directory", openDirectory(t), "--with", "nginx")
	cmd.Env = append(os.Environ(), asDemo+"=1", "TMPDIR="+openDirectory(t)) // what it leaves behind goes with the test
	said := &buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, said.String, func() bool { return strings.Contains(said.String(), "Ctrl-C") })
	cmd.Process.Kill()
	cmd.Wait()
	waitUntil(t, said.String, func() bool {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}
