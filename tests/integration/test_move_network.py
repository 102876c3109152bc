# SPDX-License-Identifier: Apache-2.0
"""What the network sees of a live move: nothing but a silence, however long."""

import signal
import subprocess
import sys

import pytest

from cluster import run, wait_for
from moves import Held

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


class Datagrams:
    """Whether an echo server in a container gets what was sent to it, in its order."""

    def __init__(self, netns, address):
        self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", sys.executable, "-c", ASK, address],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "there\n"

    def send(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "sent\n"

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
        datagrams.send()
        assert [p.process.stderr.readline() for p in peers] == ["silent\n"] * 3
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
