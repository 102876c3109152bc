#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# integration.sh [FILE...] - runs the integration tests, several files at once because most of their
# time is waiting; prints a line for each file, and the output of those that fail.
set -u
PYTHON=${PYTHON:-/usr/bin/python3}
BUILD=${BUILD:-build}
JOBS=${JOBS:-$(($(nproc) + 1))}
logs=$BUILD/check/integration
export PYTHON BUILD logs
[ $# -gt 0 ] || set -- tests/integration/test_*.py

rm -rf "$logs"
mkdir -p "$logs"
export TEST_IMAGE="$PWD/$logs/test-image.tar.xz"
case $logs in /*) TEST_IMAGE=$logs/test-image.tar.xz ;; esac
sh tests/image/build.sh "$TEST_IMAGE" || exit 1
# Fetched while other tests run: who needs them waits.
for suite in $(grep -hs '^SUITES = ' "$@" | grep -o '"[a-z]*"' | tr -d '"'); do
	sh tests/image/debian.sh "$suite" >"$logs/$suite.log" 2>&1 &
done

# The largest first: the last to end should not have begun last. Each leaves NAME.out and
# NAME.status; one that hangs is interrupted, so that it removes its clusters.
ls -S "$@" | xargs -P "$JOBS" -I{} sh -c '
	name=$(basename "$1" .py)
	started=$(date +%s)
	timeout -s INT -k 60 900 "$PYTHON" -m pytest -q -p no:cacheprovider "$1" \
		>"$logs/$name.out" 2>&1
	echo "$? $(($(date +%s) - started))" >"$logs/$name.status"' run {}

# count WORD FILE: the number before the word in the last line of pytest, as in
# "3 failed, 40 passed in 9s".
count() {
	n=$(tail -n 1 "$2" | sed -n "s/.*\b\([0-9][0-9]*\) $1.*/\1/p")
	echo "${n:-0}"
}

passed=0
failed=0
for file in "$@"; do
	name=$(basename "$file" .py)
	out=$logs/$name.out
	read -r status seconds <"$logs/$name.status"
	good=$(count passed "$out")
	bad=$(($(count failed "$out") + $(count error "$out")))
	passed=$((passed + good))
	if [ "$status" -eq 0 ] && [ "$good" -gt 0 ]; then
		echo "integration: $name: $good passed ($seconds s)"
		continue
	fi
	[ "$bad" -gt 0 ] || bad=1
	failed=$((failed + bad))
	cat "$out"
	echo "integration: $name: FAILED (exit status $status, $seconds s)"
done
# Once more, where nothing stands between them.
cat "$logs"/*.out | grep -E '^(FAILED|ERROR) ' || :
echo "integration: $passed passed, $failed failed"
[ $failed -eq 0 ]
