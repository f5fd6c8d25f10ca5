// Comet-fcgi is NovComet as a FastCGI backend: one process holds thousands of waiting requests for nginx, Apache, lighttpd
// or Caddy.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"novcomet/conf"
)

func main() {
	if os.Getenv("GATEWAY_INTERFACE") != "" { // before any argument: they would be the visitor's
		answerAsCGI(os.Stdout)
		os.Exit(1)
	}
	// Without this, a log that nobody reads any more would end the process.
	signal.Ignore(syscall.SIGPIPE)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run serves until ctx ends, or publishes, and returns the exit status.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	options, err := parseOptions(args)
	switch {
	case errors.Is(err, errHelp):
		fmt.Fprint(stdout, usage())
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "comet-fcgi: %v\n", err)
		return 2
	case options.version:
		fmt.Fprintln(stdout, versionText())
		return 0
	}
	switch options.command {
	case checkCommand:
		return runCheck(ctx, options, environ, stdout, stderr)
	case publishCommand:
		err = publish(ctx, options.source(environ), options.publication)
	default:
		err = serve(ctx, options, environ, stderr)
	}
	switch {
	case errors.Is(err, errNoSocket):
		fmt.Fprint(stderr, usage())
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "comet-fcgi: %v\n", err)
		return 1
	}
	return 0
}

var errNoSocket = errors.New("no socket to listen on")

func serve(ctx context.Context, options options, environ []string, stderr io.Writer) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before anybody can know that it runs: until here, SIGHUP ends the process
	defer signal.Stop(hangup)
	settings, err := conf.Read(options.source(environ))
	if err != nil {
		return err
	}
	config := settings.Config
	log := newServerLog(stderr, config, !journalReadsStderr())
	defer log.close()
	policy, err := newPolicy(config, log.Logger)
	if err != nil {
		return err
	}
	from, err := peersOf(environ)
	if err != nil {
		return err
	}
	listeners, err := listen(config, options.flags["listen"] != "")
	if err != nil {
		return err
	}
	connections, err := maxConnections()
	if err != nil {
		return err
	}
	announce(settings, log.verbatim)
	server := newServer(policy, connections, config.MaxServing, log.Logger)
	// With one goroutine that accepts, thousands of requests that are being read would keep it from its turn, until the
	// backlog is full and the web server is refused.
	const accepting = 4
	for _, l := range from.restrict(listeners, log.Logger) {
		for range accepting {
			server.working.Go(func() { server.serve(l) })
		}
	}
	ready(listeners, log.verbatim)
	server.reloadAt(ctx, hangup, settings, log)

	const enough = 4500 * time.Millisecond // A drain takes up to 4 s; web servers and systemd want it soon.
	ending, cancel := context.WithTimeout(context.Background(), enough)
	defer cancel()
	for _, l := range listeners {
		server.working.Go(func() { l.Close() }) // It waits for accept.
	}
	server.stop(ending)
	return nil
}

// ready logs that requests are accepted, and on which sockets.
func ready(listeners []net.Listener, log *slog.Logger) {
	var sockets []string
	for _, l := range listeners {
		address := l.Addr()
		if address.Network() == "unix" {
			sockets = append(sockets, "unix:"+address.String())
			continue
		}
		sockets = append(sockets, address.String())
	}
	log.Info("ready", "socket", strings.Join(sockets, ","))
}

// announce logs who may publish and subscribe by URL, and each setting that is probably a mistake.
func announce(settings conf.Loaded, log *slog.Logger) {
	log.Info("settings in force", "file", cmp.Or(settings.File(), "none"), "publish", settings.Publish.Allow.String(),
		"subscribe", settings.Subscribe.Allow.String(), "signed", settings.Subscribe.Signed.String())
	if !settings.Sets("publish.allow") {
		log.Warn("everybody who reaches the URL may publish every event; set publish.allow")
	}
	for _, warning := range settings.Warnings() {
		log.Warn(warning)
	}
}
