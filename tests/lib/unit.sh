#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# unit.sh DIR - runs every unit test binary in DIR; prints a line each, and the output of those
# that fail.
set -u
dir=$1
passed=0
failed=0
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions="$(dirname "$0")/lsan.supp":print_suppressions=0
for test in "$dir"/test_*; do
	out=$(timeout 300 "$test" 2>&1)
	status=$?
	n=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
	bad=$(printf '%s\n' "$out" | sed -n 's/^ *\([0-9][0-9]*\) FAILED TEST(S)$/\1/p' | tail -n 1)
	passed=$((passed + n))
	if [ $status -eq 0 ] && [ "$n" -gt 0 ]; then
		echo "unit: $(basename "$test"): $n passed"
		continue
	fi
	[ "${bad:-0}" -gt 0 ] || bad=1
	failed=$((failed + bad))
	printf '%s\n' "$out"
	echo "unit: $(basename "$test"): FAILED (exit status $status)"
done
echo "unit: $passed passed, $failed failed"
[ $failed -eq 0 ]
