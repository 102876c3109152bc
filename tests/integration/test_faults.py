# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the daemon at named points of create, start, stop and delete: afterwards the world is consistent."""

import os
import shutil
import signal
import subprocess

import pytest

from cluster import ApiError, Cluster, run, wait_for
from conftest import SUBNETS, cluster_name


def crash(cluster, member, fault, action, *args):
    """Runs a dunlin command against a daemon that dies at the fault point, then starts the daemon again."""
    m = cluster[member]
    cluster.restart(m, DUNLIN_FAULT=f"{fault}={action}")
    cluster[2].cli(*args, check=False, timeout=90)
    if action == "crash":
        m.wait_gone()
    else:
        m.kill(signal.SIGKILL)
    m.start()


@pytest.mark.parametrize("fault", ["create_after_row", "create_after_volume", "start_before_runtime",
                                   "start_after_runtime"])
@pytest.mark.parametrize("action", ["crash", "error"])
def test_launch(cluster, world, fault, action):
    crash(cluster, 0, fault, action, "launch", "test", "victim", "--target", "m1")
    cluster.settle()
    wait_for("a consistent world", lambda: world.problems() == [])
    if any(u.endswith("/victim") for u in cluster[2].api("GET", "/1.0/instances")):
        i = cluster[2].instance("victim")
        assert i["status"] in ("Running", "Stopped")
        cluster[2].cli("delete", "--force", "victim")
    wait_for("the name to be free", lambda: cluster[2].cli(
        "launch", "test", "victim", "--target", "m1", check=False).returncode == 0)
    assert cluster[2].instance("victim")["status"] == "Running"
    cluster[2].cli("delete", "--force", "victim")
    assert world.problems() == []


@pytest.mark.parametrize("fault", ["stop_after_runtime"])
def test_stop(cluster, launch, world, fault):
    launch("victim2", "--target", "m1")
    crash(cluster, 0, fault, "crash", "stop", "victim2")
    wait_for("a consistent world", lambda: world.problems() == [])
    assert cluster[2].instance("victim2")["status"] == "Stopped"
    cluster[2].cli("start", "victim2")


@pytest.mark.parametrize("fault", ["delete_before_volume", "delete_after_volume"])
def test_delete(cluster, launch, world, fault):
    launch("victim3", "--target", "m1")
    crash(cluster, 0, fault, "crash", "delete", "--force", "victim3")
    wait_for("a consistent world", lambda: world.problems() == [])
    wait_for("it is gone", lambda: cluster[2].cli("delete", "--force", "victim3", check=False) and
             not any(u.endswith("/victim3") for u in cluster[2].api("GET", "/1.0/instances")))
    assert world.problems() == []


@pytest.mark.parametrize("action", ["crash", "error"])
def test_rename(cluster, launch, world, action):
    """What was renamed on disk only keeps its data, and its name."""
    name = f"victim4{action}"
    launch(name, "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "echo kept > /root/mark")
    cluster[0].cli("stop", "--force", name)
    crash(cluster, 0, "rename_after_files", action, "rename", name, "victim5")
    wait_for("a settled instance",
             lambda: cluster[2].cli("start", name, check=False).returncode == 0)
    assert cluster[2].cli("exec", name, "--", "cat", "/root/mark").stdout == "kept\n"
    assert world.problems() == []
    cluster[2].cli("delete", "--force", name)


def test_image_import(cluster, tmp_path, world):
    import io
    import tarfile
    path = tmp_path / "i.tar"
    with tarfile.open(path, "w") as t:
        metadata = b"architecture: x86_64\ncreation_date: 1\n"
        for name, data in (("metadata.yaml", metadata), ("rootfs/f", os.urandom(99))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    m = cluster[0]
    before = set(os.listdir(m.dir / "images"))
    cluster.restart(m, DUNLIN_FAULT="image_after_store=crash")
    m.cli("image", "import", path, "--alias", "crashed", check=False)
    m.wait_gone()
    m.start()
    wait_for("no leftovers", lambda: set(os.listdir(m.dir / "images")) == before)
    m.cli("image", "import", path, "--alias", "crashed")
    m.cli("image", "delete", "crashed")


def test_lost_answer_of_a_commit_is_settled(cluster):
    """The leader commits and its answer is dropped: the write is applied once, and the client hears the truth."""
    leader = next(m for m in cluster.members
                  if "database-leader" in cluster[0].api("GET", f"/1.0/cluster/members/{m.name}")["roles"])
    other = next(m for m in cluster.members if m is not leader)
    leader.kill()
    leader.start(DUNLIN_FAULT="commit_reply_lost=error")
    try:
        other.api("POST", "/1.0/profiles", {"name": "once"}, timeout=60)
    except ApiError as e:
        assert "already" not in e.message
    wait_for("the profile", lambda: "once" in str(cluster[0].api("GET", "/1.0/profiles")))
    cluster[0].api("DELETE", "/1.0/profiles/once")
    leader.kill()
    leader.start()


def helper_pids(m):
    out = run("ip", "netns", "pids", m.netns).stdout.split()
    found = []
    for pid in out:
        try:
            words = open(f"/proc/{pid}/cmdline").read().split("\0")
        except OSError:
            continue
        if len(words) > 1 and words[1].startswith("helper-"):
            found.append((int(pid), words[1]))
    return found


def test_helper_killed_during_start(cluster, world):
    m = cluster[0]
    p = subprocess.Popen(m.in_netns(cluster.dunlin, "launch", "test", "hk", "--target", "m1"), env=m.env(),
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while p.poll() is None:
        for pid, verb in helper_pids(m):
            if verb == "helper-start":
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
    wait_for("a consistent world", lambda: world.problems() == [])
    cluster[0].cli("delete", "--force", "hk", check=False)
    assert world.problems() == []


def test_random_kills_of_the_daemon(cluster, world):
    """Kill at arbitrary moments of launch and delete, not only at the named ones."""
    m = cluster[0]
    for delay_ms in (3, 11, 29, 53, 97, 151, 211):
        p = subprocess.Popen(m.in_netns(cluster.dunlin, "launch", "test", "rk", "--target", "m1"), env=m.env(),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            p.wait(delay_ms / 1000)
        except subprocess.TimeoutExpired:
            pass
        m.kill()
        p.wait(30)
        m.start()
        wait_for("a consistent world", lambda: world.problems() == [])
        cluster[2].cli("delete", "--force", "rk", check=False)
        wait_for("it is gone", lambda: "rk" not in world.rows())
        assert world.problems() == []


def test_full_disk(cluster, tmp_path):
    """A pool on a full file system: a clear refusal, and nothing left behind."""
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=300k,mode=755", "tmpfs", small)
    (small / "p").mkdir()
    m = cluster[0]
    try:
        m.api("POST", "/1.0/storage-pools", {"name": "tiny", "driver": "dir", "config": {"source": str(small / "p")}})
        r = m.cli("init", "test", "fat", "--target", "m1", "-s", "tiny", check=False)
        assert r.returncode == 1 and "space" in r.stderr.lower(), r.stderr
        assert m.cli("info", "fat", check=False).returncode == 1
        left = [p for p in (small / "p").rglob("*") if "fat" in p.name]
        assert left == []
        m.api("DELETE", "/1.0/storage-pools/tiny")
    finally:
        run("umount", "-l", small)


def test_nearly_full_disk_of_the_database(tmp_path):
    """The daemon neither dies nor loses anything; what frees room still works, and all does again afterwards."""
    run("mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", tmp_path)
    c = Cluster(cluster_name("full"), 1, f"10.209.{next(SUBNETS)}", directory=tmp_path / "c")
    try:
        m = c.up()[0]
        m.api("POST", "/1.0/profiles", {"name": "before"})
        free = shutil.disk_usage(tmp_path).free
        (tmp_path / "filler").write_bytes(bytes(free - (60 << 20)))
        with pytest.raises(ApiError) as e:
            m.api("POST", "/1.0/profiles", {"name": "during"})
        assert e.value.status == 507 and str(m.dir) in e.value.message
        assert m.api("GET", "/1.0/profiles/before")["name"] == "before"
        m.api("DELETE", "/1.0/profiles/before")
        (tmp_path / "filler").unlink()
        m.api("POST", "/1.0/profiles", {"name": "after"})
        m.kill()
        m.start()
        assert {u.rsplit("/", 1)[1] for u in m.api("GET", "/1.0/profiles")} == {"default", "after"}
    finally:
        c.down()
        run("umount", "-l", tmp_path)
