#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh OUT.tar.xz - builds the test image: busybox, our own init and the zoo as a unified image.
# The same compiler and busybox give the same bytes.
set -eu
umask 022
export LC_ALL=C

[ $# = 1 ] || {
	echo "usage: build.sh OUT.tar.xz" >&2
	exit 2
}
out=$1
here=$(dirname "$0")
machine=$(uname -m)
busybox=$(command -v busybox || true)
if [ -z "$busybox" ] || ldd "$busybox" >/dev/null 2>&1; then
	echo "build.sh: no static busybox: install busybox-static" >&2
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
root=$work/rootfs

for dir in bin dev etc/udhcpc home mnt opt proc root run sbin sys tmp usr/bin usr/sbin var/log; do
	mkdir -p "$root/$dir"
done
chmod 700 "$root/root"
chmod 1777 "$root/tmp"

cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list-full); do
	[ "$applet" = bin/busybox ] || ln -s /bin/busybox "$root/$applet"
done
rm -f "$root/sbin/init"
${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -static -Os -s -Wall -Wextra \
	-o "$root/sbin/init" "$here/init.c" "$here/odd.c" "$here/memory.c"

${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -static -Os -s -Wall -Wextra -pthread -I"$here/../.." \
	-o "$root/sbin/zoo" "$here"/zoo/*.c

echo 'root::0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'nobody:x:65534:65534:nobody:/:/bin/false' >>"$root/etc/passwd"
printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' >"$root/etc/group"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
echo dunlin-test >"$root/etc/hostname"
: >"$root/etc/resolv.conf"

cat >"$root/etc/udhcpc/default.script" <<'END'
#!/bin/sh
PATH=/bin:/sbin:/usr/bin:/usr/sbin
case $1 in
deconfig)
	ip link set "$interface" up
	ip -4 addr flush dev "$interface"
	;;
bound | renew)
	ip -4 addr replace "$ip/$mask" broadcast "${broadcast:-+}" dev "$interface"
	for gateway in $router; do
		ip -4 route replace default via "$gateway" dev "$interface"
		break
	done
	{
		[ -z "$domain" ] || echo "search $domain"
		for server in $dns; do
			echo "nameserver $server"
		done
	} >/etc/resolv.conf
	;;
esac
END
chmod 755 "$root/etc/udhcpc/default.script"

cat >"$work/metadata.yaml" <<END
architecture: $machine
creation_date: 1767225600
properties:
  architecture: $machine
  description: Dunlin test image
  os: dunlin-test
  release: "1"
END

# One thread and fixed times: the bytes must not depend on the machine or the day.
tar -C "$work" --sort=name --mtime=@1767225600 --owner=0 --group=0 --numeric-owner --format=gnu \
	-cf "$work/image.tar" metadata.yaml rootfs
xz -9e --threads=1 "$work/image.tar"
mkdir -p "$(dirname "$out")"
mv "$work/image.tar.xz" "$out"
