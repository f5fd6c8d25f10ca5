package main

import (
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
)

// running describes the running server.
type running struct {
	url      string
	user     string                 // the user of NovComet, empty for the user of the demo
	mayWrite func(path string) bool // whether NovComet may write to this file or directory
}

// explain prints commands to try. They publish the events of the page.
func explain(w io.Writer, o options, s running) {
	into := "> "
	if u, err := user.Current(); err == nil && s.user != "" && u.Username != s.user {
		into = "| runuser -u " + s.user + " -- tee " // The page cannot publish an event whose file belongs to root.
	}
	fmt.Fprintf(w, `
NovComet answers at %[1]s/comet.php

  open     %[1]s/ in two windows
  publish  echo '{"text":"hello"}' %[3]s%[2]s
           curl '%[1]s/comet.php?publish=chat'
  wait     curl -g '%[1]s/comet.php?subscribed[news]=now&data=1'

`, s.url, quoted(filepath.Join(o.directory, "news.comet")), into)
	warn(w, o.directory, s)
	fmt.Fprintf(w, "Press Ctrl-C to stop. The events stay: they are the files %s/*.comet.\n", o.directory)
}

// warn prints each file and directory that prevents the page from publishing, with a remedy.
func warn(w io.Writer, directory string, s running) {
	sudo := "sudo "
	if os.Geteuid() == 0 {
		sudo = ""
	}
	if s.user == "" {
		s.user = "$USER"
	}
	if !s.mayWrite(directory) {
		fmt.Fprintf(w, "The page cannot publish: NovComet may not write to %s. Remedy: %schown %s %s\n",
			directory, sudo, s.user, quoted(directory))
	}
	for _, name := range []string{"news.comet", "chat.comet"} {
		path := filepath.Join(directory, name)
		if _, err := os.Lstat(path); err == nil && !s.mayWrite(path) {
			const text = "The page cannot publish this event: NovComet may not write to %s. Remedy: %srm %s\n"
			fmt.Fprintf(w, text, path, sudo, quoted(path))
		}
	}
}

var plain = regexp.MustCompile(`^[\w./-]+$`)

// quoted returns a word of a shell command.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
