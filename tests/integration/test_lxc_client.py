# SPDX-License-Identifier: Apache-2.0
"""Debian's stock lxc client, over the unix socket and as a TLS remote, does what it does with LXD."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from cluster import run, wait_for

pytestmark = pytest.mark.skipif(shutil.which("lxc") is None, reason="this suite has no lxd-client package")


@pytest.fixture(scope="module")
def box(cluster):
    """A running container made by the stock client."""
    cluster[0].lxc("launch", "test", "box", "--target", "m1")
    yield "box"
    cluster[0].lxc("delete", "-f", "box", check=False)


def test_launch_anywhere_and_list(cluster):
    m = cluster[1]
    m.lxc("launch", "test", "any")
    out = m.lxc("list", "any", "-f", "csv", "-c", "ns").stdout.strip()
    assert out == "any,RUNNING"
    table = cluster[2].lxc("list").stdout
    assert "LOCATION" in table and "any" in table
    wait_for("its address", lambda: "10.87." in cluster[2].lxc("list", "any").stdout)
    m.lxc("delete", "-f", "any")


def test_info_and_config(cluster, box):
    m = cluster[2]
    out = m.lxc("info", box).stdout
    assert "Status: RUNNING" in out and "Location: m1" in out
    m.lxc("config", "set", box, "user.a", "b")
    assert m.lxc("config", "get", box, "user.a").stdout == "b\n"
    assert "user.a: b" in m.lxc("config", "show", box).stdout
    m.lxc("config", "unset", box, "user.a")
    assert "server_name: m3" in m.lxc("info").stdout


@pytest.mark.parametrize("member", [0, 1])
def test_exec(cluster, box, terminal, member):
    m = cluster[member]
    r = m.lxc("exec", box, "--", "sh", "-c", "echo out; echo err >&2; exit 5", check=False)
    assert (r.returncode, r.stdout, r.stderr) == (5, "out\n", "err\n")
    assert m.lxc("exec", box, "--", "cat", input="in\n").stdout == "in\n"
    t = terminal(m, "lxc", "exec", box, "--", "sh", "-c", "tty; stty size", rows=31, columns=99)
    t.expect("/dev/pts/")
    t.expect("31 99")
    assert t.finish() == 0


def test_files(cluster, box, tmp_path):
    m = cluster[1]
    (tmp_path / "a").write_text("content\n")
    m.lxc("file", "push", tmp_path / "a", f"{box}/root/a")
    m.lxc("file", "pull", f"{box}/root/a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "content\n"
    (tmp_path / "tree/x").mkdir(parents=True)
    (tmp_path / "tree/x/f").write_text("deep")
    m.lxc("file", "push", "-r", tmp_path / "tree", f"{box}/root")
    m.lxc("file", "pull", "-r", f"{box}/root/tree", tmp_path / "back")
    assert (tmp_path / "back/tree/x/f").read_text() == "deep"
    m.lxc("file", "delete", f"{box}/root/a")


def test_states(cluster, box):
    m = cluster[1]
    m.lxc("pause", box)
    assert "FROZEN" in m.lxc("list", box).stdout
    m.lxc("start", box)
    m.lxc("restart", box)
    m.lxc("stop", box)
    assert "STOPPED" in m.lxc("list", box).stdout
    r = m.lxc("stop", box, check=False)
    assert r.returncode == 1 and "already stopped" in r.stderr
    m.lxc("start", box)


def test_console(cluster, box, terminal):
    t = terminal(cluster[1], "lxc", "console", box)
    t.expect("<ctrl>+a q")
    cluster[0].lxc("exec", box, "--", "sh", "-c", "echo words on the console > /dev/console")
    t.expect("words on the console")
    assert t.detach_console() == 0
    assert "words on the console" in cluster[2].lxc("console", box, "--show-log").stdout


def test_move(cluster, box):
    cluster[0].lxc("move", box, "--target", "m2")
    cluster[0].shows(box, location="m2")
    cluster[0].lxc("stop", box)
    cluster[0].lxc("move", box, "--target", "m1")
    cluster[0].lxc("start", box)
    assert cluster[0].instance(box)["location"] == "m1"


def test_profiles(cluster):
    m = cluster[2]
    m.lxc("profile", "create", "prof")
    m.lxc("profile", "set", "prof", "limits.cpu", "1")
    assert "limits.cpu" in m.lxc("profile", "show", "prof").stdout
    m.lxc("profile", "edit", "prof", input="config: {user.z: '1'}\ndescription: edited\ndevices: {}\n")
    assert "edited" in m.lxc("profile", "show", "prof").stdout
    assert "prof" in m.lxc("profile", "list").stdout
    m.lxc("profile", "delete", "prof")


def test_images(cluster, image_file, tmp_path):
    m = cluster[1]
    fp = hashlib.sha256(open(image_file, "rb").read()).hexdigest()
    assert fp[:12] in m.lxc("image", "list").stdout
    assert "test" in m.lxc("image", "alias", "list").stdout
    m.lxc("image", "alias", "create", "other", fp)
    assert fp in m.lxc("image", "info", "other").stdout
    m.lxc("image", "export", "other", tmp_path / "e")
    assert hashlib.sha256(next(tmp_path.glob("e*")).read_bytes()).hexdigest() == fp
    m.lxc("image", "alias", "delete", "other")


def test_cluster(cluster):
    m = cluster[2]
    out = m.lxc("cluster", "list").stdout
    assert all(w in out for w in ("m1", "m2", "m3", "ONLINE", "database-leader"))
    assert "server_name: m2" in m.lxc("cluster", "show", "m2").stdout
    out = m.lxc("cluster", "add", "m7").stdout
    assert "m7" in out
    assert "m7" in m.lxc("cluster", "list-tokens").stdout
    m.lxc("cluster", "revoke-token", "m7")


def test_operations_and_monitor(cluster, box):
    m = cluster[1]
    p = subprocess.Popen(m.in_netns("lxc", "exec", box, "--", "sleep", "2"), env=m.env())
    wait_for("it in the list", lambda: "Executing command" in m.lxc("operation", "list").stdout)
    p.wait(timeout=30)
    p = subprocess.Popen(m.in_netns("lxc", "monitor", "--type=lifecycle", "--format=json"), env=m.env(),
                         stdout=subprocess.PIPE)
    os.set_blocking(p.stdout.fileno(), False)
    seen = b""

    def heard():
        nonlocal seen
        cluster[0].lxc("config", "set", box, "user.m", str(len(seen)))
        seen += p.stdout.read() or b""
        return b"instance-updated" in seen
    wait_for("a lifecycle event on another member", heard)
    p.kill()
    p.wait()


def test_tls_remote_with_token(cluster, box):
    """A client that has never seen the cluster, with its own certificate."""
    m = cluster[2]
    env = {**m.env(), "LXD_CONF": str(cluster.dir / "remote-client")}
    out = m.lxc("config", "trust", "add", "--name", "friend").stdout
    token = out.split()[-1]

    def lxc(*args, check=True, **kw):
        return run(*m.in_netns("lxc", *args), env=env, check=check, **kw)
    bad = lxc("remote", "add", "wrong", cluster[1].address, "--accept-certificate", "--password", "no", check=False)
    assert bad.returncode == 1
    lxc("remote", "add", "dl", token)
    assert "friend" in m.lxc("config", "trust", "list").stdout
    used = run(*m.in_netns("lxc", "remote", "add", "dl2", token), check=False,
               env={**m.env(), "LXD_CONF": str(cluster.dir / "second-client")})
    assert used.returncode == 1
    assert box in lxc("list", "dl:").stdout
    assert lxc("exec", f"dl:{box}", "--", "echo", "tls").stdout == "tls\n"
    lxc("launch", "dl:test", "dl:viatls", "--target", "m3")
    assert "viatls" in lxc("list", "dl:", "-f", "csv", "-c", "n").stdout
    lxc("move", "dl:viatls", "--target", "m1")
    lxc("delete", "-f", "dl:viatls")
    trusted = json.loads(m.lxc("config", "trust", "list", "-f", "json").stdout)
    fp = next(c["fingerprint"] for c in trusted if c["name"] == "friend")
    m.lxc("config", "trust", "remove", fp)
    wait_for("no longer trusted", lambda: lxc("list", "dl:", check=False).returncode != 0)


def test_pylxd(cluster, box):
    pytest.importorskip("pylxd", reason="this suite has no python3-pylxd package")
    code = ("import pylxd; c = pylxd.Client(); i = getattr(c, 'instances', c.containers).get('box'); "
            "r = i.execute(['echo', 'py']); print(i.status, r.exit_code, r.stdout.strip()); "
            "print([a['name'] for x in c.images.all() for a in x.aliases])")
    m = cluster[0]
    env = {k: v for k, v in m.env().items() if k != "REQUESTS_CA_BUNDLE"}
    out = run(*m.in_netns("/usr/bin/python3", "-c", code), env=env).stdout
    assert out.splitlines()[0] == "Running 0 py" and "test" in out


def test_lists_name_the_member_of_an_instance(cluster, box):
    where = cluster[0].instance(box)["location"]
    for m in cluster.members:
        for tool in (m.lxc, m.cli):
            leases = json.loads(tool("network", "list-leases", "tnet", "-f", "json").stdout)
            assert [x["location"] for x in leases if x["hostname"] == box] == [where]
    table = cluster[1].cli("storage", "volume", "list", "default").stdout
    assert f"| {box} " in table and table == cluster[1].lxc("storage", "volume", "list", "default").stdout
    assert "default" in cluster[1].cli("project", "list").stdout
    assert "UUID" in cluster[1].cli("warning", "list").stdout
