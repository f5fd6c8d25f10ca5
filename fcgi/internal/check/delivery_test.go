package check_test

import (
	"net/http"
	"strings"
	"testing"

	"novcomet/core/access"
	"novcomet/fcgi/internal/check"
)

// Behind the URL are two processes, each with a store of its own.
func TestDelivery_APublicationThatIsNotSeenIsAProblem(t *testing.T) {
	t.Parallel()
	polls, _ := endpoint(t, access.Rules{})
	publications, _ := endpoint(t, access.Rules{})
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "publish=") {
			publications.ServeHTTP(w, r)
			return
		}
		polls.ServeHTTP(w, r)
	})
	wantFinding(t, installation{url: serve(t, both)}.check(t), check.Problem, "delivery", "not seen through the URL")
}
