# SPDX-License-Identifier: Apache-2.0
"""Moving containers between members: live under TCP traffic, cold, refused, rolled back."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cluster import run, wait_for
from moves import MOVE_S, last_move, move, processes_of, status_of, wait_for_fault


@pytest.mark.parametrize("pool", ["default", "plain"])
def test_live_move_keeps_tcp_address_and_state(cluster, launch, client, world, pool):
    name = launch(f"live-{pool}", "--target", "m1", "-s", pool)
    address = cluster[0].address_of(name)
    cluster[0].cli("exec", name, "--", "sh", "-c", "echo kept > /root/file; mkdir -p /srv/a/b; ln -s a /srv/l")
    talk = client(address)
    info = last_move(cluster, name, "m2")
    result = talk.finish()
    assert result["error"] == "" and result["replies"] >= 50
    assert info["kind"] == "live" and 0 < info.get("downtime_ms", 0) < 5000
    cluster[0].shows(name, location="m2")
    assert cluster[2].address_of(name) == address
    out = cluster[2].cli("exec", name, "--", "cat", "/root/file", "/srv/l/../a/../../root/file").stdout
    assert out == "kept\nkept\n"
    assert world.problems() == []


def test_new_connections_are_answered_or_reset(cluster, launch, client):
    """Whoever connects while the container is frozen, copied and restored gets an answer or a reset soon."""
    name = launch("popular", "--target", "m1", "-c", "environment.MEM_MIB=192")
    address = cluster[0].address_of(name)
    talk, opener = client(address), client(address, program="opener.py")
    for target in ("m2", "m3"):
        move(cluster[0], name, target)
    opened, result = opener.finish(), talk.finish()
    assert result["error"] == "" and opened["error"] == ""
    assert opened["hung"] == 0, opened
    assert opened["answered"] > 100


def odd(member, name, *words):
    """A process of tests/image/odd.c in the container, once it is ready; /accept lets it go on."""
    member.cli("exec", name, "--", "sh", "-c",
               f"rm -f /accept /odd; /sbin/init {' '.join(words)} </dev/null >/odd 2>&1 &")
    wait_for("the odd process", lambda: "ready" in member.cli("exec", name, "--", "cat", "/odd", check=False).stdout)


def test_a_connection_that_nobody_accepted_is_reset(cluster, launch, client):
    """Its peer has sent nothing that it could repeat: it would wait for ever."""
    name = launch("deaf", "--target", "m1")
    address = cluster[0].address_of(name)
    v6 = cluster[0].address_of(name, family="inet6", scope="link")
    odd(cluster[0], name, "deaf", "7001")
    waiting = [client(a, 30, program="waiter.py", port=7001) for a in (address, address, f"{v6}%eth0")]
    move(cluster[0], name, "m2")
    assert [w.finish(stop=False)["end"] for w in waiting] == ["reset"] * 3


def test_a_move_that_fails_resets_nothing(cluster, launch, client):
    name = launch("patient", "--target", "m1")
    address = cluster[0].address_of(name)
    odd(cluster[0], name, "deaf", "7001")
    waiting = client(address, 60, program="waiter.py", port=7001)
    cluster.restart(cluster[0], DUNLIN_FAULT="move_source_before_commit=error")
    assert move(cluster[0], name, "m2", check=False).returncode == 1
    cluster[0].cli("exec", name, "--", "touch", "/accept")
    assert waiting.finish(stop=False)["first"] == "late"
    cluster.restart(cluster[0])


def test_a_connect_under_way_ends_after_the_move(cluster, launch, client):
    """The container asks, nobody answers yet: it goes on asking from where it is."""
    name = launch("asking", "--target", "m1")
    cluster[0].address_of(name)
    peer = client(cluster[0].address_of(name))
    run("ip", "-n", peer.netns, "addr", "add", "10.87.252.9/16", "dev", "eth0")
    listen = ("import socket; s = socket.socket(); s.bind(('10.87.252.9', 9)); s.listen(0); "
              "q = socket.create_connection(('10.87.252.9', 9)); print('full', flush=True); input(); "
              "s.accept(); c = s.accept()[0]; print(c.recv(9).decode())")
    server = subprocess.Popen(["nsenter", f"--net=/run/netns/{peer.netns}", sys.executable, "-c", listen],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "full\n"
        cluster[0].cli("exec", name, "--", "sh", "-c", "(echo here; sleep 60) | nc 10.87.252.9 9 >/dev/null 2>&1 &")
        sent = "grep -i ':0009 02 ' /proc/net/tcp"
        wait_for("the question", lambda: cluster[0].cli("exec", name, "--", "sh", "-c", sent, check=False).stdout)
        move(cluster[0], name, "m2")
        assert server.communicate("go\n", timeout=60)[0].strip() == "here"
    finally:
        server.kill()
        server.wait()


def test_there_and_back_and_on(cluster, launch, client, world):
    name = launch("rover", "--target", "m1")
    talk = client(cluster[0].address_of(name))
    for target in ("m2", "m3", "m1", "m2", "m1"):
        move(cluster[0], name, target)
        cluster[1].shows(name, location=target)
    assert talk.finish()["error"] == ""
    cluster[0].cli("stop", name)
    cluster[0].cli("start", name)
    assert cluster[0].instance(name)["status"] == "Running"
    assert world.problems() == []


def test_processes_keep_their_memory_and_files(cluster, launch):
    name = launch("worker", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c",
                   "(n=0; while :; do n=$((n+1)); echo $n >> /root/count; sleep 0.05; done) "
                   "</dev/null >/dev/null 2>&1 &")
    wait_for("the counter", lambda: "5" in cluster[0].cli("exec", name, "--", "cat", "/root/count", check=False).stdout)
    move(cluster[0], name, "m3")
    def lines():
        return [int(n) for n in cluster[0].cli("exec", name, "--", "cat", "/root/count").stdout.split()]
    before = lines()
    wait_for("the counter to go on", lambda: len(lines()) > len(before))
    after = lines()
    assert after == list(range(1, len(after) + 1))


def test_pages_of_zeros_are_not_sent(cluster, launch):
    name = launch("zeros", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c",
                   "{ dd if=/dev/zero bs=64M count=1 | sleep 1000; } </dev/null >/dev/null 2>&1 &")
    wait_for("the zeros", lambda: cluster[0].state(name)["memory"]["usage"] > 64 << 20)
    assert last_move(cluster, name, "m2")["memory_bytes"] < 8 << 20


def test_limits_move_along(cluster, launch):
    name = launch("limited", "--target", "m1", "-c", "limits.memory=64MiB", "-c", "limits.cpu=1")
    move(cluster[0], name, "m2")
    state = cluster[0].state(name)
    assert state["status"] == "Running"
    assert cluster[1].instance(name)["config"]["limits.memory"] == "64MiB"
    cluster[0].cli("restart", name)


IN_CGROUPS = """
in_cgroups() {
  for fs in "cgroup2" "cgroup -o pids" "cgroup -o memory" "cgroup -o none,name=systemd"; do
    mount -t $fs none /mnt 2>/dev/null || continue
    (cd /mnt && "$@") || exit 1
    umount /mnt
  done
}
make() { mkdir -p "a unit/b" && chmod 0640 "a unit/cgroup.procs" && chown 33:44 "a unit/b" "a unit/b/cgroup.procs"; }
use() { mkdir service && sh -c 'echo $$ >service/cgroup.procs && cat /proc/self/cgroup' | grep -o '/service$'; }
"""


def cgroups_of(world, member, name):
    """(path, mode, owner) of all that a container may find in its cgroups."""
    found = set()
    for top in Path("/sys/fs/cgroup").glob(f"*/{world.cgroup_name(member)}/{name}/payload"):
        for folder, _, files in os.walk(top):
            for path in [Path(folder), *(Path(folder) / f for f in files)]:
                st = path.lstat()
                found.add((f"{top.parts[4]}:{path.relative_to(top)}", oct(st.st_mode), st.st_uid, st.st_gid))
    return found


@pytest.mark.parametrize("flags", [(), ("-c", "security.privileged=true")], ids=["unprivileged", "privileged"])
def test_cgroups_can_be_used_as_before(cluster, launch, world, flags):
    """An init makes cgroups for its services and moves processes into them: modes and owners of all files count."""
    name = launch("groups", "--target", "m1", *flags)
    cluster[0].cli("exec", name, "--", "sh", "-c", IN_CGROUPS + "in_cgroups make")
    before = cgroups_of(world, cluster[0], name)
    assert sum(path.endswith(":a unit/b/cgroup.procs") for path, *_ in before) >= 2
    move(cluster[0], name, "m2")
    assert cgroups_of(world, cluster[1], name) == before
    used = cluster[0].cli("exec", name, "--", "sh", "-c", IN_CGROUPS + "in_cgroups use").stdout.split()
    assert len(used) >= 2


def test_privileged_moves_live(cluster, launch):
    name = launch("priv", "--target", "m1", "-c", "security.privileged=true")
    assert last_move(cluster, name, "m2")["kind"] == "live"


def test_stopped_one_moves_cold(cluster, launch, world):
    name = launch("cold", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "echo data > /root/f")
    cluster[0].cli("stop", name)
    move(cluster[1], name, "m3")
    cluster[0].shows(name, "Stopped", location="m3")
    cluster[0].cli("start", name)
    assert cluster[0].cli("exec", name, "--", "cat", "/root/f").stdout == "data\n"
    assert world.problems() == []


def test_running_one_moves_cold_when_asked(cluster, launch):
    name = launch("chilly", "--target", "m1")
    move(cluster[0], name, "m2", "--stateless")
    cluster[0].shows(name, location="m2")


def test_dry_run_changes_nothing(cluster, launch):
    name = launch("dry", "--target", "m1")
    out = move(cluster[0], name, "m2", "--dry-run").stdout
    assert "live" in out
    assert cluster[0].instance(name)["location"] == "m1"


def test_preflight_names_what_forbids(cluster, launch):
    name = launch("nested", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "unshare -u sleep 1000 </dev/null >/dev/null 2>&1 &")
    # It is called otherwise until unshare has become it.
    plan = wait_for("the plan to see it", lambda: (
        lambda p: p if p["kind"] != "live" and "sleep" in p["reason"] else None)(
            cluster[0].api("GET", f"/1.0/instances/{name}/move-plan?target=m2")))
    assert "uts" in plan["reason"].lower()
    result = move(cluster[0], name, "m2", "--mode", "live", check=False)
    assert result.returncode == 1 and "sleep" in result.stderr
    cluster[0].shows(name, location="m1")


def test_preflight_names_all_that_forbids(cluster, launch):
    """What makes the dump fail or the result hang, all of it at once, in the plan and in the refusal."""
    name = launch("crowd", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "mkdir -p /mnt/r && mount -t ramfs none /mnt/r && "
                   "touch /mnt/r/used; exec </dev/null >/dev/null 2>&1; "
                   "(exec 3<>/proc/pressure/memory; echo 'some 150000 2000000' >&3; exec sleep 1001) & "
                   "for i in $(seq 25); do unshare -u sleep 1000 & done")
    wait_for("all to be what they become", lambda: cluster[0].cli(
        "exec", name, "--", "sh", "-c", "cat /proc/[0-9]*/comm").stdout.split().count("sleep") == 26)

    def all_of_them():
        p = cluster[0].api("GET", f"/1.0/instances/{name}/move-plan?target=m2")
        return p if len(p["reasons"]) + p["more"] == 27 else None
    plan = wait_for("the plan to see them", all_of_them)
    assert len(plan["reasons"]) == 20 and plan["more"] == 7 and plan["kind"] == "near-live"
    dry = move(cluster[0], name, "m2", "--dry-run", "--mode", "live", check=False)
    out = dry.stdout
    assert dry.returncode == 1 and f"{name} would not move to m2 live: only near-live\n" in out
    assert f"{name} would move to m2: cold\n" in move(cluster[0], name, "m2", "--dry-run", "--cold").stdout
    assert "ramfs at /mnt/r" in out and out.count("- sleep") >= 18 and "and 7 more" in out
    result = move(cluster[0], name, "m2", "--live", check=False)
    assert result.returncode == 1 and "ramfs at /mnt/r" in result.stderr and "more" in result.stderr
    cluster[0].cli("exec", name, "--", "sh", "-c",
                   "umount /mnt/r; kill $(ps | awk '/sleep 1000$/ { print $1 }')")
    plan = wait_for("the plan to see them go", lambda: (lambda p: p if len(p["reasons"]) == 1 else None)(
        cluster[0].api("GET", f"/1.0/instances/{name}/move-plan?target=m2")))
    assert "/proc/pressure/memory" in plan["reasons"][0]


@pytest.mark.parametrize("what", ["queue", "kernel", "early"])
def test_a_dump_is_tried_again_when_its_obstacle_passes(cluster, launch, client, world, what):
    """A message or a connection that nobody has taken yet makes CRIU fail; its receiver does that soon."""
    name = launch("mailbox", "--target", "m1", "-c", "environment.MEM_MIB=32")
    odd(cluster[0], name, what)
    talk = client(cluster[0].address_of(name))
    logged = cluster[0].log.stat().st_size
    mover = threading.Thread(target=move, args=(cluster[2], name, "m2"), kwargs={"check": False})
    mover.start()
    wait_for("the second try", lambda: "a dump is tried again" in cluster[0].log_since(logged), 60, step=0.005)
    cluster[0].request("POST", f"/1.0/instances/{name}/files?path=/accept", b"")
    mover.join(MOVE_S)
    cluster[2].shows(name, location="m2")
    assert talk.finish()["error"] == ""
    assert world.problems() == []


def test_a_dump_is_not_tried_for_ever(cluster, launch, client):
    name = launch("hoarder", "--target", "m1")
    odd(cluster[0], name, "queue")
    talk = client(cluster[0].address_of(name))
    result = move(cluster[0], name, "m2", check=False)
    assert result.returncode == 1 and "credentials" in result.stderr and "5 tries" in result.stderr
    cluster[0].shows(name, location="m1")
    assert talk.finish()["error"] == ""


def test_a_process_that_stays_in_vfork_is_named(cluster, launch, client):
    """It cannot be stopped; a frozen container must not stand still for that."""
    name = launch("starter", "--target", "m1")
    odd(cluster[0], name, "starting")
    talk = client(cluster[0].address_of(name))
    result = move(cluster[0], name, "m2", "--mode", "live", check=False)
    assert result.returncode == 1 and "vfork" in result.stderr
    cluster[0].cli("exec", name, "--", "touch", "/accept")
    assert last_move(cluster, name, "m2")["kind"] == "live"
    assert talk.finish()["error"] == ""


def test_processes_that_come_and_go_are_no_obstacle(cluster, launch):
    name = launch("storm", "--target", "m1", "-c", "environment.TICKS=0")
    cluster[0].cli("exec", name, "--", "sh", "-c", "exec </dev/null >/dev/null 2>&1; "
                   "for i in 1 2 3 4; do (while :; do (true; sh -c true) & wait; done) & done")
    for _ in range(60):
        plan = cluster[0].api("GET", f"/1.0/instances/{name}/move-plan?target=m2")
        assert plan["kind"] == "live", plan
    for target in ("m2", "m1"):
        move(cluster[0], name, target)


@pytest.mark.parametrize("target, words", [("m1", "m1"), ("nowhere", "nowhere")])
def test_bad_targets(cluster, launch, target, words):
    name = launch(f"bad-{target}", "--target", "m1")
    result = move(cluster[0], name, target, check=False)
    assert result.returncode == 1 and words in result.stderr
    assert cluster[0].instance(name)["status"] == "Running"


FAULTS = [
    # fault point, member whose daemon has it, action
    ("move_after_prepare", 1, "error"),
    ("move_source_copying", 0, "error"),
    ("move_source_frozen", 0, "error"),
    ("move_target_receiving", 1, "error"),
    ("move_target_before_restore", 1, "error"),
    ("move_target_prepared", 1, "error"),
    ("move_source_before_commit", 0, "error"),
    ("move_after_prepare", 1, "crash"),
    ("move_source_copying", 0, "crash"),
    ("move_source_frozen", 0, "crash"),
    ("move_source_before_commit", 0, "crash"),
    ("move_source_after_commit", 0, "crash"),
    ("move_source_after_verdict", 0, "crash"),
    ("move_target_receiving", 1, "crash"),
    ("move_target_before_restore", 1, "crash"),
    ("move_target_prepared", 1, "crash"),
    ("move_target_after_commit", 1, "crash"),
]
AFTER_COMMIT = {"move_source_after_commit", "move_source_after_verdict", "move_target_after_commit"}


@pytest.mark.parametrize("fault, member, action", FAULTS, ids=[f"{f}-{a}" for f, _, a in FAULTS])
def test_fault_loses_nothing_and_runs_nothing_twice(cluster, launch, client, world, fault, member, action):
    name = launch("faulty", "--target", "m1")
    address = cluster[0].address_of(name)
    m = cluster[member]
    cluster.restart(m, DUNLIN_FAULT=f"{fault}={action}")
    talk = client(address)
    result = move(cluster[2], name, "m2", check=False, timeout=90)
    if action == "crash":
        m.wait_gone()
        m.start()
    committed = fault in AFTER_COMMIT
    want = "m2" if committed else "m1"
    wait_for(f"{name} on {want}, running", lambda: (
        cluster[2].instance(name)["location"], cluster[2].instance(name)["status"]) == (want, "Running"))
    wait_for("a consistent world", lambda: world.problems() == [])
    assert talk.finish()["error"] == ""
    if action == "error" and not committed:
        assert result.returncode == 1 and fault in result.stderr
    elif m is cluster[0]:
        # Who has asked another member is told by that one what became of it.
        assert (result.returncode == 0 and "m2 (live), which has finished the move alone" in result.stdout if committed
                else "m1 went away during the move, which was given up: faulty is on m1" in result.stderr), result
    cluster.settle()
    move(cluster[2], name, "m3")
    if action == "error":
        cluster.restart(m)


COLD_FAULTS = [
    # fault point, member whose daemon has it, action, where it runs afterwards
    ("move_source_copying", 0, "error", "m1"),
    ("move_source_copying", 0, "crash", "m1"),
    ("move_source_after_commit", 0, "error", "m2"),
    ("move_source_after_commit", 0, "crash", "m2"),
    ("move_after_prepare", 1, "error", "m1"),
    ("move_after_prepare", 1, "crash", "m1"),
    ("move_target_after_commit", 1, "error", "m2"),
    ("move_target_after_commit", 1, "crash", "m2"),
]


@pytest.mark.parametrize("fault, member, action, want", COLD_FAULTS, ids=[f"{f[0]}-{f[2]}" for f in COLD_FAULTS])
def test_stopped_for_its_move_runs_again(cluster, launch, world, fault, member, action, want):
    """Whoever has it starts it, and a move that ends with success has it running."""
    name = launch("chilly", "--target", "m1")
    m = cluster[member]
    cluster.restart(m, DUNLIN_FAULT=f"{fault}={action}")
    result = move(cluster[2], name, "m2", "--stateless", check=False, timeout=120)
    if result.returncode == 0:
        assert status_of(cluster[1], name) == ("m2", "Running")
    if action == "crash":
        # The source's daemon is gone with its operation; the others know. That of the target is missed by the source.
        told = "m2 (cold), which has finished the move alone" if m is cluster[0] and want == "m2" else \
            "m1 went away during the move, which was given up" if m is cluster[0] else "lost"
        assert told in result.stdout + result.stderr and result.returncode == (told[:2] != "m2"), result
        m.wait_gone()
        m.start()
    wait_for(f"{name} on {want}, running", lambda: status_of(cluster[2], name) == (want, "Running"))
    assert cluster[2].cli("exec", name, "--", "echo", "alive").stdout == "alive\n"
    wait_for("a consistent world", lambda: world.problems() == [])
    if action == "error":
        assert result.returncode == (0 if want == "m2" else 1), result.stderr
        cluster.restart(m)
    cluster.settle()


@pytest.mark.parametrize("victim, member", [("helper-dump", 0), ("criu-dump", 0), ("helper-restore", 1),
                                            ("criu-restore", 1)])
def test_process_of_a_move_is_killed(cluster, launch, world, victim, member):
    """Whatever dies, the container runs on exactly one member and can be worked with."""
    name = launch("killed", "--target", "m1", "-c", "environment.MEM_MIB=64")
    ends = []
    mover = threading.Thread(target=lambda: ends.append(move(cluster[2], name, "m2", check=False)))
    mover.start()

    def kill_it():
        for pid, what in processes_of(cluster[member]):
            if what == victim:
                os.kill(pid, signal.SIGKILL)
                return True
        return not mover.is_alive()
    wait_for("the process to kill", kill_it, 30, step=0.001)
    mover.join(MOVE_S)
    # A CRIU that dies while its code is in a process takes the process along: the user is told so.
    if victim == "criu-dump" and "did not survive the move, and has stopped on m1" in ends[0].stderr:
        cluster[2].cli("start", name)
    wait_for("running again", lambda: cluster[2].instance(name)["status"] == "Running")
    wait_for("a consistent world", lambda: world.problems() == [])
    assert cluster[2].cli("exec", name, "--", "echo", "alive").stdout == "alive\n"
    cluster[2].cli("restart", "--force", name)
    move(cluster[2], name, "m3")
    assert world.problems() == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_killed_restore_leaves_no_process(cluster, launch, world, count):
    """Killed when it has forked nothing yet, the container's init, or more: what it forked does not wait for ever."""
    name = launch("orphan", "--target", "m1", "-c", "environment.MEM_MIB=64")
    mover = threading.Thread(target=move, args=(cluster[2], name, "m2"), kwargs={"check": False})
    mover.start()

    def kill_it():
        there = sorted(world.restorers())
        if len(there) >= count:
            os.kill(there[0], signal.SIGKILL)
        return len(there) >= count or not mover.is_alive()
    wait_for("the restore", kill_it, 30, step=0.001)
    mover.join(MOVE_S)
    wait_for("running again", lambda: cluster[2].instance(name)["status"] == "Running")
    wait_for("a consistent world", lambda: world.problems() == [])
    wait_for("the end of the restore", lambda: list(world.restorers()) == [])


def test_a_move_tells_that_its_instance_has_died(cluster, launch, world):
    name = launch("mortal", "--target", "m1", "-c", "environment.MEM_MIB=64")
    init = cluster[0].state(name)["pid"]
    failed, before = [], set(processes_of(cluster[0]))
    mover = threading.Thread(target=lambda: failed.append(move(cluster[2], name, "m2", check=False)))
    mover.start()
    wait_for("the dump", lambda: "criu-dump" in [what for _, what in set(processes_of(cluster[0])) - before], 30,
             step=0.001)
    os.kill(init, signal.SIGKILL)
    mover.join(MOVE_S)
    assert failed[0].returncode == 1 and "has stopped on m1" in failed[0].stderr, failed
    wait_for("its end", lambda: status_of(cluster[2], name) == ("m1", "Stopped"))
    cluster[2].cli("start", name)
    assert cluster[2].cli("exec", name, "--", "echo", "alive").stdout == "alive\n"
    wait_for("a consistent world", lambda: world.problems() == [])


PIDFD_GETFD, TCP_REPAIR = 438, 19


def sockets_in_repair(pid):
    """Whether CRIU has begun to read the connections of a process."""
    pidfd = os.pidfd_open(pid)
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            copy = ctypes.CDLL(None).syscall(PIDFD_GETFD, pidfd, int(fd), 0)
            if copy < 0:
                continue
            try:
                with socket.socket(fileno=copy) as s:
                    if s.type == socket.SOCK_STREAM and s.family != socket.AF_UNIX and \
                            s.getsockopt(socket.IPPROTO_TCP, TCP_REPAIR):
                        return True
            except OSError:
                os.close(copy)
    finally:
        os.close(pidfd)
    return False


@pytest.mark.parametrize("later_ms", [0, 5, 20])
def test_criu_is_killed_and_connections_go_on(cluster, launch, client, world, later_ms):
    """While it reads connections: the processes must not run on sockets that refuse to be used."""
    name = launch("undead", "--target", "m1")
    address = cluster[0].address_of(name)
    odd(cluster[0], name, "talk", "7002", "256")
    talk, listener = client(address), client(address, 15, program="waiter.py", port=7002)
    speaker = next(p for p in world.payload_pids(cluster[0], name)
                   if b"talk" in Path(f"/proc/{p}/cmdline").read_bytes())
    mover = threading.Thread(target=move, args=(cluster[2], name, "m2"), kwargs={"check": False})
    mover.start()

    def dumping():
        return next((pid for pid, what in processes_of(cluster[0]) if what == "criu-dump"), 0)
    pid = wait_for("the dump", dumping, 30, step=0.001)
    wait_for("a socket that is read", lambda: sockets_in_repair(int(speaker)), 30, step=0.0005)
    threading.Event().wait(later_ms / 1000)
    os.kill(pid, signal.SIGKILL)
    mover.join(MOVE_S)
    wait_for("running", lambda: cluster[2].instance(name)["status"] == "Running")
    assert (talk.finish()["error"], listener.finish()["end"]) == ("", "flows")
    wait_for("a consistent world", lambda: world.problems() == [])


def test_target_helper_dies_between_commit_and_resume(cluster, launch, world):
    """The row says m2, the restored processes there are lost: it is m2 that runs it again, and only m2."""
    name = launch("tardy", "--target", "m1")
    cluster.restart(cluster[0], DUNLIN_FAULT="move_source_after_commit=hang")
    logged = cluster[0].log.stat().st_size
    mover = threading.Thread(target=move, args=(cluster[2], name, "m2"), kwargs={"check": False})
    mover.start()
    wait_for_fault(cluster[0], "move_source_after_commit", logged)
    for pid, what in processes_of(cluster[1]):
        if what in ("helper-restore", "criu-restore"):
            os.kill(pid, signal.SIGKILL)
    cluster.restart(cluster[0])
    mover.join(MOVE_S)
    wait_for("m2 owns it", lambda: cluster[2].instance(name)["location"] == "m2")
    wait_for("settled", lambda: cluster[2].instance(name)["status"] in ("Running", "Stopped"))
    wait_for("a consistent world", lambda: world.problems() == [])
    if cluster[2].instance(name)["status"] == "Stopped":
        cluster[2].cli("start", name)
    assert cluster[2].cli("exec", name, "--", "echo", "alive").stdout == "alive\n"


def test_cut_link_before_commit(cluster, launch, client, world):
    name = launch("cut", "--target", "m1")
    talk = client(cluster[0].address_of(name), member=0)
    m = cluster[0]
    told = m.log.stat().st_size
    cluster.restart(m, DUNLIN_FAULT="move_source_before_commit=hang")
    logged = m.log.stat().st_size
    t = threading.Thread(target=move, args=(m, name, "m2"), kwargs={"check": False, "timeout": 120})
    t.start()
    wait_for_fault(m, "move_source_before_commit", logged)
    cluster.cut(cluster[1])
    m.kill(signal.SIGKILL)
    m.start()  # whoever has asked for the move asks it again
    t.join()
    wait_for("running on m1", lambda: status_of(m, name) == ("m1", "Running"))
    cluster.mend(cluster[1])
    wait_for("a consistent world", lambda: world.problems() == [])
    assert talk.finish()["error"] == ""


def leader_of(cluster):
    cluster.settle()
    return next(m for m in cluster.members
                if "database-leader" in cluster[0].api("GET", f"/1.0/cluster/members/{m.name}")["roles"])


def test_leader_dies_during_a_move(cluster, launch, client, world):
    leader = leader_of(cluster)
    others = [m for m in cluster.members if m is not leader]
    name = launch("orphan", "--target", others[0].name)
    cluster.restart(others[0], DUNLIN_FAULT="move_source_frozen=error")
    assert move(others[1], name, others[1].name, check=False).returncode == 1
    leader.kill(signal.SIGKILL)
    move(others[1], name, others[1].name)
    others[0].shows(name, location=others[1].name)
    leader.start()
    wait_for("a consistent world", lambda: world.problems() == [])
