# SPDX-License-Identifier: Apache-2.0
"""Snapshots: what an instance was at a moment, whatever becomes of it, of the daemon and of the disk."""

import pytest

from cluster import run, wait_for

# Two files that an instance goes on writing, one after the other: at any moment the first is one line ahead at most.
WRITER = "i=0; while :; do i=$((i+1)); echo $i >>/first; echo $i >>/second; sleep 0.01; done " \
         "</dev/null >/dev/null 2>&1 &"


def volume_of(m, name, pool="default"):
    return m.dir / "storage-pools" / pool / "containers" / name


def copies(m, name, pool="default"):
    """The folders of its snapshots' data."""
    return [d for f in volume_of(m, name, pool).glob("snapshots/*") for d in f.iterdir()]


def snapshots(m, name):
    return [s["name"] for s in m.api("GET", f"/1.0/instances/{name}/snapshots?recursion=1")]


def lines(m, name):
    """How many it has written; 0 when it does not answer."""
    return int(m.cli("exec", name, "--", "sh", "-c", "wc -l </second", check=False).stdout.strip() or 0)


def writes(m, name):
    m.cli("exec", name, "--", "sh", "-c", WRITER)
    wait_for("it to write", lambda: lines(m, name))


def goes_on(m, name):
    before = lines(m, name)
    wait_for("it to go on", lambda: lines(m, name) > before, 60)


def inside(m, name, command):
    return m.cli("exec", name, "--", "sh", "-c", command).stdout.strip()


@pytest.mark.parametrize("pool", ["default", "plain"])
def test_of_what_runs(cluster, launch, world, pool):
    """Its files are of one moment; going back to them it starts anew, as what it was."""
    m, other = cluster[0], cluster[1]
    name = launch(f"busy-{pool}", "--target", "m1", "-s", pool, "-c", "user.then=yes")
    writes(m, name)
    inside(m, name, "mkdir /kept && echo then >/kept/file && ln /kept/file /kept/name && rm /etc/hostname")
    other.api("POST", f"/1.0/instances/{name}/snapshots", {})
    other.api("POST", f"/1.0/instances/{name}/snapshots", {"name": "more"})
    m.shows(name)
    assert snapshots(other, name) == ["snap0", "more"] and len(copies(m, name, pool)) == 2
    for data in copies(m, name, pool):
        first, second = ((data / f).read_text().split() for f in ("first", "second"))
        assert second and 0 <= len(first) - len(second) <= 1 and first[-1] == str(len(first))
    goes_on(m, name)
    inside(m, name, "rm -r /kept && mkdir /later && echo now >/later/file")
    m.cli("config", "set", name, "user.then=no")
    for snapshot in ("snap0", f"{name}/more"):
        other.api("PUT", f"/1.0/instances/{name}", {"restore": snapshot})
        m.shows(name)
        assert m.instance(name)["config"]["user.then"] == "yes"
        assert inside(m, name, "cat /kept/file; ls -d /later /etc/hostname 2>/dev/null; true") == "then"
        assert inside(m, name, "ls -l /kept/name").split()[1] == "2"
        inside(m, name, "echo other >/kept/file; rm -r /etc; mkdir /etc")
    other.api("DELETE", f"/1.0/instances/{name}/snapshots/more")
    assert snapshots(other, name) == ["snap0"] and len(copies(m, name, pool)) == 1
    planned = m.cli("move", name, "--target", "m2", "--dry-run", check=False)
    assert planned.returncode == 1 and "snapshots" in planned.stdout
    m.cli("stop", "--force", name)
    m.cli("config", "set", name, "user.then=no")
    m.api("PUT", f"/1.0/instances/{name}", {"restore": "snap0"})
    assert m.instance(name)["status"] == "Stopped" and m.instance(name)["config"]["user.then"] == "yes"
    m.cli("start", name)
    assert inside(m, name, "cat /kept/file") == "then"
    assert world.problems() == []


def test_the_stock_client(cluster, launch, world):
    m, other = cluster[0], cluster[1]
    name = launch("stock", "--target", "m1", "-c", "snapshots.expiry=3d", "-c", "user.then=yes")
    other.lxc("snapshot", name)
    other.lxc("snapshot", name, "s1", "--no-expiry")
    other.lxc("snapshot", name, "s1", "--reuse")
    assert "already exists" in other.lxc("snapshot", name, "s1", check=False).stderr
    assert snapshots(m, name) == ["snap0", "s1"]
    m.cli("config", "unset", name, "user.then")
    shown = other.lxc("config", "show", f"{name}/snap0").stdout
    assert "user.then" in shown and "expires_at: 20" in shown
    info = other.lxc("info", name).stdout
    assert "snap0" in info and "s1" in info
    assert other.lxc("list", "-c", "nS", "-f", "csv", name).stdout.strip() == f"{name},2"
    other.lxc("rename", f"{name}/s1", f"{name}/s2")
    other.lxc("restore", name, "snap0")
    m.shows(name)
    assert m.instance(name)["config"]["user.then"] == "yes"
    other.lxc("delete", f"{name}/s2")
    assert snapshots(m, name) == ["snap0"]
    other.lxc("stop", "--force", name)
    other.lxc("rename", name, "renamed")
    assert snapshots(m, "renamed") == ["snap0"]
    other.lxc("delete", "renamed")
    assert not volume_of(m, "renamed").exists() and world.problems() == []


FAULTS = {
    # what is asked for, and what there is after a daemon that died there: its snapshots, and whether it went back
    "snapshot_noted": ("make", ["whole", "gone"], False),
    "snapshot_copied": ("make", ["whole", "gone"], False),
    "snapshot_kept": ("make", ["whole", "gone"], False),
    "snapshot_removed": ("delete", ["whole"], False),
    "restore_prepared": ("restore", ["whole", "gone"], False),
    "restore_decided": ("restore", ["whole", "gone"], True),
    "restore_replaced": ("restore", ["whole", "gone"], True),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_daemon_that_dies(cluster, launch, world, fault):
    """Nothing is half: what runs goes on, and what was begun is taken back or ended."""
    verb, want, back = FAULTS[fault]
    m = cluster[0]
    name = launch("hurt", "--target", "m1")
    path = f"/1.0/instances/{name}/snapshots"
    m.api("POST", path, {"name": "whole"})
    m.api("POST", path, {"name": "gone"})
    writes(m, name)
    asked = {"make": ["snapshot", name, "half"], "delete": ["delete", f"{name}/gone"],
             "restore": ["restore", name, "whole"]}[verb]
    cluster.restart(m, DUNLIN_FAULT=f"{fault}=crash")
    m.cli(*asked, check=False)
    m.wait_gone()
    m.start()
    cluster.settle()
    wait_for("what is whole", lambda: snapshots(m, name) == want and len(copies(m, name)) == len(want), 60)
    m.shows(name)
    if back:
        assert lines(m, name) == 0
    else:
        goes_on(m, name)
    assert list(volume_of(m, name).glob("restore*")) + list(volume_of(m, name).glob(".*")) == []
    m.cli("restore", name, "whole")
    m.shows(name)
    assert lines(m, name) == 0
    m.cli("delete", "--force", name)
    assert world.problems() == []


def test_our_own_client(cluster, launch, world):
    m, other = cluster[0], cluster[1]
    name = launch("own", "--target", "m1")
    other.cli("snapshot", name)
    other.cli("snapshot", name, "s1", "--no-expiry")
    other.cli("snapshot", name, "s1", "--reuse")
    assert "already exists" in other.cli("snapshot", name, "s1", check=False).stderr
    assert "snap0 (" in other.cli("info", name).stdout
    assert other.cli("list", "-c", "nS", "-f", "csv", name).stdout.strip() == f"{name},2"
    assert "expires_at" in other.cli("config", "show", f"{name}/s1").stdout
    other.cli("rename", f"{name}/s1", f"{name}/s2")
    other.cli("rename", f"{name}/s2", "s3")
    assert "stays with its instance" in other.cli("rename", f"{name}/s3", "x/s4", check=False).stderr
    other.cli("restore", name, "s3")
    assert "no snapshot \"s9\"" in other.cli("restore", name, "s9", check=False).stderr
    other.cli("delete", f"{name}/s3")
    assert snapshots(m, name) == ["snap0"]
    assert world.problems() == []


def test_a_full_disk(cluster, launch, world, tmp_path):
    """A snapshot for which there is no room leaves all as it was."""
    m = cluster[0]
    disk, at = tmp_path / "disk", tmp_path / "at"
    at.mkdir()
    with open(disk, "wb") as f:
        f.truncate(64 << 20)
    run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", disk)
    run("mount", "-o", "loop", disk, at)
    try:
        m.cli("storage", "create", "small", "dir", f"source={at}")
        name = launch("tight", "--target", "m1", "-s", "small")
        writes(m, name)
        m.cli("snapshot", name, "whole")
        inside(m, name, "dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null; echo now >/now")
        (at / "filler").write_bytes(bytes(30 << 20))
        assert "No space left" in m.cli("snapshot", name, "none", check=False).stderr
        goes_on(m, name)
        assert snapshots(m, name) == ["whole"] and inside(m, name, "cat /now") == "now"
        (at / "filler").unlink()
        m.cli("restore", name, "whole")
        assert lines(m, name)
    finally:
        m.cli("delete", "--force", "tight", check=False)
        m.cli("storage", "delete", "small", check=False)
        run("umount", "-l", at)
    assert world.problems() == []
