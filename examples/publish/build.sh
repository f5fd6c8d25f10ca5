#!/bin/sh
# Runs a command, such as a build, and publishes its result as the event "build":
#     build.sh make test
# It writes the file of the event, so it runs on the web server's machine, as a user who can write in the
# directory. It renames a complete file, so that no page gets half of it. The touch is for comet.php's own
# pages: they count in whole seconds, and may already have an answer about the second in which the file was
# written.
event=${COMET_FILE_DIRECTORY:-/dev/shm}/build.comet
state=red
"$@" && state=green
new=$(mktemp "${event%/*}/.build-XXXXXX") &&
	printf '{"state":"%s","at":"%s"}\n' "$state" "$(date -u +%FT%TZ)" > "$new" &&
	chmod 664 "$new" && mv -f "$new" "$event" && touch -c "$event"
[ "$state" = green ]
