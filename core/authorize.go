package core

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"novcomet/core/access"
	"novcomet/core/event"
)

// authorizeSubscriptions returns why the client may not subscribe; nil if it may.
func authorizeSubscriptions(r *http.Request, q Query, rules *access.Rules, c Client) *refusal {
	user := c.User
	if user != "" && isCrossSite(r, c, rules.Origins.Explicit()) {
		// Another site's page cannot read the answer, but it sees when the answer arrives, and so when an
		// event of its visitor is published.
		user = ""
	}
	allowed := rules.Subscribe.For(user)
	for _, s := range q.Subscriptions {
		if !allowed.Match(s.ID) {
			return forbidden("subscribing to %q is not allowed%s", s.ID.String(), toUser(user, rules.Subscribe, s.ID))
		}
	}
	if id, reason := rules.Signed.Denied(q.Subscriptions, q.Tokens, time.Now()); reason != "" {
		return forbidden("subscribing to %q needs a token: %s", id.String(), reason)
	}
	if q.Format != access.Native && !wantsStream(r.Header) {
		reason := fmt.Sprintf("format=%s is for streams: send Accept: text/event-stream, as EventSource does", q.Format)
		return &refusal{status: http.StatusBadRequest, reason: reason}
	}
	if reason := rules.FormatDenied(q.Format, q.Subscriptions); reason != "" {
		return forbidden("%s", reason)
	}
	return nil
}

// authorizePublication returns why the client may not publish; nil if it may.
func (e *Endpoint) authorizePublication(r *http.Request, id event.ID, rules *access.Rules, c Client) *refusal {
	if refused := permitPublication(r, id, rules, c); refused != nil {
		return refused
	}
	if r.Method == http.MethodHead { // HEAD publishes nothing and does not use up the rate.
		return nil
	}
	if wait := e.limiter.Take(rules.Rate, r.RemoteAddr); wait > 0 {
		seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
		reason, header := "too many publications from your address", map[string]string{"Retry-After": seconds}
		return &refusal{http.StatusTooManyRequests, reason, header}
	}
	return nil
}

// permitPublication is authorizePublication without the rate.
func permitPublication(r *http.Request, id event.ID, rules *access.Rules, c Client) *refusal {
	allowed := rules.Methods
	if allowed == nil {
		allowed = []string{http.MethodGet, http.MethodPost}
	}
	switch {
	case !slices.Contains(allowed, publishingMethod(r.Method)):
		return notAllowed("publishing by "+r.Method+" is not allowed", allowHeader(allowed))
	case isCrossSite(r, c, rules.Origins):
		return forbidden("another site's page may not publish here")
	case !rules.Publish.For(c.User).Match(id):
		return forbidden("publishing %q is not allowed%s", id.String(), toUser(c.User, rules.Publish, id))
	}
	return nil
}

// publishingMethod returns the method, of GET and POST, that a request's method counts as.
func publishingMethod(method string) string {
	switch method {
	case http.MethodHead:
		return http.MethodGet
	case http.MethodPut:
		return http.MethodPost
	default:
		return method
	}
}

// allowHeader returns the Allow header of a URL that publishes by these methods, of GET and POST.
func allowHeader(publishing []string) string {
	var allow []string
	for _, method := range strings.Split(methods, ", ") {
		if method == http.MethodOptions || slices.Contains(publishing, publishingMethod(method)) {
			allow = append(allow, method)
		}
	}
	return strings.Join(allow, ", ")
}

// toUser names the user in a refusal, or says that a login can help. An administrator who sets up users needs
// it.
func toUser(user string, allowed access.Patterns, id event.ID) string {
	switch {
	case user != "":
		return fmt.Sprintf(" to %.60q", user)
	case allowed.ForAnyUser().Match(id):
		return " without a login"
	}
	return ""
}
