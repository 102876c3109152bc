#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# replay.sh DIR - feeds each fuzz target in DIR the files of its corpus.
set -u
dir=$1
passed=0
failed=0
for target in "$dir"/fuzz_*; do
	name=$(basename "$target")
	corpus=tests/fuzz/corpus/${name#fuzz_}
	files=$(find "$corpus" -type f 2>/dev/null | wc -l)
	if [ "$files" -gt 0 ] && timeout 300 "$target" "$corpus"/*; then
		echo "replay: $name: $files files"
		passed=$((passed + 1))
	else
		echo "replay: $name: FAILED ($files files in $corpus)"
		failed=$((failed + 1))
	fi
done
echo "replay: $passed passed, $failed failed"
[ $failed -eq 0 ]
