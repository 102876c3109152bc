#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh - what `make check` runs: build without warnings, lint, unit tests, corpora, integration
# tests. Goes on after a failing part, and ends with what failed, in few lines, and a plain count.
set -u
PYTHON=${PYTHON:-/usr/bin/python3}
BUILD=${BUILD:-build}
jobs=$(nproc)
logs=$BUILD/check
rm -rf "$logs"
mkdir -p "$logs"
began=$(date +%s)

# part NAME COMMAND...: the last "N passed, N failed" of its output counts; without one the exit
# status is one test. Leaves NAME.log, and NAME.count with both numbers.
part() {
	name=$1
	shift
	started=$(date +%s)
	"$@" >"$logs/$name.log" 2>&1
	status=$?
	counts=$(sed -n 's/.*[^0-9]\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\1 \2/p' \
		"$logs/$name.log" | tail -n 1)
	set -- ${counts:-$([ $status -eq 0 ] && echo 1 0 || echo 0 1)}
	p=$1 f=$2
	[ $status -eq 0 ] || [ "$f" -gt 0 ] || f=1
	[ $status -eq 0 ] || {
		echo "== $name failed; the end of $logs/$name.log:"
		tail -n 400 "$logs/$name.log"
	}
	echo "== $name: $p passed, $f failed ($(($(date +%s) - started)) s)"
	echo "$p $f" >"$logs/$name.count"
}

# pytest prints "3 failed, 40 passed in 9s": reordered for part().
pytest_part() {
	"$PYTHON" -m pytest -q -p no:cacheprovider "$@" >"$logs/pytest.out" 2>&1
	status=$?
	cat "$logs/pytest.out"
	line=$(tail -n 1 "$logs/pytest.out")
	p=$(printf '%s\n' "$line" | sed -n 's/.*\b\([0-9][0-9]*\) passed.*/\1/p')
	f=$(printf '%s\n' "$line" | sed -n 's/.*\b\([0-9][0-9]*\) failed.*/\1/p')
	e=$(printf '%s\n' "$line" | sed -n 's/.*\b\([0-9][0-9]*\) error.*/\1/p')
	echo "pytest: ${p:-0} passed, $((${f:-0} + ${e:-0})) failed"
	return $status
}

# make_quietly ARGUMENT...: it takes the processors that the tests leave.
make_quietly() {
	nice make --no-print-directory -j"$jobs" WERROR=1 "$@"
}

part build make --no-print-directory -j"$jobs" WERROR=1 BUILD="$BUILD" all
# The integration tests wait most of the time: all the rest is done meanwhile.
{
	part lint make --no-print-directory BUILD="$BUILD" lint
	part lint-tests pytest_part tests/lint
	part build-sanitized make_quietly BUILD="$BUILD" SAN=address,undefined \
		all unit-bins fuzz-bins
	part unit make --no-print-directory BUILD="$BUILD" unit
	part replay make --no-print-directory BUILD="$BUILD" replay
	part warnings-clang make_quietly BUILD="$BUILD/clang" CC=clang warnings
} &
rest=$!
trap 'kill $rest; exit 130' INT TERM
PYTHON=$PYTHON BUILD=$BUILD part integration sh tests/lib/integration.sh
wait $rest
trap - INT TERM

total() {
	cat "$logs"/*.count | awk -v column="$1" '{ n += $column } END { print n + 0 }'
}
passed=$(total 1)
failed=$(total 2)
echo "== all of it: $(($(date +%s) - began)) s"
echo
"$PYTHON" tests/lib/failures.py "$logs"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
