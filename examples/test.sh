#!/usr/bin/env bash
# Installs what the tests with real servers and browsers need: Debian packages, with sudo unless this is root.
# Then it checks the form of the sources, searches for known vulnerabilities, and runs the tests: those of the
# module with the race detector, then those of examples/e2e, examples/bench and examples/package.
# It starts no service: each test starts its own servers on loopback ports.
set -euo pipefail
cd "$(dirname "$0")/.."

root=()
[ "$(id -u)" = 0 ] || root=(sudo)
packages=(nginx-light apache2 libapache2-mod-fcgid lighttpd caddy memcached redis-server chromium nodejs npm
	php-cli strace python3 openssl curl git systemd iproute2 procps sudo e2fsprogs gcc libc6-dev buildah
	firefox-esr webkit2gtk-driver xvfb rpm man-db)

missing() { # nginx may be installed as another of its packages, and npm with nodejs.
	for package in "${packages[@]}"; do
		[ "$package" = nginx-light ] && command -v nginx /usr/sbin/nginx >/dev/null && continue
		[ "$package" = nodejs ] && command -v node >/dev/null && continue
		[ "$package" = npm ] && command -v npm >/dev/null && continue
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
	done
}

install() ( # A shell of its own: its end removes the policy.
	command -v apt-get >/dev/null || { echo "This is not Debian. Install what these packages contain: $*" >&2; exit 1; }
	# The policy keeps a package from starting its server, which would take port 80.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap '"${root[@]}" rm -f $policy' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM
		printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
		"${root[@]}" chmod 755 $policy
	fi
	"${root[@]}" apt-get update -q >&2
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2
	for package in "$@"; do # A server that was not installed before must not start with the machine.
		case $package in
		nginx-light | apache2 | lighttpd | caddy | memcached | redis-server) "${root[@]}" systemctl disable "${package%-light}" >&2 ;;
		esac
	done
)

command -v go >/dev/null || { echo "Go is missing: install 1.26 or later from https://go.dev/doc/install" >&2; exit 1; }
mapfile -t wanted < <(missing)
[ ${#wanted[@]} = 0 ] || install "${wanted[@]}"

echo "== form"
unformatted=$(find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 gofmt -l)
[ -z "$unformatted" ] || { echo "gofmt would change: $unformatted" >&2; exit 1; }
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOBIN=$tools go install honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOBIN=$tools go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
for module in . examples/e2e examples/bench examples/package; do
	go -C $module mod tidy -diff
	for tags in "" e2e,long; do
		go -C $module vet -tags "$tags" ./...
		(cd $module && "$tools/staticcheck" -tags "$tags" ./...)
	done
done
npm ci --prefix examples/e2e/npm --ignore-scripts --loglevel=error
npm run --prefix examples/e2e/npm --silent lint
npm run --prefix examples/e2e/npm --silent types

echo "== known vulnerabilities"
# The database is on the internet. If it is out of reach, a line says so and nothing fails. Status 3 is a
# finding.
status=0
timeout 180 "$tools/govulncheck" ./... >"$tools/findings" 2>&1 || status=$?
case $status in
0 | 3) cat "$tools/findings" ;;
124) echo "govulncheck got no answer within 3 minutes" ;;
*) echo "govulncheck did not run: $(tail -n 1 "$tools/findings")" ;;
esac
[ $status != 3 ]

echo "== tests with the race detector, and those with Redis and memcached"
go test -race -tags e2e -timeout 20m ./...

echo "== tests with web servers and browsers, and beside them those of the bench and of the packages"
(go -C examples/bench test -timeout 20m ./... && go -C examples/package test -timeout 20m ./...) >"$tools/others" 2>&1 &
servers=0
go -C examples/e2e test -timeout 20m ./... || servers=$?
others=0
wait $! || others=$?
cat "$tools/others"
[ $servers = 0 ] && [ $others = 0 ]
