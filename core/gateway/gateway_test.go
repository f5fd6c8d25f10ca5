package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/gateway"
)

// get are the variables of a plain request, and what a test adds to them.
func get(more map[string]string) map[string]string {
	variables := map[string]string{"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "/comet.php"}
	maps.Copy(variables, more)
	return variables
}

func TestTheRequestIsMadeOfTheVariablesAsForAPHPScript(t *testing.T) {
	for name, test := range map[string]struct {
		variables   map[string]string
		query, host string
	}{
		"QUERY_STRING wins, for a rewrite may have added to it": {
			map[string]string{"QUERY_STRING": "publish=a&x=1", "REQUEST_URI": "/comet.php?publish=b"}, "publish=a&x=1", ""},
		"also when it is empty":                {map[string]string{"QUERY_STRING": "", "REQUEST_URI": "/comet.php?publish=b"}, "", ""},
		"without it, REQUEST_URI is there":     {map[string]string{"REQUEST_URI": "/comet.php?publish=b"}, "publish=b", ""},
		"a query that is no query of a URL":    {map[string]string{"QUERY_STRING": "publish=100%&a=\x7f b"}, "publish=100%&a=\x7f b", ""},
		"a Host that is no host of a URL":      {map[string]string{"HTTP_HOST": "a b@c:d", "REQUEST_URI": "/"}, "", "a b@c:d"},
		"a path that is no path of a URL":      {map[string]string{"REQUEST_URI": "/%zz\x01?publish=a"}, "publish=a", ""},
		"a protocol that net/http has no word": {map[string]string{"SERVER_PROTOCOL": "HTTP/3", "QUERY_STRING": "a"}, "a", ""},
		"an empty length is none":              {map[string]string{"CONTENT_LENGTH": "", "CONTENT_TYPE": ""}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := gateway.Request(get(test.variables), strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			if r.URL.RawQuery != test.query || r.Host != test.host {
				t.Errorf("query %q, host %q; want %q, %q", r.URL.RawQuery, r.Host, test.query, test.host)
			}
		})
	}
}

func TestRequest_ABodyShorterThanItsLengthIsAnError(t *testing.T) {
	for length, whole := range map[string]bool{"": true, "3": true, "4": false} {
		r, err := gateway.Request(get(map[string]string{"REQUEST_METHOD": "POST", "CONTENT_LENGTH": length}), strings.NewReader("abc"))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(r.Body); (err == nil) != whole || string(body) != "abc" {
			t.Errorf("length %q: %q, %v; want it to be whole: %v", length, body, err, whole)
		}
	}
}

func TestARequestThatIsNoneIsAnError(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"no method":  {"SERVER_PROTOCOL": "HTTP/1.1"},
		"bad length": get(map[string]string{"CONTENT_LENGTH": "many"}),
	} {
		if _, err := gateway.Request(variables, strings.NewReader("")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// serve answers a request with the configuration as shipped, and returns what was logged, too.
func serve(t *testing.T, store core.Store, variables map[string]string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	config, err := conf.Load(conf.Source{Environ: []string{"COMET_CONFIG=/dev/null", "COMET_TRIES=1", "COMET_SLEEP=0.01"}})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	w := httptest.NewRecorder()
	gateway.New(config, store, gateway.Log(&log, slog.LevelInfo)).Serve(t.Context(), w, variables, strings.NewReader(""))
	return w, log.String()
}

func TestALocationThatIsNotConfiguredRightAnswersNothingElse(t *testing.T) {
	for _, variable := range []string{"COMET_TRYS", "COMET_FILE_DIRECTORY", "COMET_TRIES"} {
		store := &touchy{}
		w, log := serve(t, store, get(map[string]string{"QUERY_STRING": "publish=a", variable: "many"}))
		if w.Code != 500 || strings.Contains(w.Body.String(), variable) || store.published {
			t.Errorf("%s: HTTP %d %s, published %v; want 500 that keeps the details to itself", variable, w.Code, w.Body, store.published)
		}
		if !strings.Contains(log, variable) || strings.Count(log, "\n") != 1 {
			t.Errorf("%s: logged %q; want one line that names it", variable, log)
		}
	}
}

func TestARequestHeaderConfiguresNothing(t *testing.T) {
	store := &touchy{}
	w, log := serve(t, store, get(map[string]string{"QUERY_STRING": "publish=a", "HTTP_COMET_TRIES": "many", "HTTP_COMET_X": "1"}))
	if w.Code != 200 || !store.published || log != "" {
		t.Errorf("HTTP %d %s, logged %q", w.Code, w.Body, log)
	}
}

func TestAPanicEndsWithItsRequest(t *testing.T) {
	w, log := serve(t, &touchy{panics: true}, get(map[string]string{"QUERY_STRING": "publish=a"}))
	if w.Code != 500 || strings.Contains(w.Body.String(), "ouch") {
		t.Errorf("HTTP %d %s; want 500 that keeps the details to itself", w.Code, w.Body)
	}
	if !strings.Contains(log, "ouch") || !strings.Contains(log, "gateway_test.go") || strings.Count(log, "\n") != 1 {
		t.Errorf("logged %q; want one line with the reason and where", log)
	}
}

func TestNew_LimitsStreamsToMaxWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, "COMET_MAX_WAITING=2")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 4)
		for i := range 4 {
			go func() {
				g.Serve(ctx, httptest.NewRecorder(), withQuery(map[string]string{"HTTP_ACCEPT": "text/event-stream"}, "subscribed[a]=0.0"), strings.NewReader(""))
				ended <- i
			}()
			synctest.Wait()
		}
		if n := g.Figures().Streams; n != 2 || len(ended) != 2 || <-ended != 2 || <-ended != 3 {
			t.Errorf("%d of 4 streams go on; want the first 2", n)
		}
		cancel()
		<-ended
		<-ended
		g.Close()
	})
}

func TestNew_AnswerCarries16TimesMaxBytes(t *testing.T) {
	directory := t.TempDir()
	var query strings.Builder
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(directory, fmt.Sprintf("%02d.comet", i)), []byte("7"), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&query, "&subscribed[%02d]=0.000000", i)
	}
	w, log := serveFiles(t, directory, get(map[string]string{"QUERY_STRING": "data=1" + query.String()}), "", "COMET_DATA_MAX_BYTES=1")
	var answer struct{ D map[string]int }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.D) != 16 || log != "" {
		t.Errorf("HTTP %d %s, logged %q: data of %d events, want 16", w.Code, w.Body, log, len(answer.D))
	}
}

// touchy is a store that knows whether anybody published.
type touchy struct{ published, panics, fails bool }

func (s *touchy) Stamps(_ context.Context, ids []core.ID) (core.Snapshot, error) {
	return core.Snapshot{Now: 1, Stamps: make([]core.Stamp, len(ids))}, nil
}

func (s *touchy) Publish(context.Context, core.ID) (core.Stamp, error) {
	if s.panics {
		panic("ouch\nouch")
	}
	if s.fails {
		return 0, errors.New("it\nfailed")
	}
	s.published = true
	return 1, nil
}
