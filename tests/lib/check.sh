#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh - what `make check` runs: build without warnings, lint, unit tests, corpora, integration
# tests. Goes on after a failing part, and ends with a plain count.
set -u
PYTHON=${PYTHON:-/usr/bin/python3}
BUILD=${BUILD:-build}
jobs=$(nproc)
passed=0
failed=0
logs=$BUILD/check
mkdir -p "$logs"

# part NAME COMMAND...: the last "N passed, N failed" of its output counts; without one the exit
# status is one test.
part() {
	name=$1
	shift
	echo "== $name"
	started=$(date +%s)
	"$@" >"$logs/$name.log" 2>&1
	status=$?
	counts=$(sed -n 's/.*[^0-9]\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\1 \2/p' \
		"$logs/$name.log" | tail -n 1)
	set -- ${counts:-$([ $status -eq 0 ] && echo 1 0 || echo 0 1)}
	p=$1 f=$2
	[ $status -eq 0 ] || [ "$f" -gt 0 ] || f=1
	passed=$((passed + p))
	failed=$((failed + f))
	[ $status -eq 0 ] || tail -n 200 "$logs/$name.log"
	echo "== $name: $p passed, $f failed ($(($(date +%s) - started)) s)"
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

part build make --no-print-directory -j"$jobs" WERROR=1 BUILD="$BUILD" all
part lint make --no-print-directory BUILD="$BUILD" lint
part lint-tests pytest_part tests/lint
part build-sanitized make --no-print-directory -j"$jobs" WERROR=1 BUILD="$BUILD" \
	SAN=address,undefined all unit-bins fuzz-bins
part build-clang make --no-print-directory -j"$jobs" WERROR=1 BUILD="$BUILD/clang" CC=clang \
	all
part unit make --no-print-directory BUILD="$BUILD" unit
part replay make --no-print-directory BUILD="$BUILD" replay
BUILD=$BUILD part integration pytest_part tests/integration

echo
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
