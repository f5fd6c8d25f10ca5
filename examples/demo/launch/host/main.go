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
	http.Handle("/comet.php", &cgi.Handler{Path: program, Root: "/comet.php", Dir: filepath.Dir(program)})
	log.Fatal(http.ListenAndServe(address, nil))
}
