#!/usr/bin/env bash
# Installs what the tests need (Debian packages; with sudo where this is not root), and runs all of them.
# Nothing of it is started or left running: the tests start each server themselves, on a loopback port of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(nginx-light apache2 libapache2-mod-fcgid lighttpd caddy chromium systemd gcc libc6-dev)

missing() { # nginx may be there as another of its packages
	for package in "${packages[@]}"; do
		[ "$package" = nginx-light ] && command -v nginx /usr/sbin/nginx >/dev/null && continue
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
	done
}

install() {
	command -v apt-get >/dev/null || { echo "this is not Debian; install these, or what they are called here: $*" >&2; exit 1; }
	local root=()
	[ "$(id -u)" = 0 ] || root=(sudo)
	# A package must not start its server: it would take port 80, and the tests don't need it.
	local policy=/usr/sbin/policy-rc.d mine=
	if [ ! -e $policy ]; then
		mine=yes
		printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
		"${root[@]}" chmod 755 $policy
	fi
	local failed=0
	{ "${root[@]}" apt-get update -q && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"; } >&2 || failed=1
	[ -z "$mine" ] || "${root[@]}" rm -f $policy
	return $failed
}

command -v go >/dev/null || { echo "Go is missing: see https://go.dev/doc/install (1.26 or later)" >&2; exit 1; }
mapfile -t wanted < <(missing)
[ ${#wanted[@]} = 0 ] || install "${wanted[@]}"

echo "== form"
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "gofmt would change: $unformatted" >&2; exit 1; }
go mod tidy -diff
go vet ./...
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

echo "== tests"
export NOVCOMET_REQUIRE_SERVERS=1 # A server that can't be had fails the run, instead of skipping its tests.
go test -race -timeout 15m ./...

echo "== fuzzing, a few seconds each"
for target in $(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do
	for name in $(grep -hoE '^func Fuzz[A-Za-z]+' "$target"/*_test.go | cut -d' ' -f2); do
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${NOVCOMET_FUZZ:-5s}" -fuzzminimizetime 5x "$target"
	done
done
