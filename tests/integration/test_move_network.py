# SPDX-License-Identifier: Apache-2.0
"""What the network sees of a live move: nothing but a silence, however long."""

import select
import signal
import subprocess
import sys

import pytest

from cluster import run, wait_for
from moves import Held, move

DATAGRAMS = 50
# Sends them all, says so, and then waits for their echoes.
ASK = f"""
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(60)
s.connect((sys.argv[1], 7002))
s.send(b"-1")
assert s.recv(64) == b"-1"
print("there", flush=True)
input()
for i in range({DATAGRAMS}):
    s.send(str(i).encode())
print("sent", flush=True)
print([int(s.recv(64)) for i in range({DATAGRAMS})] == list(range({DATAGRAMS})), flush=True)
"""


def said(stream):
    """The next line of a process that says one at a time."""
    assert select.select([stream], [], [], 60)[0], "nothing was said"
    return stream.readline()


class Datagrams:
    """Whether an echo server in a container gets what was sent to it, in its order."""

    def __init__(self, netns, address):
        self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", sys.executable, "-c", ASK, address],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert said(self.process.stdout) == "there\n"

    def send(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert said(self.process.stdout) == "sent\n"

    def arrived(self):
        return self.process.communicate(timeout=90)[0] == "True\n"

    def end(self):
        self.process.kill()
        self.process.wait()


def stand_ins(cluster):
    """Interfaces that stand in for those of a container."""
    return [line for m in cluster.members
            for line in run("ip", "-n", m.netns, "-o", "link", "show", "type", "tun").stdout.splitlines()]


@pytest.mark.parametrize("end, where", [(signal.SIGCONT, "m2"), (signal.SIGKILL, "m1")], ids=["moved", "given-up"])
def test_peers_do_not_notice_how_long_it_took(cluster, launch, client, end, where):
    """What they send meanwhile is answered when the container goes on, not when they send it again."""
    name = launch("steady", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c",
                   "ip addr add fd87::5/64 dev eth0; /sbin/init echo 7002 </dev/null >/dev/null 2>&1 &")
    v4 = cluster[0].address_of(name)
    peers = [client(v4, 120, member=0, program="backoff.py")]
    datagrams = Datagrams(peers[0].netns, v4)
    try:
        for member in (1, 2):
            peers.append(client("fd87::5", 120, member=member, program="backoff.py", own=f"fd87::{member + 8}/64"))
        held = Held(cluster, name)
        assert [said(p.process.stderr) for p in peers] == ["silent\n"] * 3
        datagrams.send()
        assert stand_ins(cluster)
        result = held.end(end)
        assert datagrams.arrived()
    finally:
        datagrams.end()
    assert result.returncode == (0 if where == "m2" else 1), result.stderr
    for told in (p.finish() for p in peers):
        assert (told["error"], told["again"], told["backoff"], told["asked"]) == ("", 0, 0, 0), told
    cluster[0].shows(name, location=where)
    assert "1" in cluster[0].cli("exec", name, "--", "cat", "/proc/sys/net/ipv6/conf/eth0/accept_dad").stdout
    wait_for("no stand-in", lambda: stand_ins(cluster) == [])


LISTEN = """
import socket
s = socket.create_server(("", 7003))
print("listens", flush=True)
c, peer = s.accept()
print(peer[0], c.recv(64).decode().strip(), flush=True)
input()
try:
    while c.send(b"still there?") and c.recv(64):
        pass
    print("closed", flush=True)
except ConnectionError as e:
    print(type(e).__name__, flush=True)
"""


@pytest.fixture
def outside(cluster):
    """A host that knows nothing of the containers' network: (address, a process that listens there)."""
    netns, address = f"{cluster.name}-out", f"{cluster.subnet}.200"
    cluster[0].api("PATCH", "/1.0/networks/tnet", {"config": {"ipv4.nat": "true"}})
    for m in cluster.members:
        wait_for("its rules", lambda m=m: "masquerade" in run(*m.in_netns("nft", "list", "ruleset")).stdout)
    cluster.plug_netns(netns, "out", f"{address}/24")
    process = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", sys.executable, "-c", LISTEN],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert said(process.stdout) == "listens\n"
    yield address, process
    process.kill()
    process.wait()
    run("ip", "netns", "del", netns)
    cluster[0].api("PATCH", "/1.0/networks/tnet", {"config": {"ipv4.nat": "false"}})


def translated(cluster, member, address):
    table = run(*member.in_netns("cat", "/proc/net/nf_conntrack")).stdout
    return [line for line in table.splitlines() if f"src={address} " in line and "dport=7003" in line]


def test_a_translated_connection_ends_and_leaves_nothing(cluster, launch, outside):
    """Its peer knows it by the address of the member."""
    name = launch("caller", "--target", "m1")
    own = cluster[0].address_of(name)
    address, peer = outside
    cluster[0].cli("exec", name, "--", "sh", "-c", f"(echo hello; sleep 100) | nc {address} 7003 >/dev/null 2>&1 &")
    assert said(peer.stdout) == f"{cluster[0].ip} hello\n"
    assert translated(cluster, cluster[0], own)
    plan = cluster[2].cli("move", name, "--target", "m2", "--dry-run").stdout
    assert "note: 1 connection to outside of its networks is translated to an address of m1" in plan
    assert move(cluster[2], name, "m2").returncode == 0
    assert translated(cluster, cluster[0], own) == []
    out, _ = peer.communicate("go\n", timeout=60)
    assert out == "ConnectionResetError\n"
