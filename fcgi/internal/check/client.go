package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	pkgerrors "github.com/pkg/errors"
)

// client sends requests to the URL as a browser does.
type client struct {
	url  *url.URL
	http *http.Client
}

// quick is the time limit of a request that need not wait.
const quick = 10 * time.Second

func newClient(address string) (*client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a URL: give the URL of NovComet, such as http://localhost/comet.php", address)
	}
	return &client{u, &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// answer is the answer to a request, or the error.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
	err    error

	// Keys of the body, if that is a JSON object:
	S     *int
	At    map[string]string
	Error string
}

// String describes the answer in one line.
func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("HTTP %d after %v: %.80s", a.status, round(a.took), a.body)
}

// published reports whether the answer confirms a publication.
func (a answer) published() bool { return a.status == http.StatusOK && a.body == "true" }

// cause returns the cause of a failed request, without the URL.
func cause(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}

// send sends a request, and returns the answer. header has names and values in turn.
func (c *client) send(ctx context.Context, timeout time.Duration, method, query string, header ...string) (a answer) {
	begin := time.Now() // before the timeout begins, so that a request that times out took at least that long
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer func() { a.took = time.Since(begin) }()
	response, err := c.open(ctx, method, query, header...)
	if err != nil {
		return answer{err: cause(err)}
	}
	defer response.Body.Close()
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	text := strings.TrimSpace(string(body))
	a = answer{status: response.StatusCode, header: response.Header, body: text, err: cause(err)}
	_ = json.Unmarshal(body, &a) // A body of another kind sets nothing.
	return a
}

// open sends a request, and returns the response with its body unread.
func (c *client) open(ctx context.Context, method, query string, header ...string) (*http.Response, error) {
	u := *c.url
	if u.RawQuery != "" {
		query = u.RawQuery + "&" + query
	}
	u.RawQuery = query
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, pkgerrors.Wrap(err, "make a request")
	}
	r.Header.Set("User-Agent", "comet-fcgi check")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := c.http.Do(r)
	return response, pkgerrors.WithStack(err) // The error says what was attempted.
}

// poll asks for the cursor of the check's event, without waiting. extra is the end of the query.
func (c *checker) poll(ctx context.Context, extra string) answer {
	return c.client.send(ctx, quick, http.MethodGet, pollQuery(c.id.String(), "now")+"&wait=0"+extra)
}

// keepCursor takes over the cursor of an answer, and reports whether it has one.
func (c *checker) keepCursor(a answer) (ok bool) {
	c.cursor, ok = a.At[c.id.String()]
	return ok
}

func pollQuery(id, cursor string) string {
	return "subscribed[" + url.QueryEscape(id) + "]=" + url.QueryEscape(cursor)
}
