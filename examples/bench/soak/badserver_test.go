package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"novcomet/core"
)

// cometPHP serves whole-second polls as comet.php did.
func cometPHP(_ *testing.T, directory string, good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || query.Has("publish") || strings.Contains(r.URL.RawQuery, "]=now") || strings.Contains(r.URL.RawQuery, ".") {
			good.ServeHTTP(w, r)
			return
		}
		for range 100 {
			var changed []string
			for key := range query {
				id := strings.TrimSuffix(strings.TrimPrefix(key, "subscribed["), "]")
				since, _ := strconv.ParseInt(query.Get(key), 10, 64)
				file, err := os.Stat(filepath.Join(directory, id+".comet"))
				if err == nil && file.ModTime().Unix() > since {
					changed = append(changed, fmt.Sprintf(`"%s":%d`, id, file.ModTime().Unix()))
				}
			}
			if len(changed) > 0 {
				fmt.Fprintf(w, `{"s":1,"k":{%s}}`, strings.Join(changed, ","))
				return
			}
			if wait(r.Context(), 50*time.Millisecond) != nil {
				return
			}
		}
		fmt.Fprint(w, `{"s":0}`)
	})
}

// blinking is a store that does not see a file whose stamp is odd.
type blinking struct{ *core.Files }

func (b blinking) Stamps(ctx context.Context, ids []core.ID) (core.Snapshot, error) {
	snapshot, err := b.Files.Stamps(ctx, ids)
	for i, stamp := range snapshot.Stamps {
		if stamp%2 == 1 {
			snapshot.Stamps[i] = 0
		}
	}
	return snapshot, err
}

func blink(t *testing.T, directory string, _ http.Handler) http.Handler {
	return endpoint(t, blinking{files(directory)})
}

// elsewhere looks into a directory where nothing happens.
func elsewhere(t *testing.T, _ string, good http.Handler) http.Handler {
	blind := endpoint(t, files(t.TempDir()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.RawQuery, "publish=") {
			good.ServeHTTP(w, r)
			return
		}
		blind.ServeHTTP(w, r)
	})
}

var changes = regexp.MustCompile(`"s":1,"k":\{[^}]*\},`)

// astray lets some answers say that nothing has changed, and send the page's cursor on all the same.
func astray(_ *testing.T, _ string, good http.Handler) http.Handler {
	return rewritten(good, func(body string) string { return changes.ReplaceAllString(body, `"s":0,`) })
}

// nothing lets some whole-second answers be of a second in which nobody has published.
func nothing(_ *testing.T, _ string, good http.Handler) http.Handler {
	numbers := regexp.MustCompile(`:[0-9]{9,}}}$`)
	return rewritten(good, func(body string) string { return numbers.ReplaceAllString(body, `:1000000000}}`) })
}

// babble speaks another language now and then.
func babble(_ *testing.T, _ string, good http.Handler) http.Handler {
	return rewritten(good, func(body string) string { return strings.Replace(body, `{"s"`, `{"status"`, 1) })
}

// rewritten changes every fifth answer to a poll.
func rewritten(good http.Handler, change func(body string) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		good.ServeHTTP(answer, r)
		body := answer.Body.String()
		if rand.IntN(5) == 0 && strings.HasPrefix(body, "{") {
			body = change(body)
		}
		fmt.Fprint(w, body)
	})
}

// late answers two seconds later than it could.
func late(_ *testing.T, _ string, good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		good.ServeHTTP(answer, r)
		if wait(r.Context(), 2*time.Second) == nil {
			fmt.Fprint(w, answer.Body)
		}
	})
}

// broken fails now and then.
func broken(_ *testing.T, _ string, good http.Handler) http.Handler {
	var asked atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		good.ServeHTTP(w, r)
	})
}
