# SPDX-License-Identifier: Apache-2.0
"""What becomes of connections that a member translates when a container moves."""

import select
import subprocess
import sys

import pytest

from cluster import run, wait_for
from moves import move

def said(stream):
    """The next line of a process that says one at a time."""
    assert select.select([stream], [], [], 60)[0], "nothing was said"
    return stream.readline()


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
