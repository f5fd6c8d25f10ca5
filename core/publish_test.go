package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"novcomet/core"
	"novcomet/core/event"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// comet.php's clients can publish by POST to the same URL. Without a body, they only set the stamp.
func TestEndpoint_PublishesDataOrKeepsIt(t *testing.T) {
	for _, test := range []struct{ method, contentType, body, want string }{
		{"GET", "", "", "before"},
		{"GET", "text/plain", "a GET has no body", "before"},
		{"POST", "", "", "before"},
		{"POST", form, "", "before"},
		{"POST", form, `{"a":1}`, `{"a":1}`}, // curl -d sends this type.
		{"POST", "application/json", "2", "2"},
		{"PUT", "", "", ""},
		{"PUT", "", "3", "3"},
		{"HEAD", "", "", "before"},
	} {
		memory := coretest.NewMemory()
		memory.SetData("a", "before")
		r := httptest.NewRequest(test.method, "/?publish=a", strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.contentType)
		if status, body := send(t, newEndpoint(memory, core.Location{}), r); status != http.StatusOK {
			t.Errorf("%v: HTTP %d %s", test, status, body)
		}
		if got := memory.DataOf("a"); got != test.want {
			t.Errorf("%v: the data is %q", test, got)
		}
	}
}

// obedientStore publishes nothing if the context has ended.
type obedientStore struct{ *coretest.Memory }

func (s obedientStore) Publish(ctx context.Context, id event.ID, data []byte) (event.Stamp, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return s.Memory.Publish(ctx, id, data)
}

func TestEndpoint_PublishesEvenIfTheClientHasLeft(t *testing.T) {
	memory := coretest.NewMemory()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, "GET", "/?publish=a", nil)
	status, body := send(t, newEndpoint(obedientStore{memory}, core.Location{}), r)
	if status != http.StatusOK || body != "true" || len(memory.Stamps()) != 1 {
		t.Errorf("HTTP %d %s, published: %v", status, body, memory.Stamps())
	}
}

func TestEndpoint_SaysWhyAPublicationFailed(t *testing.T) {
	refused := fmt.Errorf("%w: another user's file", store.ErrRefused)
	unavailable := fmt.Errorf("%w: no such directory", store.ErrUnavailable)
	for _, test := range []struct {
		err    error
		data   string
		status int
		answer string // a part of it
		logged bool
	}{
		{errors.New("not a regular file"), "", 200, "false", true}, // comet.php's answer
		{unavailable, "", 503, "false", true},
		{unavailable, "1", 503, "false", true},
		{refused, "", 200, "false", true},
		{refused, "1", 403, "another user's file", true},
		{store.ErrNoEvent, "", 403, `publishing \"the event\" is not allowed: there is no such event`, false},
		{errors.ErrUnsupported, "", 403, "cannot be published", false},
		{errors.ErrUnsupported, "1", 403, "cannot be published with data", false},
	} {
		memory := coretest.NewMemory()
		memory.Fail(test.err)
		log, lines := coretest.RecordLog()
		endpoint := core.NewEndpoint(memory, core.Options{Log: log})
		r := httptest.NewRequest(http.MethodPost, "/?publish=the+event", strings.NewReader(test.data))
		status, body := send(t, endpoint, r)
		if status != test.status || !strings.Contains(body, test.answer) {
			t.Errorf("%v, data %q: HTTP %d %s; want %d %s", test.err, test.data, status, body, test.status, test.answer)
		}
		logged := strings.Join(lines(), "\n")
		if ok := strings.Contains(logged, "the event") && strings.Contains(logged, test.err.Error()); ok != test.logged ||
			strings.Count(logged, "\n") != 0 {
			t.Errorf("%v: logged %q; want a line with the event and the reason: %v", test.err, logged, test.logged)
		}
	}
}
