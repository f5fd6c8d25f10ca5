package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"novcomet/core/servertest"
)

func TestServeItself_EndsWhileStreamWaits(t *testing.T) {
	d := start(t, servertest.OpenDirectory(t))
	url := d.url + "/comet.php?subscribed[news]=now"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	stream, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if line, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "retry: ") {
		t.Errorf("the stream begins with %q, %v; want retry", line, err)
	}
	d.interrupt()
	if err := <-d.ended; err != nil {
		t.Errorf("the demo did not end cleanly: %v", err)
	}
	if printed := d.output.String(); strings.Contains(printed, "level=") {
		t.Errorf("the demo logged a problem:\n%s", printed)
	}
}
