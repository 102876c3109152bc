# SPDX-License-Identifier: Apache-2.0
# cache.sh - sourced: folders that are made once, and kept by what they are made of.
# What has not been asked for within two weeks is removed.

umask 022
export LC_ALL=C
tests=$(cd "$(dirname "$0")/.." && pwd)
source=$(cd "$tests/.." && pwd)
cache=${VM_CACHE:-/var/tmp/dunlin-vm}

digest() {
	sha256sum | cut -c 1-12
}

# kept NAME COMMAND ARGUMENT...: prints the folder; COMMAND gets one to fill, before its arguments.
kept() {
	folder=$cache/$1 name=$1 command=$2
	shift 2
	mkdir -p "$cache"
	exec 9>"$cache/$name.lock"
	flock 9
	find "$cache" -mindepth 1 -maxdepth 1 ! -name ccache -mtime +14 -exec rm -rf {} +
	if [ ! -d "$folder" ]; then
		new=$(mktemp -d "$folder.XXXXXX")
		trap 'rm -rf "$new"; echo "not made: $cache/$name.log" >&2' EXIT
		trap 'exit 1' INT TERM
		"$command" "$new" "$@" >"$cache/$name.log" 2>&1 # set -e holds within, and ends all
		trap - EXIT
		mv "$new" "$folder"
	fi
	touch "$folder"
	echo "$folder"
}
