//go:build e2e

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"novcomet/core/servertest"
)

func TestServeWith_RunsWebServer(t *testing.T) {
	d := start(t, servertest.OpenDirectory(t), "--with", "nginx")
	if got := d.get(t, "/comet.php?publish=news"); got != "true" {
		t.Errorf("publishing: %s", got)
	}
	d.interrupt()
	if err := <-d.ended; err != nil {
		t.Errorf("the demo did not end cleanly: %v", err)
	}
}

func TestServeWith_QuotesDirectory(t *testing.T) {
	directory := oddDirectory(t)
	start(t, directory, "--with", "nginx").wantDirectory(t, directory)
}

func TestServeWith_KilledDemoLeavesNoServer(t *testing.T) {
	port := fmt.Sprint(servertest.FreePort(t))
	cmd := exec.Command(os.Args[0], "--port", port, "--directory", servertest.OpenDirectory(t), "--with", "nginx")
	// The killed demo leaves its files in TMPDIR.
	cmd.Env = append(os.Environ(), asDemo+"=1", "TMPDIR="+servertest.OpenDirectory(t))
	output := &servertest.Output{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return started(output) })
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, func() error {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil
		}
		c.Close()
		return errors.New("the server still listens")
	})
}
