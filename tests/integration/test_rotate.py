# SPDX-License-Identifier: Apache-2.0
"""What a removed member knew of the cluster's certificate is worth nothing afterwards."""

import json
import subprocess

import pytest

from certificate import Certificate
from cluster import run, wait_for


def shown(m, at=None):
    """The fingerprint of the certificate that a member shows to clients."""
    hello = run(*m.in_netns("openssl", "s_client", "-connect", (at or m).address), stdin=subprocess.DEVNULL,
                check=False).stdout
    if "BEGIN CERTIFICATE" not in hello:
        return None
    out = run("openssl", "x509", "-noout", "-fingerprint", "-sha256", input=hello).stdout
    return out.split("=")[1].strip().replace(":", "").lower()


def said(m):
    return m.api("GET", "/1.0")["environment"]["certificate_fingerprint"]


def pair(m):
    return (m.dir / "cluster.crt").read_text(), (m.dir / "cluster.key").read_text()


def is_whole(m):
    """The key is the certificate's."""
    return run("openssl", "x509", "-in", m.dir / "cluster.crt", "-noout", "-pubkey").stdout == \
        run("openssl", "pkey", "-in", m.dir / "cluster.key", "-pubout").stdout


def all_show(members, fingerprint):
    return all(shown(m) == said(m) == fingerprint and is_whole(m) for m in members)


def remote(m, *args, **kw):
    return run(*m.in_netns(m.cluster.dunlin, *args), env=m.env(DUNLIN_CONF=str(m.cluster.dir / "elsewhere")), **kw)


class Server:
    """A TLS server with a given pair, at a port of a member's address."""

    def __init__(self, m, crt, key, port):
        self.address = f"{m.ip}:{port}"
        self.process = subprocess.Popen(
            m.in_netns("openssl", "s_server", "-accept", self.address, "-cert", crt, "-key", key, "-tls1_3", "-www"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("a server", lambda: f":{port} " in run(*m.in_netns("ss", "-Hlnt")).stdout)

    def end(self):
        self.process.kill()
        self.process.wait()


def test_removed_member_has_nothing_that_counts(own_cluster):
    c = own_cluster
    a, b, gone = c.members
    old = said(a)
    assert all_show(c.members, old)
    token = a.cli("config", "trust", "add", "--name", "laptop", "--quiet").stdout.split()[-1]
    remote(b, "remote", "add", "here", token)
    remote(b, "remote", "add", "other", a.address, "--accept-certificate")
    a.cli("launch", "test", "stays")
    out = a.cli("cluster", "remove", "m3").stdout
    new = said(a)
    assert new != old and new in out and "remote accept" in out
    assert all_show([a, b], new) and pair(a) == pair(b) and pair(gone) != pair(a)
    for m in (a, b):
        assert b"PRIVATE KEY" not in (m.dir / "replica.db").read_bytes()

    r = remote(b, "list", "here:", check=False)
    assert r.returncode == 1 and all(w in r.stderr for w in ('"here"', old, new, "dunlin remote accept here"))
    assert new in remote(b, "remote", "accept", "here", "--accept-certificate").stdout
    assert "stays" in remote(b, "list", "here:").stdout
    assert remote(b, "list", "other:", check=False).returncode == 1

    false = Server(gone, gone.dir / "cluster.crt", gone.dir / "cluster.key", 9443)
    try:
        conf = c.dir / "elsewhere/config.json"
        known = json.loads(conf.read_text())
        known["remotes"]["here"]["addr"] = false.address
        conf.write_text(json.dumps(known))
        r = remote(b, "list", "here:", check=False)
        assert r.returncode == 1 and old in r.stderr and new in r.stderr
    finally:
        false.end()
    status, _ = Certificate(c.dir / "x").curl(gone, "/internal/cluster/certificate", at=a)
    assert status == 403
    own = [*gone.in_netns("curl", "-sk", "--cert", gone.dir / "server.crt", "--key", gone.dir / "server.key")]
    assert '"error_code":403' in run(*own, f"https://{a.address}/internal/cluster/certificate").stdout.replace(" ", "")

    b.cli("exec", "stays", "--", "true")
    a.cli("move", "stays", "--target", "m2")
    gone.join(a)
    c.settle()
    wait_for("all show one", lambda: all_show(c.members, new))
    b.cli("delete", "--force", "stays")


def test_member_that_was_away_catches_up(own_cluster):
    """Then it goes, too: the last one is rid of what the others knew."""
    c = own_cluster
    a, b, gone = c.members
    old = said(a)
    b.kill()
    wait_for("it is missed", lambda: a.api("GET", "/1.0/cluster/members/m2")["status"] == "Offline")
    a.cli("cluster", "remove", "m3")
    new = said(a)
    assert new != old and all_show([a], new)
    b.start()
    wait_for("it shows the new one", lambda: all_show([b], new))
    assert pair(a) == pair(b)
    b.kill()
    a.cli("cluster", "remove", "m2", "--force", "--yes")
    assert said(a) not in (old, new) and all_show([a], said(a)) and pair(a) != pair(b)
    a.kill()
    a.start()
    assert all_show([a], said(a)) and said(a) not in (old, new)


@pytest.mark.parametrize("point", ["rotate_after_stage", "rotate_after_commit"])
def test_killed_on_the_way(own_cluster, point):
    c = own_cluster
    a, b, gone = c.members
    old = said(a)
    for m in (a, b):
        c.restart(m, DUNLIN_FAULT=f"{point}=crash")
    removing = subprocess.Popen(b.in_netns(c.dunlin, "cluster", "remove", "m3"), env=b.env(),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    died = wait_for("one dies", lambda: [m for m in (a, b) if not m.running()], 90)
    assert all(is_whole(m) for m in (a, b))
    for m in died:
        m.start()
    removing.wait(120)

    def done():
        up = [m for m in (a, b) if m.running() or m.start()]
        return said(a) != old and all_show(up, said(a))
    wait_for("both show the new one", done)
    assert pair(a) == pair(b) and not list(a.dir.glob("cluster.next.*")) and not list(b.dir.glob("cluster.next.*"))
    assert pair(gone) != pair(a)
    a.cli("launch", "test", "works")


def put_pair(m, name, pair):
    for end in ("crt", "key"):
        (m.dir / f"{name}.{end}").write_bytes(getattr(pair, end).read_bytes())


def test_an_expired_certificate_of_a_server_is_renewed(single):
    m = single
    m.verb("init", "--auto", "--network-address", m.ip)
    token = m.cli("config", "trust", "add", "--name", "laptop", "--quiet").stdout.split()[-1]
    remote(m, "remote", "add", "here", token)
    m.shutdown()
    old = Certificate(m.dir / "old", "m1", seconds=-10)
    put_pair(m, "server", old)
    started = m.log.stat().st_size
    m.start()
    new = wait_for("another certificate", lambda: shown(m) not in (None, old.fingerprint) and shown(m))
    assert said(m) == new
    assert "has expired" in m.log_since(started) and "remote accept" in m.log_since(started)
    remote(m, "remote", "accept", "here", "--accept-certificate")
    assert remote(m, "list", "here:").returncode == 0
    expired = Certificate(m.dir / "client", "client", seconds=-10)
    r = m.cli("config", "trust", "add", expired.crt, check=False)
    assert r.returncode == 1 and "expired" in r.stderr


def test_a_renewal_that_was_cut_off_is_finished(single):
    """The key is in its place and the certificate is not: together they would serve nobody."""
    m = single
    m.verb("init", "--auto", "--network-address", m.ip)
    m.shutdown()
    new = Certificate(m.dir / "new", "m1", seconds=90 * 86400)
    (m.dir / "server.key").write_bytes(new.key.read_bytes())
    (m.dir / "server.next.crt").write_bytes(new.crt.read_bytes())
    m.start()
    assert shown(m) == said(m) == new.fingerprint and not (m.dir / "server.next.crt").exists()


def test_an_expired_certificate_of_a_cluster_is_replaced(own_cluster):
    c = own_cluster
    old = Certificate(c.dir / "old", "dunlin-cluster", seconds=-10)
    for m in c.members:
        m.shutdown()
    for m in c.members:
        put_pair(m, "cluster", old)
    c.members[0].start(wait=False)
    c.members[1].start(wait=False)
    c.members[2].start()
    c.settle()
    new = wait_for("another certificate", lambda: said(c[0]) != old.fingerprint and said(c[0]))
    wait_for("all to show it", lambda: all_show(c.members, new))
    c[2].cli("profile", "create", "after")
    assert "after" in c[1].cli("profile", "list").stdout


def test_a_certificate_of_tomorrow_stops_nothing(single):
    """The clock of a host that boots may be wrong for a while."""
    m = single
    m.verb("init", "--auto", "--network-address", m.ip)
    m.shutdown()
    later = Certificate(m.dir / "later", "m1", seconds=90 * 86400, begins=3600)
    put_pair(m, "server", later)
    started = m.log.stat().st_size
    m.start()
    wait_for("a word of it", lambda: "not valid yet" in m.log_since(started))
    assert shown(m) == said(m) == later.fingerprint
