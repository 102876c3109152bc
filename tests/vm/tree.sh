#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tree.sh SUITE BASE - this tree, compiled natively for the host that base.sh made in BASE, with the
# images of containers, as a disk: tree.raw. Prints the folder it is in. Run as root.
set -eu

[ $# = 2 ] || {
	echo "usage: tree.sh SUITE BASE" >&2
	exit 2
}
suite=$1 base=$2
. "$(dirname "$0")/cache.sh"
tree_bytes=2G # the same for all, so that a machine that was saved finds a disk of this size

files() {
	git -C "$source" ls-files -z --cached --others --exclude-standard -- ':!*.md' ':!tests/vm' |
		sort -z
}

# In an overlay of the host's root, with its compiler and libraries.
make_tree() {
	tree=$1/upper/root/tree
	mkdir -p "$tree" "$1/work" "$1/merged" "$cache/ccache"
	(cd "$source" && files | tar --null --files-from=- --ignore-failed-read -cf -) |
		tar -C "$tree" -xf -
	unshare --mount --propagation private sh -euc '
		mount -t overlay overlay "$0/merged" \
			-o "lowerdir=$1/root,upperdir=$0/upper,workdir=$0/work"
		mount --bind "$2" "$0/merged/mnt"
		mount --rbind /dev "$0/merged/dev"
		mount -t proc proc "$0/merged/proc"
		cd "$0/merged"
		exec chroot . sh -euxc "
			cd /root/tree
			export PATH=/usr/lib/ccache:$PATH CCACHE_DIR=/mnt CCACHE_MAXSIZE=1G
			make -j$(nproc) PREFIX=/usr WERROR=1 all
			sh tests/image/build.sh build/busybox.tar.xz"' "$1" "$base" "$cache/ccache"
	for file in $(sh "$tests/image/debian.sh" "$suite"); do
		cp "$file" "$tree/build/debian.${file#*.}"
	done
	truncate -s $tree_bytes "$1/tree.raw"
	mke2fs -q -t ext4 -m 0 -d "$tree" "$1/tree.raw"
	rm -rf "$1/upper" "$1/work" "$1/merged"
}

mark=$({
	echo "$base"
	cat "$tests/image/debian.sh"
	files | (cd "$source" && xargs -0 sha256sum 2>/dev/null)
} | digest)
kept "$suite-tree-$mark" make_tree
