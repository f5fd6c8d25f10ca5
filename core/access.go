package core

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Access says who may do what. It is made once and shared by many requests. The zero Access lets everybody subscribe to
// everything and publish everything, by GET and POST; it refuses only publications that another site's page makes a
// browser send.
type Access struct {
	// Subscribe and Publish are the ids that may be subscribed to and published; zero: all.
	Subscribe, Publish Patterns
	// Methods are those that publish, of GET and POST; nil: both.
	Methods []string
	// Origins are other sites whose pages may publish, and read what everybody may subscribe to.
	Origins Origins
	// Signed are ids that can only be subscribed to with a token, in addition to Subscribe.
	Signed Signed
	// Rate is how often each client address may publish: 32 bits of IPv4, 64 of IPv6. All requests of an [Endpoint] that
	// have the same Rate are counted together.
	Rate Rate
}

// refusal is an answer that says why there is no other one.
type refusal struct {
	status int
	reason string
	header map[string]string
}

func (r *refusal) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for name, value := range r.header {
		w.Header().Set(name, value)
	}
	WriteError(w, r.status, r.reason)
}

func forbidden(format string, values ...any) *refusal {
	return &refusal{status: http.StatusForbidden, reason: fmt.Sprintf(format, values...)}
}

// refuse returns why the request may not do what it asks for, nil if it may.
func (e *Endpoint) refuse(r *http.Request, q Query, s Settings) *refusal {
	access := s.access()
	if q.Publish.IsZero() {
		return access.refusePoll(r, q, s)
	}
	if refused := access.refusePublication(r, q.Publish, s); refused != nil {
		return refused
	}
	if r.Method == http.MethodHead { // It is none, and does not count as one.
		return nil
	}
	if wait := e.limits.take(access.Rate, r.RemoteAddr); wait > 0 {
		return &refusal{http.StatusTooManyRequests, "too many publications from your address", map[string]string{"Retry-After": seconds(wait)}}
	}
	return nil
}

func (a *Access) refusePoll(r *http.Request, q Query, s Settings) *refusal {
	user := s.User
	if user != "" && a.Origins.named().foreign(r, s) {
		// The page of another site could not read the answer, but see when it comes, and so when its visitor's events are published.
		user = ""
	}
	allowed := a.Subscribe.of(user)
	for _, asked := range q.Subscriptions {
		if !allowed.matches(asked.ID) {
			return forbidden("subscribing to %q is not allowed%s", asked.ID.name, to(user))
		}
	}
	return a.Signed.refuse(q, time.Now())
}

func (a *Access) refusePublication(r *http.Request, id ID, s Settings) *refusal {
	method := r.Method
	switch method {
	case http.MethodHead: // It asks what a GET would be answered with.
		method = http.MethodGet
	case http.MethodPut: // It is a POST that always has data.
		method = http.MethodPost
	}
	by := a.Methods
	if by == nil {
		by = []string{http.MethodGet, http.MethodPost}
	}
	switch {
	case !slices.Contains(by, method):
		by = append(slices.Clone(by), http.MethodOptions)
		return &refusal{http.StatusMethodNotAllowed, "publishing by " + method + " is not allowed", map[string]string{"Allow": strings.Join(by, ", ")}}
	case a.Origins.foreign(r, s):
		return forbidden("another site's page may not publish here")
	case !a.Publish.of(s.User).matches(id):
		return forbidden("publishing %q is not allowed%s", id.name, to(s.User))
	}
	return nil
}

// to tells who was refused: it is what an administrator wants to know, who has just set up users.
func to(user string) string {
	if user == "" {
		return " without a user who is logged in"
	}
	return fmt.Sprintf(" to %.60q", user)
}
