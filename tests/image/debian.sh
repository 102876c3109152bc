#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# debian.sh SUITE [PACKAGES] - prints the paths of an image of that Debian suite with systemd, and
# with more packages (parted by commas), as mmdebstrap builds it: the tarball of its metadata, and
# that of its root. Builds it at most once a machine (about a minute), however many ask at the same
# time.
set -eu
umask 022

[ $# = 1 ] || [ $# = 2 ] || {
	echo "usage: debian.sh SUITE [PACKAGES]" >&2
	exit 2
}
suite=$1
packages=systemd-sysv,dbus,libpam-systemd,iproute2${2:+,$2}
cache=${TEST_CACHE:-/var/tmp/dunlin-test-images}
mark=$(echo "$packages" | cat "$0" - | sha256sum | cut -c 1-12)
metadata=$cache/$suite-$mark.metadata.tar
root=$cache/$suite-$mark.root.tar

mkdir -p "$cache"
exec 9>"$cache/$suite.lock"
flock 9
if [ ! -e "$root" ]; then
	mirror=$(apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(CREATED_BY)|$(REPO_URI)' |
		awk -F'|' '$1 == "Debian" && $2 == "main" && $3 == "Packages" && !/security/ \
			{ print $4; exit }')
	work=$(mktemp -d "$cache/$suite.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' INT TERM
	cat >"$work/metadata.yaml" <<-END
		architecture: $(uname -m)
		creation_date: $(date +%s)
		properties: {os: Debian, release: $suite, description: Debian $suite}
	END
	tar -C "$work" -cf "$work/metadata.tar" metadata.yaml
	# What slim images leave out; and the names of the host that built it.
	mmdebstrap --quiet --variant=minbase --include="$packages" \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
		"$suite" "$work/root.tar" "deb $mirror $suite main" >&2
	mv "$work/metadata.tar" "$metadata"
	mv "$work/root.tar" "$root"
fi
echo "$metadata $root"
