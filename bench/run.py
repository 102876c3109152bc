#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: Dunlin's figures, each as a ratio against a baseline measured in the same run.

usage: run.py [NAME...]   names as in the table; all without arguments. Root. Needs an idle machine to mean much.
"""

import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/lib"))

import moving  # noqa: E402
from cluster import ROOT, Cluster, UnixConnection, run, wait_for  # noqa: E402
from figure import report, seconds  # noqa: E402

PRESEED = """
config: {{core.https_address: "{address}"}}
storage_pools: [{{name: default, driver: overlay}}]
networks: [{{name: bnet, type: overlay, config: {{ipv4.address: 10.86.0.1/16}}}}]
profiles:
- name: default
  devices: {{root: {{type: disk, path: /, pool: default}}, eth0: {{type: nic, name: eth0, network: bnet}}}}
"""
# What Dunlin gives liblxc, without what only Dunlin needs.
LXC_CONF = """
lxc.uts.name = base
lxc.rootfs.path = dir:{rootfs}
lxc.idmap = u 0 1000000 65536
lxc.idmap = g 0 1000000 65536
lxc.mount.auto = proc:mixed sys:mixed
lxc.console.path = none
lxc.tty.max = 0
lxc.pty.max = 1024
lxc.seccomp.profile = {seccomp}
lxc.net.0.type = veth
lxc.net.0.link = bnet
lxc.net.0.name = eth0
lxc.net.0.flags = up
lxc.net.0.ipv4.address = 10.86.251.2/16 10.86.255.255
lxc.net.0.ipv4.gateway = 10.86.0.1
"""
SECCOMP = """2
denylist
reject_force_umount
[all]
kexec_load errno 1
open_by_handle_at errno 1
init_module errno 1
finit_module errno 1
delete_module errno 1
"""
SETTLE = 0.3  # the kernel takes a network namespace apart in the background, and a new one waits for that


# --- one function a figure: (cluster, tmp) -> None

def see_links(m):
    """A process in a mount namespace whose /sys shows the member's links: lxc-start looks there for the bridge."""
    script = ("mkdir $0 && mount --rbind /sys/fs/cgroup $0 && mount -t sysfs none /sys && "
              "mount --rbind $0 /sys/fs/cgroup && echo && exec sleep 600")
    p = subprocess.Popen(m.in_netns("unshare", "-m", "sh", "-c", script, m.dir / "bench-cgroup"),
                         stdout=subprocess.PIPE)
    p.stdout.readline()
    return p


def launch(c, tmp):
    """Whole `dunlin launch` of an image that is present, against lxc-start of the same root file system."""
    m = c[0]
    root = tmp / "lxc/base/rootfs"
    root.mkdir(parents=True)
    run("tar", "-C", tmp / "lxc/base", "-xf", c.build / "bench-image.tar.xz", "rootfs")
    run("chown", "-R", "1000000:1000000", root)
    (tmp / "seccomp").write_text(SECCOMP)
    (tmp / "lxc/base/config").write_text(LXC_CONF.format(rootfs=root, seccomp=tmp / "seccomp"))
    os.chmod(tmp, 0o755)
    m.cli("launch", "bench", "warm", "--target", "m1")  # makes the bridge
    m.cli("delete", "-f", "warm")
    view = see_links(m)
    inside = ["nsenter", "-t", view.pid, "-m", "-n"]
    base, ours = [], []
    for i in range(9):
        time.sleep(SETTLE)
        base.append(seconds(run, *inside, "lxc-start", "-P", tmp / "lxc", "-n", "base"))
        run(*inside, "lxc-stop", "-k", "-P", tmp / "lxc", "-n", "base")
        time.sleep(SETTLE)
        ours.append(seconds(m.cli, "launch", "bench", f"l{i}", "--target", "m1"))
        m.cli("delete", "-f", f"l{i}")
    view.kill()
    view.wait()
    report("launch", statistics.median(ours), "s", statistics.median(base), "lxc-start", "<= 1.5 x, <= 0.2 s")


def load(sock, path, conns=8, secs=3):
    return float(run(program("load"), sock, conns, secs, path).stdout)


def program(name):
    """One of the C programs of this folder."""
    out = Path(os.environ.get("BUILD", ROOT / "build")).resolve() / f"bench-{name}"
    base = [ROOT / f"base/{f}.c" for f in ("clock", "mem", "str", "sbuf")]
    if not out.exists():
        run("gcc", "-std=gnu11", "-D_GNU_SOURCE", f"-I{ROOT}", "-O2", "-pthread", ROOT / f"bench/{name}.c", *base,
            "-o", out)
    return out


def ideal(tmp, size):
    sock = tmp / f"ideal-{size}"
    p = subprocess.Popen([program("load"), "--ideal", sock, str(size)])
    wait_for("the ideal server", sock.exists)
    return p, sock


def get_server(c, tmp):
    sock = c[0].dir / "unix.socket"
    size = len(c[0].request("GET", "/1.0")[2])
    p, ideal_sock = ideal(tmp, size)
    base = load(ideal_sock, "/1.0")
    ours = load(sock, "/1.0")
    p.kill()
    p.wait()
    report("GET /1.0, 8 connections", ours, "/s", base, "a server that only writes", ">= 20000/s")


def list_1000(c, tmp):
    m = c[0]
    names = [f"k{i}" for i in range(1000)]
    took = seconds(run_all, lambda n: m.api("POST", "/1.0/instances?target=m1", {
        "name": n, "source": {"type": "image", "alias": "bench"}}), names, 8)
    raw = m.request("GET", "/1.0/instances?recursion=2")[2]
    assert len(json.loads(raw)["metadata"]) >= 1000
    ours = statistics.median(seconds(m.request, "GET", "/1.0/instances?recursion=2") for _ in range(9))
    p, sock = ideal(tmp, len(raw))

    def fetch():
        conn = UnixConnection(sock)
        conn.request("GET", "/")
        conn.getresponse().read()
        conn.close()
    base = statistics.median(seconds(fetch) for _ in range(9))
    p.kill()
    p.wait()
    report("list of 1000, recursion=2", ours * 1000, "ms", base * 1000, "a server that only writes", "<= 30 ms")
    print(f"{'  (created at)':34} {1000 / took:10.1f} /s")
    run_all(lambda n: m.api("DELETE", f"/1.0/instances/{n}"), names, 8)


def run_all(function, items, workers):
    items = iter(items)
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                item = next(items, None)
            if item is None:
                return
            function(item)
    threads = [threading.Thread(target=work) for _ in range(workers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def sqlite_rate(tmp, n):
    db = sqlite3.connect(tmp / "base.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)")
    took = seconds(lambda: [db.execute("INSERT INTO t VALUES (?, ?)", (str(i), "x" * 100)) for i in range(n)])
    db.close()
    return n / took


def writes(c, tmp):
    base = sqlite_rate(tmp, 1000)
    leader = leader_of(c, c[0])
    other = next(m for m in c.members if m is not leader)
    for member, place in ((leader, "at the leader"), (other, "elsewhere")):
        for label, workers, count, goal in (("one at a time", 1, 600, 300), ("64 at once", 64, 6000, 2000)):
            rate = statistics.median(float(run(program("write"), member.dir / "unix.socket", workers, count).stdout)
                                     for _ in range(3))
            report(f"writes {place}, {label}", rate, "/s", base, "SQLite WAL, synchronous=FULL", f">= {goal}/s")


def leader_of(c, asked):
    rows = asked.api("GET", "/1.0/cluster/members?recursion=1")
    name = next(r["server_name"] for r in rows if "database-leader" in r["roles"])
    return next(m for m in c.members if m.name == name)


def failover(c, tmp):
    took = []
    for i in range(3):
        wait_for("three voters", lambda: all(
            r["database"] and r["status"] == "Online" for r in c[0].api("GET", "/1.0/cluster/members?recursion=1")), 60)
        leader = leader_of(c, c[0])
        other = next(m for m in c.members if m is not leader)
        leader.kill(signal.SIGKILL)
        took.append(seconds(other.api, "POST", "/1.0/profiles", {"name": f"fo{i}"}))
        other.api("DELETE", f"/1.0/profiles/fo{i}")
        leader.start()
    report("leader killed, next write", statistics.median(took), "s", 0.75, "the election timeout", "<= 2 s")


def rss_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])


def memory(c, tmp):
    base = rss_kib("self") / 1024
    for m in c.members:
        m.kill(signal.SIGTERM)
        m.start()
    wait_for("three voters", lambda: all(
        r["database"] and r["status"] == "Online" for r in c[0].api("GET", "/1.0/cluster/members?recursion=1")), 60)
    time.sleep(5)  # idle
    for m in c.members:
        report(f"resident memory, idle {m.name}", rss_kib(m.pid()) / 1024, "MiB", base, "this script", "<= 16 MiB")


def start(c, tmp):
    base = statistics.median(seconds(c[0].verb, "--version") for _ in range(5))
    single = Cluster("dunlin-bench1", 1, "10.209.9")
    try:
        single.network_up()
        took = []
        for _ in range(5):
            started = time.monotonic()
            single[0].start(wait=False)
            single[0].verb("waitready", "--timeout", "20")
            took.append(time.monotonic() - started)
            single[0].kill(signal.SIGTERM)
        report("daemon start until it answers", statistics.median(took), "s", base, "dunlind --version", "<= 0.3 s")
    finally:
        single.down()


FIGURES = {**{f.__name__: f for f in (memory, launch, get_server, list_1000, writes, failover, start)},
           **moving.FIGURES}


def main():
    names = sys.argv[1:] or list(FIGURES)
    c = Cluster("dunlin-bench", 3, "10.209.8", log_level="warn")
    if c.namespaces():
        c.down()
    tmp = Path(tempfile.mkdtemp(prefix="dunlin-bench-"))
    try:
        c.up()
        c.enable(PRESEED.format(address=c[0].address))
        run("sh", ROOT / "tests/image/build.sh", c.build / "bench-image.tar.xz")
        c[0].cli("image", "import", c.build / "bench-image.tar.xz", "--alias", "bench")
        for name in names:
            FIGURES[name](c, tmp)
    finally:
        c.down()
        shutil.rmtree(tmp, ignore_errors=True)


main()
