package main

import "github.com/coreos/go-systemd/v22/daemon"

// notify reports the state of the process to systemd, for units with Type=notify. Without systemd it does
// nothing. Nothing depends on its success: if systemd does not receive READY=1, it logs that and ends the
// process.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// notifyReloading reports a reload. Type=notify-reload needs the time, too.
func notifyReloading() { notify(daemon.SdNotifyMonotonicUsec() + daemon.SdNotifyReloading) }
