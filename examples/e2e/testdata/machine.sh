#!/bin/bash
# Boots Debian's systemd on a temporary copy of this machine. The copy ends when the standard input is closed:
# bash machine.sh CLONE GOROOT GOMODCACHE GOCACHE [DIST]
#
# The copy is an overlay that writes to a tmpfs. It has its own PIDs, network (only loopback) and cgroups, so
# nothing outside changes, and port 80 is free. All services of packages are disabled. Go, its modules and the
# clone have the same paths as outside, so that packages built outside are found in Go's cache, /opt/cache.
# The clone has the files that git lists, and those of DIST in dist. They belong to the user reader, who may
# use sudo.
set -eu

if [ "${1:-}" != inside ]; then
	[ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare --mount bash "$0" "$@"
	base=$(mktemp -d /run/novcomet-machine-XXXXXX)
	mount -t tmpfs -o mode=755 tmpfs $base
	mkdir $base/cgroup
	mount -t cgroup2 cgroup2 $base/cgroup
	group=$base/cgroup/${base##*/}
	mkdir $group
	(
		echo "$BASHPID" >$group/cgroup.procs
		exec unshare --mount --cgroup --pid --fork --kill-child --net --ipc --uts bash "$0" inside $base "$@" </dev/null
	) &
	machine=$!
	(cat >/dev/null; kill -KILL $machine) <&0 &
	end=$!
	trap '' PIPE # The reader of bash's last message may have ended.
	wait $machine || true
	kill $end 2>/dev/null || true
	for _ in {1..100}; do # The kernel needs a moment to end the processes.
		find $group -depth -type d -exec rmdir {} + 2>/dev/null && break
		sleep 0.1
	done
	umount --lazy $base
	rmdir $base
	exit
fi

base=$2 clone=$3 go=$4 modules=$5 cache=$6 dist=${7:-}
root=$base/root
mkdir $root $base/upper $base/work
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay $root
cd $root

# The mounts of a container: https://systemd.io/CONTAINER_INTERFACE/
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
	touch dev/$device
	mount --bind /dev/$device dev/$device
done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr

# Only systemd's own units start. Packages that a test installs may start their services.
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires etc/novcomet usr/sbin/policy-rc.d
rm -f var/lib/man-db/auto-update # Indexing the manual pages takes half a minute for each package.
: >etc/machine-id
echo novcomet >etc/hostname
hostname novcomet
printf '127.0.0.1 localhost novcomet www.example.com\n::1 localhost\n' >etc/hosts
ip address add 10.0.0.1/24 dev lo # The machines of examples/cluster: comet-fcgi, nginx and Redis.
ip address add 10.0.0.10/24 dev lo

for directory in "$clone" "$go" "$modules"; do
	mkdir -p ".$directory"
	if [ "$directory" = "$clone" ]; then
		mount -t tmpfs -o mode=755 tmpfs ".$clone"
	else
		mount --bind -o ro "$directory" ".$directory"
	fi
	while [ "$directory" != / ]; do # The user must be able to enter root's home.
		directory=$(dirname "$directory")
		chmod a+x ".$directory"
	done
done
mkdir opt/cache $base/cache $base/cachework
mount -t overlay -o "lowerdir=$cache,upperdir=$base/cache,workdir=$base/cachework" overlay opt/cache
find opt/cache -maxdepth 1 -type d -exec chmod 777 {} +
chroot . useradd --create-home --shell /bin/bash reader
echo 'reader ALL=(ALL) NOPASSWD: ALL' >etc/sudoers.d/reader
git -c safe.directory='*' -C "$clone" ls-files -z --cached --others --exclude-standard |
	tar -C "$clone" --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -C ".$clone" -xf -
[ -z "$dist" ] || cp -r "$dist" ".$clone/dist"
chroot . chown -R reader: "$clone"
umask 022
pivot_root . mnt # In a chroot, a service could not have a user namespace (PrivateUsers=).
umount --lazy /mnt
exec env -i container=novcomet PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target
