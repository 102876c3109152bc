# SPDX-License-Identifier: Apache-2.0
"""Figures of moves: how long a container does not answer, beside a restart of the same container."""

import json
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

from cluster import ROOT, run, wait_for
from figure import report, seconds

QUIET = 3  # seconds before a move: one silence at a time, however long a client's TCP waits to send again


def client_of(c, address, n, program="tests/lib/pingpong.py", port=7000):
    """A client on the containers' network, in touch with the server."""
    netns = c.client_netns(c[2], "bnet", f"10.86.250.{n}/16", name=f"bc{n}")
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", sys.executable, ROOT / program,
                          address, str(port), "300"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stderr.readline()
    return p, netns


def result_of(client):
    p, netns = client
    p.terminate()
    result = json.loads(p.communicate()[0])
    run("ip", "netns", "del", netns)
    return result


def move_by(c, name, target, mode):
    op = c[0].api("POST", f"/1.0/instances/{name}?target={target}", {"migration": True, "mode": mode}, timeout=300)
    return op["metadata"]["migration"]["downtime_ms"] / 1000


def move(c, tmp):
    """Downtime as the daemon reports it, as one long connection sees it, and as those do that connect anew."""
    for n, (mib, goal) in enumerate(((0, 0.4), (256, 1.5))):
        name, what = f"mv{mib}", f"live move, {mib or 'few'} MiB"
        c[0].cli("launch", "bench", name, "--target", "m1", "-c", f"environment.MEM_MIB={mib}",
                 "-c", "environment.TICKS=0")
        restart = seconds(c[0].cli, "restart", name)
        address = c[0].address_of(name)
        downs = []
        long = client_of(c, address, 2 * n + 1)
        new = client_of(c, address, 2 * n + 2, "tests/lib/opener.py")
        for target in ("m2", "m1", "m2"):
            time.sleep(QUIET)
            downs.append(move_by(c, name, target, "live"))
        time.sleep(QUIET)
        opened, talked = result_of(new), result_of(long)
        report(f"{what}: daemon", statistics.median(downs), "s", restart, "a restart", f"<= {goal} s")
        report("  one connection, longest silence", talked["max_gap_ms"] / 1000, "s", restart, "a restart",
               f"kept: {talked['error'] or 'it is'}, {talked['replies']} replies")
        report("  new ones, longest until answered", opened["max_gap_ms"] / 1000, "s", restart, "a restart",
               f"none hung: {opened['answered']} answered, {opened['reset']} reset, {opened['hung']} hung")
        c[0].cli("delete", "-f", name)


# --- the containers people run

class Case(NamedTuple):
    """One row: what is moved, and what must be reached."""
    goal: float  # seconds; of the longest silence where there is a client, else of the downtime
    image: str = "bench"
    config: tuple = ()
    mode: str = "live"
    client: tuple = ()  # arguments of client_of() after the number
    memory: bool = False  # its checksum is asked for in the end
    moves: int = 5


CASES = {
    "busybox": Case(0.120),
    "debian12": Case(0.350, "bookworm"),
    "debian13": Case(0.350, "trixie"),
    "redis": Case(0.500, "redis", client=("bench/increments.py", 6379)),
    "near_live_busybox": Case(0.3, mode="near-live", moves=3),
    "near_live_debian": Case(0.3, "trixie", mode="near-live", moves=3),
    "dirty_256m": Case(0.4, config=("MEM_MIB=256", "DIRTY_MIB_S=128"), client=("tests/lib/pingpong.py",), memory=True,
                       moves=3),
    "dirty_1g": Case(0.7, config=("MEM_MIB=1024", "DIRTY_MIB_S=128"), client=("tests/lib/pingpong.py",), memory=True,
                     moves=3),
    "dirty_4g": Case(1.5, config=("MEM_MIB=4096", "DIRTY_MIB_S=128"), client=("tests/lib/pingpong.py",), memory=True,
                     moves=1),
}
BUILDERS = {"bookworm": ("tests/image/debian.sh", "bookworm"), "trixie": ("tests/image/debian.sh", "trixie"),
            "redis": ("bench/redis.sh", "trixie")}


def need_image(c, alias):
    if alias not in BUILDERS or c[0].cli("image", "show", alias, check=False).returncode == 0:
        return
    script, suite = BUILDERS[alias]
    files = run("sh", ROOT / script, suite, timeout=1200).stdout.split()
    c[0].cli("image", "import", *files, "--alias", alias)


def await_boot(c, name):
    def is_up():
        state = c[0].cli("exec", name, "--", "systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")
    wait_for(f"the boot of {name}", is_up, 120, step=0.2)


def await_up(c, name, case):
    address = c[0].address_of(name)
    if case.image in BUILDERS:
        await_boot(c, name)
    if case.memory:
        ask(c, address, "sum")  # it serves once it has filled its memory
    return address


def ask(c, address, word):
    """The server's answer to one line, asked from the member's own network."""
    script = ("import socket,sys; s=socket.create_connection((sys.argv[1], 7000), timeout=120); "
              "s.sendall(sys.argv[2].encode() + b'\\n'); print(s.makefile().readline())")
    return wait_for(f"an answer of {address}", lambda: run(
        *c[0].in_netns(sys.executable, "-c", script, address, word), check=False).stdout.split(), 120)


def baseline(c, name, case):
    if case.mode == "live":
        return seconds(c[0].cli, "restart", name), "a restart"
    return seconds(c[0].cli, "stop", name) + seconds(c[0].cli, "start", name), "a stop and a start"


def case_of(name, number):
    case = CASES[name]

    def figure(c, tmp):
        need_image(c, case.image)
        config = [word for item in ("TICKS=0", *case.config) for word in ("-c", f"environment.{item}")]
        c[0].cli("launch", case.image, "moved", "--target", "m1", *config)
        await_up(c, "moved", case)
        base, what = baseline(c, "moved", case)
        address = await_up(c, "moved", case)
        before = ask(c, address, "sum") if case.memory else None
        client = client_of(c, address, number, *case.client) if case.client else None
        downs = []
        for i in range(case.moves):
            time.sleep(QUIET if client else 1)
            downs.append(move_by(c, "moved", "m1" if i % 2 else "m2", case.mode))
        time.sleep(QUIET if client else 0)
        goal = case.goal + base if case.mode == "near-live" else case.goal
        report(f"{name}: downtime", statistics.median(downs), "s", base, what,
               f"<= {goal:.2f} s, worst {max(downs):.3f} s of {len(downs)}")
        if client:
            seen = result_of(client)
            report("  longest silence", seen["max_gap_ms"] / 1000, "s", base, what,
                   f"<= {goal:.2f} s; {seen['replies']} answers, {seen['error'] or 'none lost'}")
        if before:
            after = ask(c, address, "sum")
            print(f"  memory: {'identical' if after == before and after[-1] == 'ok' else f'{before} became {after}'}")
        c[0].cli("delete", "-f", "moved")
    return figure


FIGURES = {"move": move, **{name: case_of(name, 20 + i) for i, name in enumerate(CASES)}}
