#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# provision.sh SOURCE ADDRESS MEMBERS - builds and installs Dunlin on this machine and makes it a
# member of the cluster: m1 starts it and writes the tokens with which m2, m3... join.
set -eu

source_dir=$1
address=$2
members=$3
name=$(hostname)
tokens=$source_dir/vagrant/.vagrant/tokens
build=/var/tmp/dunlin
token_wait_seconds=1800

install_dunlin() {
	# Each machine builds its own copy: the sources are shared, objects must not be.
	rm -rf "$build"
	mkdir -p "$build"
	tar -C "$source_dir" --exclude=./build --exclude=./.git --exclude=.vagrant \
		-cf "$build.tar" .
	tar -C "$build" -xf "$build.tar"
	rm "$build.tar"
	"$build/tests/lib/deps.sh" build run
	make -C "$build" -j"$(nproc)" install PREFIX=/usr
	systemctl daemon-reload
	systemctl enable dunlind
	systemctl restart dunlind
}

start_cluster() {
	dunlind init --preseed - <<END
config:
  core.https_address: $address:8443
storage_pools:
- name: default
  driver: overlay
networks:
- name: dunlinnet0
  type: overlay
  config:
    ipv4.address: 10.80.0.1/16
profiles:
- name: default
  devices:
    root: {type: disk, path: /, pool: default}
    eth0: {type: nic, name: eth0, network: dunlinnet0}
END
	dunlin cluster enable "$name"
}

# A token is good for one join and one name, so a rerun makes new ones for those who lack.
write_tokens() {
	mkdir -p "$tokens"
	for n in $(seq 2 "$members"); do
		if ! is_member "m$n"; then
			dunlin cluster add "m$n" --quiet | tail -n 1 >"$tokens/m$n.new"
			mv "$tokens/m$n.new" "$tokens/m$n"
		fi
	done
}

join_cluster() {
	# Some providers start all machines at once; m1 may still be compiling.
	waited=0
	until [ -s "$tokens/$name" ]; do
		[ $waited -lt $token_wait_seconds ] || {
			echo "no token from m1 in $tokens: look at m1's provisioning" >&2
			exit 1
		}
		sleep 5
		waited=$((waited + 5))
	done
	dunlind init --join "$(cat "$tokens/$name")" --network-address "$address"
	rm "$tokens/$name"
}

is_member() {
	dunlin cluster list --format csv 2>/dev/null | grep -q "^$1,"
}

# A single host lists itself as a cluster of one, so neither test asks for the own name.
install_dunlin
if [ "$name" = m1 ]; then
	[ "$(dunlin config get core.https_address)" = "$address:8443" ] || start_cluster
	write_tokens
else
	is_member m1 || join_cluster
fi
dunlin cluster list
