#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Moves a mixed fleet among three members under random faults, and counts what was lost.

usage: soak.py [--moves N] [--seed N] [--seconds N] [--state FILE]   root. Ends with 1 when something was lost.

The fleet: busybox; Debian with redis, which acknowledges writes; with nginx, which is asked for a file; with a compiler
at work. Each move is drawn from the seed: whom, to where, and the fault (tests/lib/havoc.py) or none. FILE keeps the
counters: the same command goes on where it was left, with a new cluster.
"""

import argparse
import contextlib
import ctypes
import json
import random
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/lib"))

import havoc  # noqa: E402
from cluster import ROOT, ApiError, Cluster, CommandError, run, wait_for  # noqa: E402
from world import World  # noqa: E402

PRESEED = """
config: {{core.https_address: "{address}"}}
storage_pools: [{{name: default, driver: overlay}}]
networks: [{{name: snet, type: overlay, config: {{ipv4.address: 10.88.0.1/16}}}}]
profiles:
- name: default
  devices: {{root: {{type: disk, path: /, pool: default}}, eth0: {{type: nic, name: eth0, network: snet}}}}
"""
FAULTS_OF_TEN = 4
SETTLED_S = 120
BOOT_S = 180
FULL_CHECK = 10  # of the services inside: after so many moves
MOVE_S = 300
PACKAGES = "redis-server,nginx-light,gcc,libc6-dev"
CLONE_NEWNET = 0x40000000
# A pause between moves, so that TCP has sent again what the last one cost.
PAUSE_S = 1.0

COMPILER = """
while :; do
  printf 'int main(void) { return %d; }' $((n = (n + 1) % 100)) >/tmp/c.c
  gcc -O2 -o /tmp/c /tmp/c.c || { echo failed >>/root/failed; }
  /tmp/c; [ $? = $n ] || echo "wrong $n" >>/root/failed
  echo $n >>/root/built
done
"""


class Talk:
    """One connection from a network namespace of its own, in a thread, that asks and compares."""

    def __init__(self, netns, address):
        self.error, self.done, self.gap_s, self.over = "", 0, 0.0, False
        self.netns, self.address = netns, address
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            with open(f"/run/netns/{self.netns}") as ns:
                if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), CLONE_NEWNET) < 0:
                    raise OSError(ctypes.get_errno(), "setns")
            self.socket = socket.create_connection((self.address, self.port), timeout=90)
            self.stream = self.socket.makefile("rb")
            last = time.monotonic()
            while not self.over:
                self.ask()
                now = time.monotonic()
                self.gap_s, last = max(self.gap_s, now - last), now
                self.done += 1
                time.sleep(0.005)
        except (OSError, ValueError) as e:
            self.error = str(e) or type(e).__name__


class Pong(Talk):
    port = 7000

    def ask(self):
        self.socket.sendall(b"%d\n" % self.done)
        words = self.stream.readline().split()
        if not words or int(words[0]) != self.done:
            raise ValueError(f"{words} instead of {self.done}")


class Redis(Talk):
    """Each answer is a write that redis has acknowledged."""
    port = 6379

    def ask(self):
        self.socket.sendall(b"INCR acknowledged\r\n")
        line = self.stream.readline()
        if line != b":%d\r\n" % (self.done + 1):
            raise ValueError(f"{line} instead of {self.done + 1}")


class Web(Talk):
    port = 80

    def ask(self):
        self.socket.sendall(b"GET /it HTTP/1.1\r\nHost: it\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.stream.read(1)
            if not byte:
                raise ValueError("closed by the server")
            head += byte
        if b" 200 " not in head or self.stream.read(3) != b"it\n":
            raise ValueError(f"{head[:60]}")


class One:
    """Of the fleet."""
    prepare, talker, image = "", None, "debian"

    def __init__(self, soak, name):
        self.soak, self.name, self.talk = soak, name, None

    def sh(self, script, check=True):
        return self.soak.cluster[2].cli("exec", self.name, "--", "sh", "-c", script, check=check, timeout=120).stdout

    def launch(self):
        m = self.soak.cluster[2]
        m.cli("delete", "--force", self.name, check=False)
        m.cli("launch", self.image, self.name, "--target", self.soak.rng.choice(["m1", "m2", "m3"]), timeout=300)
        if self.image == "debian":
            wait_for(f"the boot of {self.name}", lambda: self.state() in ("running", "degraded"), BOOT_S, step=0.5)
            self.sh(self.prepare)
        self.connect()

    def connect(self):
        if self.talker:
            self.talk = self.talker(self.soak.client_netns(), self.soak.cluster[2].address_of(self.name))
            wait_for(f"an answer of {self.name}", lambda: self.talk.done or self.talk.error, 60)

    def state(self):
        return self.sh("systemctl is-system-running", check=False).strip()

    def wrong(self):
        """What its own work shows, or "". """
        return "" if self.image != "debian" or self.state() == "running" else f"systemd is {self.state()}"


class Small(One):
    image, talker = "busybox", Pong


class Store(One):
    prepare = "systemctl stop redis-server; " \
              "sed -i 's/^bind .*/bind 0.0.0.0/; s/^protected-mode .*/protected-mode no/' /etc/redis/redis.conf; " \
              "systemctl enable -q redis-server; systemctl start redis-server"
    talker = Redis

    def wrong(self):
        done = self.talk.done
        have = int(self.sh("redis-cli get acknowledged").strip() or 0)
        if have < done:
            self.soak.count["acknowledged writes lost"] += done - have
            return f"{done} writes were acknowledged, {have} are there"
        return super().wrong()


class Site(One):
    prepare = "echo it >/var/www/html/it; sed -i 's/# *keepalive_timeout.*//; " \
              "s/http {/http { keepalive_requests 1000000000; keepalive_timeout 1d;/' /etc/nginx/nginx.conf; " \
              "systemctl restart nginx"
    talker = Web


class Builder(One):
    prepare = f"cat >/root/build <<'END'\n{COMPILER}END\nsystemd-run -q --unit build sh /root/build"

    def wrong(self):
        if self.sh("cat /root/failed", check=False):
            return "the compiler failed: " + self.sh("tail -n 3 /root/failed")
        built = self.sh("wc -l </root/built")
        with contextlib.suppress(TimeoutError):
            wait_for("the compiler", lambda: self.sh("wc -l </root/built") != built, 60, step=0.3)
            return super().wrong()
        return "the compiler stands still"


COUNTERS = ["moves", "moved", "given up and told so", "faults met", "lost", "run twice", "connections lost",
            "acknowledged writes lost", "left behind", "wrong inside", "killed with a process of theirs"]
MUST_BE_NONE = ["lost", "run twice", "connections lost", "acknowledged writes lost", "left behind", "wrong inside"]


class Soak:
    def __init__(self, options):
        self.options = options
        self.count = dict.fromkeys(COUNTERS, 0)
        self.downs, self.clients = [], 0
        if options.state and Path(options.state).exists():
            saved = json.loads(Path(options.state).read_text())
            self.count.update(saved["count"])
            self.downs = saved["downs"]
        self.rng = random.Random(f"{options.seed}/{self.count['moves']}")
        self.cluster = Cluster("dunlin-soak", 3, "10.209.6", log_level="info")
        self.world = World(self.cluster)
        self.fleet = [kind(self, f"{kind.__name__.lower()}{n}") for kind, n in
                      ((Small, 1), (Small, 2), (Store, 1), (Site, 1), (Builder, 1))]

    def up(self):
        c = self.cluster
        if c.namespaces():
            c.down()
        c.up()
        c.enable(PRESEED.format(address=c[0].address))
        small = c.build / "soak-image.tar.xz"
        run("sh", ROOT / "tests/image/build.sh", small)
        c[0].cli("image", "import", small, "--alias", "busybox")
        pair = run("sh", ROOT / "tests/image/debian.sh", "bookworm", PACKAGES, timeout=1200).stdout.split()
        c[0].cli("image", "import", *pair, "--alias", "debian", timeout=300)
        c.settle()
        for one in self.fleet:
            one.launch()

    def client_netns(self):
        self.clients += 1
        n = self.clients
        address = f"10.88.{240 + n // 250 % 10}.{n % 250 + 1}/16"
        return self.cluster.client_netns(self.cluster[2], "snet", address, f"cl{n}")

    def save(self):
        if self.options.state:
            Path(self.options.state).write_text(json.dumps({"count": self.count, "downs": self.downs}))

    # --- one move

    def sound(self, one):
        """Until it is decided where it is, and nothing else is anywhere."""
        def settled():
            try:
                row = self.cluster[2].instance(one.name)
                return row["status"] in ("Running", "Stopped", "Error") and self.world.problems() == []
            except (ApiError, OSError, KeyError, StopIteration):
                return False
        try:
            wait_for("a sound world", settled, SETTLED_S, step=0.2)
            return True
        except TimeoutError:
            problems = self.world.problems()
            self.count["run twice" if any("m1', 'm" in p or "m2', 'm" in p for p in problems) else "left behind"] += 1
            self.say(f"  NOT SOUND: {problems}")
            return False

    def fault(self, scene):
        if self.rng.randrange(10) >= FAULTS_OF_TEN:
            return None
        row = self.rng.choice([r for r in havoc.ROWS if r[2] != "stop" or self.rng.random() < 0.2])
        fault = havoc.Fault(*row, self.rng.choice([0, 0, 0.005, 0.02, 0.05, 0.1, 0.3]))
        fault.arm(scene)
        return fault

    def step(self):
        one = self.rng.choice(self.fleet)
        c = self.cluster
        at = c[2].instance(one.name)["location"]
        source = next(m for m in c.members if m.name == at)
        target = self.rng.choice([m for m in c.members if m is not source])
        asked = next(m for m in c.members if m not in (source, target))
        fault = self.fault(havoc.Scene(c, one.name, source, target))
        began = time.monotonic()
        result = asked.cli("move", one.name, "--target", target.name, "--live", check=False, timeout=MOVE_S)
        self.count["moves"] += 1
        self.count["moved" if result.returncode == 0 else "given up and told so"] += 1
        if result.returncode == 0 and "downtime" in result.stdout:
            self.downs.append(int(result.stdout.split("downtime ")[1].split()[0]))
        if fault:
            fault.mend()
            self.count["faults met"] += bool(fault.met)
        said = (result.stdout + result.stderr).strip().splitlines()
        self.say(f"{self.count['moves']:5} {one.name:9} {at}>{target.name} {time.monotonic() - began:5.1f} s  "
                 f"{fault or 'no fault'}: {said[-1][:150] if said else ''}")
        if not self.sound(one):
            raise RuntimeError("the world is not sound")
        c.settle(60)
        self.look(one, fault)

    def look(self, one, fault):
        running = self.cluster[2].instance(one.name)["status"] == "Running"
        deadly = bool(fault and fault.is_deadly())
        wrong = ""
        if running and (fault or self.count["moves"] % FULL_CHECK == 0):
            wrong = one.wrong()
        dropped = one.talk.error if one.talk else ""
        if (not running or wrong or dropped) and deadly:
            self.count["killed with a process of theirs"] += 1
        elif not running or wrong or dropped:
            self.count["lost" if not running else "connections lost" if dropped else "wrong inside"] += 1
            self.say(f"  LOST: {one.name}: running {running}, {wrong}, {dropped}")
        if not running or wrong or dropped:
            if one.talk:
                one.talk.over = True
            one.launch()

    # --- all of them

    def say(self, text):
        print(text, flush=True)

    def run(self):
        until = time.monotonic() + self.options.seconds if self.options.seconds else float("inf")
        try:
            self.up()
            while self.count["moves"] < self.options.moves and time.monotonic() < until:
                self.step()
                self.save()
                time.sleep(PAUSE_S)
            for one in self.fleet:
                self.look(one, None)
        finally:
            self.save()
            self.summary()
            self.cluster.down()
        return 1 if any(self.count[k] for k in MUST_BE_NONE) else 0

    def summary(self):
        for key in COUNTERS:
            self.say(f"{key:34} {self.count[key]}")
        downs = sorted(self.downs)
        if downs:
            self.say(f"{'downtime, ms: median, 99 %, longest':34} {downs[len(downs) // 2]} "
                     f"{downs[len(downs) * 99 // 100]} {downs[-1]}")
        replies = sum(o.talk.done for o in self.fleet if o.talk)
        self.say(f"{'answers on connections still open':34} {replies}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--state", default="")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    sys.exit(Soak(options).run())


main()
