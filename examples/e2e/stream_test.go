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

func eventsCarryData(t *testing.T, site *launch.Site) {
	const object = `{"build":"green"}`
	post := request(t, http.MethodPost, site.URL+"/comet.php?publish=carrying", object) // which curl -d calls a form
	wantBody(t, within(t, patience, asking(post)), "true")
	put := request(t, http.MethodPut, site.URL+"/comet.php?publish=carrying", object)
	put.Header.Set("Content-Type", "application/json")
	wantBody(t, within(t, patience, asking(put)), "true")
	first := within(t, patience, polling(t, site, "subscribed[carrying]=0.000000&data=1"))
	if !strings.Contains(first.body, `"d":{"carrying":`+object+`}`) {
		t.Errorf("got %s, want the data", first.body)
	}
	poll := polling(t, site, "subscribed[carrying]="+stampOf(t, site, "carrying")+"&data=1")
	stillWaits(t, poll)
	shell(t, site, "echo words >.carrying && mv .carrying carrying.comet")
	if r := within(t, patience, poll); !strings.Contains(r.body, `"d":{"carrying":"words"}`) {
		t.Errorf("got %s, want the words", r.body)
	}
}

// stream is what a browser reads that has asked for Server-Sent Events.
type stream struct {
	header http.Header
	lines  chan string // closed with the stream
	close  context.CancelFunc
}

// openStream asks for a stream, and returns when its header is there. The rest is names and values of the request's header.
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
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("HTTP %d, %s", answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	s := &stream{answer.Header, make(chan string, 1000), cancel}
	go func() {
		defer close(s.lines)
		defer answer.Body.Close()
		for in := bufio.NewScanner(answer.Body); in.Scan(); {
			s.lines <- in.Text()
		}
	}()
	return s
}

// next returns the rest of the next line that begins so; the others are passed over.
func (s *stream) next(t *testing.T, begin string) string {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, more := <-s.lines:
			if rest, ok := strings.CutPrefix(line, begin); ok && more {
				return rest
			}
			if !more {
				t.Fatalf("the stream ended, without a line %q", begin)
			}
		case <-late:
			t.Fatalf("no line %q within %v", begin, patience)
		}
	}
}

// ended reports whether the stream ends before the time is over.
func (s *stream) ended(within time.Duration) bool {
	late := time.After(within)
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

func streamTells(t *testing.T, site *launch.Site) {
	s := openStream(t, site, "subscribed[streamed]=now&subscribed[other]=now", "")
	defer s.close()
	s.next(t, "retry: ")
	s.next(t, "id: 0.000000,0.000000")
	shell(t, site, "touch -d @1763800000.5 streamed.comet")
	s.next(t, "event: streamed")
	for last := ""; last != "1763800000.500000"; { // The shell makes the file first.
		last, _, _ = strings.Cut(s.next(t, "id: "), ",")
	}
	wantBody(t, within(t, patience, polling(t, site, "publish=other")), "true")
	s.next(t, "event: other")
	stamp := stampOf(t, site, "other")
	s.next(t, `data: {"s":1,"k":{"other":`+stamp+`},"at":{"other":"`+stamp+`"}}`)
	s.next(t, "id: 1763800000.500000,"+stamp)
}

func TestAStreamThroughEveryServer(t *testing.T) {
	for _, server := range launch.Servers() {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			site := launchSite(t, launch.Options{
				Server: server, Settings: map[string]string{"sleep": "0.2", "stream.comment": "0.3", "stream.end": "6"},
			})
			s := openStream(t, site, "subscribed[a]=now&subscribed[b]=now", "")
			s.next(t, "id: ")
			s.next(t, ":") // comments, and it goes on
			s.next(t, ":")
			shell(t, site, "touch a.comet")
			id := s.next(t, "id: ")
			s.close()
			shell(t, site, "touch b.comet") // while nobody listens
			s = openStream(t, site, "subscribed[a]=now&subscribed[b]=now", id)
			s.next(t, "event: b")
			id = s.next(t, "id: ")
			if stamps := stampOf(t, site, "a") + "," + stampOf(t, site, "b"); id != stamps {
				t.Errorf("the id is %s, want %s", id, stamps)
			}
			if !s.ended(patience) {
				t.Error("it does not end")
			}
		})
	}
}

// nginx obeys X-Accel-Buffering and, by default, removes it.
func TestAStreamThroughTwoNginxIsNotBuffered(t *testing.T) {
	t.Parallel()
	site := launchSite(t, launch.Options{Server: launch.Nginx})
	outer := behindNginx(t, site, "")
	s := openStream(t, outer, "subscribed[a]=now", "")
	s.next(t, "id: ")
	touch(t, eventFile(site, "a"))
	s.next(t, "event: a")
}

// The cursors of 250 events come back in one header, Last-Event-ID, beside a URL that is as long.
func TestAStreamWithManyIDsResumes(t *testing.T) {
	var ids []string
	for i := range 250 {
		ids = append(ids, fmt.Sprintf("subscribed[%03d]=now", i))
	}
	query := strings.Join(ids, "&")
	underEach(t, launch.Servers(), launch.Options{Settings: map[string]string{"sleep": "0.2"}}, func(t *testing.T, site *launch.Site) {
		touch(t, eventFile(site, "000"))
		s := openStream(t, site, query, "")
		cursors := strings.Split(s.next(t, "id: "), ",")
		s.close()
		for i := range cursors { // as long as a header gets
			cursors[i] = cursors[0]
		}
		touch(t, eventFile(site, "249"))
		s = openStream(t, site, query, strings.Join(cursors, ","))
		s.next(t, "event: 249")
	})
}

// Only comet-fcgi knows of more than one stream.
func TestAStreamWhoseBrowserLeftIsFreed(t *testing.T) {
	for _, server := range []launch.Server{launch.Nginx, launch.ApacheProxy, launch.Lighttpd, launch.Caddy} {
		t.Run(string(server), func(t *testing.T) {
			t.Parallel()
			// nginx tells at once; elsewhere it shows when the next comments are sent.
			comment := "1"
			if server == launch.Nginx {
				comment = "600"
			}
			site := launchSite(t, launch.Options{Server: server, Settings: map[string]string{"max_waiting": "1", "stream.comment": comment}})
			s := openStream(t, site, "subscribed[a]=now", "")
			s.next(t, "id: ")
			if !openStream(t, site, "subscribed[a]=now", "").ended(patience) {
				t.Fatal("there are two streams where one is allowed")
			}
			s.close()
			for late := time.Now().Add(patience); ; {
				next := openStream(t, site, "subscribed[a]=now", "")
				if next.next(t, "id: "); !next.ended(3 * time.Second) {
					return
				}
				if time.Now().After(late) {
					t.Fatalf("it still counts after %v", patience)
				}
			}
		})
	}
}

// The reader is somebody else's, and written from the specification.
func TestAnIndependentClientReadsTheStream(t *testing.T) {
	site := launchSite(t, launch.Options{Server: launch.Nginx, HoldSocket: true, Settings: map[string]string{"sleep": "0.2"}})
	names := []string{"plain", "with spaces  and: colon", "Grüße, 世界"}
	query := url.Values{"data": {"1"}}
	for _, name := range names {
		query.Set("subscribed["+name+"]", "0.000000")
	}
	r := request(t, http.MethodGet, site.URL+"/comet.php?"+query.Encode(), "")
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

	for i := range 30 {
		name := names[i%len(names)]
		if i%10 == 5 { // It resumes from where it was.
			if err := site.StopDaemon(); err != nil {
				t.Fatal(err)
			}
		}
		content := fmt.Sprintf("%d\n%s", i, name)
		write(t, site, name, content)
		if i%10 == 5 {
			if err := site.StartDaemon(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := fmt.Sprintf(`"d":{"%s":"%d\n%s"}`, name, i, name)
		for late := time.After(patience); ; {
			select {
			case e := <-events:
				if e.Type == name && strings.Contains(e.Data, want) {
					goto told
				}
			case <-ended:
				t.Fatalf("publication %d: the client has ended", i)
			case <-late:
				t.Fatalf("publication %d was not told", i)
			}
		}
	told:
	}
}
