# SPDX-License-Identifier: Apache-2.0
"""Which way a container moves; and near-live: its files go ahead, then it is stopped for a moment."""

import contextlib
import csv
import json
import os
import signal
import subprocess

import pytest

from cluster import ApiError, run, wait_for
from moves import in_background, last_move, move, status_of, wait_for_fault


OUTLOOK_S = 120  # each is looked at every five seconds, on a member that has the time


def sticky(member, name):
    """A process that forbids a live move."""
    member.cli("exec", name, "--", "sh", "-c", "unshare -u sleep 1000 </dev/null >/dev/null 2>&1 &")
    # It is called otherwise until unshare has become it.
    wait_for("the plan to see it", lambda: (lambda p: p["kind"] == "near-live" and "sleep" in p["reason"])(
        member.api("GET", f"/1.0/instances/{name}/move-plan?target=m2")))


def ask(member, name, target, **body):
    op = member.api("POST", f"/1.0/instances/{name}?target={target}", {"migration": True, **body})
    return op["metadata"]["migration"]


@pytest.mark.parametrize("body, kind", [
    ({"mode": "live"}, "live"), ({"mode": "near-live"}, "near-live"), ({"mode": "cold"}, "cold"),
    ({"mode": "best"}, "live"), ({"live": True}, "live"), ({"live": False}, "cold"), ({}, "cold"),
], ids=lambda v: v if isinstance(v, str) else "-".join(f"{k}-{w}" for k, w in v.items()) or "nothing")
def test_it_moves_as_it_is_asked_to(cluster, launch, world, body, kind):
    name = launch("asked", "--target", "m1")
    info = ask(cluster[2], name, "m2", **body)
    assert info["kind"] == kind and info["downtime_ms"] > 0 and info["rootfs_bytes"] > 0, info
    assert info["reason"] == ("nothing stands against it" if body == {"mode": "best"} else "as asked for")
    assert status_of(cluster[2], name) == ("m2", "Running")
    assert world.problems() == []


@pytest.mark.parametrize("body, words", [
    ({"mode": "warp"}, "best, live, near-live, cold"), ({"mode": ""}, "mode"), ({"mode": 1}, "mode"),
    ({"mode": "live", "live": True}, "exclude")])
def test_what_is_no_way_to_move_is_refused(cluster, launch, body, words):
    name = launch("odd", "--target", "m1")
    with pytest.raises(ApiError) as e:
        ask(cluster[2], name, "m2", **body)
    assert e.value.status == 400 and words in e.value.message
    with pytest.raises(ApiError) as e:
        cluster[2].api("POST", f"/1.0/instances/{name}", {"name": "other", "mode": "live"})
    assert e.value.status == 400


@pytest.mark.parametrize("mode", ["best", "live", "near-live", "cold"])
def test_a_stopped_one_moves_cold_whatever_is_asked(cluster, launch, mode):
    name = launch("lying", "--target", "m1")
    cluster[0].cli("stop", "--force", name)
    planned = move(cluster[2], name, "m2", "--mode", mode, "--dry-run").stdout
    assert planned == f"{name} would move to m2: cold\n- the instance is stopped\n"
    info = ask(cluster[2], name, "m2", mode=mode)
    assert (info["kind"], info["reason"], info["downtime_ms"]) == ("cold", "the instance is stopped", 0)
    assert status_of(cluster[2], name) == ("m2", "Stopped")


def test_what_cannot_move_live_moves_near_live(cluster, launch, world):
    """With all that it wrote until its end, and told why."""
    name = launch("sticky", "--target", "m1")
    sticky(cluster[0], name)
    cluster[0].cli("exec", name, "--", "sh", "-c", "echo early > /early; "
                   "(while echo x >> /busy; do sleep 0.01; done) </dev/null >/dev/null 2>&1 &")
    planned = move(cluster[2], name, "m2", "--dry-run").stdout
    assert planned.startswith(f"{name} would move to m2: near-live\nlive: not possible\n- sleep"), planned
    assert planned.endswith("near-live: possible\ncold: possible\n"), planned
    refused = move(cluster[2], name, "m2", "--mode", "live", check=False)
    assert refused.returncode == 1 and "sleep" in refused.stderr and "It can move near-live" in refused.stderr
    assert status_of(cluster[2], name) == ("m1", "Running")
    said = move(cluster[2], name, "m2").stdout.splitlines()
    assert said[0].startswith(f"Moved {name} to m2 (near-live): downtime "), said
    assert said[1].startswith("Not live: sleep"), said
    assert status_of(cluster[2], name) == ("m2", "Running")
    # The init adds a line when it has been asked to stop.
    out = cluster[2].cli("exec", name, "--", "sh", "-c", "cat /early; wc -l </stopped").stdout
    assert out.split() == ["early", "1"]
    assert world.problems() == []
    assert ask(cluster[2], name, "m1", mode="best")["kind"] == "live"


def test_who_is_in_it_ends_a_live_move_and_not_a_near_live_one(cluster, launch, world):
    name = launch("visited", "--target", "m1")
    session = subprocess.Popen(cluster[2].in_netns(cluster.dunlin, "exec", name, "--", "cat"), env=cluster[2].env(),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    session.stdin.write("hello\n")
    session.stdin.flush()
    assert session.stdout.readline() == "hello\n"
    refused = move(cluster[2], name, "m2", "--live", check=False)
    assert refused.returncode == 1 and "cat" in refused.stderr
    assert "(near-live)" in move(cluster[2], name, "m2").stdout
    assert session.wait(30) != 0
    assert status_of(cluster[2], name) == ("m2", "Running")
    assert world.problems() == []


FAULTS = [
    # fault point, member whose daemon has it, where it runs afterwards
    ("move_after_prepare", 1, "m1"),
    ("move_target_receiving", 1, "m1"),
    ("move_source_copying", 0, "m1"),
    ("move_source_stopping", 0, "m1"),
    ("move_source_stopped", 0, "m1"),
    ("move_source_before_commit", 0, "m1"),
    ("move_source_after_commit", 0, "m2"),
    ("move_source_after_verdict", 0, "m2"),
    ("move_target_after_commit", 1, "m2"),
    ("move_target_ending", 1, "m2"),
]


@pytest.mark.parametrize("action", ["error", "crash"])
@pytest.mark.parametrize("fault, member, want", FAULTS, ids=[f[0] for f in FAULTS])
def test_whatever_fails_it_runs_on_one_member(cluster, launch, world, fault, member, want, action):
    name = launch("chilly", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "echo kept > /kept")
    m = cluster[member]
    cluster.restart(m, DUNLIN_FAULT=f"{fault}={action}")
    result = move(cluster[2], name, "m2", "--mode", "near-live", check=False, timeout=120)
    if action == "crash":
        m.wait_gone()
        m.start()
    wait_for(f"{name} on {want}, running", lambda: status_of(cluster[2], name) == (want, "Running"))
    assert cluster[2].cli("exec", name, "--", "cat", "/kept").stdout == "kept\n"
    wait_for("a consistent world", lambda: world.problems() == [])
    if action == "error":
        assert result.returncode == (1 if want == "m1" else 0), result.stderr
        assert want == "m2" or fault in result.stderr
        cluster.restart(m)
    cluster.settle()
    assert ask(cluster[2], name, "m3", mode="near-live")["kind"] == "near-live"


@pytest.mark.parametrize("mode", ["near-live", "cold"])
def test_a_cut_link_leaves_it_where_it_was(cluster, launch, world, mode):
    """While its files are on their way: near-live it still runs, cold it is started again."""
    name = launch("cut", "--target", "m1")
    init = cluster[0].state(name)["pid"]
    cluster.restart(cluster[1], DUNLIN_FAULT="move_target_receiving=hang")
    logged = cluster[1].log.stat().st_size
    mover = in_background(lambda: move(cluster[2], name, "m2", "--mode", mode, check=False))
    wait_for_fault(cluster[1], "move_target_receiving", logged)
    cluster.cut(cluster[1])
    result = mover()
    assert result.returncode == 1 and "lost m2 during the move" in result.stderr, result
    wait_for("running on m1", lambda: status_of(cluster[2], name) == ("m1", "Running"))
    assert (cluster[0].state(name)["pid"] == init) == (mode == "near-live")
    cluster.mend(cluster[1])
    cluster.restart(cluster[1])
    wait_for("a consistent world", lambda: world.problems() == [])
    cluster.settle()
    move(cluster[2], name, "m2", "--mode", mode)


@pytest.fixture
def reluctant(cluster, launch, tmp_path):
    """reluctant(*flags): a container on m1 that does not stop before it gets SIGUSR1, and its init."""
    script = tmp_path / "reluctant"
    script.write_text("trap : PWR\ntrap 'exit 0' USR1\ntouch /up\nwhile :; do sleep 1000 & wait $!; kill $!; done\n")

    def start(*flags):
        name = "reluctant"
        launch(name, "--target", "m1")
        cluster[0].cli("stop", "--force", name)
        cluster[0].cli("file", "push", str(script), f"{name}/reluctant")
        for flag in ("raw.lxc=lxc.init.cmd = /bin/sh /reluctant", *flags):
            cluster[0].cli("config", "set", name, flag)
        cluster[0].cli("start", name)
        wait_for("its traps", lambda: cluster[0].cli("exec", name, "--", "ls", "/up", check=False).returncode == 0)
        return name, cluster[0].state(name)["pid"]
    return start


def test_what_does_not_stop_in_time_goes_on(cluster, reluctant, world):
    """It is not killed, and is not left stopped if it ends after all, unless somebody stops it."""
    name, init = reluctant("boot.host_shutdown_timeout=1")
    result = move(cluster[2], name, "m2", "--mode", "near-live", check=False)
    assert result.returncode == 1 and "did not shut down for its move within 1 seconds" in result.stderr, result
    wait_for("running", lambda: status_of(cluster[2], name) == ("m1", "Running"))
    assert cluster[0].state(name)["pid"] == init
    wait_for("a consistent world", lambda: world.problems() == [])
    os.kill(init, signal.SIGUSR1)
    again = wait_for("its new start", lambda: cluster[0].state(name)["pid"] not in (init, 0) and
                     cluster[0].state(name)["pid"])
    assert move(cluster[2], name, "m2", "--mode", "near-live", check=False).returncode == 1
    assert cluster[0].state(name)["pid"] == again
    cluster[2].cli("stop", "--force", name)
    assert status_of(cluster[2], name) == ("m1", "Stopped")
    cluster[2].cli("config", "set", name, "boot.host_shutdown_timeout=0")
    cluster[2].cli("start", name)
    move(cluster[2], name, "m2", "--mode", "near-live")
    assert status_of(cluster[2], name) == ("m2", "Running")


def stopping(cluster, name):
    """Once the container has been asked."""
    wait_for("the stop", lambda: status_of(cluster[0], name) == ("m1", "Stopping"))


def test_a_daemon_that_dies_while_it_waits_for_the_stop(cluster, reluctant, world):
    name, init = reluctant("boot.host_shutdown_timeout=600")
    mover = in_background(lambda: move(cluster[2], name, "m2", "--mode", "near-live", check=False))
    stopping(cluster, name)
    cluster[0].kill(signal.SIGKILL)
    assert mover().returncode == 1
    cluster[0].start()
    wait_for("the end of the move", lambda: list((cluster[0].dir / "moves").iterdir()) == [])
    assert status_of(cluster[0], name) == ("m1", "Running") and cluster[0].state(name)["pid"] == init
    os.kill(init, signal.SIGUSR1)
    wait_for("its new start", lambda: cluster[0].state(name)["pid"] not in (init, 0))
    wait_for("a consistent world", lambda: world.problems() == [])


def test_what_comes_while_it_stops_finds_it_on_the_target(cluster, reluctant, world):
    name, init = reluctant("boot.host_shutdown_timeout=600")
    mover = in_background(lambda: move(cluster[2], name, "m2", "--mode", "near-live"))
    stopping(cluster, name)
    begun = [in_background(lambda m=m: m.cli("exec", name, "--", "echo", "ran", check=False))
             for m in (cluster[0], cluster[2])]
    pull = in_background(lambda: cluster[2].cli("file", "pull", f"{name}/etc/hostname", "-", check=False))
    os.kill(init, signal.SIGUSR1)
    assert "(near-live)" in mover().stdout
    assert [(e.returncode, e.stdout) for e in (b() for b in begun)] == [(0, "ran\n")] * 2
    assert pull().returncode == 0
    assert status_of(cluster[2], name) == ("m2", "Running")
    wait_for("a consistent world", lambda: world.problems() == [])


# What is full, how, and on which member; the last one has room until the container writes a lot at its end.
FULL = [
    ("live", 1, "pool", "size=64k"),
    ("near-live", 1, "pool", "size=64k"),
    ("cold", 1, "pool", "size=64k"),
    ("cold", 0, "notes", "nr_inodes=1"),
    ("live", 1, "notes", "nr_inodes=1"),
    ("near-live", 1, "pool", "size=3m"),
]


@contextlib.contextmanager
def full(member, what, options):
    """A folder of the member into which not much goes."""
    folder = member.dir / {"pool": "storage-pools/default/containers", "notes": "moves"}[what]
    run("mount", "-t", "tmpfs", "-o", f"mode=711,{options}", "full", folder)
    try:
        yield folder
    finally:
        run("umount", "-l", folder)


def test_a_full_disk_leaves_it_where_it_was(cluster, launch, tmp_path, world):
    """It goes on, nothing is left, and the error says what has no room where."""
    name = launch("hoarder", "--target", "m2")  # its pool is made there for the first one
    move(cluster[2], name, "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "head -c 1000000 /dev/urandom >/big")
    cluster[0].cli("stop", "--force", name)
    script = tmp_path / "init"
    script.write_text("trap 'head -c 4000000 /dev/urandom >/late; sync; exit 0' PWR\ntouch /up\n"
                      "while :; do sleep 1000 & wait $!; done\n")
    cluster[0].cli("file", "push", str(script), f"{name}/hoard")
    cluster[0].cli("config", "set", name, "raw.lxc=lxc.init.cmd = /bin/sh /hoard")
    cluster[0].cli("start", name)
    wait_for("its trap", lambda: cluster[0].cli("exec", name, "--", "ls", "/up", check=False).returncode == 0, 60)
    for mode, at, what, options in FULL:
        with full(cluster[at], what, options) as folder:
            cluster[0].cli("exec", name, "--", "rm", "-f", "/late")
            result = move(cluster[2], name, "m2", "--mode", mode, check=False)
            assert result.returncode == 1, (mode, what, result.stdout)
            for words in (f"m{at + 1} ", f" in {folder} (", " free)", "No space left on device"):
                assert words in result.stderr, (mode, what, result.stderr)
            wait_for("it to go on", lambda: status_of(cluster[0], name) == ("m1", "Running"), 60)
        wait_for("a consistent world", lambda: world.problems() == [], 60)
    cluster[0].cli("exec", name, "--", "rm", "/late")
    assert "(live)" in move(cluster[2], name, "m2", "--mode", "live").stdout


@pytest.fixture
def bandwidth(cluster):
    """Sets move.bandwidth, until the end of the test; once the source sees it, its plan says so."""
    def set_to(value, name=None, kind=None):
        cluster[0].cli("config", "set", "move.bandwidth", value)
        wait_for("the plan to see it", lambda: name is None or kind == cluster[2].api(
            "GET", f"/1.0/instances/{name}/move-plan?target=m2")["kind"])
    yield set_to
    set_to("")


def test_bandwidth_bounds_a_live_move(cluster, launch, bandwidth):
    name = launch("paced", "--target", "m1", "-c", "environment.MEM_MIB=16", "-c", "environment.TICKS=0",
                  "-c", "migration.memory=plain")
    bandwidth("64KiB", name, "near-live")
    plan = move(cluster[2], name, "m2", "--dry-run", "--live", check=False)
    assert plan.returncode == 1 and "move.bandwidth" in plan.stdout + plan.stderr
    bandwidth("8MiB", name, "live")
    info = last_move(cluster, name, "m2")
    assert info["memory_bytes"] > 16 << 20
    assert info["stages"]["dump"] + info["stages"]["memory"] >= 16 / 8 * 1000 * 0.9
    # What follows afterwards is bounded, too, but does not keep it from moving.
    cluster[2].cli("config", "set", name, "migration.memory", "best")
    wait_for("the plan to see it", lambda: "memory: post-copy" in
             move(cluster[2], name, "m1", "--dry-run").stdout)
    info = last_move(cluster, name, "m1")
    assert info["memory"] == "post-copy" and info["pages_bytes"] > 16 << 20
    assert info["total_ms"] >= 16 / 8 * 1000 * 0.9


def test_bandwidth_bounds_files_and_counts_at_once(cluster, launch, bandwidth):
    """At first it would take minutes."""
    name = launch("slowly", "--target", "m1", "-c", "environment.MEM_MIB=8", "-c", "environment.TICKS=0")
    cluster[0].cli("exec", name, "--", "sh", "-c", "head -c 16777216 /dev/urandom > /big")
    bandwidth("64KiB", name, "near-live")
    finish = in_background(move, cluster[0], name, "m2", "--mode", "near-live")
    wait_for("the move's files", lambda: "files sent" in str(cluster[0].api("GET", "/1.0/operations?recursion=1")))
    assert status_of(cluster[0], name)[0] == "m1"
    bandwidth("")
    finish()
    cluster[0].shows(name, location="m2")


def test_lists_show_how_instances_would_move(cluster, launch):
    """Every member, without being asked to look: an obstacle that comes and goes is in the list a moment later."""
    name = launch("weathervane", "--target", "m1")

    def wait_until(member, kind, why):
        def shown():
            rows = list(csv.reader(member.cli("list", name, "-c", "nvw", "-f", "csv").stdout.splitlines()))
            return rows and rows[0][1] == kind and why in rows[0][2]
        wait_for(f"{member.name} to list it as {kind}", shown, OUTLOOK_S, step=0.2)

    def listed(kind):
        return json.loads(cluster[2].cli("list", name, f"moves={kind}", "-f", "json").stdout)
    for m in cluster.members:
        wait_until(m, "live", "")
    cluster[0].cli("exec", name, "--", "sh", "-c", "unshare -u sleep 1000 </dev/null >/dev/null 2>&1 &")
    wait_until(cluster[2], "near-live", "sleep (process")
    told = listed("near-live")[0]["dunlin_move"]
    assert told["kind"] == "near-live" and "has a UTS" in told["reason"]
    assert listed("live") == []
    info = cluster[2].cli("info", name).stdout
    assert "\nMoves: near-live (" in info and "sleep (process" in info
    cluster[0].cli("exec", name, "--", "sh", "-c", "kill $(ps | awk '/sleep 1000$/ { print $1 }')")
    wait_until(cluster[2], "live", "")
    cluster[2].cli("stop", "--force", name)
    wait_until(cluster[2], "cold", "the instance is stopped")
