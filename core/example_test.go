package core_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/event"
)

// A program whose database knows when each shop last got an order needs no other store. It mounts the
// endpoint beside its pages.
func ExampleCheckFunc() {
	orders := map[string]time.Time{"shop-5": time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	store := core.CheckFunc(func(_ context.Context, id event.ID) (time.Time, error) {
		return orders[id.String()], nil // SELECT max(time) FROM orders WHERE shop = $1
	})
	mux := http.NewServeMux()
	mux.Handle("/comet", core.NewEndpoint(store, core.Options{Location: core.Location{Tries: 30, Sleep: time.Second}}))

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/comet?subscribed[shop-5]=0.000000", nil))
	fmt.Println(answer.Body)
	// Output: {"s":1,"k":{"shop-5":1767268800.000000},"at":{"shop-5":"1767268800.000000"}}
}

// Every client may subscribe to news, and each user to events of their own. No client may publish. The
// program knows the user, and passes the name with each request.
func ExampleWithLocation() {
	subscribe, err := access.ParsePatterns([]string{"news", "user:<user>:*"})
	if err != nil {
		fmt.Println(err)
		return
	}
	nothing, _ := access.ParsePatterns(nil)
	location := &core.Location{Access: access.Rules{Subscribe: subscribe, Publish: nothing}}
	endpoint := core.NewEndpoint(core.CheckFunc(neverChanged), core.Options{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth() // after the password was checked
		endpoint.ServeHTTP(w, r.WithContext(core.WithLocation(r.Context(), location, core.Client{User: user})))
	})

	request := httptest.NewRequest(http.MethodGet, "/comet?subscribed[user:bob:mail]=now", nil)
	request.SetBasicAuth("ann", "")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println(answer.Code, answer.Body)
	// Output: 403 {"error":"subscribing to \"user:bob:mail\" is not allowed to \"ann\""}
}

func neverChanged(context.Context, event.ID) (time.Time, error) { return time.Time{}, nil }
