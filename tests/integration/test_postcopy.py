# SPDX-License-Identifier: Apache-2.0
"""Memory that follows a container which runs on the target already."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from cluster import wait_for
from moves import in_background, last_move, move, processes_of, status_of
from world import read_text


LAZY = ("-c", "migration.memory=post-copy")


def odd(member, name, *words):
    """A process of tests/image in the container, once it is ready."""
    member.cli("exec", name, "--", "sh", "-c", f"rm -f /odd; /sbin/init {' '.join(words)} </dev/null >/odd 2>&1 &")
    wait_for("the odd process", lambda: "ready" in said(member, name))


def said(member, name):
    return member.cli("exec", name, "--", "cat", "/odd", check=False).stdout


def test_a_large_one_goes_on_before_its_memory_is_there(cluster, launch, client, world):
    name = launch("large", "--target", "m1", "-c", "environment.MEM_MIB=256", "-c", "environment.DIRTY_MIB_S=128",
                  "-c", "migration.memory=best")
    talk = client(cluster[0].address_of(name))
    for target in ("m2", "m1"):
        info = last_move(cluster, name, target)
        assert info["memory"] == "post-copy" and "plain for" in info["memory_reason"]
        assert info["memory_bytes"] < 16 << 20 and info["pages_bytes"] > 250 << 20
    assert talk.finish()["error"] == ""
    assert memory_is_whole(cluster[2], name)
    assert world.problems() == []


def test_memory_of_all_kinds_is_the_same(cluster, launch, world):
    """Also of processes that fork, move memory and give it back before all of it is there."""
    name = launch("kinds", "--target", "m1", *LAZY)
    odd(cluster[0], name, "memory", "128")
    cluster[0].cli("exec", name, "--", "touch", "/go")
    info = last_move(cluster, name, "m2")
    assert info["memory"] == "post-copy" and info["pages_bytes"] > 128 << 20
    wait_for("the checks", lambda: said(cluster[1], name) not in ("", "ready\n"))
    assert said(cluster[1], name) == "ready\nsame\n"
    assert world.problems() == []


FAULTS = [
    # fault point, member whose daemon has it, action, where it runs afterwards
    ("move_target_prepared", 1, "crash", "m1"),
    ("move_source_before_commit", 0, "error", "m1"),
    ("move_source_after_commit", 0, "crash", "m2"),
    ("move_target_after_commit", 1, "crash", "m2"),
    ("move_source_fetching", 0, "crash", "m2"),
    ("move_target_fetching", 1, "crash", "m2"),
    ("move_target_fetched", 1, "crash", "m2"),
    ("move_source_fetched", 0, "crash", "m2"),
]


def test_faults_lose_no_memory(cluster, launch, client, world):
    """Daemons die on either side, before the commit and while memory follows; each move is of the same one."""
    name = launch("faulty", "--target", "m1", "-c", "environment.MEM_MIB=64", *LAZY)
    for fault, member, action, want in FAULTS:
        m = cluster[member]
        cluster.restart(m, DUNLIN_FAULT=f"{fault}={action}")
        talk = client(cluster[2].address_of(name))
        end = in_background(lambda: move(cluster[2], name, "m2", check=False))
        if action == "crash":
            m.wait_gone(30)
            m.start()
        end()
        wait_for(f"{name} on {want}, running", lambda: status_of(cluster[2], name) == (want, "Running"))
        wait_for("a consistent world", lambda: world.problems() == [])
        assert talk.finish()["error"] == "", fault
        assert memory_is_whole(cluster[2], name), fault
        if action == "error":
            cluster.restart(m)
        cluster.settle()
        if want == "m2":
            move(cluster[2], name, "m1")


def memory_is_whole(member, name):
    ask = "(echo sum; cat /fifo) | nc 127.0.0.1 7000 | (head -n 1; echo >/fifo)"
    out = member.cli("exec", name, "--", "sh", "-c", f"[ -p /fifo ] || mkfifo /fifo; {ask}").stdout
    return out.endswith("ok\n")


@pytest.fixture
def slow(cluster):
    """Memory that follows takes longer than whatever a test does meanwhile, until slow() is called."""
    def end():
        cluster[2].cli("config", "set", "move.bandwidth", "")
    cluster[2].cli("config", "set", "move.bandwidth", "3MiB")
    yield end
    end()


def launch_and_move(cluster, launch, name):
    """An instance that runs on m2, its memory still on m1; and what ends with the move."""
    launch(name, "--target", "m1", "-c", "environment.MEM_MIB=64", *LAZY)
    end = in_background(lambda: move(cluster[2], name, "m2", check=False))
    wait_for(f"{name} on m2", lambda: status_of(cluster[2], name) == ("m2", "Running"))
    return end


def test_it_is_used_and_moves_on_once_its_memory_is_there(cluster, launch, client, slow, world):
    end = launch_and_move(cluster, launch, "busy")
    talk = client(cluster[2].address_of("busy"))
    next_end = in_background(lambda: move(cluster[2], "busy", "m3", check=False))
    cluster[1].cli("exec", "busy", "--", "touch", "/used")
    slow()
    for ended in (end(), next_end()):
        assert ended.returncode == 0, ended.stderr
    assert status_of(cluster[2], "busy") == ("m3", "Running")
    assert cluster[2].cli("exec", "busy", "--", "ls", "/used").returncode == 0
    assert talk.finish()["error"] == ""
    assert memory_is_whole(cluster[2], "busy")
    assert world.problems() == []


def test_a_cut_link_is_made_again(cluster, launch, slow, world):
    end = launch_and_move(cluster, launch, "cut")
    cluster.cut(cluster[1])
    wait_for("m2 is offline", lambda: not online(cluster[2], "m2"))
    cluster.mend(cluster[1])
    slow()
    assert end().returncode == 0
    assert memory_is_whole(cluster[2], "cut")
    wait_for("a consistent world", lambda: world.problems() == [])


def online(member, name):
    return member.api("GET", f"/1.0/cluster/members/{name}")["status"] == "Online"


def kill(member, *verbs):
    """Those of its helpers and CRIUs, at once: none sees another one's end."""
    pids = [pid for pid, what in processes_of(member) if what in verbs]
    for sig in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
    assert pids, f"no {verbs} on {member.name}"


def waits_for_memory(world, member, name):
    """A process that needs a page."""
    return any("userfault" in read_text(f"/proc/{pid}/wchan") for pid in world.payload_pids(member, name))


ASK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7000))
s.sendall(b"sum\\n")
print(s.recv(100).decode())
"""


def test_it_never_runs_with_memory_that_is_not_its_own(cluster, launch, slow, world):
    """Not even when its pager, that one's keeper and the daemon are killed together: its processes wait."""
    end = launch_and_move(cluster, launch, "lost")
    m2 = cluster[1]
    address, logged = m2.address_of("lost"), m2.log.stat().st_size
    m2.kill()
    kill(m2, "helper-pages")
    with subprocess.Popen(m2.in_netns(sys.executable, "-c", ASK, address), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as asks:
        try:
            wait_for("a process that waits", lambda: waits_for_memory(world, m2, "lost"))
            m2.start()
            wait_for("stopped on m2", lambda: status_of(cluster[2], "lost") == ("m2", "Stopped"))
        finally:
            asks.kill()
        assert asks.stdout.read().strip() == "", "it told a sum of what it did not have"
    ended = end()
    assert ended.returncode == 1 and "memory" in ended.stderr
    wait_for("the reason", lambda: "the process that fetched its memory is gone" in m2.log_since(logged))
    cluster.settle()
    wait_for("a consistent world", lambda: world.problems() == [])
    slow()
    cluster[2].cli("start", "lost")
    move(cluster[2], "lost", "m1")


def test_the_source_needs_no_criu_for_it(cluster, launch, slow, world):
    """Its frozen processes are the image, whoever has dumped them."""
    end = launch_and_move(cluster, launch, "held")
    kill(cluster[0], "criu-dump", "helper-dump")
    slow()
    ended = end()
    assert ended.returncode == 0, ended.stderr
    assert memory_is_whole(cluster[2], "held")
    wait_for("a consistent world", lambda: world.problems() == [])


def test_a_host_that_goes_down_takes_memory_along(cluster, launch, slow, world):
    """The source's: it is killed, with the reason. The target's: it starts anew with its host."""
    m1, m2, m3 = cluster
    end = launch_and_move(cluster, launch, "down")
    logged = m2.log.stat().st_size
    world.reboot(m1)
    wait_for("stopped on m2", lambda: status_of(m3, "down") == ("m2", "Stopped"))
    end()
    wait_for("the reason", lambda: "its memory was lost on the member that it came from" in m2.log_since(logged))
    wait_for("a consistent world", lambda: world.problems() == [])
    m3.cli("start", "down")
    end = in_background(lambda: move(m3, "down", "m1", check=False))
    wait_for("it on m1", lambda: status_of(m3, "down") == ("m1", "Running"))
    logged = m1.log.stat().st_size
    world.reboot(m1)
    ended = end()
    assert ended.returncode == 1 and "memory" in ended.stderr
    wait_for("its start", lambda: "instance started instance=down" in m1.log_since(logged))
    wait_for("it to run again", lambda: status_of(m3, "down") == ("m1", "Running"))
    wait_for("a consistent world", lambda: world.problems() == [])
    assert memory_is_whole(m3, "down")


def test_a_stop_needs_no_memory(cluster, launch, slow, world):
    end = launch_and_move(cluster, launch, "ended")
    cluster[2].cli("stop", "--force", "ended")
    assert end().returncode == 0
    cluster[2].cli("start", "ended")
    wait_for("a consistent world", lambda: world.problems() == [])
