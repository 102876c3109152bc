# SPDX-License-Identifier: Apache-2.0
"""Processes in all sorts of states (tests/image/zoo): what the plan says of each, and what a live move makes of it.

What is not named here goes along, and finds itself as it was.
"""

from pathlib import Path

import pytest
from cluster import ROOT, wait_for
from moves import move

# The plan names these: words of one of its reasons.
REFUSED = {
    "unlinked-huge": ["unlinked file /zoo/unlinked-huge-gone of 65"],
    "path-socket": ["points (O_PATH)", "/zoo/path-socket-socket"],
    "path-fifo": ["points (O_PATH)", "/zoo/path-fifo-fifo"],
    "packets": ["packets (process", "O_DIRECT"],
    "memfd-secret": ["memfd-secret (process", "secret memory"],
    "secret-mapped": ["secret-mapped (process", "secret memory"],
    "eventfd": ["eventfd (process", "semaphore"],
    "uring": ["uring (process", "io_uring"],
    "uring-mapped": ["uring-mapped (process", "io_uring"],
    "userfaultfd": ["userfaultfd (process", "a userfaultfd"],
    "perf": ["perf (process", "performance counter"],
    "bpf-map": ["bpf-map (process", "BPF map"],
    "bpf-program": ["bpf-program (process", "BPF program"],
    "landlock-rules": ["landlock-rules (process", "Landlock"],
    "fs-context": ["fs-context (process", "[fscontext]"],
    "mqueue": ["mqueue (process", "message queues"],
    "alg": ["alg (process", "cryptography"],
    "vsock": ["vsock (process", "virtual machine"],
    "xdp": ["xdp (process", "family 44"],
    "smc": ["smc (process", "family 43"],
    "can": ["can (process", "family 29"],
    "tipc": ["tipc (process", "family 30"],
    "key": ["key (process", "family 15"],
    "rds": ["rds (process", "family 21"],
    "bluetooth": ["bluetooth (process", "family 31"],
    "pppoe": ["pppoe (process", "family 24"],
    "tcp6-link": ["tcp6-link (process", "link-local"],
    "tcp6-link-any": ["tcp6-link-any (process", "link-local"],
    "tcp-tls": ["tcp-tls (process", "TLS"],
    "mptcp": ["mptcp (process", "Multipath"],
    "mptcp-connected": ["mptcp-connected (process", "Multipath"],
    "sctp": ["sctp (process", "SCTP"],
    "corked": ["corked (process", "UDP_CORK"],
    "ping": ["ping (process", "protocol 1"],
    "leader-gone": ["leader-gone (process", "first thread"],
    "stopped": ["stopped (process", "stopped by a signal"],
    "traced": ["traced (process", "debugger"],
    "vfork": ["vfork (process", "starting a program"],
    "notified": ["notified (process", "seccomp listener"],
    "shared-fs": ["shared-fs (process", "shares its folders"],
    "shared-memory": ["shared-memory (process", "shares its memory"],
    "shared-handlers": ["shared-handlers (process", "shares its memory"],
    "orphan": ["orphan (process", "session"],
    "program-memfd": ["memfd"],
    "pty-tty": ["pty-tty (process", "/dev/tty"],
    "ns-uts": ["ns-uts (process", "UTS"],
    "ns-ipc": ["ns-ipc (process", "IPC"],
    "ns-user": ["ns-user (process", "user namespace"],
    "ns-cgroup": ["ns-cgroup (process", "cgroup"],
    "ns-time": ["ns-time (process", "time"],
    "ns-pid": ["ns-pid (process", "process namespace"],
    "ns-empty": ["ns-empty (process", "no process is"],
    "macvlan": ["link zmv0 of type macvlan"],
    "dummy": ["link zdm0 of type dummy"],
    "ifb": ["link zib0 of type ifb"],
    "vxlan": ["link zvx0 of type vxlan"],
    "nlmon": ["link znm0 of type nlmon"],
    "ns-net-link": ["ns-net-link (process", "link zvc0 of type vcan"],
    "mnt-ramfs": ["ramfs at /zoo/mnt-ramfs-mnt"],
    "mnt-bpf": ["bpf at /zoo/mnt-bpf-mnt"],
    "mnt-overlay": ["overlay at /zoo/mnt-overlay-mnt/m"],
    "mnt-fuse": ["fuse.zoo at /zoo/mnt-fuse-mnt"],
    "mnt-fuse-open": ["fuse.zoo at /zoo/mnt-fuse-open-mnt"],
    "mnt-own-fuse": ["mnt-own-fuse (process", "fuse.zoo at /zoo/mnt-own-fuse-mnt"],
    "mnt-detached": ["mnt-detached (process", "mounted nowhere"],
    "mnt-nowhere": ["mnt-nowhere (process", "mounted nowhere"],
    "dev-loop": ["dev-loop (process", "/dev/loop-control"],
    "dev-fuse": ["dev-fuse (process", "/dev/fuse"],
}

# These live on without it: nothing outside of them shows it. As docs/moving.md has it.
LOST = {
    "landlocked": "Landlock",
    "no-new-code": "PR_SET_MDWE",
    "tcp-signed": "TCP_MD5SIG",
    "sealed": "mseal",
    "keyed": "protection keys",
    "affinity": "CPU affinity",
    "io-class": "I/O class",
    "slack": "timer slack",
    "policy": "memory policy",
    "person": "personality",
    "key-ring": "keyrings",
    "sysv-undo": "SEM_UNDO",
    "dnotify": "F_NOTIFY",
    "inotify-gone": "watches of files",
    "multicast": "multicast groups",
    "tcp-urgent": "urgent data",
}

# What only a privileged container has, and devices that are allowed to it.
PRIVILEGED = ["bpf-map", "bpf-program", "tun", "tun-unused", "dev-loop", "dev-fuse", "mnt-fuse", "mnt-own-fuse",
              "mnt-fuse-open", "mnt-hugetlbfs", "mnt-binfmt", "mnt-bpf"]
DEVICES = "\n".join(f"lxc.{cgroup}.devices.allow = c 10:* rwm" for cgroup in ("cgroup", "cgroup2"))
FLAGS = ["-c", "security.privileged=true", "-c", f"raw.lxc={DEVICES}"]

BATCH = 12  # of those that are refused: a plan tells its first 20 reasons
HUGE_PAGES = 8


@pytest.fixture
def huge_pages():
    file = Path("/proc/sys/vm/nr_hugepages")
    before = file.read_text()
    if int(before) < HUGE_PAGES:
        file.write_text(str(HUGE_PAGES))
    yield
    file.write_text(before)


class Zoo:
    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name

    def run(self, *words):
        return self.cluster[0].cli("exec", self.name, "--", "zoo", *words).stdout.splitlines()

    def start(self, states):
        """Those that there are: a kernel and a container do not have all of them."""
        lines = [line.split(" ", 2) for line in self.run("start", *states)]
        for state, word, *why in lines:
            if word != "ready":
                print(f"absent: {state}: {' '.join(why)}")
        return [state for state, word, *_ in lines if word == "ready"]

    def check(self):
        """{state: "same", or what is different}"""
        return {line.split()[0]: line.split(" ", 1)[1] for line in self.run("check")}

    def plan(self, target="m2"):
        """Without the commands that started them, which end a moment later."""
        def settled():
            plan = self.cluster[0].api("GET", f"/1.0/instances/{self.name}/move-plan?target={target}")
            return None if any(r.startswith(("sh (", "zoo (")) for r in plan["reasons"]) else plan
        return wait_for("the plan without those who made them", settled)

    def names(self):
        return self.run("list")


def moves_as_planned(zoo, states):
    present = zoo.start(states)
    assert zoo.plan()["reasons"] == []
    for target in ("m2", "m1"):
        move(zoo.cluster[0], zoo.name, target, "--mode", "live")
        now = zoo.check()
        assert sorted(now) == sorted(present)
        assert {s: w for s, w in now.items() if w != "same" and s not in LOST} == {}
        assert [s for s in present if s in LOST and now[s] == "same"] == []
    return present


def refused_as_planned(zoo, states):
    present = []
    for at in range(0, len(states), BATCH):
        batch = zoo.start(states[at:at + BATCH])
        reasons = zoo.plan()["reasons"]
        missed = [s for s in batch if not any(all(w in reason for w in REFUSED[s]) for reason in reasons)]
        assert missed == [], reasons
        zoo.run("end")
        present += batch
    return present


def test_what_the_plan_says_of_many_states_is_what_comes(cluster, launch, huge_pages):
    zoo = Zoo(cluster, launch("zoo", "--target", "m1", "-c", "environment.TICKS=0"))
    names = [n for n in zoo.names() if n not in PRIVILEGED]
    assert set(REFUSED) | set(LOST) <= set(names) | set(PRIVILEGED)
    present = moves_as_planned(zoo, [n for n in names if n not in REFUSED])
    zoo.run("end")
    present += refused_as_planned(zoo, [n for n in names if n in REFUSED])
    assert len(present) >= 120, sorted(present)


def test_what_the_plan_says_of_states_of_the_privileged(cluster, launch):
    zoo = Zoo(cluster, launch("cage", "--target", "m1", "-c", "environment.TICKS=0", *FLAGS))
    moves_as_planned(zoo, [n for n in PRIVILEGED if n not in REFUSED])
    assert refused_as_planned(zoo, [n for n in PRIVILEGED if n in REFUSED])


def test_what_is_lost_is_documented():
    page = (ROOT / "docs/moving.md").read_text()
    part = page[page.index("\nNot carried over"):page.index("\n## systemd")]
    assert [words for words in LOST.values() if words not in part] == []
