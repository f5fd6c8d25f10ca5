package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"novcomet/conf"
	"novcomet/core/gateway"
)

func newGateway(t testing.TB, settings ...string) *gateway.Gateway {
	t.Helper()
	config, err := conf.Load(conf.Source{Environ: append([]string{"COMET_CONFIG=/dev/null", "COMET_TRIES=1", "COMET_SLEEP=0.01"}, settings...)})
	if err != nil {
		t.Fatal(err)
	}
	return gateway.New(config, &touchy{}, slog.New(slog.DiscardHandler))
}

func publishes(t testing.TB, g *gateway.Gateway, id string, variables ...string) bool {
	t.Helper()
	location := map[string]string{}
	for i := 0; i < len(variables); i += 2 {
		location[variables[i]] = variables[i+1]
	}
	w := httptest.NewRecorder()
	g.Serve(t.Context(), w, withQuery(location, "publish="+id), strings.NewReader(""))
	return w.Code == 200
}

// What a location sets is read once; who asks there, each time.
func TestALocationsSettingsAreKeptApartFromItsUsers(t *testing.T) {
	g := newGateway(t, "COMET_PUBLISH_ALLOW=common")
	for range 2 {
		for _, test := range []struct {
			id        string
			variables []string
			may       bool
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
			{"common", []string{"COMET_TRIES", "2\x00COMET_PUBLISH_METHODS\x00POST"}, false}, // not taken for the one before
		} {
			if may := publishes(t, g, test.id, test.variables...); may != test.may {
				t.Errorf("%s, %q: %v", test.id, test.variables, may)
			}
		}
	}
}

// Where the web server puts something of the visitor's into a setting, there is no end to what a location can say.
func TestNoEndOfLocationsIsServed(t *testing.T) {
	g := newGateway(t)
	for i := range 2000 {
		id := fmt.Sprintf("event-%d", i)
		if !publishes(t, g, id, "COMET_PUBLISH_ALLOW", id) || publishes(t, g, "other", "COMET_PUBLISH_ALLOW", id) {
			t.Fatalf("%s is not what decides", id)
		}
	}
	long := strings.Repeat("x,", 10_000) + "last"
	for range 2 {
		if !publishes(t, g, "last", "COMET_PUBLISH_ALLOW", long) || publishes(t, g, "other", "COMET_PUBLISH_ALLOW", long) {
			t.Error("a long list is not what decides")
		}
	}
}

// One limit for an address, whichever location it comes through.
func TestARateCountsAcrossLocations(t *testing.T) {
	g := newGateway(t, "COMET_PUBLISH_RATE=2/h")
	address := []string{"REMOTE_ADDR", "192.0.2.1"}
	if !publishes(t, g, "a", address...) || !publishes(t, g, "a", append(address, "COMET_TRIES", "3")...) {
		t.Error("two are refused")
	}
	if publishes(t, g, "a", append(address, "COMET_TRIES", "4")...) {
		t.Error("a third one gets through")
	}
	if !publishes(t, g, "a", append(address, "COMET_PUBLISH_RATE", "none")...) {
		t.Error("a location can't do without")
	}
	if !publishes(t, g, "a", "REMOTE_ADDR", "2001:db8::1") {
		t.Error("another address is refused")
	}
}

// Also what never became a request is to be read by the page that sent it.
func TestARefusalLetsAListedSitesPageRead(t *testing.T) {
	g := newGateway(t)
	for _, test := range []struct{ origins, want string }{
		{"https://a.example", "https://a.example"}, {"https://b.example", ""}, {"", ""}, {"https://", ""},
	} {
		w := httptest.NewRecorder()
		g.Refuse(map[string]string{"HTTP_ORIGIN": "https://a.example", "COMET_ORIGINS": test.origins}, 413, "too much").ServeHTTP(w, nil)
		if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != 413 || got != test.want || w.Body.String() != `{"error":"too much"}` {
			t.Errorf("%+v: HTTP %d %s, %q", test, w.Code, w.Body, got)
		}
	}
	w, _ := serve(t, &touchy{panics: true}, get(map[string]string{"QUERY_STRING": "publish=a", "COMET_ORIGINS": "*"}))
	if w.Code != 500 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a panic: HTTP %d, %v", w.Code, w.Header())
	}
	w, _ = serve(t, &touchy{}, get(map[string]string{"CONTENT_LENGTH": "many", "HTTP_ORIGIN": "https://a.example", "COMET_ORIGINS": "https://a.example"}))
	if w.Code != 400 || w.Header().Get("Access-Control-Allow-Origin") != "https://a.example" {
		t.Errorf("no request: HTTP %d, %v", w.Code, w.Header())
	}
}

func BenchmarkOpenNothingSet(b *testing.B) { benchmarkOpen(b) }

func BenchmarkOpenLocation(b *testing.B) {
	benchmarkOpen(b, "COMET_USER", "ann", "COMET_SUBSCRIBE_ALLOW", "news, chat-*, user:<user>:*", "COMET_PUBLISH_ALLOW", "none", "COMET_ORIGINS", "https://a.example")
}

// benchmarkOpen is what it takes until a poll of three events can wait.
func benchmarkOpen(b *testing.B, variables ...string) {
	g := newGateway(b)
	request := get(map[string]string{"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_HOST": "localhost", "HTTP_USER_AGENT": "Mozilla/5.0"})
	for i := 0; i < len(variables); i += 2 {
		request[variables[i]] = variables[i+1]
	}
	b.ReportAllocs()
	for b.Loop() {
		request["QUERY_STRING"] = "subscribed[news]=now&subscribed[chat-1]=now&subscribed[chat-2]=now"
		if opened := g.Open(context.Background(), request, bytes.NewReader(nil)); opened.Poll == nil {
			b.Fatal("refused")
		}
	}
}
