# SPDX-License-Identifier: Apache-2.0
"""Memory that is kept while an instance is stopped: it goes on where it stood, whatever happened meanwhile."""

import stat

import pytest

from cluster import ApiError, run, wait_for
from moves import status_of

SIZE_MIB = 16


@pytest.fixture
def holder(cluster, launch):
    """A container whose memory is known by its sum; it counts the lines that it is sent, and ticks into a file."""
    def start(name, *flags):
        launch(name, "--target", "m1", "-c", f"environment.MEM_MIB={SIZE_MIB}", *flags)
        say(cluster[0], name)
        return name
    return start


def ask(m, name, word, **kw):
    return m.cli("exec", name, "--", "sh", "-c", f"echo {word} | nc -w 20 127.0.0.1 7000", **kw)


def say(m, name, word="next"):
    """What its init answers: the number of lines so far, or what the word asks for."""
    # One that has just begun may not listen yet.
    last = wait_for("an answer", lambda: ask(m, name, word, check=False).stdout.split())[-1]
    return int(last) if word == "next" else last


def folder_of(m, name, pool="default"):
    return m.dir / "storage-pools" / pool / "containers" / name


def kept_in(m, name, pool="default"):
    return sorted(f.name for f in folder_of(m, name, pool).glob("memory*"))


def test_it_goes_on_where_it_stood(cluster, holder, world, client):
    """Over a boot of its host, under another name: memory, files, listening sockets, timers, addresses."""
    m, others = cluster[0], cluster[2]
    name = holder("still", "-s", "plain", "-c", "boot.autostart=true")
    address = m.address_of(name)
    talk = client(address, 300)
    before = say(m, name)
    m.cli("exec", name, "--", "sh", "-c", "sleep 3 </dev/null >/dev/null 2>&1 && echo late > /late &")
    others.cli("stop", "--stateful", name)
    i = others.instance(name)
    assert i["stateful"] and i["status"] == "Stopped", i
    assert world.problems() == []
    kept = folder_of(m, name, "plain") / "memory"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert {(stat.S_IMODE(f.stat().st_mode), f.stat().st_uid) for f in kept.iterdir()} == {(0o600, 0)}
    usage = m.state(name)["disk"]["memory"]["usage"]
    assert usage > SIZE_MIB << 20
    assert "Kept memory: " in others.cli("info", name).stdout
    m.cli("rename", name, "risen")
    name = "risen"
    try:
        world.reboot(m)
        wait_for("it to go on", lambda: status_of(others, name) == ("m1", "Running"))
        m.shows(name, stateful=False)
        assert kept_in(m, name, "plain") == []
        assert talk.finish(stop=False)["error"], "a connection of then must not seem to live"
        assert say(m, name, "sum") == "ok"
        assert say(m, name) > before, "its memory counts from where it was"
        assert client(address).finish()["error"] == ""
        wait_for("the timer", lambda: m.cli("exec", name, "--", "cat", "/late", check=False).stdout == "late\n")
        assert world.problems() == []
        # What goes on can be moved and stopped like any other.
        others.cli("move", name, "--target", "m2", "--mode", "live", timeout=200)
        others.cli("stop", "--stateful", name)
        others.cli("start", name)
        assert say(cluster[1], name, "sum") == "ok" and say(cluster[1], name) > before
    finally:
        others.cli("delete", "--force", name)
    assert world.problems() == []


def test_the_stock_client(cluster, holder, world):
    m = cluster[0]
    name = holder("stock")
    for _ in range(5):
        before = say(m, name)
    m.lxc("stop", "--stateful", name)
    m.lxc("start", name)
    assert say(m, name) == before + 1
    m.lxc("pause", name)
    m.lxc("stop", "--stateful", name)
    m.lxc("start", name)
    assert status_of(m, name) == ("m1", "Frozen"), "it goes on as it was"
    m.lxc("start", name)
    assert say(m, name) == before + 2
    m.lxc("stop", "--stateful", name)
    m.lxc("start", "--stateless", name)
    assert say(m, name) == 1 and not m.instance(name)["stateful"] and kept_in(m, name) == []
    assert world.problems() == []


def refusal(m, name, **state):
    with pytest.raises(ApiError) as e:
        m.api("PUT", f"/1.0/instances/{name}/state", state)
    return f"{e.value.status} {e.value.message}"


def test_what_is_refused(cluster, launch, world):
    """Before anything is touched, with the reason."""
    m = cluster[0]
    name = launch("fixed", "--target", "m1")
    m.cli("exec", name, "--", "sh", "-c", "unshare -u sleep 1000 </dev/null >/dev/null 2>&1 &")
    wait_for("the plan to see it", lambda: m.api(
        "GET", f"/1.0/instances/{name}/move-plan?target=m2")["kind"] == "near-live")
    assert "UTS (host name)" in refusal(m, name, action="stop", stateful=True)
    assert "start and stop" in refusal(m, name, action="restart", stateful=True)
    assert "by force" in refusal(m, name, action="stop", stateful=True, force=True)
    m.cli("config", "set", name, "migration.stateful=false")
    assert "migration.stateful" in refusal(m, name, action="stop", stateful=True)
    assert status_of(m, name) == ("m1", "Running")
    m.cli("config", "unset", name, "migration.stateful")
    m.cli("restart", "--force", name)
    m.cli("stop", "--stateful", name)
    assert "already stopped" in refusal(m, name, action="stop", stateful=True)
    planned = m.cli("move", name, "--target", "m2", "--dry-run", check=False)
    moved = m.cli("move", name, "--target", "m2", check=False)
    assert planned.returncode == moved.returncode == 1
    assert "its memory is kept" in planned.stdout and "its memory is kept" in moved.stderr
    for verb in (["file", "push", "/etc/hostname", f"{name}/x"], ["file", "delete", f"{name}/etc/hosts"]):
        assert "start it first" in m.cli(*verb, check=False).stderr
    m.cli("file", "pull", f"{name}/etc/hosts", "-")
    m.cli("config", "set", name, "security.privileged=true")
    assert "security.privileged is not as at its stop" in m.cli("start", name, check=False).stderr
    m.cli("config", "unset", name, "security.privileged")
    m.cli("config", "device", "add", name, "more", "disk", "source=/usr", "path=/mnt")
    assert "its devices" in m.cli("start", name, check=False).stderr
    m.cli("config", "device", "remove", name, "more")
    m.cli("start", name)
    m.cli("stop", "--force", name)
    assert "no existing state" in refusal(m, name, action="start", stateful=True)
    passing = launch("passing", "--target", "m1", "--ephemeral")
    assert "ephemeral" in refusal(m, passing, action="stop", stateful=True)
    assert world.problems() == []


FAULTS = {
    # what is asked for, whether it runs afterwards; that of a host that dies then, and whether its memory is lost
    "suspend_dumped": ("stop", True, True, True),
    "suspend_kept": ("stop", False, None, False),
    "wake_restored": ("start", False, False, False),
    "wake_taken": ("start", True, False, True),
}


ENDS = [
    # and what happens there
    ("suspend_dumped", "error"), ("suspend_dumped", "crash"), ("suspend_kept", "crash"), ("suspend_kept", "reboot"),
    ("wake_restored", "error"), ("wake_restored", "crash"), ("wake_taken", "error"), ("wake_taken", "crash"),
    ("wake_taken", "reboot"),
]


@pytest.mark.parametrize("fault, action", ENDS)
def test_whatever_fails_it_is_whole(cluster, holder, world, fault, action):
    verb, runs, runs_then, lost_then = FAULTS[fault]
    m = cluster[0]
    name = holder("hurt")
    before = say(m, name)
    if verb == "start":
        m.cli("stop", "--stateful", name)
    cluster.restart(m, DUNLIN_FAULT=f"{fault}={'error' if action == 'error' else 'crash'}")
    result = m.cli(verb, *(["--stateful"] if verb == "stop" else []), name, check=False)
    lost = action == "reboot" and lost_then
    if action == "error":
        # A failure before anything has run gives all back.
        runs = runs and fault != "wake_taken"
        assert (result.returncode == 0) == (fault == "suspend_kept"), result.stderr
        assert fault == "suspend_kept" or "memory" in result.stderr
    else:
        m.wait_gone()
    if action == "crash":
        m.start()
        cluster.settle()
    if action == "reboot":
        runs = runs_then
        world.reboot(m)
    # One that stopped in the moment in which its host died may be started with it.
    want = ["Running", "Stopped"] if runs is None else ["Running"] if runs else ["Stopped"]
    wait_for(f"it to be {want}", lambda: status_of(m, name) in [("m1", w) for w in want])
    wait_for("a consistent world", lambda: world.problems() == [])
    if action == "error":
        cluster.restart(m)
    if not runs:
        wait_for("what its row says", lambda: m.instance(name)["stateful"] != lost or runs is None)
        m.cli("start", name, check=runs is not None)
    m.shows(name, stateful=False)
    assert say(m, name) == (1 if lost else before + 1)
    assert say(m, name, "sum") == "ok" and kept_in(m, name) == []
    wait_for("a consistent world", lambda: world.problems() == [])


def test_damaged_memory_is_told_and_can_be_given_up(cluster, holder, world):
    m = cluster[0]
    name = holder("torn")
    m.cli("stop", "--stateful", name)
    core = folder_of(m, name) / "memory" / "core-1.img"
    whole = core.read_bytes()
    core.write_bytes(whole[:100])
    said = m.cli("start", name, check=False).stderr
    assert "core-1.img is damaged" in said and f"dunlin start --stateless {name}" in said, said
    core.write_bytes(whole[:100] + bytes(len(whole) - 100))
    said = m.cli("start", name, check=False).stderr
    assert f"dunlin start --stateless {name}" in said, said
    assert status_of(m, name) == ("m1", "Stopped") and m.instance(name)["stateful"]
    wait_for("a consistent world", lambda: world.problems() == [])
    core.write_bytes(whole)
    m.cli("start", name)
    assert say(m, name, "sum") == "ok"
    m.cli("stop", "--stateful", name)
    core.unlink()
    m.cli("start", "--stateless", name)
    assert say(m, name) == 1 and kept_in(m, name) == []


@pytest.fixture
def small_pool(cluster, tmp_path):
    m = cluster[0]
    source = tmp_path / "small"
    source.mkdir()
    disk = tmp_path / "small.img"
    with open(disk, "wb") as f:
        f.truncate(90 << 20)
    run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", disk)
    run("mount", "-o", "loop", disk, source)
    m.cli("storage", "create", "small", "dir", f"source={source}")
    yield source
    m.cli("delete", "--force", "tight", check=False)
    m.cli("storage", "delete", "small", check=False)
    run("umount", "-l", source)


def test_a_full_pool_is_told_beforehand_and_leaves_it_running(cluster, small_pool, holder, world):
    m = cluster[0]
    name = holder("tight", "-s", "small")
    # Unlinked, and still open: that goes into the images, and is nobody's memory.
    m.cli("exec", name, "--", "sh", "-c", "exec 9>/big; dd if=/dev/zero bs=1M count=40 >&9 2>/dev/null; "
          "rm /big; sleep 1000 </dev/null >/dev/null 2>&1 &")
    before = say(m, name)
    assert "goes on" in refusal(m, name, action="stop", stateful=True)
    assert say(m, name) == before + 1 and kept_in(m, name, "small") == []
    (small_pool / "filler").write_bytes(bytes(24 << 20))
    said = refusal(m, name, action="stop", stateful=True)
    assert 'pool "small" has ' in said and "MiB left" in said, said
    (small_pool / "filler").unlink()
    assert say(m, name) == before + 2
    assert world.problems() == []
