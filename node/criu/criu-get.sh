#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# criu-get.sh - provides a CRIU that can move containers with sockets on the running kernel.
#
# Linux 6.16 refuses socket options that CRIU before 4.2 reads of every inet socket, and
# `criu check` does not notice. Hence a rule on versions beside the check.
set -eu

prefix=${CRIU_PREFIX:-/opt/dunlin/criu}
suites=${CRIU_SUITES:-forky sid}

usage() {
	cat <<END
usage: criu-get.sh [--help]

Prints the path of a usable CRIU. Looks, in this order, at the one in PATH, at the one in the
private prefix and at the distribution's package; else unpacks CRIU >= 4.2 with its libraries
from a newer Debian suite into the prefix, where the system's own libraries are not touched.
Usable means: \`criu check\` passes, and the version is >= 4.2, or >= 4.1 on Linux < 6.16.
Run as root; a second run costs a fraction of a second.

  CRIU_PREFIX  private prefix, the program is PREFIX/bin/criu (now: $prefix)
  CRIU_SUITES  Debian suites to try in turn (now: $suites)
END
}

fail() {
	echo "criu-get: $*" >&2
	exit 1
}

version_ge() {
	dpkg --compare-versions "$1" ge "$2"
}

version_fits() {
	version_ge "$1" 4.2 || { version_ge "$1" 4.1 && ! version_ge "$(uname -r)" 6.16; }
}

usable() {
	version=$("$1" --version 2>/dev/null | sed -n 's/^Version: *//p')
	[ -n "$version" ] && version_fits "$version" && "$1" check >/dev/null 2>&1
}

answer() {
	echo "$1"
	exit 0
}

# apt with a private state and one suite. The empty dpkg status makes it fetch the whole closure,
# libc included; options on the command line win over the machine's, whose proxy still counts.
private_apt() {
	apt-get -q -q -o Dir::Etc::SourceList="$stage/apt/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null -o Dir::State="$stage/apt/state" \
		-o Dir::State::status="$stage/apt/status" -o Dir::Cache="$stage/apt/cache" \
		-o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@" >&2
}

# write_wrapper DIR PREFIX: DIR/bin/criu, which runs what DIR/criu.d will be under PREFIX.
# exec is essential: CRIU makes the container's init a child of its own parent, which must be the
# LXC monitor and not a shell that lingers between them.
write_wrapper() {
	root=$1/criu.d
	loader=$(find "$root" -name 'ld-linux*.so.*' | sort | head -n 1)
	libs=$(find "$root" -type d -path '*/lib/*-linux-gnu' | sort | paste -s -d :)
	{ [ -n "$loader" ] && [ -x "$root/usr/sbin/criu" ]; } || return 1
	cat >"$1/bin/criu" <<END
#!/bin/sh
exec "$2${loader#"$1"}" --library-path "$(echo "$libs" | sed "s|$1|$2|g")" \\
	--argv0 criu "$2/criu.d/usr/sbin/criu" "\$@"
END
	chmod 755 "$1/bin/criu"
}

unpack() {
	suite=$1
	rm -rf "${stage:?}/criu.d" "$stage/apt" "${stage:?}/bin"
	mkdir -p "$stage/criu.d" "$stage/bin" "$stage/apt/state/lists/partial" \
		"$stage/apt/cache/archives/partial"
	: >"$stage/apt/status"
	echo "deb [signed-by=$keyring arch=$(dpkg --print-architecture)] $mirror $suite main" \
		>"$stage/apt/sources.list"
	private_apt update || return 1
	private_apt -y --download-only install criu || return 1
	for deb in "$stage"/apt/cache/archives/*.deb; do
		dpkg -x "$deb" "$stage/criu.d" || return 1
	done
	write_wrapper "$stage" "$stage" && usable "$stage/bin/criu"
}

case ${1-} in
'') ;;
--help | -h)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 2
	;;
esac
[ "$(id -u)" = 0 ] || fail "run as root: CRIU's self-check needs it"

found=$(command -v criu || true)
if [ -n "$found" ] && usable "$found"; then
	answer "$found"
fi
if usable "$prefix/bin/criu"; then
	answer "$prefix/bin/criu"
fi

candidate=$(apt-cache policy criu 2>/dev/null | sed -n 's/^ *Candidate: *//p')
if [ -n "$candidate" ] && [ "$candidate" != '(none)' ] && version_fits "$candidate"; then
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install criu >&2
	found=$(command -v criu || true)
	if [ -n "$found" ] && usable "$found"; then
		answer "$found"
	fi
fi

mirror=$(apt-get indextargets --format \
	'$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(CREATED_BY)|$(REPO_URI)' 2>/dev/null |
	awk -F'|' '$1 == "Debian" && $2 == "Debian" && $3 == "main" && $4 == "Packages" \
		{ print $5; exit }')
[ -n "$mirror" ] || fail "apt knows no Debian mirror: configure one and run apt-get update"
keyring=
for file in /usr/share/keyrings/debian-archive-keyring.pgp \
	/usr/share/keyrings/debian-archive-keyring.gpg; do
	if [ -e "$file" ]; then
		keyring=$file
		break
	fi
done
[ -n "$keyring" ] || fail "no archive keyring: install debian-archive-keyring"

mkdir -p "$prefix/bin"
stage=$(mktemp -d "$prefix/criu.XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' INT TERM
for suite in $suites; do
	echo "criu-get: trying CRIU of Debian $suite" >&2
	unpack "$suite" || continue
	write_wrapper "$stage" "$prefix"
	rm -rf "$prefix/criu.d"
	mv "$stage/criu.d" "$prefix/criu.d"
	mv "$stage/bin/criu" "$prefix/bin/criu"
	answer "$prefix/bin/criu"
done
fail "no usable CRIU in: $suites (kernel $(uname -r)); stateful moves will be refused"
