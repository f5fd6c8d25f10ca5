package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"

	"novcomet/examples/demo/launch"
)

// explain prints what to try. The events are those of the page.
func explain(ctx context.Context, w io.Writer, site *launch.Site, o launch.Options) {
	into := "> "
	if u, err := user.Current(); err == nil && u.Username != site.User {
		into = "| runuser -u " + site.User + " -- tee " // root's own file could not be published by the page
	}
	fmt.Fprintf(w, `
NovComet answers at %[1]s/comet.php (server: %[5]s, as user %[4]s)

  open     %[1]s/
  publish  echo '{"text":"hello"}' %[3]s%[2]s/news.comet
           curl '%[1]s/comet.php?publish=chat'
  wait     curl -g '%[1]s/comet.php?subscribed[news]=now&data=1'

`, site.URL, o.Directory, into, site.User, o.Server)
	hindered(ctx, w, site)
	fmt.Fprintf(w, `Ctrl-C, or kill %d, ends it. The events stay, as files: %s/news.comet, chat.comet and what else was published.
`, os.Getpid(), o.Directory)
}

// hindered says why the page cannot publish, and what helps: somebody else touched a file of its events first, or the directory
// is closed to the server's user.
func hindered(ctx context.Context, w io.Writer, site *launch.Site) {
	sudo := "sudo "
	if os.Geteuid() == 0 {
		sudo = ""
	}
	if site.Shell(ctx, "test -w .") != nil {
		fmt.Fprintf(w, "%[1]s may not write in %[2]s, so that the page cannot publish; this helps: %[3]schown %[1]s %[2]s\n", site.User, site.Events, sudo)
	}
	for _, name := range []string{"news.comet", "chat.comet"} {
		if site.Shell(ctx, "test ! -e "+name+" || test -O "+name+" || test -w "+name) != nil {
			fmt.Fprintf(w, "%[1]s may not write %[2]s/%[3]s, so that the page cannot publish it; this helps: %[4]srm %[2]s/%[3]s\n", site.User, site.Events, name, sudo)
		}
	}
}
