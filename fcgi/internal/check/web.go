package check

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pkg/errors"

	"novcomet/core"
)

// web asks the URL as browsers do.
type web struct {
	*checker
	url    *url.URL
	client *http.Client
	cursor string // what was last seen of the event
	closed bool   // it may not be published by URL
}

// quick is how long an answer may take that need not wait.
const quick = 10 * time.Second

func (c *checker) web(address string) (*web, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.Errorf("%q is not a URL: give the URL of NovComet, such as http://localhost/comet.php", address)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true, MaxIdleConnsPerHost: 8, ExpectContinueTimeout: time.Second}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &web{checker: c, url: u, client: &http.Client{Transport: transport, CheckRedirect: stay}}, nil
}

// look looks at what a browser gets.
func (w *web) look(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	usable := w.endpoint(ctx)
	w.doors(ctx)
	if !usable {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	long := w.waitLong(ctx) // all the while
	if w.together(ctx, long) {
		delivers := w.publishing(ctx) && w.freshness(ctx)
		if delivers {
			w.wakes(ctx)
		}
		w.stream(ctx, delivers)
		w.foreign(ctx)
		w.own(ctx)
		w.data(ctx)
	}
	w.patience(long)
}

// answer is what came.
type answer struct {
	status int
	header http.Header
	body   string
	at     time.Time // when the request was halfway
	took   time.Duration
	err    error

	S     *int              `json:"s"`
	K     map[string]any    `json:"k"`
	At    map[string]string `json:"at"`
	Error string            `json:"error"`
	isMap bool              // a JSON object
}

// ask sends a GET request.
func (w *web) ask(ctx context.Context, patience time.Duration, query string, header ...string) answer {
	return w.send(ctx, patience, http.MethodGet, query, nil, header...)
}

func (w *web) send(ctx context.Context, patience time.Duration, method, query string, content []byte, header ...string) (a answer) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begin := time.Now()
	defer func() {
		a.took = time.Since(begin)
		a.at = begin.Add(a.took / 2)
	}()
	response, err := w.do(ctx, method, query, content, header...)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	const enough = 1 << 20
	body, err := io.ReadAll(io.LimitReader(response.Body, enough))
	a = answer{status: response.StatusCode, header: response.Header, body: strings.TrimSpace(string(body)), err: err}
	a.isMap = strings.HasPrefix(a.body, "{") && json.Unmarshal(body, &a) == nil
	return a
}

func (w *web) get(ctx context.Context, query string, header ...string) (*http.Response, error) {
	return w.do(ctx, http.MethodGet, query, nil, header...)
}

func (w *web) do(ctx context.Context, method, query string, content []byte, header ...string) (*http.Response, error) {
	u := *w.url
	if u.RawQuery != "" {
		query = u.RawQuery + "&" + query
	}
	u.RawQuery = query
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "comet-fcgi check")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return w.client.Do(r)
}

// subscription is the part of a query that asks for an event.
func subscription(id, cursor string) string {
	return "subscribed[" + url.QueryEscape(id) + "]=" + url.QueryEscape(cursor)
}

// now asks for what is there, without waiting.
func (w *web) now(ctx context.Context) answer {
	return w.ask(ctx, quick, now(w.id))
}

func now(id core.ID) string { return subscription(id.String(), "now") + "&wait=0" }

// seen takes over the cursor of an answer.
func (w *web) seen(a answer) bool {
	cursor, ok := a.At[w.id.String()]
	if ok {
		w.cursor = cursor
	}
	return ok
}

// reason is an error in one short line.
func reason(err error) string {
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
