#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# base.sh SUITE - a stock Debian host of that suite, made natively in a chroot: root/ (the same as
# a folder), disk.raw, vmlinuz, initrd. Prints the folder they are in. Run as root.
set -eu

[ $# = 1 ] || {
	echo "usage: base.sh SUITE" >&2
	exit 2
}
suite=$1
. "$(dirname "$0")/cache.sh"
kernel=linux-image-amd64
disk_bytes=10G

# A host as its installer leaves it, but for what only waits: names of its own, mail, firmware.
packages=systemd-sysv,systemd-resolved,dbus,udev,kmod,iproute2,iputils-ping,apparmor,initramfs-tools
packages=$packages,$kernel,ca-certificates,procps,python3,qemu-guest-agent,ccache,xz-utils

mirror() {
	apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(CREATED_BY)|$(REPO_URI)' |
		awk -F'|' '$1 == "Debian" && $2 == "main" && $3 == "Packages" && !/security/ \
			{ print $4; exit }'
}

# in_root ROOT SCRIPT: runs it there with the kernel's file systems; nothing of it stays mounted.
# CRIU's check wants a root of its own, not only another folder as root.
in_root() {
	unshare --mount --propagation private sh -euc '
		mount --bind "$0" "$0"
		cd "$0"
		mount --rbind /dev dev
		mount -t proc proc proc
		mount -t sysfs sys sys
		mount -t tmpfs tmp run
		cp -L /etc/resolv.conf run/resolv.conf
		pivot_root . mnt
		exec chroot . /bin/sh -euxc "umount -l /mnt; $1"' "$1" "$2"
}

quiet_units="apt-daily.timer apt-daily-upgrade.timer man-db.timer e2scrub_all.timer fstrim.timer
dpkg-db-backup.timer logrotate.timer e2scrub_reap.service systemd-networkd-wait-online.service
getty@tty1.service systemd-timesyncd.service"

configure() {
	root=$1
	echo '/dev/vda / ext4 noatime 0 1' >"$root/etc/fstab"
	echo host >"$root/etc/hostname"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
	printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n' \
		>"$root/etc/systemd/network/10-eth0.network"
	# shellcheck disable=SC2086 # words on purpose
	in_root "$root" "
		export DEBIAN_FRONTEND=noninteractive
		cd /root/tree
		if apt-cache show criu | grep -q '^Version: 4'; then
			apt-get -q -y --no-install-recommends install criu
		fi
		PATH=/root/tree/bin:\$PATH sh tests/lib/deps.sh build run
		apt-get -q -y --no-install-recommends install busybox-static
		rm -rf /root/tree /etc/apt/apt.conf.d/99host /var/cache/apt/archives/*.deb
		systemctl -q enable systemd-networkd systemd-resolved
		for unit in $(echo $quiet_units); do systemctl -q mask \$unit; done
		rm -f /etc/machine-id
		systemd-machine-id-setup
		printf 'virtio_pci\nvirtio_blk\nvirtio_net\nvirtio_rng\nvirtio_console\next4\n' \
			>/etc/initramfs-tools/modules
		sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=gzip/' \
			/etc/initramfs-tools/initramfs.conf
		update-initramfs -u -k all"
	rm -f "$root/etc/resolv.conf"
	ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
}

make_base() {
	root=$1/root
	mmdebstrap --quiet --variant=minbase --include="$packages" --dpkgopt=force-unsafe-io \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--skip=cleanup/apt/lists --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
		"$suite" "$root" "deb $(mirror) $suite main"
	# As this machine reaches its mirror.
	apt-config dump | grep -E '^Acquire::(Check-Valid-Until|https?::Proxy) ' \
		>"$root/etc/apt/apt.conf.d/99host" || true
	# What deps.sh needs of the tree; only its packages stay.
	mkdir -p "$root/root/tree/tests/lib" "$root/root/tree/node/criu" "$root/root/tree/bin"
	cp "$source/tests/lib/deps.sh" "$root/root/tree/tests/lib"
	cp "$source/node/criu/criu-get.sh" "$root/root/tree/node/criu"
	# The CRIU is for the kernel of the image, not for the one that this runs on.
	cat >"$root/root/tree/bin/uname" <<-END
		#!/bin/sh
		[ "\$1" = -r ] || exec /usr/bin/uname "\$@"
		echo $(basename "$root"/lib/modules/*)
	END
	chmod 755 "$root/root/tree/bin/uname"
	rm -f "$root/etc/resolv.conf"
	ln -s /run/resolv.conf "$root/etc/resolv.conf"
	configure "$root"
	cp "$root"/boot/vmlinuz-* "$1/vmlinuz"
	cp "$root"/boot/initrd.img-* "$1/initrd"
	truncate -s $disk_bytes "$1/disk.raw"
	mke2fs -q -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$1/disk.raw"
}

mark=$({ echo "$suite"; cat "$0" "$source/tests/lib/deps.sh" "$source/node/criu/criu-get.sh"; } |
	digest)
kept "$suite-$mark" make_base
