package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"novcomet/examples/internal/launch"
)

// stream is the client's side of a stream (Server-Sent Events).
type stream struct {
	lines chan string // closed at the end of the stream
	close context.CancelFunc
}

// openStream opens a stream and returns when its header has arrived. header has names and values for the
// request.
func openStream(t *testing.T, site *launch.Site, query, lastEventID string, header ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, site.URL+"/comet.php?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	r.Header.Set("Accept", "text/event-stream")
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: patience}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	contentType := response.Header.Get("Content-Type")
	if response.StatusCode != http.StatusOK || contentType != "text/event-stream" {
		t.Fatalf("HTTP %d, %s", response.StatusCode, contentType)
	}
	s := &stream{make(chan string, 1000), cancel}
	go func() {
		defer close(s.lines)
		defer response.Body.Close()
		for in := bufio.NewScanner(response.Body); in.Scan(); {
			s.lines <- in.Text()
		}
	}()
	return s
}

// next skips lines until one has this prefix, and returns the rest of that line.
func (s *stream) next(t *testing.T, prefix string) string {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, more := <-s.lines:
			if rest, ok := strings.CutPrefix(line, prefix); ok && more {
				return rest
			}
			if !more {
				t.Fatalf("the stream ended without a line %q", prefix)
			}
		case <-late:
			t.Fatalf("no line %q within %v", prefix, patience)
		}
	}
}

func (s *stream) endsWithin(limit time.Duration) bool {
	late := time.After(limit)
	for {
		select {
		case _, more := <-s.lines:
			if !more {
				return true
			}
		case <-late:
			return false
		}
	}
}

func TestStream_ResumesAndEnds(t *testing.T) {
	o := launch.Options{Settings: map[string]string{"sleep": "0.2", "stream.comment": "0.3", "stream.end": "15"}}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		s := openStream(t, site, "subscribed[a]=now&subscribed[b]=now", "")
		s.next(t, "id: ")
		s.next(t, ":") // comments
		s.next(t, ":")
		shell(t, site, "touch a.comet")
		id := s.next(t, "id: ")
		s.close()
		shell(t, site, "touch b.comet") // between two streams
		s = openStream(t, site, "subscribed[a]=now&subscribed[b]=now", id)
		s.next(t, "event: b")
		id = s.next(t, "id: ")
		if stamps := stampOf(t, site, "a") + "," + stampOf(t, site, "b"); id != stamps {
			t.Errorf("the id is %s, want %s", id, stamps)
		}
		if !s.endsWithin(patience) {
			t.Error("the stream does not end")
		}
	})
}

// By default, nginx obeys the header X-Accel-Buffering and removes it.
func TestStream_ThroughTwoNginxIsNotBuffered(t *testing.T) {
	t.Parallel()
	site := launchSite(t, launch.Options{Server: launch.Nginx})
	s := openStream(t, behindNginx(t, site), "subscribed[a]=now", "")
	s.next(t, "id: ")
	touch(t, eventFile(site, "a"))
	s.next(t, "event: a")
}

// The cursors of 250 events return in one header, Last-Event-ID. The URL is as long.
func TestStream_ResumesWithManyIDs(t *testing.T) {
	var ids []string
	for i := range 250 {
		ids = append(ids, fmt.Sprintf("subscribed[%03d]=now", i))
	}
	query := strings.Join(ids, "&")
	o := launch.Options{Settings: map[string]string{"sleep": "0.2"}}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		touch(t, eventFile(site, "000"))
		s := openStream(t, site, query, "")
		cursors := strings.Split(s.next(t, "id: "), ",")
		s.close()
		for i := range cursors { // The cursor of an unpublished event is shorter.
			cursors[i] = cursors[0]
		}
		touch(t, eventFile(site, "249"))
		s = openStream(t, site, query, strings.Join(cursors, ","))
		s.next(t, "event: 249")
	})
}

// comet-fcgi counts streams. When a browser has left, its stream no longer counts for max_waiting.
func TestStream_OfBrowserThatLeftIsFreed(t *testing.T) {
	servers := []launch.Server{launch.Nginx, launch.ApacheProxy, launch.Lighttpd, launch.Caddy}
	for _, server := range servers {
		comment := "1" // The other servers notice that the browser has left when they pass on a comment.
		if server == launch.Nginx {
			comment = "600"
		}
		o := launch.Options{Settings: map[string]string{"max_waiting": "1", "stream.comment": comment}}
		forEachServer(t, []launch.Server{server}, o, func(t *testing.T, site *launch.Site) {
			s := openStream(t, site, "subscribed[a]=now", "")
			s.next(t, "id: ")
			if !openStream(t, site, "subscribed[a]=now", "").endsWithin(patience) {
				t.Fatal("a second stream does not end")
			}
			s.close()
			for late := time.Now().Add(patience); ; {
				next := openStream(t, site, "subscribed[a]=now", "")
				if next.next(t, "id: "); !next.endsWithin(3 * time.Second) {
					return
				}
				if time.Now().After(late) {
					t.Fatalf("the stream still counts after %v", patience)
				}
			}
		})
	}
}

// The client of this test is a library that follows the specification and knows nothing of NovComet.
func TestStream_IsReadByIndependentClient(t *testing.T) {
	o := launch.Options{Server: launch.Nginx, HoldSocket: true, Settings: map[string]string{"sleep": "0.2"}}
	site := launchSite(t, o)
	names := []string{"plain", "with spaces  and: colon", "Grüße, 世界"}
	query := url.Values{"data": {"1"}}
	for _, name := range names {
		query.Set("subscribed["+name+"]", "0.000000")
	}
	r := newRequest(t, http.MethodGet, site.URL+"/comet.php?"+query.Encode(), "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := sse.Client{
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Backoff:    sse.Backoff{InitialInterval: 50 * time.Millisecond},
	}
	connection := client.NewConnection(r.WithContext(ctx))
	events := make(chan sse.Event, 1000)
	connection.SubscribeToAll(func(e sse.Event) { events <- e })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.Log("the client ended:", connection.Connect())
	}()
	defer func() { cancel(); <-ended }()

	// wantEvent waits for an event with this name and data.
	wantEvent := func(name, data string) {
		t.Helper()
		for late := time.After(patience); ; {
			select {
			case e := <-events:
				if e.Type == name && strings.Contains(e.Data, data) {
					return
				}
			case <-ended:
				t.Fatalf("the client has ended, without %s", data)
			case <-late:
				t.Fatalf("the client did not get %s", data)
			}
		}
	}
	for i := range 30 {
		name := names[i%len(names)]
		restart := i%10 == 5
		if restart {
			stopDaemon(t, site)
		}
		write(t, site, name, fmt.Sprintf("%d\n%s", i, name))
		if restart {
			startDaemon(t, site)
		}
		wantEvent(name, fmt.Sprintf(`"d":{"%s":"%d\n%s"}`, name, i, name))
	}
}
