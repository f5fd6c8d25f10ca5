package main

import (
	"fmt"
	"io"
	"os/user"

	"novcomet/examples/demo/launch"
)

// explain prints what to try. The events are those of the page.
func explain(w io.Writer, site *launch.Site, o launch.Options) {
	as := ""
	if u, err := user.Current(); err == nil && u.Username != site.User {
		as = "runuser -u " + site.User + " -- " // root's own file could not be published by the page
	}
	fmt.Fprintf(w, `
NovComet answers at %[1]s/comet.php (server: %[5]s)

  open     %[1]s/
  publish  %[3]stouch %[2]s/news.comet
           curl '%[1]s/comet.php?publish=chat'
  wait     curl -g '%[1]s/comet.php?subscribed[news]=now'

Ctrl-C ends it.
`, site.URL, o.Directory, as, site.User, o.Server)
}
