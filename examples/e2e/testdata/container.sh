#!/bin/bash
# Runs the containers of examples/container without a container engine, and prints what they answer:
# container.sh DIRECTORY USER GROUPS SOCKET-OPTIONS EVENTS-OPTIONS PUBLISHER-USER PUBLISHER-COMMAND COMMAND…
#
# Each process has the root directory, the user, the volumes and the restrictions that it has in a container.
# DIRECTORY contains the image as root, and the configuration of nginx as nginx. COMMAND… starts comet-fcgi.
# The mounts, the processes and the network end with this script.
set -eu

[ -n "${OWN_MOUNTS:-}" ] ||
	OWN_MOUNTS=1 exec unshare --mount --net --pid --fork --kill-child --mount-proc bash "$0" "$@"
directory=$1 user=$2 groups=$3 socket_options=$4 events_options=$5 publisher_user=$6 publisher_command=$7
shift 7
cd "$directory"
ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start

mkdir -p socket events publisher root/run/novcomet root/events root/etc/novcomet
touch root/etc/novcomet/comet.yaml
mount -t tmpfs -o "$socket_options" tmpfs socket
mount -t tmpfs -o "$events_options" tmpfs events
mount --bind root root
mount --bind socket root/run/novcomet
mount --bind events root/events
mount --bind comet.yaml root/etc/novcomet/comet.yaml
mount -o remount,bind,ro root

restricted=(setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid) # for chroot itself
image=("${restricted[@]}" chroot --userspec="$user" --groups="$groups" root)
url='http://127.0.0.1/comet.php?subscribed[news]='
get() { curl -gsS --max-time 30 "$@" | sed -E 's/[0-9]{10}\.[0-9]{6}/STAMP/g'; echo; }
healthy() { "${image[@]}" /comet-fcgi check --socket unix:/run/novcomet/comet.sock >>checks; }

healthy || echo "not healthy before the start"
unshare --net --pid --fork --kill-child "${image[@]}" "$@" >log 2>&1 &
container=$!
until healthy; do sleep 0.05; done
stat --format '%F %a %u:%g' socket/comet.sock

mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/novcomet
mkdir -m 777 /run/nginx
mount --bind socket /run/novcomet
mount -o remount,bind,ro /run/novcomet
setpriv --no-new-privs --bounding-set=-all --reuid 101 --regid 101 --clear-groups \
	/usr/sbin/nginx -e stderr -p "$directory/nginx" -c "$directory/nginx/nginx.conf" &
until curl -s --max-time 5 -o /dev/null http://127.0.0.1/; do sleep 0.05; done
get "${url}now&wait=0"
get 'http://127.0.0.1/comet.php?publish=news'

for part in bin lib lib64 usr; do
	mkdir publisher/$part
	mount --rbind /$part publisher/$part
done
mkdir publisher/events
mount --bind events publisher/events
get "${url}0.000000" >answer &
answer=$!
"${restricted[@]}" chroot --userspec="$publisher_user" publisher sh -c "$publisher_command" &
wait $answer
cat answer

program=$(pgrep --full '^/comet-fcgi --config')
awk '/^NSpid:/ { print "process", $NF }' "/proc/$program/status"
kill -HUP "$program"
until grep -q 'settings reloaded' log; do sleep 0.05; done
curl -gsSN --max-time 30 -H 'Accept: text/event-stream' "${url}now" >stream &
stream=$!
until grep -qs retry stream; do sleep 0.05; done
kill -TERM "$program"
wait $stream && echo "the stream has ended"
wait $container && echo "the container has ended"
