package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"

	"novcomet/core/servertest"
)

// webDriver is a session with WebKitGTK's MiniBrowser by WebDriver: https://www.w3.org/TR/webdriver2/
type webDriver struct {
	url string // of the session

	// mu is held during each command, as a command is for the current window of the session.
	mu      sync.Mutex
	current string
}

// startWebKit starts a MiniBrowser in an X server of its own, with a new profile. It ends with the test.
func startWebKit(t *testing.T) browser {
	t.Helper()
	home := t.TempDir()
	display := servertest.FreePort(t) // a number that no other test uses
	startProgram(t, "xvfb", home, nil, "Xvfb", fmt.Sprintf(":%d", display), "-nolisten", "tcp")
	eventually(t, func() error {
		_, err := os.Stat(fmt.Sprintf("/tmp/.X11-unix/X%d", display))
		return err
	})
	port := servertest.FreePort(t)
	environ := []string{fmt.Sprintf("DISPLAY=:%d", display)}
	startProgram(t, "webkit2gtk-driver", home, environ, "WebKitWebDriver", fmt.Sprintf("--port=%d", port))
	d := &webDriver{url: fmt.Sprintf("http://127.0.0.1:%d/session", port)}
	var session struct{ SessionID string }
	eventually(t, func() error { return d.command(http.MethodPost, "", object{"capabilities": object{}}, &session) })
	d.url += "/" + session.SessionID
	t.Cleanup(func() { d.command(http.MethodDelete, "", nil, nil) })
	return d
}

// command sends a command, and stores its result in result, which may be nil.
func (d *webDriver) command(method, path string, params object, result any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, d.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Value)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, result)
}

func (d *webDriver) open(t *testing.T, private bool) pageDriver {
	t.Helper()
	if private { // A session has one profile.
		d = startWebKit(t).(*webDriver)
	}
	return d.create(t, "window")
}

func (d *webDriver) create(t *testing.T, kind string) pageDriver {
	t.Helper()
	p := &webKitPage{driver: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.command(http.MethodPost, "/window/new", object{"type": kind}, p); err != nil {
		t.Fatal(err)
	}
	return p
}

type webKitPage struct {
	driver *webDriver
	Handle string
}

// command sends a command for this page.
func (p *webKitPage) command(method, path string, params object, result any) error {
	p.driver.mu.Lock()
	defer p.driver.mu.Unlock()
	if p.driver.current != p.Handle {
		if err := p.driver.command(http.MethodPost, "/window", object{"handle": p.Handle}, nil); err != nil {
			return err
		}
		p.driver.current = p.Handle
	}
	return p.driver.command(method, path, params, result)
}

func (p *webKitPage) tab(t *testing.T) pageDriver {
	t.Helper()
	return p.driver.create(t, "tab")
}

func (p *webKitPage) navigate(url string) error {
	return p.command(http.MethodPost, "/url", object{"url": url}, nil)
}

func (p *webKitPage) evaluate(script string) (value string, err error) {
	err = p.command(http.MethodPost, "/execute/sync", object{"script": "return " + script, "args": []any{}}, &value)
	return value, err
}

// WebDriver has no command for it.
func (p *webKitPage) runFirst(string) error { return errors.ErrUnsupported }

// The driver gives no answer for a tab in the background.
func (p *webKitPage) screenshot() ([]byte, error) { return nil, errors.ErrUnsupported }

func (p *webKitPage) close() error { return p.command(http.MethodDelete, "/window", nil, nil) }
