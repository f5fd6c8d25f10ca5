// Reference is the smallest CGI program that net/http/cgi can make: what a program costs that does nothing.
package main

import (
	"net/http"
	"net/http/cgi"
)

func main() {
	_ = cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("true"))
	}))
}
