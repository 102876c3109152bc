# SPDX-License-Identifier: Apache-2.0
"""A member that is removed, or cannot tell who it is, keeps what it has, and says what is the matter."""

import json
import shutil
import subprocess

import pytest

from certificate import Certificate
from cluster import run, wait_for


def members(m):
    return {x["server_name"]: x for x in m.api("GET", "/1.0/cluster/members?recursion=1")}


def is_removed(m):
    return m.api("GET", "/1.0")["environment"]["dunlin_removed"]


def volume(m, name):
    return m.dir / "storage-pools/default/containers" / name


class Impostor:
    """Somebody who answers at all other members' addresses as one member sees them, with a certificate of his own."""

    def __init__(self, member):
        self.member = member
        cert = Certificate(member.cluster.dir / "impostor", "impostor")
        self.server = subprocess.Popen(
            member.in_netns("openssl", "s_server", "-accept", "127.0.0.1:9443", "-cert", cert.crt, "-key", cert.key,
                            "-tls1_3", "-quiet"),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.nft("add", "table", "ip", "spoof")
        self.nft("add", "chain", "ip", "spoof", "out", "{ type nat hook output priority -100; policy accept; }")
        for m in member.cluster.members:
            if m is not member:
                self.nft("add", "rule", "ip", "spoof", "out", "ip", "daddr", m.ip, "tcp", "dport", "8443", "dnat", "to",
                         "127.0.0.1:9443")
        run(*member.in_netns("ss", "-K", "dport", "=", "8443"), check=False)
        run(*member.in_netns("ss", "-K", "sport", "=", "8443"), check=False)

    def nft(self, *args):
        run(*self.member.in_netns("nft", *args))

    def end(self):
        self.nft("delete", "table", "ip", "spoof")
        self.server.kill()
        self.server.wait()


def test_unproved_refusals_change_nothing(cluster):
    """Longer than any member waits for another: whoever cannot prove who he is, decides nothing."""
    m = next(m for m in cluster.members if "database-leader" not in members(cluster[0])[m.name]["roles"])
    mark = m.log.stat().st_size
    impostor = Impostor(m)
    try:
        wait_for("an island", lambda: m.api("GET", "/1.0")["environment"]["dunlin_island"])
        with pytest.raises(TimeoutError):
            wait_for("harm", lambda: "removed" in m.log_since(mark) or not any((m.dir / "database").iterdir()), 13)
    finally:
        impostor.end()
    cluster.settle()
    assert not is_removed(m) and not json.loads((m.dir / "member.json").read_text())["removed"]


def refuses_to_start(m, *words):
    mark = m.log.stat().st_size
    m.start(wait=False)
    m.wait_gone()
    said = m.log_since(mark)
    assert all(w in said for w in (*words, "member.json", "backup")), said


@pytest.mark.parametrize("damage", ["missing", "empty", "cut off", "without a role", "a folder"])
def test_who_does_not_know_himself_does_not_start(cluster, damage):
    m, path = cluster[2], cluster[2].dir / "member.json"
    cluster[0].cli("launch", "test", "kept", "--target", "m3")
    init = m.state("kept")["pid"]
    m.kill()
    whole = path.read_text()
    files = sorted(p for p in m.dir.rglob("*") if "replica" not in p.name and "rootfs" not in str(p))
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        fields = {**json.loads(whole)}
        fields.pop("raft_id")
        path.write_text({"empty": "", "cut off": whole[:40]}.get(damage, json.dumps(fields)))
    try:
        refuses_to_start(m, *(["is missing"] if damage == "missing" else []))
        assert not path.exists() if damage == "missing" else path.exists()
    finally:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.write_text(whole)
        m.start()
    assert not [p for p in files if not p.exists() and p.parent.name not in ("database", "fd")]
    cluster.settle()
    assert m.state("kept")["pid"] == init
    m.cli("delete", "--force", "kept")


def test_removed_member_keeps_all_and_can_join_again(own_cluster):
    c = own_cluster
    a, m = c[0], c[2]
    for name in ("runs", "stopped"):
        a.cli("launch", "test", name, "--target", "m3")
    m.cli("stop", "--force", "stopped")
    m.cli("exec", "runs", "--", "sh", "-c", "echo precious >/root/file; sync")
    init = m.state("runs")["pid"]
    a.cli("cluster", "remove", "m3", "--force", "--yes")
    wait_for("it hears of it", lambda: is_removed(m))
    row = members(m)["m3"]
    assert row["status"] == "Removed" and "join" in row["message"]
    assert "REMOVED" in m.cli("cluster", "list").stdout
    status, _, raw = m.request("POST", "/1.0/profiles", {"name": "p"}, timeout=10)
    assert status == 403 and "removed from its cluster" in json.loads(raw)["error"]

    def nothing_lost():
        assert all(volume(m, n).is_dir() and (m.dir / "containers" / n).is_dir() for n in ("runs", "stopped"))
        assert any((m.dir / d).is_dir() and any((m.dir / d).iterdir()) for d in ("database", "database.old"))
        assert run("nsenter", "-t", init, "-r", "-m", "cat", "/root/file").stdout == "precious\n"
        assert list((m.dir / "images").glob("?" * 64))
    nothing_lost()
    m.kill()
    m.start()
    assert is_removed(m)
    nothing_lost()
    m.join(a)
    c.settle()
    assert not is_removed(m) and "runs" not in str(a.api("GET", "/1.0/instances"))
    nothing_lost()
    mark = m.log.stat().st_size
    m.kill()
    m.start()
    wait_for("it says what is left", lambda: "volume of no known instance" in m.log_since(mark))
    nothing_lost()
    r = a.cli("launch", "test", "stopped", "--target", "m3", check=False)
    assert r.returncode == 1 and "earlier instance" in r.stderr
    nothing_lost()
    a.cli("launch", "test", "stopped", "--target", "m2")
    r = a.cli("move", "stopped", "--target", "m3", check=False)
    assert r.returncode == 1 and "earlier instance" in r.stderr and a.instance("stopped")["location"] == "m2"
    nothing_lost()
    a.cli("launch", "test", "new", "--target", "m3")
    run("kill", "-9", init)


def test_removed_while_away(own_cluster):
    """Nobody tells it, so it asks; also when all that it knows of the cluster has been renewed meanwhile."""
    c = own_cluster
    a, m = c[0], c[2]
    m.kill()
    wait_for("it is missed", lambda: members(a)["m3"]["status"] == "Offline")
    a.cli("config", "trust", "add", "--name", "laptop")
    a.cli("cluster", "add", "m9")
    assert "2 unused tokens" in a.cli("cluster", "remove", "m3", "--force", "--yes").stdout
    assert "token" not in json.dumps(a.api("GET", "/1.0/operations?recursion=1"))
    m.start()
    wait_for("it hears of it", lambda: is_removed(m))
    assert any((m.dir / "database").iterdir())


def test_another_server_certificate_is_no_removal(own_cluster):
    """The others do not know it, and say so; the member itself can tell why."""
    m = own_cluster[2]
    m.shutdown()
    old = {end: (m.dir / f"server.{end}").read_bytes() for end in ("crt", "key")}
    other = Certificate(own_cluster.dir / "other", "m3")
    for end in old:
        (m.dir / f"server.{end}").write_bytes(getattr(other, end).read_bytes())
    mark = m.log.stat().st_size
    m.start()
    wait_for("a word of it", lambda: "refused by a member" in m.log_since(mark) or is_removed(m))
    assert not is_removed(m) and "put the old server.crt" in m.log_since(mark)
    m.kill()
    for end, content in old.items():
        (m.dir / f"server.{end}").write_bytes(content)
    m.start()
    own_cluster.settle()
    m.cli("profile", "create", "after")
