#!/usr/bin/env bash
# Runs the tests that take minutes: thousands of random histories, each rule of delivery broken once, many
# connections, a soak behind real web servers that are reloaded and restarted, and fuzzing. The soak needs the
# servers that examples/test.sh installs.
#
#   NOVCOMET_SEED=7         other histories than those of every run; 0 draws a seed
#   NOVCOMET_SOAK=10m       how long each soak lasts
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

echo "== fuzzing"
mapfile -t packages < <(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u)
for package in "${packages[@]}"; do
	mapfile -t names < <(grep -hoE '^func Fuzz[A-Za-z]+' "$package"/*_test.go | cut -d' ' -f2)
	for name in "${names[@]}"; do
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${NOVCOMET_FUZZ:-5s}" -fuzzminimizetime 5x "$package"
	done
done
