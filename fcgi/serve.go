package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"novcomet/conf"
)

var errNoSocket = errors.New("no socket to listen on")

// serve reads the settings, opens the store and the sockets, and serves until ctx ends, as on SIGTERM. Before
// it returns, all waiting requests are answered. SIGHUP reloads the settings (reload.go).
func serve(ctx context.Context, c commandLine, environ []string, stderr io.Writer) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before the first line of the log; until then, SIGHUP ends the process
	defer signal.Stop(hangup)
	settings, err := conf.Read(c.source(environ))
	if err != nil {
		return err
	}
	log := newServerLog(stderr, settings.Config, !journalReadsStderr())
	defer log.close()
	connections, err := maxConnections()
	if err != nil {
		return err
	}
	settings.Config = withMaxWaiting(settings.Config, connections)
	opened, err := openStore(settings.Config)
	if err != nil {
		return err
	}
	if err := opened.Probe(); err != nil {
		return err
	}
	allowed, err := allowlistOf(environ)
	if err != nil {
		return err
	}
	listeners, err := listen(settings.Config, c.keys["listen"] != "")
	if err != nil {
		return err
	}
	server, err := newServer(opened, settings, connections, log.Logger)
	if err != nil {
		return err
	}
	announce(settings, log.verbatim)
	for _, l := range listeners {
		if err := server.accept(l, allowed); err != nil {
			return err
		}
	}
	logReady(listeners, log.verbatim)
	notify(daemon.SdNotifyReady)
	server.reloadUntil(ctx, hangup, settings, log) // Until SIGTERM, this goroutine only waits for SIGHUP.

	notify(daemon.SdNotifyStopping)
	const patience = 4500 * time.Millisecond // A drain takes up to 4 s.
	ending, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server.stop(ending)
	return nil
}

// logReady logs that requests are accepted, and on which sockets.
func logReady(listeners []net.Listener, log *slog.Logger) {
	var sockets []string
	for _, l := range listeners {
		address := l.Addr().String()
		if l.Addr().Network() == "unix" {
			address = "unix:" + address
		}
		sockets = append(sockets, address)
	}
	log.Info("ready", "socket", strings.Join(sockets, ","))
}

// notify reports the state of the process to systemd, for units with Type=notify. Without systemd it does
// nothing. An error is ignored: if systemd does not receive READY=1, it logs that and ends the process.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// notifyReloading reports a reload. Type=notify-reload needs the time, too.
func notifyReloading() { notify(daemon.SdNotifyMonotonicUsec() + daemon.SdNotifyReloading) }
