#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# unit.sh DIR - runs every unit test binary in DIR, several at once because most of their time is
# waiting; prints a line each, and the output of those that fail.
set -u
dir=$1
jobs=$(($(nproc) * 2))
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions="$(dirname "$0")/lsan.supp":print_suppressions=0
export logs

# Each run leaves NAME.out and NAME.status.
for test in "$dir"/*test_*; do
	printf '%s\n' "$test"
done | xargs -P "$jobs" -I{} sh -c '
	name=$(basename "$1")
	set -- timeout 600 "$1"
	# A network of its own: they take ports and make interfaces, several at once.
	[ "$(id -u)" -ne 0 ] || set -- unshare -n sh -c "ip link set lo up && exec \"\$@\"" sh "$@"
	"$@" >"$logs/$name.out" 2>&1
	echo $? >"$logs/$name.status"' run {}

passed=0
failed=0
for test in "$dir"/*test_*; do
	name=$(basename "$test")
	out=$logs/$name.out
	status=$(cat "$logs/$name.status")
	n=$(grep -c '^\[       OK \]' "$out")
	bad=$(sed -n 's/^ *\([0-9][0-9]*\) FAILED TEST(S)$/\1/p' "$out" | tail -n 1)
	passed=$((passed + n))
	if [ "$status" -eq 0 ] && [ "$n" -gt 0 ]; then
		echo "unit: $name: $n passed"
		continue
	fi
	[ "${bad:-0}" -gt 0 ] || bad=1
	failed=$((failed + bad))
	cat "$out"
	echo "unit: $name: FAILED (exit status $status)"
done
echo "unit: $passed passed, $failed failed"
[ $failed -eq 0 ]
