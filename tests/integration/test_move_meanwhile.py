# SPDX-License-Identifier: Apache-2.0
"""What comes to a container while it is being moved: it finds the container afterwards, or says why not."""

import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from cluster import wait_for
from moves import Held, in_background, move, processes_of, status_of, wait_for_fault


@pytest.mark.parametrize("sig, where", [(signal.SIGCONT, "m2"), (signal.SIGKILL, "m1")], ids=["moved", "given-up"])
def test_what_goes_in_waits_for_the_end_of_the_move(cluster, launch, world, tmp_path, sig, where):
    """Commands and files that come while the container stands still find it where it is afterwards."""
    name = launch("waited", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "echo there > /there")
    (tmp_path / "file").write_text("pushed\n")
    held = Held(cluster, name)
    begun = [in_background(lambda m=m, w=w: m.cli(*w, check=False)) for m in (cluster[0], cluster[2]) for w in (
        ("exec", name, "--", "sh", "-c", "echo ran; exit 5"),
        ("exec", name, "--mode=interactive", "--", "sh", "-c", "exit 6"),
        ("file", "pull", f"{name}/there", "-"),
        ("file", "push", str(tmp_path / "file"), f"{name}/pushed-{m.name}"))]
    threading.Event().wait(0.5)  # to be refused, killed or lost
    result = held.end(sig)
    assert (result.returncode == 0) == (where == "m2"), result.stderr
    ends = [b() for b in begun]
    assert [(e.returncode, e.stdout) for e in ends] == 2 * [(5, "ran\n"), (6, ""), (0, "there\n"), (0, "")], ends
    assert status_of(cluster[2], name) == (where, "Running")
    for m in cluster[0], cluster[2]:
        assert cluster[2].cli("exec", name, "--", "cat", f"/pushed-{m.name}").stdout == "pushed\n"
    wait_for("a consistent world", lambda: world.problems() == [])


def test_what_cannot_wait_any_longer_is_told_so(cluster, launch, world):
    name = launch("endless", "--target", "m1")
    cluster.restart(cluster[0], DUNLIN_FAULT="move_source_before_commit=hang")
    logged = cluster[0].log.stat().st_size
    mover = in_background(lambda: move(cluster[2], name, "m2", check=False))
    wait_for_fault(cluster[0], "move_source_before_commit", logged)
    begun = [in_background(lambda w=w: cluster[2].cli(*w, check=False, timeout=60)) for w in (
        ("exec", name, "--", "true"), ("file", "pull", f"{name}/etc/hostname", "-"), ("console", name))]
    for b in begun:
        end = b()
        assert end.returncode == 1 and f"instance {name} is being moved right now; try again" in end.stderr, end
    cluster.restart(cluster[0])
    assert mover().returncode == 1
    assert cluster[2].cli("exec", name, "--", "echo", "alive").stdout == "alive\n"
    wait_for("a consistent world", lambda: world.problems() == [])


@pytest.mark.parametrize("mode", ["interactive", "non-interactive"])
def test_a_move_may_end_commands(cluster, launch, world, mode):
    """They cannot go along; whoever had begun one is told."""
    name = launch("ended", "--target", "m1")
    # Who asks another member is told as well.
    begun = in_background(lambda: cluster[1].cli("exec", f"--mode={mode}", name, "--", "sleep", "1004", check=False))
    wait_for("the command", lambda: "sleep 1004" in cluster[0].cli("exec", name, "--", "ps").stdout)
    refused = move(cluster[2], name, "m2", "--live", check=False)
    assert refused.returncode == 1 and "end that exec session first" in refused.stderr
    move(cluster[2], name, "m2", "--live", "--end-sessions")
    end = begun()
    assert end.returncode != 0 and f"the session was ended by a move of {name}" in end.stderr, end
    assert status_of(cluster[0], name) == ("m2", "Running")
    assert "sleep 1004" not in cluster[0].cli("exec", name, "--", "ps").stdout
    wait_for("a consistent world", lambda: world.problems() == [])


def stop_helper(cluster):
    helper = [pid for pid, what in processes_of(cluster[0]) if what == "helper-dump"]
    for pid in helper:
        os.kill(pid, signal.SIGSTOP)
    return helper


def begin_within_a_move(cluster, name):
    """A move whose helper stands still, and a command begun meanwhile; None when the helper was further already."""
    mover = in_background(lambda: move(cluster[2], name, "m2", check=False))
    helper = wait_for("the helper", lambda: stop_helper(cluster), 30, step=0.001)
    session = subprocess.Popen(cluster[2].in_netns(cluster.dunlin, "exec", name, "--", "cat"),
                               env=cluster[2].env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with contextlib.suppress(BrokenPipeError):
        session.stdin.write("hello\n")
        session.stdin.flush()
    line = session.stdout.readline()
    for pid in helper:
        os.kill(pid, signal.SIGCONT)
    if line == "hello\n":
        return session, mover()
    session.communicate()
    assert mover().returncode == 0
    move(cluster[2], name, "m1")
    return None


def test_a_command_begun_after_the_plan_refuses_the_move(cluster, launch, world):
    name = launch("visited", "--target", "m1")
    session, failed = wait_for("a command in time", lambda: begin_within_a_move(cluster, name), 120)
    assert failed.returncode == 1 and 'the command "cat" was begun' in failed.stderr, failed
    assert session.communicate("goes on\n", timeout=30)[0] == "goes on\n" and session.returncode == 0
    move(cluster[2], name, "m2")


@pytest.mark.parametrize("first", ["fails", "succeeds"])
def test_a_move_waits_for_the_end_of_the_one_before(cluster, launch, world, first):
    """The source knows how a move has ended a little before its target is done with it."""
    name = launch(f"again-{first}", "--target", "m1")
    faults = "move_target_ending=late" + (",move_after_prepare=error" if first == "fails" else "")
    cluster.restart(cluster[1], DUNLIN_FAULT=faults)
    assert (move(cluster[2], name, "m2", check=False).returncode == 0) == (first == "succeeds")
    move(cluster[2], name, "m2" if first == "fails" else "m1")
    assert cluster[2].cli("exec", name, "--", "echo", "alive").stdout == "alive\n"
    wait_for("a consistent world", lambda: world.problems() == [])
    cluster.restart(cluster[1])


def test_who_gets_in_past_the_daemon_refuses_the_move(cluster, launch, world):
    """Somebody on the host, by other ways, while the container stands still: the commit would kill him."""
    name = launch("burgled", "--target", "m1")
    held = Held(cluster, name)
    burglar = subprocess.Popen(["sleep", "600"])
    try:
        for folder in Path("/sys/fs/cgroup").glob(f"*/{world.cgroup_name(cluster[0])}/{name}/payload"):
            (folder / "cgroup.procs").write_text(str(burglar.pid))
        failed = held.end(signal.SIGCONT)
        assert failed.returncode == 1 and f"sleep ({burglar.pid})" in failed.stderr, failed
        assert burglar.poll() is None
    finally:
        burglar.kill()
        burglar.wait()
    assert cluster[2].cli("exec", name, "--", "echo", "alive").stdout == "alive\n"
    move(cluster[2], name, "m2")


def test_files_of_a_stopped_one_wait_for_its_move(cluster, launch, world, tmp_path):
    """What was written after it had been sent would stay behind."""
    name = launch("asleep", "--target", "m1")
    cluster[0].cli("stop", "--force", name)
    (tmp_path / "file").write_text("pushed\n")
    cluster.restart(cluster[1], DUNLIN_FAULT="move_after_prepare=hang")
    logged = cluster[1].log.stat().st_size
    mover = in_background(lambda: move(cluster[2], name, "m2", check=False))
    wait_for_fault(cluster[1], "move_after_prepare", logged)
    push = in_background(lambda: cluster[2].cli("file", "push", str(tmp_path / "file"), f"{name}/pushed", check=False))
    threading.Event().wait(0.5)  # to be lost
    cluster.restart(cluster[1])
    assert mover().returncode == 1 and push().returncode == 0
    cluster.settle()
    move(cluster[2], name, "m2")
    assert cluster[2].cli("file", "pull", f"{name}/pushed", "-").stdout == "pushed\n"
    wait_for("a consistent world", lambda: world.problems() == [])


def test_a_new_daemon_lets_nobody_in_before_the_move_is_settled(cluster, launch, world):
    name = launch("settled", "--target", "m1")
    held = Held(cluster, name)
    cluster[0].kill(signal.SIGKILL)
    cluster[0].start()
    for m in (cluster[0], cluster[2]):
        assert m.cli("exec", name, "--", "echo", "alive").stdout == "alive\n"
    held.end(signal.SIGCONT)
    wait_for("running on m1", lambda: status_of(cluster[2], name) == ("m1", "Running"))
    wait_for("a consistent world", lambda: world.problems() == [])
