#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# redis.sh SUITE - prints the paths of the image of tests/image/debian.sh with Debian's Redis server
# in it, open to all: the tarball of its metadata, and that of its root. Builds it at most once a
# machine.
set -eu
umask 022

[ $# = 1 ] || {
	echo "usage: redis.sh SUITE" >&2
	exit 2
}
suite=$1
# Two paths without spaces, on purpose:
# shellcheck disable=SC2046
set -- $(sh "$(dirname "$0")/../tests/image/debian.sh" "$suite")
metadata=$1
plain=$2
root=${plain%.root.tar}.redis-$(sha256sum "$0" | cut -c 1-12).root.tar

if [ ! -e "$root" ]; then
	work=$(mktemp -d "$root.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' INT TERM
	mkdir "$work/root"
	tar -C "$work/root" --numeric-owner -xf "$plain"
	cp -L /etc/resolv.conf "$work/root/etc/resolv.conf"
	printf '#!/bin/sh\nexit 101\n' >"$work/root/usr/sbin/policy-rc.d"
	chmod 755 "$work/root/usr/sbin/policy-rc.d"
	{
		chroot "$work/root" apt-get -q update
		DEBIAN_FRONTEND=noninteractive chroot "$work/root" \
			apt-get -q -y --no-install-recommends install redis-server
		chroot "$work/root" apt-get clean
	} >&2
	rm "$work/root/etc/resolv.conf" "$work/root/usr/sbin/policy-rc.d"
	printf 'bind 0.0.0.0\nprotected-mode no\nappendonly yes\n' \
		>>"$work/root/etc/redis/redis.conf"
	tar -C "$work/root" --numeric-owner --xattrs -cf "$work/root.tar" .
	mv "$work/root.tar" "$root"
fi
echo "$metadata $root"
