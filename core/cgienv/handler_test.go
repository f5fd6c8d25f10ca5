package cgienv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"novcomet/conf"
	"novcomet/conf/build"
	"novcomet/core"
	"novcomet/core/cgienv"
	"novcomet/core/event"
	"novcomet/core/store"
)

// variablesOf returns the variables of a plain request, and more.
func variablesOf(more map[string]string) map[string]string {
	variables := map[string]string{"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "/comet.php"}
	maps.Copy(variables, more)
	return variables
}

func load(t testing.TB, settings ...string) conf.Config {
	t.Helper()
	environ := []string{"COMET_CONFIG=/dev/null", "COMET_TRIES=1", "COMET_SLEEP=0.01", "COMET_FILE_NOTIFY=false"}
	config, err := conf.Load(conf.Source{Environ: append(environ, settings...)})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// newHandler returns a handler of a program with these settings, and its log.
func newHandler(t testing.TB, s store.Store, settings ...string) (h *cgienv.Handler, log *strings.Builder) {
	t.Helper()
	config := load(t, settings...)
	log = &strings.Builder{}
	logger := slog.New(build.LogHandler(log, slog.LevelInfo, "text", false))
	endpoint := core.NewEndpoint(s, core.Options{Limits: build.Limits(config), Log: logger})
	return &cgienv.Handler{Endpoint: endpoint, Location: build.NewLocations(config).Of, Log: logger}, log
}

// serve answers one request, and returns the log, too.
func serve(t testing.TB, s store.Store, variables map[string]string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	h, log := newHandler(t, s)
	w := httptest.NewRecorder()
	h.Serve(t.Context(), w, variables, strings.NewReader(""))
	return w, log.String()
}

// serveFiles answers one request with the files store, and returns the log, too.
func serveFiles(
	t testing.TB, directory string, variables map[string]string, body string, settings ...string,
) (*httptest.ResponseRecorder, string) {
	t.Helper()
	settings = append([]string{"COMET_FILE_DIRECTORY=" + directory}, settings...)
	files, err := build.Store(load(t, settings...), nil)
	if err != nil {
		t.Fatal(err)
	}
	h, log := newHandler(t, files, settings...)
	w := httptest.NewRecorder()
	h.Serve(t.Context(), w, variables, strings.NewReader(body))
	return w, log.String()
}

// faultyStore is a store that can fail, and records whether an event was published.
type faultyStore struct {
	core.CheckFunc
	published, panics, fails bool
}

func (s *faultyStore) Check(_ context.Context, ids []event.ID) (store.Snapshot, error) {
	return store.Snapshot{Now: 1, Stamps: make([]event.Stamp, len(ids))}, nil
}

func (s *faultyStore) Publish(context.Context, event.ID, []byte) (event.Stamp, error) {
	if s.panics {
		panic("ouch\nouch")
	}
	if s.fails {
		return 0, errors.New("it\nfailed")
	}
	s.published = true
	return 1, nil
}

func TestHandler_DoesNotServeALocationWithInvalidSettings(t *testing.T) {
	for _, variable := range []string{"COMET_TRYS", "COMET_FILE_DIRECTORY", "COMET_TRIES"} {
		s := &faultyStore{}
		w, log := serve(t, s, variablesOf(map[string]string{"QUERY_STRING": "publish=a", variable: "many"}))
		if w.Code != 500 || strings.Contains(w.Body.String(), variable) || s.published {
			t.Errorf("%s: HTTP %d %s, published %v; want 500 without details", variable, w.Code, w.Body, s.published)
		}
		if !strings.Contains(log, variable) || strings.Count(log, "\n") != 1 {
			t.Errorf("%s: logged %q; want one line that names it", variable, log)
		}
	}
}

func TestHandler_IgnoresRequestHeadersWithTheNamesOfSettings(t *testing.T) {
	s := &faultyStore{}
	w, log := serve(t, s, variablesOf(map[string]string{
		"QUERY_STRING": "publish=a", "HTTP_COMET_TRIES": "many", "HTTP_COMET_X": "1",
	}))
	if w.Code != 200 || !s.published || log != "" {
		t.Errorf("HTTP %d %s, logged %q", w.Code, w.Body, log)
	}
}

func TestHandler_SurvivesAPanic(t *testing.T) {
	h, log := newHandler(t, &faultyStore{panics: true})
	w := httptest.NewRecorder()
	h.Serve(t.Context(), w, variablesOf(map[string]string{"QUERY_STRING": "publish=a"}), strings.NewReader(""))
	if w.Code != 500 || strings.Contains(w.Body.String(), "ouch") {
		t.Errorf("HTTP %d %s; want 500 without details", w.Code, w.Body)
	}
	if lines := log.String(); !strings.Contains(lines, "ouch") || !strings.Contains(lines, "handler_test.go") ||
		strings.Count(lines, "\n") != 1 {
		t.Errorf("logged %q; want one line with the reason and the stack", lines)
	}
	if n := h.Endpoint.Metrics().Snapshot().HTTPErrors[500]; n != 1 {
		t.Errorf("the metrics count it %d times; want once", n)
	}
}

func TestHandler_RefusesWithCORSHeaders(t *testing.T) {
	h, _ := newHandler(t, &faultyStore{})
	for _, test := range []struct{ origins, want string }{
		{"https://a.example", "https://a.example"}, {"https://b.example", ""}, {"", ""}, {"https://", ""},
	} {
		w := httptest.NewRecorder()
		variables := map[string]string{"HTTP_ORIGIN": "https://a.example", "COMET_ORIGINS": test.origins}
		h.Refuse(variables, 413, "too much").ServeHTTP(w, nil)
		got := w.Header().Get("Access-Control-Allow-Origin")
		if w.Code != 413 || got != test.want || w.Body.String() != `{"error":"too much"}` {
			t.Errorf("%+v: HTTP %d %s, %q", test, w.Code, w.Body, got)
		}
	}
	everySite := map[string]string{"QUERY_STRING": "publish=a", "COMET_ORIGINS": "*"}
	w, _ := serve(t, &faultyStore{panics: true}, variablesOf(everySite))
	if w.Code != 500 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a panic: HTTP %d, %v", w.Code, w.Header())
	}
	w, _ = serve(t, &faultyStore{}, variablesOf(map[string]string{
		"CONTENT_LENGTH": "many", "HTTP_ORIGIN": "https://a.example", "COMET_ORIGINS": "https://a.example",
	}))
	if w.Code != 400 || w.Header().Get("Access-Control-Allow-Origin") != "https://a.example" {
		t.Errorf("an invalid request: HTTP %d, %v", w.Code, w.Header())
	}
}

// A log line must not be ended by what a client sends, nor the cursor of a terminal be moved.
func TestHandler_LogsNothingThatBeginsALine(t *testing.T) {
	const forged = "a\nlevel=ERROR msg=forged\r\u2028level=ERROR\x1b[2J\u202e"
	for name, variables := range map[string]map[string]string{
		"an id":                 {"QUERY_STRING": "publish=" + url.QueryEscape("a\u2028level=ERROR msg=forged\u202e")},
		"a path":                {"QUERY_STRING": "publish=a", "SCRIPT_NAME": forged, "COMET_X": "1"},
		"a setting":             {"QUERY_STRING": "publish=a", "COMET_PUBLISH_ALLOW": "[" + forged},
		"the name of a setting": {"QUERY_STRING": "publish=a", "COMET_" + forged: "1"},
		"a panic":               {"QUERY_STRING": "publish=a", "HTTP_X": forged, "PANIC": "1"},
		"an invalid id":         {"QUERY_STRING": "publish=" + url.QueryEscape(forged)},
		"a user, a method and a Host": {
			"QUERY_STRING": "publish=b", "REMOTE_USER": forged, "AUTH_TYPE": forged, "HTTP_HOST": forged, "HTTP_ORIGIN": forged,
		},
	} {
		s := &faultyStore{fails: true, panics: variables["PANIC"] != ""}
		w, log := serve(t, s, variablesOf(variables))
		if strings.Count(log, "\n") > 1 || strings.ContainsAny(strings.TrimSuffix(log, "\n"), "\n\r\x1b\u2028\u202e") {
			t.Errorf("%s: logged %q", name, log)
		}
		if strings.ContainsAny(w.Body.String(), "\n\r\x1b") {
			t.Errorf("%s: answered %q", name, w.Body)
		}
	}
}

func TestHandler_PublishesOnlyExistingEventsWithoutFileCreate(t *testing.T) {
	directory, _ := hazards(t)
	const noCreate = "COMET_FILE_CREATE=false"
	w, _ := serveFiles(t, directory, variablesOf(map[string]string{"QUERY_STRING": "publish=regular"}), "", noCreate)
	if w.Code != 200 || w.Body.String() != "true" {
		t.Errorf("an existing event: HTTP %d %s", w.Code, w.Body)
	}
	w, log := serveFiles(t, directory, variablesOf(map[string]string{"QUERY_STRING": "publish=new"}), "", noCreate)
	want := `{"error":"publishing \"new\" is not allowed: there is no such event, and publishing does not create one"}`
	if w.Code != 403 || w.Body.String() != want || log != "" {
		t.Errorf("a new event: HTTP %d %s, logged %q; want 403 %s", w.Code, w.Body, log, want)
	}
	if got := names(t, directory); slices.Contains(got, "new.comet") {
		t.Errorf("in the directory: %q", got)
	}
}

// A location whose settings are invalid is refused with 500. All others are served.
func FuzzLocation(f *testing.F) {
	f.Add("*", "none", "GET, POST", "10/s", "none")
	f.Add("news, user:<user>:*", "private-*", "POST", "none", "https://a.example, http://b.example:8080")
	f.Add(`a\*, [a-z]?`, "[", "PUT", "10000/h", "*")
	f.Add("[<user>]", "<user>", "none", "0/s", "https://a.example/")
	config := load(f)
	f.Fuzz(func(t *testing.T, allow, signed, methods, rate, origins string) {
		location := map[string]string{
			"COMET_PUBLISH_ALLOW": allow, "COMET_SUBSCRIBE_ALLOW": allow, "COMET_SUBSCRIBE_SIGNED": signed,
			"COMET_PUBLISH_METHODS": methods, "COMET_PUBLISH_RATE": rate, "COMET_ORIGINS": origins, "QUERY_STRING": "publish=a",
		}
		_, wrong := config.Locate(location)
		w, log := serve(t, &faultyStore{}, variablesOf(location))
		if (w.Code == 500) != (wrong != nil) || !json.Valid(w.Body.Bytes()) || strings.Count(log, "\n") > 1 {
			t.Errorf("%q: HTTP %d %s, logged %q; conf says %v", location, w.Code, w.Body, log, wrong)
		}
	})
}

// BenchmarkHandler_Open measures what it takes until a poll of three events can wait.
func BenchmarkHandler_Open(b *testing.B) {
	for name, location := range map[string]map[string]string{
		"no variables": nil,
		"location": {
			"COMET_USER": "ann", "COMET_SUBSCRIBE_ALLOW": "news, chat-*, user:<user>:*", "COMET_PUBLISH_ALLOW": "none",
			"COMET_ORIGINS": "https://a.example",
		},
	} {
		b.Run(name, func(b *testing.B) {
			h, _ := newHandler(b, &faultyStore{})
			request := variablesOf(map[string]string{
				"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_HOST": "localhost", "HTTP_USER_AGENT": "Mozilla/5.0",
			})
			maps.Copy(request, location)
			b.ReportAllocs()
			for b.Loop() {
				request["QUERY_STRING"] = "subscribed[news]=now&subscribed[chat-1]=now&subscribed[chat-2]=now"
				if h.Open(request, strings.NewReader("")).Subscriber == nil {
					b.Fatal("refused")
				}
			}
		})
	}
}

func publishes(t testing.TB, h *cgienv.Handler, id string, variables ...string) bool {
	t.Helper()
	request := variablesOf(map[string]string{"QUERY_STRING": "publish=" + id})
	for i := 0; i < len(variables); i += 2 {
		request[variables[i]] = variables[i+1]
	}
	w := httptest.NewRecorder()
	h.Serve(t.Context(), w, request, strings.NewReader(""))
	return w.Code == 200
}

// The handler of a request gets its body again, from net/http/fcgi.
func TestHandler_PublishesByFormWithoutData(t *testing.T) {
	const form = "publish=a"
	directory := t.TempDir()
	files, err := build.Store(load(t, "COMET_FILE_DIRECTORY="+directory), nil)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := newHandler(t, files)
	opened := h.Open(variablesOf(map[string]string{
		"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/x-www-form-urlencoded",
		"CONTENT_LENGTH": fmt.Sprint(len(form)),
	}), strings.NewReader(form))
	if opened.Handler == nil || !opened.Publishes {
		t.Fatalf("the form is opened as %+v", opened)
	}
	w := httptest.NewRecorder()
	opened.Handler.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(form)))
	data, err := os.ReadFile(filepath.Join(directory, "a.comet"))
	if w.Code != 200 || err != nil || len(data) > 0 {
		t.Errorf("HTTP %d %s; published %q, %v", w.Code, w.Body, data, err)
	}
}

// The settings of a location are cached; its user is not.
func TestHandler_AppliesLocationAndUser(t *testing.T) {
	h, _ := newHandler(t, &faultyStore{}, "COMET_PUBLISH_ALLOW=common")
	for range 2 {
		for _, test := range []struct {
			id        string
			variables []string
			want      bool
		}{
			{"common", nil, true},
			{"other", nil, false},
			{"common", []string{"COMET_PUBLISH_ALLOW", "none"}, false},
			{"common", []string{"COMET_PUBLISH_ALLOW", ""}, true},
			{"other", []string{"COMET_PUBLISH_ALLOW", "other"}, true},
			{"common", []string{"COMET_PUBLISH_ALLOW", "other"}, false},
			{"ann", []string{"COMET_PUBLISH_ALLOW", "<user>", "COMET_USER", "ann"}, true},
			{"ann", []string{"COMET_PUBLISH_ALLOW", "<user>", "COMET_USER", "bob"}, false},
			{"ann", []string{"COMET_PUBLISH_ALLOW", "<user>", "REMOTE_USER", "ann", "AUTH_TYPE", "Digest"}, true},
			{"ann", []string{"COMET_PUBLISH_ALLOW", "<user>"}, false},
			{"ann", []string{"COMET_USER", "ann"}, false},
			{"common", []string{"COMET_TRIES", "2", "COMET_PUBLISH_METHODS", "POST"}, false},
			{"common", []string{"COMET_TRIES", "2\x00COMET_PUBLISH_METHODS\x00POST"}, false}, // not the location before
		} {
			if got := publishes(t, h, test.id, test.variables...); got != test.want {
				t.Errorf("%s, %q: %v", test.id, test.variables, got)
			}
		}
	}
}

// A web server may put a part of the request into a setting. Then each request is a new location.
func TestHandler_ServesAnyNumberOfLocations(t *testing.T) {
	h, _ := newHandler(t, &faultyStore{})
	for i := range 2000 {
		id := fmt.Sprintf("event-%d", i)
		if !publishes(t, h, id, "COMET_PUBLISH_ALLOW", id) || publishes(t, h, "other", "COMET_PUBLISH_ALLOW", id) {
			t.Fatalf("%s does not decide", id)
		}
	}
	long := strings.Repeat("x,", 10_000) + "last"
	for range 2 {
		if !publishes(t, h, "last", "COMET_PUBLISH_ALLOW", long) || publishes(t, h, "other", "COMET_PUBLISH_ALLOW", long) {
			t.Error("a long list does not decide")
		}
	}
}

func TestHandler_CountsARateAcrossLocations(t *testing.T) {
	h, _ := newHandler(t, &faultyStore{}, "COMET_PUBLISH_RATE=2/h")
	address := []string{"REMOTE_ADDR", "192.0.2.1"}
	if !publishes(t, h, "a", address...) || !publishes(t, h, "a", append(address, "COMET_TRIES", "3")...) {
		t.Error("one of two publications is refused")
	}
	if publishes(t, h, "a", append(address, "COMET_TRIES", "4")...) {
		t.Error("a third publication is not refused")
	}
	if !publishes(t, h, "a", append(address, "COMET_PUBLISH_RATE", "none")...) {
		t.Error("a location without a rate refuses")
	}
	if !publishes(t, h, "a", "REMOTE_ADDR", "2001:db8::1") {
		t.Error("another address is refused")
	}
}
