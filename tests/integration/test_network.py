# SPDX-License-Identifier: Apache-2.0
"""Addresses, names and forwarding entries of containers on an overlay network."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster import ROOT, CommandError, run, wait_for

GATEWAY = "10.87.0.1"


@pytest.fixture
def neighbour(cluster):
    """neighbour(address, member): a namespace on the containers' network; returns its name."""
    made = []

    def start(address, member, network="tnet"):
        made.append(cluster.client_netns(cluster[member], network, address, name=f"nb{len(made)}"))
        return made[-1]
    yield start
    for netns in made:
        run("ip", "netns", "del", netns, check=False)


def ping(netns, address, seconds=2):
    return run("ip", "netns", "exec", netns, "ping", "-c", 1, "-W", seconds, address, check=False).returncode == 0


def entries(member, mac):
    """What the members' VXLAN device knows of a hardware address."""
    out = run("ip", "netns", "exec", member.netns, "bridge", "fdb", "show").stdout
    return [line for line in out.splitlines() if mac in line and " dst " in line]


def mac_of(cluster, name):
    return cluster[0].instance(name)["config"]["volatile.eth0.hwaddr"]


def test_a_restarted_member_follows_moves(cluster, launch, neighbour):
    """It has seen nothing of where the container was before."""
    name = launch("wander", "--target", "m1")
    address, watcher = cluster[0].address_of(name), cluster[2]
    netns = neighbour("10.87.250.1/16", 2)
    wait_for("the container", lambda: ping(netns, address))
    for target in ("m2", "m1"):
        cluster.restart(watcher)
        wait_for("its entry", lambda: entries(watcher, mac_of(cluster, name)))
        cluster[0].cli("move", name, "--target", target)
        to = next(m for m in cluster.members if m.name == target).ip
        mac = mac_of(cluster, name)
        wait_for("the entry to follow", lambda: [e for e in entries(watcher, mac) if f"dst {to} " in e])
        assert ping(netns, address, 5)


def test_entries_come_back_with_a_new_port(cluster, launch):
    """A member whose VXLAN port had to be made anew knows again where the others' containers are."""
    name = launch("anchored", "--target", "m1")
    watcher = cluster[2]
    mac = mac_of(cluster, name)
    port = wait_for("its entry", lambda: entries(watcher, mac))[0].split()[2]
    run("ip", "-n", watcher.netns, "link", "del", port)
    cluster[0].cli("network", "set", "tnet", "bridge.mtu", "1400")
    try:
        wait_for("its entry", lambda: entries(watcher, mac))
    finally:
        cluster[0].cli("network", "unset", "tnet", "bridge.mtu")


def test_a_freed_address_rests(cluster, launch):
    """Neighbours still know its former owner."""
    first = launch("rest1")
    address = cluster[0].address_of(first)
    cluster[0].cli("delete", "--force", first)
    assert cluster[0].address_of(launch("rest2")) != address


def test_a_reused_address_is_reached_at_once(cluster, launch, neighbour):
    """In a network of one address there is no other to give out: those who know its former owner are told."""
    cluster[0].cli("network", "create", "tiny", "--type", "overlay", "ipv4.address=10.98.0.1/24",
                   "ipv4.dhcp.ranges=10.98.0.50-10.98.0.50")
    try:
        netns = neighbour("10.98.0.9/24", 2, "tiny")
        macs = set()
        for member in ("m1", "m2", "m1"):
            name = launch(f"reuse-{len(macs)}", "--network", "tiny", "--target", member)
            macs.add(mac_of(cluster, name))
            assert ping(netns, "10.98.0.50", 2)
            cluster[0].cli("delete", "--force", name)
            # Who gives out the only address next has to know that it is free.
            for m in cluster.members:
                wait_for(f"{name} to be gone for {m.name}",
                         lambda m=m: m.request("GET", f"/1.0/instances/{name}")[0] == 404)
        assert len(macs) == 3
        run("ip", "netns", "del", netns)
    finally:
        cluster[0].cli("network", "delete", "tiny", check=False)


def refused(cluster, words, *args):
    with pytest.raises(CommandError) as e:
        cluster[0].cli(*args)
    for word in words:
        assert word in e.value.result.stderr


def test_a_running_container_keeps_its_address(cluster, launch):
    name = launch("fixed1")
    m = cluster[0]
    before = m.address_of(name)
    m.cli("config", "device", "override", name, "eth0", "ipv4.address=10.87.77.7")
    others = [launch(f"fixed{i}") for i in range(2, 5)]
    assert m.address_of(name) == before
    taken = [m.address_of(o) for o in others]
    assert before not in taken and "10.87.77.7" not in taken
    # It counts as taken while it waits, and so does what is still in use.
    refused(cluster, [name, "10.87.77.7"], "config", "device", "override", others[0], "eth0", "ipv4.address=10.87.77.7")
    refused(cluster, [name, before], "config", "device", "override", others[0], "eth0", f"ipv4.address={before}")
    # Its name follows what it answers at.
    m.cli("move", name, "--target", "m2" if m.instance(name)["location"] != "m2" else "m3")
    assert m.address_of(name) == before
    m.cli("restart", "--force", name)
    assert m.address_of(name) == "10.87.77.7"
    m.cli("config", "device", "set", others[0], "eth0", "ipv4.address", before, check=False)
    m.cli("stop", "--force", name)
    refused(cluster, [name, "10.87.77.7"], "config", "device", "override", others[1], "eth0", "ipv4.address=10.87.77.7")


def test_a_nic_that_is_out_frees_its_address(cluster, launch):
    name = launch("unplug1")
    m = cluster[0]
    m.cli("config", "device", "add", name, "eth1", "nic", "network=tnet", "name=eth1", "ipv4.address=10.87.78.8")
    assert m.address_of(name, "eth1") == "10.87.78.8"
    other = launch("unplug2")
    refused(cluster, [name], "config", "device", "override", other, "eth0", "ipv4.address=10.87.78.8")
    m.cli("config", "device", "remove", name, "eth1")
    m.cli("config", "device", "override", other, "eth0", "ipv4.address=10.87.78.8")


def test_second_nic_does_not_get_the_first_ones_address(cluster, launch):
    name = launch("twin")
    first = cluster[0].address_of(name)
    refused(cluster, ["eth0", first], "config", "device", "add", name, "eth1", "nic", "network=tnet", "name=eth1",
            f"ipv4.address={first}")


@pytest.mark.parametrize("address", ["10.87.0.0", GATEWAY, "10.87.255.255", "10.88.0.5"])
def test_impossible_addresses_are_refused_when_set(cluster, launch, address):
    name = launch("odd")
    refused(cluster, [address], "config", "device", "override", name, "eth0", f"ipv4.address={address}")
    refused(cluster, [address], "profile", "device", "set", "default", "eth0", f"ipv4.address={address}")


def test_a_profile_cannot_give_one_address_to_two(cluster, launch):
    launch("shared1"), launch("shared2")
    refused(cluster, ["shared"], "profile", "device", "set", "default", "eth0", "ipv4.address=10.87.79.9")


def test_two_members_give_one_hardware_address_once(cluster):
    """At the same time, to two instances."""
    names = ["mac1", "mac2"]
    for i, name in enumerate(names):
        cluster[0].cli("init", "test", name, "--target", "m1")
        cluster[0].cli("config", "device", "override", name, "eth0", f"ipv4.address=10.87.60.{i + 1}")
    try:
        for k in range(6):
            def take(i, mac=f"00:16:3e:77:00:0{k}"):
                return cluster[i].cli("config", "device", "set", names[i], "eth0", "hwaddr", mac, check=False)
            with ThreadPoolExecutor(2) as pool:
                results = list(pool.map(take, (0, 1)))
            assert sorted(r.returncode for r in results) == [0, 1]
            assert "mac" in next(r.stderr for r in results if r.returncode)
    finally:
        for name in names:
            cluster[0].cli("delete", name)


UDHCPC = ("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "1", "-s", "/bin/true")


def asked_by_dhcp(cluster, name, *args):
    """What a container's client says it was given."""
    return cluster[0].cli("exec", name, "--", *UDHCPC, *args).stderr


def test_dhcp_has_no_addresses_of_its_own(cluster, launch, neighbour):
    """Each member's server would give out what the others', or the cluster, give to somebody else."""
    name = launch("asker", "--target", "m1")
    address, wanted = cluster[0].address_of(name), "10.87.99.9"
    assert f"lease of {address} obtained" in asked_by_dhcp(cluster, name, "-r", wanted)
    for member in (0, 1):
        netns = neighbour(f"10.87.252.{member + 1}/16", member)
        strange = run("ip", "netns", "exec", netns, *UDHCPC, "-t", "2", "-r", wanted, check=False)
        assert strange.returncode != 0 and "no lease" in strange.stderr


def test_dhcp_knows_the_new_owner_of_an_address(cluster, launch):
    """Though the lease of the former one has not ended."""
    cluster[0].cli("network", "create", "single", "--type", "overlay", "ipv4.address=10.95.0.1/24",
                   "ipv4.dhcp.ranges=10.95.0.50-10.95.0.50")
    try:
        for i in range(2):
            name = launch(f"tenant-{i}", "--network", "single", "--target", "m1")
            assert "lease of 10.95.0.50 obtained" in asked_by_dhcp(cluster, name)
            cluster[0].cli("delete", "--force", name)
    finally:
        cluster[0].cli("network", "delete", "single", check=False)


def resolve(netns, what):
    return run("ip", "netns", "exec", netns, sys.executable, ROOT / "tests/lib/dns.py", GATEWAY, what).stdout.split()


def test_a_server_that_died_comes_back(cluster, launch, neighbour):
    """With the next container of its network."""
    m = cluster[2]
    netns = neighbour("10.87.253.1/16", 2)
    os.kill(int((m.dir / "networks/tnet/dnsmasq.pid").read_text()), signal.SIGKILL)
    name = launch("reviver", "--target", "m1")
    address = cluster[0].address_of(name)

    def is_answered():
        try:
            return resolve(netns, name) == [address]
        except CommandError:
            return False
    wait_for("its name", is_answered)


def test_names_resolve_on_every_member(cluster, launch, neighbour):
    names = [launch(f"named{i}", "--target", f"m{i}") for i in (1, 2, 3)]
    domain = "lxd"
    spaces = [neighbour(f"10.87.251.20{i}/16", i) for i in range(3)]
    for name in names:
        address = cluster[0].address_of(name)
        for netns in spaces:
            for asked in (name, f"{name}.{domain}"):
                wait_for(f"{asked} on {netns}", lambda: resolve(netns, asked) == [address])
            wait_for(f"{address} on {netns}", lambda: resolve(netns, address) == [f"{name}.{domain}"])
    m = cluster[0]
    gone = m.address_of(names[0])
    # It has made no DHCP request: its address was there before.
    assert gone in m.cli("exec", names[2], "--", "nslookup", f"{names[0]}.{domain}").stdout
    m.cli("stop", "--force", names[0])
    m.cli("rename", names[0], "renamed")
    m.cli("delete", "--force", names[1])
    try:
        for netns in spaces:
            wait_for("the new name", lambda: resolve(netns, "renamed.lxd") == [gone])
            wait_for("the end of the old names",
                     lambda: resolve(netns, f"{names[0]}.lxd") == [] == resolve(netns, f"{names[1]}.lxd"))
        m.cli("network", "set", "tnet", "dns.domain", "example.net")
        for netns in spaces:
            wait_for("the other domain", lambda: resolve(netns, f"{names[2]}.example.net") != [])
    finally:
        m.cli("network", "unset", "tnet", "dns.domain", check=False)
        m.cli("delete", "--force", "renamed", check=False)

