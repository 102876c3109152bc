#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh [build|run|test]... - installs what Dunlin needs on Debian 12 and 13 (default: all).
# Run as root; well under a second when nothing is missing.
#
# Package lists are split into words on purpose:
# shellcheck disable=SC2086,SC2048
set -eu

# The compiler, and the libraries that the daemon and the command link.
build="gcc make pkg-config libc6-dev lxc-dev libdqlite-dev libuv1-dev libssl-dev libjansson-dev
libsqlite3-dev libwslay-dev libyaml-dev libarchive-dev libseccomp-dev"

# liblxc's data files and user-space helpers, the tools that the daemon and CRIU run: DHCP and DNS,
# packet filter, links and routes, kernel modules.
run="liblxc-common dnsmasq-base nftables iproute2 kmod ca-certificates"

# Unit tests, sanitizers, fuzzing and formatting.
test="libcmocka-dev clang libclang-rt-dev clang-format"
# Integration tests and the lint; ruby only parses the Vagrantfile.
test="$test python3 python3-pytest python3-yaml python3-websocket ruby curl iputils-ping"
# The test images, and the baseline of the benchmarks.
test="$test busybox-static xz-utils zstd mmdebstrap lxc"

# Clients that Dunlin must stay compatible with; not every suite carries them.
test_optional="lxd-client python3-pylxd"

[ "$(id -u)" = 0 ] || {
	echo "deps: run as root: this installs Debian packages" >&2
	exit 1
}
cd "$(dirname "$0")/../.."

missing_of() {
	for name in "$@"; do
		case $installed in
		*" $name "*) ;;
		*) echo "$name" ;;
		esac
	done
}

install_packages() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
}

wanted=
optional=
for group in ${*:-build run test}; do
	case $group in
	build) wanted="$wanted $build" ;;
	run) wanted="$wanted $run" ;;
	test) wanted="$wanted $test" optional=$test_optional ;;
	*)
		echo "usage: deps.sh [build|run|test]..." >&2
		exit 2
		;;
	esac
done

installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted $optional 2>/dev/null |
	sed -n 's/^installed //p' | paste -s -d ' ') "
missing=$(missing_of $wanted)
if [ -n "$missing" ]; then
	apt-get -q update
	install_packages $missing
fi
for name in $(missing_of $optional); do
	if apt-cache show "$name" >/dev/null 2>&1; then
		install_packages "$name"
	else
		echo "deps: this suite has no $name: the tests that use it will be skipped" >&2
	fi
done

# When newuidmap is installed, liblxc starts unprivileged containers only from ranges that are
# root's in subuid(5).
reserve_ids() {
	command -v newuidmap >/dev/null || return 0
	for file in /etc/subuid /etc/subgid; do
		grep -qs '^root:' "$file" || echo root:1000000:1000000000 >>"$file"
	done
}

case " ${*:-run} " in
*" run "*)
	reserve_ids
	node/criu/criu-get.sh
	;;
esac
