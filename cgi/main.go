// Comet.cgi is NovComet as a CGI program. A web server starts it for each request; it answers that request
// and ends. It needs only a place in a cgi-bin.
//
// It never reads its arguments if a web server has started it. A web server passes a query without "=" as
// arguments (RFC 3875, section 4.4), so they are the visitor's (CVE-2012-1823).
package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"

	"novcomet/conf/build"
)

const usage = `comet.cgi is a CGI program: a web server starts it, for one request each time.
Put it into a cgi-bin; examples/apache/ and examples/lighttpd/ show how.
comet.cgi --version prints the version.
For nginx, Caddy, mod_fcgid and spawn-fcgi use comet-fcgi instead.
`

func main() {
	environ := os.Environ()
	if len(os.Args) == 2 && os.Args[1] == "--version" && !startedByWebServer(environ) {
		fmt.Printf("comet.cgi %s (%s)\n", build.Version(), runtime.Version())
		os.Exit(0)
	}
	os.Exit(run(environ, os.Stdin, os.Stderr))
}

func startedByWebServer(environ []string) bool {
	return slices.ContainsFunc(environ, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == "GATEWAY_INTERFACE" || name == "REQUEST_METHOD"
	})
}

// run answers the request that the environment describes, and returns the exit status. net/http/cgi writes
// the answer to standard output. Problems go to stderr, the web server's error log, one line each.
func run(environ []string, stdin io.Reader, stderr io.Writer) int {
	variables := requestVariables(environ)
	if variables["REQUEST_METHOD"] == "" {
		fmt.Fprint(stderr, usage)
		return 2
	}
	log := slog.New(build.LogHandler(stderr, slog.LevelError, "text", true)) // Warnings would come with each request.
	if err := serve(handler(environ, variables, stdin, log), variables); err != nil {
		log.Error("comet.cgi could not answer", "error", err)
		return 1
	}
	return 0
}
