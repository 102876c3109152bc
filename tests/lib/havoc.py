# SPDX-License-Identifier: Apache-2.0
"""What may go wrong while a container moves, as a table: whom it meets, when, and what is done to it.

Fault(row).arm(cluster, name, source, target) begins to watch for its moment, which is about to come in another thread;
mend() ends it and makes everything that it broke whole again: daemons, links and disks are there as before.
"""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

from cluster import ApiError, run
from moves import processes_of

MISSED_S = 60  # a moment that has not come by then does not come


def environment(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def comms(word):
    """Processes whose command line has this word first."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(word):
                yield int(pid)


class Scene:
    """A move that is about to be made."""

    def __init__(self, cluster, name, source, target):
        self.cluster, self.name, self.source, self.target = cluster, name, source, target

    def helpers(self, member, what):
        return [pid for pid, is_what in processes_of(member) if is_what == what]

    def hooks(self, member, stage=b""):
        """CRIU's action script on that member, in that stage."""
        image = f"{member.cluster.build}/dunlin-criu-hook".encode()
        want = f"DUNLIN_HOOK_DIR={member.dir}/".encode()
        return [pid for pid in comms(image) if want in (env := environment(pid)) and
                b"CRTOOLS_SCRIPT_ACTION=" + stage in env]

    def monitors(self, member):
        return list(comms(f"[lxc monitor] {member.dir}/containers {self.name}".encode()))

    def location(self):
        """As the members know it that are there."""
        for m in self.cluster.members:
            with contextlib.suppress(ApiError, OSError):
                return m.instance(self.name)["location"]


# When: the first moment at which this is true.
MOMENTS = {
    "begun": lambda s: True,
    "ready": lambda s: s.helpers(s.source, "helper-dump") and s.helpers(s.target, "helper-restore"),
    "dumps": lambda s: s.helpers(s.source, "criu-dump"),
    "dumped": lambda s: s.hooks(s.source, b"post-dump"),
    "restores": lambda s: s.helpers(s.target, "criu-restore"),
    "prepared": lambda s: s.hooks(s.target, b"post-restore"),
    "committed": lambda s: s.location() == s.target.name,
}

# Whom: processes of the move on its members.
VICTIMS = {
    "source's daemon": lambda s: [s.source.pid()],
    "target's daemon": lambda s: [s.target.pid()],
    "both daemons": lambda s: [s.source.pid(), s.target.pid()],
    "dump helper": lambda s: s.helpers(s.source, "helper-dump"),
    "restore helper": lambda s: s.helpers(s.target, "helper-restore"),
    "dumping CRIU": lambda s: s.helpers(s.source, "criu-dump")[:1],
    "restoring CRIU": lambda s: s.helpers(s.target, "criu-restore")[:1],
    "source's hook": lambda s: s.hooks(s.source),
    "target's hook": lambda s: s.hooks(s.target),
    "source's monitor": lambda s: s.monitors(s.source),
    "target's monitor": lambda s: s.monitors(s.target),
}
# Those that may take a process of the container along.
DEADLY = {"dumping CRIU", "source's monitor", "target's monitor"}


class Fault:
    def __init__(self, moment, victim, how, delay_s=0.0):
        self.moment, self.victim, self.how, self.delay_s = moment, victim, how, delay_s
        self.scene = self.thread = None
        self.met = []  # what it was done to
        self.undo = contextlib.ExitStack()

    def __str__(self):
        return f"{self.how} {self.victim} {self.delay_s * 1000:.0f} ms after {self.moment}"

    def is_deadly(self):
        """Whether a process of the container may have been killed, or one that it cannot do without."""
        return self.victim in DEADLY and self.how == "kill" and bool(self.met)

    def arm(self, scene):
        self.scene, self.over = scene, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        until = time.monotonic() + MISSED_S
        while not self.over.is_set() and time.monotonic() < until:
            with contextlib.suppress(OSError):
                if MOMENTS[self.moment](self.scene):
                    self.over.wait(self.delay_s)
                    HOW[self.how](self)
                    return
            self.over.wait(0.001)

    def signal(self, number):
        for pid in VICTIMS[self.victim](self.scene):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                self.met.append(pid)

    def member(self):
        return self.scene.source if self.victim.startswith("source") else self.scene.target

    def kill(self):
        self.signal(signal.SIGKILL)

    def stop(self):
        self.signal(signal.SIGSTOP)
        self.undo.callback(self.go_on, list(self.met))

    @staticmethod
    def go_on(pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def cut(self):
        self.scene.cluster.cut(self.member())
        self.undo.callback(self.scene.cluster.mend, self.member())
        self.met.append(self.victim)

    def fill(self):
        """No file can be made where its containers, or the daemon's notes of moves, go."""
        folder = self.member().dir / FOLDERS[self.victim.split()[-1]]
        run("mount", "-t", "tmpfs", "-o", "nr_inodes=1,mode=711", "full", folder)
        self.undo.callback(run, "umount", "-l", folder)
        self.met.append(folder)

    def mend(self):
        """Ends it: what it broke is whole again, and daemons that died are started."""
        self.over.set()
        self.thread.join()
        self.undo.close()
        for m in self.scene.cluster.members:
            if not m.running():
                m.start()


HOW = {"kill": Fault.kill, "stop": Fault.stop, "cut": Fault.cut, "fill": Fault.fill}

# Who is there at which moment.
LATER = list(MOMENTS)


def since(moment):
    return LATER[LATER.index(moment):]


PRESENT = {
    "source's daemon": since("begun"),
    "target's daemon": since("begun"),
    "both daemons": since("begun"),
    "dump helper": since("ready"),
    "dumping CRIU": since("dumps"),
    "source's hook": since("dumped"),
    "restore helper": since("ready"),
    "restoring CRIU": ["restores", "prepared", "committed"],
    "target's hook": ["prepared", "committed"],
    "source's monitor": since("begun"),
    "target's monitor": ["prepared", "committed"],
}
STOPPED = ["dump helper", "dumping CRIU", "source's hook", "restore helper", "restoring CRIU", "target's hook"]
LINKS = ["source's link", "target's link"]
FOLDERS = {"pool": "storage-pools/default/containers", "notes": "moves"}
FULL = ["target's pool", "target's notes", "source's notes"]
ROWS = [(moment, victim, "kill") for victim, moments in PRESENT.items() for moment in moments] + \
    [(moment, victim, "stop") for victim in STOPPED for moment in PRESENT[victim]] + \
    [(moment, link, "cut") for link in LINKS for moment in MOMENTS] + \
    [("begun", folder, "fill") for folder in FULL]
