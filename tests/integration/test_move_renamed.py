# SPDX-License-Identifier: Apache-2.0
"""Moves that give a new name, too: both or neither, whatever dies."""

import pytest

from cluster import wait_for
from moves import in_background, wait_for_fault


def moved(m, *flags):
    return m.cli("move", "old", "new", "--target", "m2", *flags, check=False, timeout=120)


def places(m):
    return {i["name"]: i["location"] for i in m.api("GET", "/1.0/instances?recursion=1")}


@pytest.fixture
def old(cluster):
    """A stopped instance with something in it, on m1."""
    cluster[0].cli("init", "test", "old", "--target", "m1")
    cluster[0].cli("config", "set", "old", "user.mark", "kept")
    yield
    for name in ("old", "new"):
        cluster[2].cli("delete", "--force", name, check=False)


def folders(cluster):
    """Where there are files of either name."""
    found = set()
    for m in cluster.members:
        for kind in ("containers", "storage-pools/*/containers"):
            found |= {(m.name, f.name) for name in ("old", "new") for f in m.dir.glob(f"{kind}/{name}")}
    return found


FAULTS = [
    # fault point, member whose daemon has it, action, whether it is moved afterwards
    ("rename_after_files", 0, "crash", False),
    ("rename_after_files", 0, "error", False),
    ("move_renamed", 0, "crash", False),
    ("move_renamed", 0, "error", False),
    ("move_after_prepare", 1, "crash", False),
    ("move_after_prepare", 1, "error", False),
    ("move_source_copying", 0, "crash", False),
    ("move_source_copying", 0, "error", False),
    ("move_source_after_commit", 0, "crash", True),
    ("move_source_after_commit", 0, "error", True),
]


@pytest.mark.parametrize("fault, member, action, want", FAULTS, ids=[f"{f[0]}-{f[2]}" for f in FAULTS])
def test_both_or_neither(cluster, old, world, fault, member, action, want):
    m = cluster[member]
    cluster.restart(m, DUNLIN_FAULT=f"{fault}={action}")
    result = moved(cluster[2])
    if action == "crash":
        m.wait_gone()
        m.start()
    end = {"new": "m2"} if want else {"old": "m1"}
    wait_for(str(end), lambda: places(cluster[2]) == end)
    wait_for("a consistent world", lambda: world.problems() == [])
    wait_for("no other files", lambda: {name for _, name in folders(cluster)} == set(end))
    assert {m for m, _ in folders(cluster)} == set(end.values())
    if action == "error":
        assert result.returncode == (0 if want else 1), result.stderr
        cluster.restart(m)
    cluster.settle()
    name = next(iter(end))
    assert cluster[2].cli("config", "get", name, "user.mark").stdout == "kept\n"
    # The other name is free, and nothing stands in the way of doing it once more.
    other = "old" if want else "new"
    cluster[0].cli("init", "test", other, "--target", "m2" if not want else "m1")
    cluster[0].cli("delete", other)
    if not want:
        assert moved(cluster[2]).returncode == 0
        assert places(cluster[2]) == {"new": "m2"}
    cluster[2].cli("start", "new")
    assert cluster[2].cli("exec", "new", "--", "hostname").stdout == "new\n"


def test_nobody_gets_either_name_meanwhile(cluster, old, world):
    cluster.restart(cluster[1], DUNLIN_FAULT="move_after_prepare=hang")
    logged = cluster[1].log.stat().st_size
    mover = in_background(moved, cluster[2])
    wait_for_fault(cluster[1], "move_after_prepare", logged)
    for name in ("old", "new"):
        for m in (cluster[0], cluster[2]):
            taken = m.cli("init", "test", name, "--target", "m3", check=False)
            assert taken.returncode == 1 and f'"{name}"' in taken.stderr, taken
    for command in (("start", "new"), ("delete", "new"), ("rename", "new", "newer"), ("config", "set", "new", "a=b")):
        busy = cluster[2].cli(*command, check=False)
        assert busy.returncode == 1 and "new" in busy.stderr, (command, busy)
    cluster.restart(cluster[1])
    assert mover().returncode == 1
    wait_for("the old name", lambda: places(cluster[2]) == {"old": "m1"})
    wait_for("a consistent world", lambda: world.problems() == [])
    cluster.settle()


@pytest.mark.parametrize("pool", ["default", "plain"])
def test_files_in_the_way_of_the_new_name(cluster, old, world, pool):
    """A name that is taken at the target by files, or by an instance anywhere, changes nothing."""
    stray = cluster[1].dir / "storage-pools/default/containers/new"
    stray.mkdir(parents=True)
    try:
        refused = moved(cluster[2])
        assert refused.returncode == 1 and "new" in refused.stderr, refused
        assert places(cluster[2]) == {"old": "m1"} and ("m1", "new") not in folders(cluster)
    finally:
        stray.rmdir()
    cluster[0].cli("init", "test", "new", "-s", pool, "--target", "m3")
    refused = moved(cluster[2])
    assert refused.returncode == 1 and '"new" already exists' in refused.stderr, refused
    assert places(cluster[2]) == {"old": "m1", "new": "m3"}
    cluster[0].cli("start", "old")
    cluster[0].cli("delete", "new")
    refused = moved(cluster[2])
    assert refused.returncode == 1 and "running" in refused.stderr, refused
    wait_for("a consistent world", lambda: world.problems() == [])
