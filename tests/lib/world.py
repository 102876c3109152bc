# SPDX-License-Identifier: Apache-2.0
"""What must be true of the host after any fault: it holds exactly what the rows say.

World(cluster).problems() compares each member's processes, links, cgroups, mounts and folders with the instances that
the rows place there, and returns a list of sentences; empty when all agree.
"""

import contextlib
import json
import os
import shutil
import signal
from pathlib import Path

from cluster import run, wait_for


def read_text(path):
    """Of a file that may vanish at any moment."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def read_words(path):
    return set(read_text(path).split())


class World:
    def __init__(self, cluster):
        self.cluster = cluster

    def problems(self):
        rows = self.rows()
        found = self.running_twice(rows)
        for m in self.cluster.members:
            mine = {n: r for n, r in rows.items() if r["location"] == m.name}
            found += self.folders(m, mine) + self.links(m, mine) + self.cgroups(m, mine)
        return found + self.orphans() + self.mounts()

    def rows(self):
        m = next(m for m in self.cluster.members if m.running())
        return {i["name"]: i for i in m.api("GET", "/1.0/instances?recursion=2")}

    def cgroup_name(self, m):
        return (m.dir / "node-id").read_text().strip()

    def payload_pids(self, m, name):
        """Processes of a container on a member, by its payload cgroup."""
        pids = set()
        for hierarchy in ["/sys/fs/cgroup", *(e.path for e in os.scandir("/sys/fs/cgroup") if e.is_dir())]:
            for folder, _, files in os.walk(f"{hierarchy}/{self.cgroup_name(m)}/{name}/payload"):
                if "cgroup.procs" in files:
                    pids |= read_words(f"{folder}/cgroup.procs")
        return pids

    def running_twice(self, rows):
        found = []
        for name, row in rows.items():
            where = [m.name for m in self.cluster.members if self.payload_pids(m, name)]
            want = [row["location"]] if row["status"] in ("Running", "Frozen") else []
            if where != want:
                found.append(f"{name} is {row['status']} on {row['location']}, its processes are on {where}")
        return found

    def folders(self, m, mine):
        found = []
        for folder in [m.dir / "containers", *(m.dir / "storage-pools").glob("*/containers")]:
            names = set(os.listdir(folder)) if folder.exists() else set()
            extra = names - set(mine)
            if extra:
                found.append(f"{m.name}: {folder} holds {sorted(extra)} that no row places here")
        for name, row in mine.items():
            if not list((m.dir / "storage-pools").glob(f"*/containers/{name}")):
                found.append(f"{m.name}: {name} has no volume")
        return found

    def links(self, m, mine):
        links = json.loads(run("ip", "-n", m.netns, "-j", "-d", "link", "show").stdout)
        out = [link for link in links if link.get("linkinfo", {}).get("info_kind") in ("veth", "tun")]
        want = {nic["host_name"] for r in mine.values() for nic in (r["state"]["network"] or {}).values()}
        names = {link["ifname"] for link in out} - {"eth0"}
        extra = {n for n in names if not n.startswith("cl")} - want
        return [f"{m.name}: links {sorted(extra)} belong to no running container"] if extra else []

    def cgroups(self, m, mine):
        found = []
        for folder in Path("/sys/fs/cgroup").glob(f"*/{self.cgroup_name(m)}"):
            for d in folder.iterdir():
                if d.is_dir() and d.name not in mine:
                    found.append(f"{m.name}: cgroup {d} belongs to no instance")
        return found

    def restorers(self):
        """Processes of CRIU that restore into a member's cgroups, whatever cgroups they are in themselves."""
        ours = tuple(f"/{self.cgroup_name(m)}/" for m in self.cluster.members)
        for folder in Path("/proc").glob("[0-9]*"):
            words = read_text(folder / "cmdline").split("\0")
            if "restore" in words and any(o in w for w in words for o in ours):
                yield int(folder.name)

    def orphans(self):
        """One with a parent may be about to end."""
        return [f"process {pid} of a restore was left by CRIU" for pid in self.restorers()
                if "\nPPid:\t1\n" in read_text(f"/proc/{pid}/status")]

    def mounts(self):
        lines = Path("/proc/self/mounts").read_text().splitlines()
        left = [line.split()[1] for line in lines if line.split()[1].startswith(f"{self.cluster.dir}/")]
        return [f"mounts on the host: {left}"] if left else []

    def reboot(self, m):
        """As far as a daemon can tell: nothing runs, nothing is in RAM, and the boot is another one."""
        if m.running():
            m.kill()
        wait_for("the end of all", lambda: not self.kill_all(m))
        shutil.rmtree(m.dir / "run")
        shutil.rmtree(Path("/dev/shm") / self.cgroup_name(m), ignore_errors=True)
        (m.dir / "boot-id").unlink()
        m.start()
        self.cluster.settle()

    def kill_all(self, m):
        """What there was to kill: in the member's network, and in the cgroups of its containers, frozen or not."""
        pids = set(run("ip", "netns", "pids", m.netns).stdout.split()) | set(map(str, self.restorers()))
        for top in self.cluster.cgroups():
            if os.path.basename(top) != self.cgroup_name(m):
                continue
            for folder, _, files in os.walk(top):
                for name in ("freezer.state", "cgroup.freeze"):
                    if name in files:
                        with contextlib.suppress(OSError):
                            Path(folder, name).write_text("THAWED" if name == "freezer.state" else "0")
                pids |= set(Path(folder, "cgroup.procs").read_text().split())
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        return pids
