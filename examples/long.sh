#!/usr/bin/env bash
# Runs the tests that take minutes: thousands of random histories, each rule of delivery broken once, many
# connections, soaks behind real web servers, and fuzzing. The soaks need the servers that examples/test.sh
# installs. Those with disturbances need root, because they mount a file system.
#
#   NOVCOMET_SEED=7         other histories and disturbances than those of every run; 0 draws a seed
#   NOVCOMET_SOAK=10m       how long each soak lasts; more servers and stores are disturbed then
#   NOVCOMET_FUZZ=1m        how long each fuzz target runs
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== 20,000 histories"
go test -count=1 -timeout 15m -v -run '^TestHistories_Of' ./core/sim -rapid.checks 20000 -rapid.seed "${NOVCOMET_SEED:-1}"

echo "== 10,000 histories through the reactor"
go test -count=1 -timeout 30m -v -run '^TestHistories_ThroughTheReactor$' ./fcgi/reactor -rapid.checks 10000 -rapid.seed "${NOVCOMET_SEED:-1}"

echo "== each rule of delivery and of the reactor, broken"
go test -count=1 -tags long -timeout 60m -run '^TestHistories_DetectEachBrokenRule$' ./core/sim

echo "== many connections"
go test -count=1 -tags long -timeout 15m -run '^TestServer_(AnswersEighteenThousand|LeaksNothingInAHundredThousand)' ./fcgi

echo "== soak"
for server in nginx apache-proxy; do
	go -C examples/bench run . --soak "${NOVCOMET_SOAK:-1m}" --with $server
done

echo "== soak with disturbances"
if [ "$(id -u)" = 0 ]; then
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
	first="--with nginx"
	previous=$(git rev-list -1 --before=2026-11-25T00:00Z HEAD)
	if [ -n "$previous" ]; then # Version 0.1.0 and this one take turns.
		git archive --prefix=0.1.0/ "$previous" | tar -x -C "$scratch"
		go -C "$scratch/0.1.0" build -buildvcs=false -o "$scratch/comet-fcgi" ./fcgi
		first+=" --baseline $scratch/comet-fcgi"
	else
		echo "NOT RUN with version 0.1.0: this clone does not have it"
	fi
	soaks=("$first")
	[ -z "${NOVCOMET_SOAK:-}" ] || soaks+=("--with nginx" "--with apache-proxy" "--store redis" "--store redis-sentinel"
		"--store redis-cluster" "--store memcached")
	for options in "${soaks[@]}"; do # Its mount ends with its name space, even if the soak is killed.
		# shellcheck disable=SC2086
		unshare --mount go -C examples/bench run . --soak "${NOVCOMET_SOAK:-2m}" --disturb all --seed "${NOVCOMET_SEED:-1}" $options
	done
else
	echo "NOT RUN: it needs root, because it mounts a file system"
fi

echo "== fuzzing"
mapfile -t packages < <(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u)
for package in "${packages[@]}"; do
	mapfile -t names < <(grep -hoE '^func Fuzz[A-Za-z]+' "$package"/*_test.go | cut -d' ' -f2)
	for name in "${names[@]}"; do
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${NOVCOMET_FUZZ:-5s}" -fuzzminimizetime 5x "$package"
	done
done
