// Comet.cgi is NovComet as a CGI program: a web server starts it for each request, and it answers that one and ends. It
// needs nothing but a place in a cgi-bin.
//
// It never reads its arguments when a web server has started it: a web server passes a query without "=" as arguments
// (RFC 3875, section 4.4), so they are the visitor's words (CVE-2012-1823).
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/gateway"
)

const usage = `comet.cgi is a CGI program: a web server starts it, for one request each time.
Put it into a cgi-bin; examples/apache/ and examples/lighttpd/ show how.
comet.cgi --version prints the version.
Behind a FastCGI server (nginx, Caddy, mod_fcgid, spawn-fcgi) belongs comet-fcgi instead.
`

// maxUnread is how much of a body is read that nobody asked for: as much as max_request can be.
const maxUnread = 16 << 20

func main() {
	environ := os.Environ()
	if len(os.Args) == 2 && os.Args[1] == "--version" && !byWebServer(environ) {
		fmt.Printf("comet.cgi %s (%s)\n", release(), runtime.Version())
		os.Exit(0)
	}
	os.Exit(run(environ, os.Stdin, os.Stderr))
}

// byWebServer reports whether a web server has started the program.
func byWebServer(environ []string) bool {
	return slices.ContainsFunc(environ, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == "GATEWAY_INTERFACE" || name == "REQUEST_METHOD"
	})
}

// run answers the request that the environment describes, and returns the exit status. The answer goes to standard
// output, where net/http/cgi writes it; problems go to stderr, one line each: the web server's error log.
func run(environ []string, stdin io.Reader, stderr io.Writer) int {
	variables := requestVariables(environ)
	if variables["REQUEST_METHOD"] == "" {
		fmt.Fprint(stderr, usage)
		return 2
	}
	log := gateway.Log(stderr, slog.LevelError) // What is only slower now is nothing to say for each request.
	if err := serve(answering(environ, variables, stdin, log)); err != nil {
		log.Error("comet.cgi could not answer", "error", err)
		return 1
	}
	return 0
}

// requestVariables returns what the environment says about the request. What COMET_* sets is left out: a CGI program's whole
// environment is its configuration, and conf has it from there.
func requestVariables(environ []string) map[string]string {
	variables := make(map[string]string, len(environ))
	for _, variable := range environ {
		if name, value, _ := strings.Cut(variable, "="); !conf.IsSetting(name) {
			variables[name] = value
		}
	}
	return variables
}

// configuration returns what of the environment is not about the request alone.
func configuration(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		return strings.HasPrefix(variable, conf.UserVariable+"=")
	})
}

// answering returns the handler of this one request.
func answering(environ []string, variables map[string]string, stdin io.Reader, log *slog.Logger) http.HandlerFunc {
	config, err := conf.Load(conf.Source{Environ: configuration(environ)})
	var store core.Store
	if err == nil {
		store, _, err = gateway.Store(config, nil) // The end of the process closes it.
	}
	if err != nil {
		log.Error("invalid settings", "error", err)
		return func(w http.ResponseWriter, _ *http.Request) {
			core.WriteError(w, http.StatusInternalServerError, "the settings of comet.cgi are invalid; the web server's error log says why")
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		body := bodyOf(variables, stdin, config.RequestTimeout)
		g := gateway.New(config, store, log)
		g.Status(http.HandlerFunc(status))
		g.BeforeWait(func() error { return probe(store) })
		g.Serve(context.Background(), w, variables, body)
		// What is still unread when the process ends, a form behind a query that says all for example, makes the kernel reset the
		// connection to Apache's mod_cgid, and the answer is lost with it.
		_, _ = io.CopyN(io.Discard, body, maxUnread)
	}
}

// probe finds out how fine the stamps of files are. Without it a poll is right, too, but answered 10 ms later, unless they are too
// coarse for any. A directory that is missing may still come, so the poll waits.
func probe(store core.Store) error {
	if files, ok := store.(*core.Files); ok {
		if err := files.Probe(); errors.Is(err, core.ErrCoarse) {
			return fmt.Errorf("file.directory: %w", err)
		}
	}
	return nil
}

// serve lets net/http/cgi write the handler's answer. The request that it reads from the environment is not used:
// what it would refuse is taken out of its way here, and gateway makes the real one.
func serve(handler http.Handler) error {
	os.Setenv("REQUEST_METHOD", http.MethodGet)
	os.Setenv("SERVER_PROTOCOL", "HTTP/1.1")
	os.Setenv("REQUEST_URI", "/")
	os.Unsetenv("HTTP_HOST")
	os.Unsetenv("CONTENT_LENGTH")
	return errors.Wrap(cgi.Serve(handler), "write the answer")
}
