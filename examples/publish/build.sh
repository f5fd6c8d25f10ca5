#!/bin/sh
# Tells every page that subscribed to "build" how a build went:
#     build.sh make test
# It writes the event's file, so it runs on the machine of the web server, as a user who may write in the directory. The file is
# moved into its place, so that nobody sees half of it.
directory=${COMET_FILE_DIRECTORY:-/dev/shm}
state=red
"$@" && state=green
printf '{"state":"%s","at":"%s"}\n' "$state" "$(date -u +%FT%TZ)" > "$directory/.build.$$" &&
	mv "$directory/.build.$$" "$directory/build.comet"
[ "$state" = green ]
