package main

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAPublicationAndAPollAreAnswered(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := served(t, directory)

	wantAnswer(t, ask(t, path, asked("publish=news"), ""), http.StatusOK, "true")
	if _, err := os.Stat(filepath.Join(directory, "news.comet")); err != nil {
		t.Error(err)
	}
	r := ask(t, path, asked("subscribed[news]=1.0&subscribed[other]=now"), "")
	wantText(t, r.body, `{"s":1,"k":{"news":`, `"at":{"news":"`, `,"other":"0.000000"}`)
	wantAnswer(t, ask(t, path, asked("subscribed[other]=now&wait=0"), ""), http.StatusOK, `{"s":0,"at":{"other":"0.000000"}}`)
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
}

func TestRequestsAreUnderstoodHoweverTheirBytesArrive(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := served(t, directory)
	whole := sentRequest(1, 0, asked("publish=split"), "")

	t.Run("byte by byte", func(t *testing.T) {
		w := connect(t, path)
		for _, b := range whole {
			w.send(t, []byte{b})
		}
		w.wantResponse(t, 1, http.StatusOK, "true")
		w.wantEnd(t)
	})
	t.Run("cut in two anywhere", func(t *testing.T) {
		for at := 1; at < len(whole); at += 17 {
			w := connect(t, path)
			w.send(t, whole[:at])
			w.send(t, whole[at:])
			w.wantResponse(t, 1, http.StatusOK, "true")
			w.wantEnd(t)
		}
	})
	t.Run("padded", func(t *testing.T) {
		w := connect(t, path)
		w.send(t, sentRecord(1, 9, []byte{0, 1, 0, 0, 0, 0, 0, 0}, 255),
			sentStream(4, 9, sentPairs(asked("publish=padded")), 3), sentStream(5, 9, nil, 8))
		w.wantResponse(t, 9, http.StatusOK, "true")
	})
	t.Run("a variable in the middle of two records", func(t *testing.T) {
		w := connect(t, path)
		variables := sentPairs(asked("publish=torn"))
		w.send(t, sentBegin(1, 1, 0))
		for _, b := range variables {
			w.send(t, sentRecord(4, 1, []byte{b}, 0))
		}
		w.send(t, sentRecord(4, 1, nil, 0), sentRecord(5, 1, nil, 0))
		w.wantResponse(t, 1, http.StatusOK, "true")
	})
	t.Run("long names and values, and one twice", func(t *testing.T) {
		w := connect(t, path)
		variables := asked("publish=first")
		variables["HTTP_COOKIE"] = strings.Repeat("c", 5000)
		variables["HTTP_"+strings.Repeat("X", 200)] = "1"
		w.send(t, sentBegin(1, 1, 0), sentStream(4, 1, append(sentPairs(variables), sentPair("QUERY_STRING", "publish=last")...), 0),
			sentStream(5, 1, nil, 0))
		w.wantResponse(t, 1, http.StatusOK, "true")
		if _, err := os.Stat(filepath.Join(directory, "last.comet")); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(directory, "first.comet")); err == nil {
			t.Error("the first of two values counted")
		}
	})
}

func TestEmptyVariablesAreAsGoodAsNone(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir())
	variables := asked("subscribed[a]=now&wait=0")
	for _, name := range []string{"HTTP_HOST", "REQUEST_URI", "SERVER_PROTOCOL", "GATEWAY_INTERFACE", "HTTPS", "REMOTE_PORT", "COMET_TRIES"} {
		variables[name] = ""
	}
	wantAnswer(t, ask(t, path, variables, ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
}

// A web server that has the end of one request may send the next in the same moment.
func TestAKeptConnectionServesOneRequestAfterTheOther(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir())
	w := connect(t, path)
	for i := range 2000 {
		id := uint16(1 + i%3)
		w.send(t, sentRequest(id, keep, asked("publish=kept"), ""))
		r, err := w.response(id)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if r.ended != 0 || r.body != "true" {
			t.Fatalf("request %d: ended %d, %s", i, r.ended, r.body)
		}
	}
	w.send(t, sentRequest(1, 0, asked("publish=kept"), ""))
	w.wantResponse(t, 1, http.StatusOK, "true")
	w.wantEnd(t)
}

func TestGetValuesIsAnsweredAtAnyTime(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := served(t, directory, "COMET_TRIES=1000")
	ask := sentRecord(9, 0, append(sentPair("FCGI_MPXS_CONNS", ""), sentPair("FCGI_NONSENSE", "")...), 0)
	wantValues := func(w *webServer) {
		t.Helper()
		kind, id, content, err := w.receive()
		if want := sentPair("FCGI_MPXS_CONNS", "0"); err != nil || kind != 10 || id != 0 || !bytes.Equal(content, want) {
			t.Errorf("a record of type %d about %d: %q, %v; want %q", kind, id, content, err, want)
		}
	}

	w := connect(t, path)
	request := sentRequest(1, keep, asked("subscribed[a]=0.0"), "")
	w.send(t, ask)
	wantValues(w)
	w.send(t, request[:16], ask)
	wantValues(w)
	w.send(t, request[16:], ask)
	wantValues(w) // while the poll waits
	touchFile(t, filepath.Join(directory, "a.comet"))
	w.wantResponse(t, 1, http.StatusOK, `{"s":1`)
	w.send(t, ask)
	wantValues(w) // between two requests
	w.send(t, sentRequest(1, keep, asked("publish=a"), ""))
	w.wantResponse(t, 1, http.StatusOK, "true")
}

func TestUnknownRecordsAndRolesAreRefusedAndTheConnectionGoesOn(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir())
	w := connect(t, path)

	w.send(t, sentRecord(77, 0, []byte("?"), 7))
	if kind, id, content, err := w.receive(); err != nil || kind != 11 || id != 0 || !bytes.Equal(content, []byte{77, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("FCGI_UNKNOWN_TYPE for 77 wanted: type %d about %d, %v, %v", kind, id, content, err)
	}
	for _, role := range []byte{0, 2, 3, 9} { // 2: authorizer, 3: filter
		w.send(t, sentBegin(5, role, keep), sentStream(4, 5, sentPairs(asked("publish=role")), 0), sentStream(5, 5, nil, 0))
		if r, err := w.response(5); err != nil || r.ended != 3 {
			t.Errorf("role %d: ended %d, %v; want FCGI_UNKNOWN_ROLE", role, r.ended, err)
		}
	}
	w.send(t, sentRecord(5, 8, []byte("of no request"), 0), sentRecord(2, 8, nil, 0), sentRecord(8, 8, nil, 0))
	w.send(t, sentRequest(6, keep, asked("publish=after"), ""))
	w.wantResponse(t, 6, http.StatusOK, "true")
}

func TestASecondRequestOnABusyConnectionIsRefused(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := served(t, directory, "COMET_TRIES=1000")
	second := sentRequest(2, keep, asked("publish=second"), "")
	wantRefusal := func(w *webServer) {
		t.Helper()
		if r, err := w.response(2); err != nil || r.ended != 1 {
			t.Errorf("ended %d, %v; want FCGI_CANT_MPX_CONN", r.ended, err)
		}
	}

	w := connect(t, path)
	first := sentRequest(1, keep, asked("subscribed[a]=0.0"), "")
	w.send(t, first[:16], second)
	wantRefusal(w) // while the first one is still coming in
	w.send(t, first[16:], second)
	wantRefusal(w) // while it waits
	touchFile(t, filepath.Join(directory, "a.comet"))
	w.wantResponse(t, 1, http.StatusOK, `{"s":1`)
	w.send(t, second)
	w.wantResponse(t, 2, http.StatusOK, "true")
}

// A connection that does not speak FastCGI is closed at once. Only HTTP is explained, once.
func TestGarbageEndsTheConnection(t *testing.T) {
	t.Parallel()
	p, path := served(t, t.TempDir(), "COMET_LOG=warn")
	for _, test := range []struct {
		name string
		sent []byte
	}{
		{"HTTP", []byte("GET /comet.php?publish=a HTTP/1.1\r\nHost: a\r\n\r\n")},
		{"HTTP again", []byte("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")},
		{"HTTP/2", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
		{"another version", append([]byte{2}, sentBegin(1, 1, 0)[1:]...)},
		{"a short begin", sentRecord(1, 1, []byte{0, 1, 0}, 0)},
		{"the same request begun twice", append(sentBegin(1, 1, 0), sentBegin(1, 1, 0)...)},
		{"a body before the variables", append(sentBegin(1, 1, 0), sentRecord(5, 1, nil, 0)...)},
		{"variables after the variables", append(append(sentBegin(1, 1, 0), sentStream(4, 1, sentPairs(asked("")), 0)...), sentRecord(4, 1, nil, 0)...)},
		{"an abort before it is complete", append(sentBegin(1, 1, 0), sentRecord(2, 1, nil, 0)...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, test.sent)
			w.wantEnd(t)
		})
	}
	wantAnswer(t, ask(t, path, asked("publish=after"), ""), http.StatusOK, "true")
	said := p.logged() // Not each time: anybody who connects could fill a disk.
	if wantText(t, said, "level=WARN", "speaks HTTP", "fastcgi_pass instead of proxy_pass"); strings.Count(said, "\n") != 1 {
		t.Errorf("not one line: %s", said)
	}
}

func TestVariablesThatCannotBeReadAreABadRequest(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir())
	whole := sentPairs(asked("publish=truncated"))
	for _, test := range []struct {
		name      string
		variables []byte
	}{
		{"truncated", whole[:len(whole)-1]},
		{"a length without its rest", append(whole[:len(whole):len(whole)], 0x80, 0, 0)},
		{"a length of 2 GiB", append(whole[:len(whole):len(whole)], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'x')},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, sentBegin(1, 1, 0), sentStream(4, 1, test.variables, 0), sentStream(5, 1, nil, 0))
			w.wantResponse(t, 1, http.StatusBadRequest, `{"error":"`)
		})
	}
	t.Run("none at all", func(t *testing.T) {
		wantResponseHas(t, ask(t, path, nil, ""), http.StatusBadRequest, `{"error":"`)
	})
	t.Run("a length that is no number", func(t *testing.T) {
		variables := posted(0)
		variables["CONTENT_LENGTH"] = "1e9"
		wantResponseHas(t, ask(t, path, variables, ""), http.StatusBadRequest, `{"error":"`)
	})
}

// An answer before the end would not be read: the web server is still sending.
func TestTooMuchIsReadToItsEndAndRefused(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := served(t, directory, "COMET_MAX_REQUEST=4096")
	long := asked("publish=variables")
	long["HTTP_COOKIE"] = strings.Repeat("c", 5<<20)
	exact := asked("publish=exact")
	exact["HTTP_COOKIE"] = strings.Repeat("c", 4096-len(sentPairs(exact))-len("HTTP_COOKIE")-5)
	form := "publish=body"
	for _, test := range []struct {
		name      string
		variables map[string]string
		body      string
		status    int
	}{
		{"variables", long, "", http.StatusRequestEntityTooLarge},
		{"variables that just fit", exact, "", http.StatusOK},
		{"a body", posted(5 << 20), form + "&" + strings.Repeat("x", 5<<20-len(form)-1), http.StatusRequestEntityTooLarge},
		{"a body one byte too long", posted(4097), form + "&" + strings.Repeat("x", 4097-len(form)-1), http.StatusRequestEntityTooLarge},
		{"a body that just fits", posted(4096), form + "&" + strings.Repeat("x", 4096-len(form)-1), http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, sentRequest(1, keep, test.variables, test.body))
			want := "true"
			if test.status != http.StatusOK {
				want = `{"error":"`
			}
			w.wantResponse(t, 1, test.status, want)
			w.send(t, sentRequest(1, keep, asked("publish=next"), ""))
			w.wantResponse(t, 1, http.StatusOK, "true")
		})
	}
	for id, want := range map[string]bool{"variables": false, "exact": true, "next": true} {
		if _, err := os.Stat(filepath.Join(directory, id+".comet")); (err == nil) != want {
			t.Errorf("%s published: %v, want %v", id, err == nil, want)
		}
	}
}

// A web server that passes bodies on as they come has only a part when the client resets its connection.
func TestABodyShorterThanContentLengthPublishesNothing(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := served(t, directory)
	data := func(method string) map[string]string {
		variables := asked("publish=a")
		variables["REQUEST_METHOD"], variables["CONTENT_LENGTH"] = method, "10"
		return variables
	}
	for _, test := range []struct {
		name      string
		variables map[string]string
		body      string
	}{
		{"a POST", data("POST"), "a part"},
		{"a PUT without a byte", data("PUT"), ""},
		{"a form that publishes", posted(20), "publish=a"},
		{"a form that polls", posted(40), "subscribed[a]=now&wait=0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.send(t, sentRequest(1, keep, test.variables, test.body))
			w.wantResponse(t, 1, http.StatusBadRequest, "Content-Length")
			w.send(t, sentRequest(1, keep, asked("subscribed[a]=now&wait=0"), ""))
			w.wantResponse(t, 1, http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
		})
	}
}

func TestAFormOfAMegabyteIsReadWhereItIsAllowed(t *testing.T) {
	t.Parallel()
	_, path := served(t, t.TempDir(), "COMET_MAX_REQUEST="+strconv.Itoa(2<<20))
	form := strings.Repeat("padding=1&", 1<<20/10) + "publish=at-the-end"
	wantAnswer(t, ask(t, path, posted(len(form)), form), http.StatusOK, "true")
}

func TestARequestThatIsNotFinishedInTimeIsClosed(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	_, path := served(t, t.TempDir(), "COMET_REQUEST_TIMEOUT=1s", "COMET_TRIES=1000")
	request := sentRequest(1, keep, asked("subscribed[a]=now&wait=1.2"), "")
	for _, sent := range []int{0, 3, 20, len(request) - 1} {
		t.Run(strconv.Itoa(sent)+" bytes", func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			w := connect(t, path)
			if _, err := w.Write(request[:sent]); err != nil && !errors.Is(err, syscall.EPIPE) {
				t.Fatal(err) // On a busy machine the time can be over before the first byte is written.
			}
			w.wantEnd(t)
			if took := time.Since(begin); took < timeout {
				t.Errorf("the connection was closed after %v, before the timeout of %v", took, timeout)
			}
		})
	}
	t.Run("neither a longer poll nor an idle connection is closed", func(t *testing.T) {
		t.Parallel()
		w := connect(t, path)
		for range 2 {
			w.send(t, request)
			w.wantResponse(t, 1, http.StatusOK, `{"s":0`)
			<-time.After(timeout + 100*time.Millisecond)
		}
	})
}

func wantResponseHas(t testing.TB, r response, status int, body string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.body, body) {
		t.Errorf("HTTP %d %s, want HTTP %d %s", r.status, r.body, status, body)
	}
}
