package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// bidi is a session with Firefox by WebDriver BiDi: https://w3c.github.io/webdriver-bidi/
type bidi struct {
	conn    *websocket.Conn
	mu      sync.Mutex
	sent    int
	answers map[int]chan bidiAnswer // by the number of the command
}

type bidiAnswer struct {
	ID      int
	Result  json.RawMessage
	Error   string
	Message string
}

// startFirefox starts a headless Firefox with a new profile and these preferences, as "name", value. It ends
// with the test.
func startFirefox(t *testing.T, preferences ...any) browser {
	t.Helper()
	profile := t.TempDir()
	lines := `user_pref("network.dns.localDomains", "intranet.test");` + "\n"
	for i := 0; i < len(preferences); i += 2 {
		lines += fmt.Sprintf("user_pref(%q, %#v);\n", preferences[i], preferences[i+1])
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	startProgram(t, "firefox-esr", profile, nil, "firefox-esr", "--headless", "--no-remote", "--profile", profile,
		"--remote-debugging-port", "0", "about:blank")
	b := &bidi{answers: map[int]chan bidiAnswer{}}
	eventually(t, func() error {
		var address struct {
			Host string `json:"ws_host"`
			Port int    `json:"ws_port"`
		}
		text, err := os.ReadFile(filepath.Join(profile, "WebDriverBiDiServer.json"))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &address); err != nil {
			return err
		}
		url := fmt.Sprintf("ws://%s:%d/session", address.Host, address.Port)
		b.conn, _, err = websocket.Dial(t.Context(), url, nil)
		return err
	})
	b.conn.SetReadLimit(-1) // Screenshots are large.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.receive()
	}()
	t.Cleanup(func() {
		b.conn.CloseNow()
		<-ended
	})
	if err := b.call("session.new", object{"capabilities": object{}}, nil); err != nil {
		t.Fatal(err)
	}
	return b
}

// receive hands the answers to their callers, until the connection ends.
func (b *bidi) receive() {
	for {
		var answer bidiAnswer
		if err := wsjson.Read(context.Background(), b.conn, &answer); err != nil {
			return
		}
		b.mu.Lock()
		if waiting := b.answers[answer.ID]; waiting != nil {
			waiting <- answer
			delete(b.answers, answer.ID)
		}
		b.mu.Unlock()
	}
}

// call sends a command. It stores the fields of the answer in result, which may be nil.
func (b *bidi) call(method string, params object, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer := make(chan bidiAnswer, 1)
	b.mu.Lock()
	b.sent++
	id := b.sent
	b.answers[id] = answer
	b.mu.Unlock()
	if err := wsjson.Write(ctx, b.conn, object{"id": id, "method": method, "params": params}); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a := <-answer:
		if a.Error != "" {
			return fmt.Errorf("%s: %s: %s", method, a.Error, a.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

func (b *bidi) open(t *testing.T, private bool) pageDriver {
	t.Helper()
	var profile struct{ UserContext string }
	if private {
		if err := b.call("browser.createUserContext", object{}, &profile); err != nil {
			t.Fatal(err)
		}
	} else {
		profile.UserContext = "default"
	}
	return b.create(t, object{"type": "window", "userContext": profile.UserContext})
}

// create opens a page with these parameters.
func (b *bidi) create(t *testing.T, params object) pageDriver {
	t.Helper()
	p := &firefoxPage{bidi: b, profile: params["userContext"]}
	if err := b.call("browsingContext.create", params, p); err != nil {
		t.Fatal(err)
	}
	return p
}

type firefoxPage struct {
	bidi    *bidi
	profile any
	Context string
}

func (p *firefoxPage) tab(t *testing.T) pageDriver {
	t.Helper()
	return p.bidi.create(t, object{"type": "tab", "referenceContext": p.Context, "userContext": p.profile})
}

func (p *firefoxPage) navigate(url string) error {
	return p.bidi.call("browsingContext.navigate", object{"context": p.Context, "url": url, "wait": "complete"}, nil)
}

func (p *firefoxPage) evaluate(script string) (string, error) {
	var answer struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	err := p.bidi.call("script.evaluate", object{
		"target": object{"context": p.Context}, "expression": script, "awaitPromise": true,
	}, &answer)
	if text := answer.ExceptionDetails.Text; text != "" {
		return "", errors.New(text)
	}
	return answer.Result.Value, err
}

func (p *firefoxPage) runFirst(script string) error {
	return p.bidi.call("script.addPreloadScript", object{
		"contexts": []string{p.Context}, "functionDeclaration": "() => {" + script + "\n}",
	}, nil)
}

func (p *firefoxPage) screenshot() ([]byte, error) {
	var picture struct{ Data []byte }
	err := p.bidi.call("browsingContext.captureScreenshot", object{"context": p.Context, "origin": "document"}, &picture)
	return picture.Data, err
}

func (p *firefoxPage) close() error {
	return p.bidi.call("browsingContext.close", object{"context": p.Context}, nil)
}
