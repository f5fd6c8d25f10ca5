package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"novcomet/conf"
	"novcomet/core/servertest"
	"novcomet/core/store"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

// startInProcess starts a server in the process of the test, which can see its state. Polls wait longer
// than any test.
func startInProcess(t *testing.T, directory string, env ...string) (s *server, path string) {
	t.Helper()
	env = append([]string{"COMET_FILE_DIRECTORY=" + directory, longPoll, "COMET_SLEEP=100ms"}, env...)
	settings := readSettings(t, env...)
	opened, err := openStore(settings.Config)
	if err != nil {
		t.Fatal(err)
	}
	return serveStore(t, opened, slog.New(slog.DiscardHandler), settings)
}

func readSettings(t testing.TB, env ...string) conf.Loaded {
	t.Helper()
	settings, err := conf.Read(conf.Source{File: os.DevNull, Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// serveStore starts a server in the process of the test. It ends with the test.
func serveStore(t *testing.T, opened store.Store, log *slog.Logger, settings conf.Loaded) (s *server, path string) {
	t.Helper()
	const connections = 10_000
	settings.Config = withMaxWaiting(settings.Config, connections)
	s, err := newServer(opened, settings, connections, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), servertest.Patience)
		defer cancel()
		s.stop(ctx)
	})
	path = filepath.Join(servertest.OpenDirectory(t), "comet.sock")
	s.listenOn(t, "unix", path)
	return s, path
}

// listenOn accepts connections on another socket, too.
func (s *server) listenOn(t *testing.T, network, address string) (listener net.Listener) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err == nil {
		err = s.accept(l, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *server) waiting() int { return int(s.metrics.Waiting.Load()) }

// needOpenFiles skips the test if this process may not open n files.
func needOpenFiles(t *testing.T, n int) {
	t.Helper()
	if limit, err := maxConnections(); err != nil || limit < n {
		t.Skipf("the test opens %d files; ulimit -n allows %d (%v)", n, limit, err)
	}
}

func TestServer_AnswersGetValuesAtAnyTime(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := startServer(t, directory, longPoll)
	getValues := Record(9, 0, append(Pair("FCGI_MPXS_CONNS", ""), Pair("FCGI_NONSENSE", "")...), 0)
	w := connect(t, path)
	wantValues := func() {
		t.Helper()
		w.WantRecord(t, 10, 0, Pair("FCGI_MPXS_CONNS", "0"))
	}
	request := Request(1, Keep, Get("subscribed[a]=0.0"), "")
	w.Send(t, getValues)
	wantValues()
	w.Send(t, request[:16], getValues)
	wantValues()
	w.Send(t, request[16:], getValues)
	wantValues() // while the poll waits
	touch(t, filepath.Join(directory, "a.comet"))
	w.WantResponse(t, 1, http.StatusOK, `{"s":1`)
	w.Send(t, getValues)
	wantValues() // between two requests
	w.Send(t, Request(1, Keep, Get("publish=a"), ""))
	w.WantResponse(t, 1, http.StatusOK, "true")
}

func TestServer_RefusesUnknownRecordsAndRolesAndGoesOn(t *testing.T) {
	t.Parallel()
	_, path := startServer(t, t.TempDir())
	w := connect(t, path)
	w.Send(t, Record(77, 0, []byte("?"), 7))
	w.WantRecord(t, 11, 0, []byte{77, 0, 0, 0, 0, 0, 0, 0}) // FCGI_UNKNOWN_TYPE
	for _, role := range []byte{0, 2, 3, 9} {               // 2: authorizer, 3: filter
		w.Send(t, Begin(5, role, Keep), Stream(4, 5, Pairs(Get("publish=role")), 0),
			Stream(5, 5, nil, 0))
		w.WantRefusal(t, 5, 3) // FCGI_UNKNOWN_ROLE
	}
	w.Send(t, Record(5, 8, []byte("of no request"), 0), Record(2, 8, nil, 0), Record(8, 8, nil, 0))
	w.Send(t, Request(6, Keep, Get("publish=after"), ""))
	w.WantResponse(t, 6, http.StatusOK, "true")
}

// Only HTTP gets a message. The log counts its repetitions, because anybody who can connect can repeat it.
func TestServer_ClosesAConnectionThatDoesNotSpeakFastCGI(t *testing.T) {
	t.Parallel()
	p, path := startServer(t, t.TempDir(), "COMET_LOG=warn")
	for _, test := range []struct {
		name string
		sent []byte
	}{
		{"HTTP", []byte("GET /comet.php?publish=a HTTP/1.1\r\nHost: a\r\n\r\n")},
		{"HTTP again", []byte("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")},
		{"HTTP/2", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
		{"another version", append([]byte{2}, Begin(1, 1, 0)[1:]...)},
		{"a short begin", Record(1, 1, []byte{0, 1, 0}, 0)},
		{"two begins of a request", append(Begin(1, 1, 0), Begin(1, 1, 0)...)},
		{"a body before the variables", append(Begin(1, 1, 0), Record(5, 1, nil, 0)...)},
		{"variables after their end",
			slices.Concat(Begin(1, 1, 0), Stream(4, 1, Pairs(Get("")), 0), Record(4, 1, nil, 0))},
		{"an abort of an incomplete request", append(Begin(1, 1, 0), Record(2, 1, nil, 0)...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, path)
			w.Send(t, test.sent)
			w.WantClosed(t)
		})
	}
	wantPublished(t, path, "after")
	p.wantMessage("level=WARN", "speaks HTTP", "fastcgi_pass instead of proxy_pass")
}

func TestServer_ReadsARequestHoweverItsBytesArrive(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, path := startServer(t, directory, "COMET_MAX_REQUEST=2097152")
	whole := Request(1, 0, Get("publish=split"), "")
	variables := Get("publish=first")
	variables["HTTP_COOKIE"] = strings.Repeat("c", 5000)
	variables["HTTP_"+strings.Repeat("X", 200)] = "1"
	twice := append(Pairs(variables), Pair("QUERY_STRING", "publish=last")...)
	form := strings.Repeat("padding=1&", 1<<20/10) + "publish=at-the-end"
	singleBytes := func(b []byte) (all [][]byte) {
		for i := range b {
			all = append(all, b[i:i+1])
		}
		return all
	}
	var singleParams [][]byte
	for _, b := range singleBytes(Pairs(Get("publish=torn"))) {
		singleParams = append(singleParams, Record(4, 1, b, 0))
	}
	for name, writes := range map[string][][]byte{
		"byte by byte": singleBytes(whole),
		"with padding": {Record(1, 1, []byte{0, 1, 0, 0, 0, 0, 0, 0}, 255),
			Stream(4, 1, Pairs(Get("publish=padded")), 3), Stream(5, 1, nil, 8)},
		"a variable in several records": slices.Concat([][]byte{Begin(1, 1, 0)}, singleParams,
			[][]byte{Record(4, 1, nil, 0), Record(5, 1, nil, 0)}),
		"long names and values, and one name twice": {Begin(1, 1, 0), Stream(4, 1, twice, 0),
			Stream(5, 1, nil, 0)},
		"a form of a megabyte": {Request(1, 0, Post(len(form)), form)},
	} {
		t.Run(name, func(t *testing.T) {
			w := connect(t, path)
			for _, b := range writes {
				w.Send(t, b)
			}
			w.WantResponse(t, 1, http.StatusOK, "true")
			w.WantClosed(t)
		})
	}
	t.Run("in two parts", func(t *testing.T) {
		for at := 1; at < len(whole); at += 17 {
			w := connect(t, path)
			w.Send(t, whole[:at])
			w.Send(t, whole[at:])
			w.WantResponse(t, 1, http.StatusOK, "true")
			w.WantClosed(t)
		}
	})
	for id, want := range map[string]bool{
		"split": true, "padded": true, "torn": true, "first": false, "last": true, "at-the-end": true,
	} {
		if got := exists(filepath.Join(directory, id+".comet")); got != want {
			t.Errorf("%s is published: %v, want %v", id, got, want)
		}
	}
}
