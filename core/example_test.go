package core_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"novcomet/core"
)

// The endpoint is an http.Handler: a Go program mounts it in its own mux, beside its pages.
func Example() {
	store := &core.Files{Directory: "/dev/shm"}
	mux := http.NewServeMux()
	mux.Handle("/comet.php", core.NewEndpoint(store, core.Settings{Tries: 20, Sleep: 2 * time.Second}))
	// http.ListenAndServe("127.0.0.1:8080", mux)
}

// Who may do what: everybody hears of news, a user of what is his own, and nobody publishes by the URL. Who it is that asks, the
// program knows, and says so with each request.
func ExampleAccess() {
	subscribe, err := core.ParsePatterns([]string{"news", "user:<user>:*"})
	if err != nil {
		fmt.Println(err)
		return
	}
	publish, _ := core.ParsePatterns(nil)
	settings := core.Settings{Tries: 20, Sleep: 2 * time.Second, Access: &core.Access{Subscribe: subscribe, Publish: publish}}
	endpoint := core.NewEndpoint(&core.Files{Directory: "/dev/shm"}, settings)

	mux := http.NewServeMux()
	mux.HandleFunc("/comet.php", func(w http.ResponseWriter, r *http.Request) {
		mine := settings
		mine.User, _, _ = r.BasicAuth() // once the password has been checked
		endpoint.ServeHTTP(w, r.WithContext(core.WithSettings(r.Context(), mine)))
	})

	request := httptest.NewRequest(http.MethodGet, "/comet.php?subscribed[user:bob:mail]=now", nil)
	request.SetBasicAuth("ann", "")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, request)
	fmt.Println(answer.Code, answer.Body)
	// Output: 403 {"error":"subscribing to \"user:bob:mail\" is not allowed to \"ann\""}
}

// What setCallbackCheck was for comet.php, a Store of one's own is here: whatever can tell when something last happened.
func ExampleStore() {
	orders := &orderBook{changed: map[string]time.Time{}}
	endpoint := core.NewEndpoint(orders, core.Settings{Tries: 20, Sleep: 2 * time.Second})
	server := httptest.NewServer(endpoint)
	defer server.Close()

	orders.book("shop-5", time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	answer, err := http.Get(server.URL + "/?subscribed[shop-5]=0.000000")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	fmt.Println(string(body))
	// Output: {"s":1,"k":{"shop-5":1767268800.000000},"at":{"shop-5":"1767268800.000000"}}
}

// orderBook has no files: its events are shops, published by their orders.
type orderBook struct {
	mu      sync.Mutex
	changed map[string]time.Time
}

func (o *orderBook) book(shop string, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changed[shop] = at
}

func (o *orderBook) Stamps(_ context.Context, ids []core.ID) (core.Snapshot, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := core.Snapshot{Now: core.StampOf(time.Now())}
	for _, id := range ids {
		var stamp core.Stamp // 0: no such event so far
		if at, ok := o.changed[id.String()]; ok {
			stamp = core.StampOf(at)
		}
		seen.Stamps = append(seen.Stamps, stamp)
	}
	return seen, nil
}

func (o *orderBook) Publish(_ context.Context, id core.ID) (core.Stamp, error) {
	return 0, fmt.Errorf("%s: only an order publishes", id)
}
