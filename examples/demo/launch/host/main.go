// Host serves pages, and comet.cgi at /comet.php, with Go's own CGI host: a web server that needs nothing installed.
//
//	host ADDRESS PAGES COMET.CGI
//
// Unlike Apache it passes nothing of its environment on but PATH. Like Apache it does not end a comet.cgi whose browser
// has left: that waits its time out.
package main

import (
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: host ADDRESS PAGES COMET.CGI")
	}
	address, pages, program := os.Args[1], os.Args[2], os.Args[3]
	http.Handle("/", http.FileServer(http.Dir(pages)))
	endpoint := &cgi.Handler{Path: program, Root: "/comet.php", Dir: filepath.Dir(program)}
	http.HandleFunc("/comet.php", func(w http.ResponseWriter, r *http.Request) { endpoint.ServeHTTP(atOnce{w}, r) })
	log.Fatal(http.ListenAndServe(address, nil))
}

// atOnce passes on what a stream sends when it comes. net/http/cgi would collect it.
type atOnce struct{ http.ResponseWriter }

func (w atOnce) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	if err == nil {
		err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	return n, err
}
