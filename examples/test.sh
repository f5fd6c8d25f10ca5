#!/usr/bin/env bash
# Installs what the tests need (Debian packages; with sudo where this is not root), and runs all of them.
# Nothing of it is started, now or at the next boot: the tests start each server themselves, on a loopback port of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

root=()
[ "$(id -u)" = 0 ] || root=(sudo)
packages=(nginx-light apache2 libapache2-mod-fcgid lighttpd caddy memcached redis-server chromium nodejs npm php-cli python3 openssl systemd gcc libc6-dev)

missing() { # nginx may be there as another of its packages, npm as a part of nodejs
	for package in "${packages[@]}"; do
		[ "$package" = nginx-light ] && command -v nginx /usr/sbin/nginx >/dev/null && continue
		[ "$package" = npm ] && command -v npm >/dev/null && continue
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
	done
}

install() ( # in a shell of its own, whose end removes the policy
	command -v apt-get >/dev/null || { echo "this is not Debian; install these, or what they are called here: $*" >&2; exit 1; }
	# A package must not start its server: it would take port 80, and the tests don't need it.
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
	for package in "$@"; do # A server that was not here before shall not start with the machine either.
		case $package in
		nginx-light | apache2 | lighttpd | caddy | memcached | redis-server) "${root[@]}" systemctl disable "${package%-light}" >&2 ;;
		esac
	done
)

command -v go >/dev/null || { echo "Go is missing: see https://go.dev/doc/install (1.26 or later)" >&2; exit 1; }
mapfile -t wanted < <(missing)
[ ${#wanted[@]} = 0 ] || install "${wanted[@]}"

echo "== form"
unformatted=$(find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 gofmt -l)
[ -z "$unformatted" ] || { echo "gofmt would change: $unformatted" >&2; exit 1; }
go mod tidy -diff
go vet ./...
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
npm ci --prefix examples/lint --ignore-scripts --loglevel=error
npm run --prefix examples/lint --silent lint
npm run --prefix examples/lint --silent types
go test -count=1 -v -run '^TestTheClientIsSmall$' ./examples | grep bytes

echo "== known vulnerabilities"
vulnerabilities() ( # in a shell of its own, whose end removes the program
	bin=$(mktemp -d)
	trap 'rm -rf "$bin"' EXIT
	GOBIN=$bin go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
	# Its database is on the internet, and may be out of reach: that is said, and fails nothing. 3: it has found something.
	status=0
	timeout 180 "$bin/govulncheck" ./... >"$bin/said" 2>&1 || status=$?
	case $status in
	0 | 3) cat "$bin/said" ;;
	124) echo "govulncheck had no answer within 3 minutes: nothing is known" ;;
	*) echo "govulncheck could not look: $(tail -n 1 "$bin/said")" ;;
	esac
	[ $status != 3 ]
)
vulnerabilities

echo "== tests"
export NOVCOMET_REQUIRE_SERVERS=1 # A server that can't be had fails the run, instead of skipping its tests.
# One package after the other: some start hundreds of clients and wait for them, and others many browsers.
go test -race -p 1 -timeout 40m -skip '^TestEveryBrokenRuleIsFoundByTheHistories$' ./...

echo "== the promise, in many random histories, and with each of its rules broken"
# Always the same ones, so that a change is judged by nothing else; NOVCOMET_SEED=0 tries others, as each run above did with some.
go test -count=1 -timeout 15m -v -run '^TestThePromiseIsKeptInEveryHistory' ./core -rapid.checks "${NOVCOMET_HISTORIES:-20000}" -rapid.seed "${NOVCOMET_SEED:-1}"
go test -count=1 -timeout 30m -run '^TestEveryBrokenRuleIsFoundByTheHistories$' ./core

echo "== fuzzing, a few seconds each"
for target in $(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do
	mapfile -t names < <(grep -hoE '^func Fuzz[A-Za-z]+' "$target"/*_test.go | cut -d' ' -f2)
	for name in "${names[@]}"; do
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${NOVCOMET_FUZZ:-5s}" -fuzzminimizetime 5x "$target"
	done
done
