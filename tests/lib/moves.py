# SPDX-License-Identifier: Apache-2.0
"""Moves, and what is to be seen of them while they are under way."""

import contextlib
import glob
import os
import signal
import threading

from cluster import ApiError, wait_for


MOVE_S = 200  # longer than a move waits for a CRIU that has lost a process of its own


def move(member, name, target, *flags, **kw):
    kw.setdefault("timeout", MOVE_S)
    return member.cli("move", name, "--target", target, *flags, **kw)


def last_move(cluster, name, target):
    """Moves through the API and returns the operation's migration metadata."""
    op = cluster[2].api("POST", f"/1.0/instances/{name}?target={target}", {"migration": True, "live": True})
    return op["metadata"]["migration"]


def status_of(m, name):
    """(location, status), or None while the member does not know."""
    try:
        i = m.instance(name)
        return i["location"], i["status"]
    except ApiError:
        return None


def processes_of(m):
    """(pid, what it is) of CRIU and our helpers on a member. Fast: some are there for a moment only."""
    netns = os.stat(f"/run/netns/{m.netns}")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if not os.path.samestat(os.stat(f"/proc/{pid}/ns/net"), netns):
                continue
            words = open(f"/proc/{pid}/cmdline").read().split("\0")
            comm = open(f"/proc/{pid}/comm").read().strip()
        except OSError:
            continue
        if len(words) > 1 and words[1].startswith("helper-"):
            yield int(pid), words[1]
        elif comm.startswith(("criu", "ld-linux")) and len(words) > 1:
            verb = next((w for w in words if w in ("dump", "restore")), None)
            if verb:
                yield int(pid), f"criu-{verb}"


def wait_for_fault(m, name, logged):
    """Its line in the log, past what earlier tests left there."""
    line = f"fault point reached name={name}".encode()
    wait_for("the fault point", lambda: line in m.log.read_bytes()[logged:])


def freezer_of(m, name):
    """The file that tells whether a container is frozen, of either version of cgroups."""
    node = (m.dir / "node-id").read_text().strip()
    found = [path for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/*") for file in ("freezer.state", "cgroup.events")
             for path in glob.glob(f"{top}/{node}/{name}/payload/{file}")]
    return min(found, key=lambda path: not path.endswith("freezer.state"))


def is_frozen(path):
    try:
        text = open(path).read()
    except OSError:
        return False
    return "FROZEN" in text or "frozen 1" in text


class Held:
    """A move from m1 to m2 that is held while m2 restores: the container stands still on both, for some seconds.

    CRIU is there long before: it waits at a pipe for its options, and is stopped there."""

    def __init__(self, cluster, name):
        self.result = None
        # One that was killed in an earlier test may still be ending.
        self.before = {pid for pid, _ in processes_of(cluster[1])}
        freezer = freezer_of(cluster[0], name)
        self.thread = threading.Thread(target=self.run, args=(cluster[2], name))
        self.thread.start()
        self.pids = []
        wait_for("CRIU", lambda: self.find(cluster[1]), 30, step=0.001)
        wait_for("CRIU at its pipe, or past it", lambda: self.at_pipe() or is_frozen(freezer), 30, step=0.001)
        self.send(signal.SIGSTOP)
        wait_for("the freeze", lambda: is_frozen(freezer), 30, step=0.001)
        self.find(cluster[1])
        self.send(signal.SIGSTOP)

    def at_pipe(self):
        with contextlib.suppress(OSError):
            return any("pipe_read" in open(f"/proc/{pid}/wchan").read() for pid in self.pids)

    def run(self, member, name):
        self.result = move(member, name, "m2", check=False, timeout=120)

    def find(self, member):
        self.pids = [pid for pid, what in processes_of(member) if what == "criu-restore" and pid not in self.before]
        return self.pids

    def send(self, sig):
        for pid in self.pids:
            # Its member may have given it up meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)

    def end(self, sig):
        """SIGCONT: it goes on; SIGKILL: it is given up."""
        self.send(sig)
        self.thread.join(MOVE_S)
        return self.result


def in_background(function, *args):
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*args)))
    thread.start()

    def finish():
        thread.join(MOVE_S)
        return result[0]
    return finish
