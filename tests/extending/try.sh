#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# try.sh [NAME...] - the tree with each patch of this folder (default: all), in a copy of HEAD: is
# built with -Werror and linted, and passes the unit tests that the patch names ("Tests: ...").
set -eu
here=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d)
trap 'git -C "$here" worktree remove --force "$copy/tree"; rmdir "$copy"' EXIT
git -C "$here" worktree add -q --detach "$copy/tree"
cd "$copy/tree"
rm tests/extending/*.patch # none fits a tree that has it already
failed=0
[ $# -gt 0 ] || set -- $(cd "$here" && ls ./*.patch | sed 's|^\./||; s|\.patch$||')
for name; do
	patch=$here/$name.patch
	git apply "$patch"
	make -s docs
	units=$(sed -n 's|^Tests: ||p' "$patch")
	if ! make -s -j"$(nproc)" WERROR=1 all lint >"$copy/log" 2>&1; then
		cat "$copy/log"
		failed=1
		echo "$name: FAILED"
	else
		echo "$name: built and linted"
	fi
	for unit in $units; do
		bin=build/unit-address-undefined/$unit
		if make -s -j"$(nproc)" SAN=address,undefined "$bin" >"$copy/log" 2>&1 &&
			"$bin" >"$copy/log" 2>&1; then
			echo "$name: $unit passed"
		else
			cat "$copy/log"
			failed=1
			echo "$name: $unit FAILED"
		fi
	done
	git apply -R "$patch"
	git checkout -q docs
done
rm -f "$copy/log"
exit $failed
