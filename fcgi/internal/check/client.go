package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client sends requests to the URL as a browser does.
type client struct {
	url  *url.URL
	http *http.Client
}

// quick bounds a request that need not wait.
const quick = 10 * time.Second

func newClient(address string) (*client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL: give the URL of NovComet, such as http://localhost/comet.php", address)
	}
	return &client{u, &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableCompression: true,
			MaxIdleConnsPerHost: 8, ExpectContinueTimeout: time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// answer is the answer to a request, or the error.
type answer struct {
	status int
	header http.Header
	body   string
	sent   time.Time
	took   time.Duration
	err    error

	isJSON bool // the body is a JSON object, which may have these keys:
	S      *int
	At     map[string]string
	Error  string
}

// String describes the answer in one line.
func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("HTTP %d after %v: %.80s", a.status, round(a.took), a.body)
}

// cause returns the cause of a failed request, without the URL.
func cause(err error) error {
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	return err
}

func (c *client) get(ctx context.Context, timeout time.Duration, query string, header ...string) answer {
	return c.send(ctx, timeout, http.MethodGet, query, nil, header...)
}

// poll asks for the cursor of an event, without waiting.
func (c *client) poll(ctx context.Context, id string) answer {
	return c.get(ctx, quick, immediateQuery(id))
}

func (c *client) send(
	ctx context.Context, timeout time.Duration, method, query string, content []byte, header ...string,
) (a answer) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begin := time.Now()
	defer func() { a.sent, a.took = begin, time.Since(begin) }()
	response, err := c.open(ctx, method, query, content, header...)
	if err != nil {
		return answer{err: cause(err)}
	}
	defer response.Body.Close()
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	text := strings.TrimSpace(string(body))
	a = answer{status: response.StatusCode, header: response.Header, body: text, err: cause(err)}
	a.isJSON = strings.HasPrefix(a.body, "{") && json.Unmarshal(body, &a) == nil
	return a
}

// open sends a request, and returns the response with its body unread. header has names and values in turn.
func (c *client) open(
	ctx context.Context, method, query string, content []byte, header ...string,
) (*http.Response, error) {
	u := *c.url
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
	return c.http.Do(r)
}

func pollQuery(id, cursor string) string {
	return "subscribed[" + url.QueryEscape(id) + "]=" + url.QueryEscape(cursor)
}

func immediateQuery(id string) string { return pollQuery(id, "now") + "&wait=0" }

func publishQuery(id string) string { return "publish=" + url.QueryEscape(id) }
