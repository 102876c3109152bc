#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Dunlin on stock Debian hosts: QEMU machines without acceleration, on which steps.py is run step by step.

usage: check.py [--keep] [GROUP...]      groups of steps.py, all of them by default

A line for each step, `N passed, N failed` at the end, and status 1 when one failed. A group whose step failed goes
no further. The consoles, the daemons' logs and what failing steps printed stay in VM_LOGS (build/vm). VM_PATIENCE=3
multiplies the deadlines, for a host that is busy; VM_CACHE (/var/tmp/dunlin-vm) has the images.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import steps
from machine import Failed, Machine, Timeout

HERE = os.path.dirname(os.path.abspath(__file__))
LOGS = os.environ.get("VM_LOGS", os.path.join(HERE, "../../build/vm"))
TREE_BYTES = 2 << 30  # as tree.sh makes it
BOOT_S = 900
CLOCK_S = 120
TOOLS = "qemu-system-x86_64", "qemu-img", "mke2fs", "mmdebstrap", "git"
# What a machine from the snapshot has to learn: the day, its name, its address as a member.
FIRST = """
date -s @{now} >/dev/null
hostname {name}; echo {name} >/etc/hostname
echo 10.99.0.{number} {name} >>/etc/hosts
ip link set eth1 down
ip link set eth1 address 52:54:00:00:01:0{number}
cat >/etc/systemd/network/10-eth1.network <<END
[Match]
Name=eth1
[Link]
MACAddress=52:54:00:00:01:0{number}
RequiredForOnline=no
[Network]
Address=10.99.0.{number}/24
LinkLocalAddressing=no
END
ip address add 10.99.0.{number}/24 dev eth1; ip link set eth1 up # until networkd is started anew
blockdev --flushbufs /dev/vdb
mount -o ro /dev/vdb /mnt
"""
LAST = "journalctl -b --no-pager -o short-monotonic -n 4000"


def say(text):
    print(text, flush=True)


def made(*command):
    """The folder that one of the scripts prints."""
    done = subprocess.run(["sh", os.path.join(HERE, command[0]), *command[1:]], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"check.py: {' '.join(command)} failed")
    return done.stdout.strip()


def save(suite, base, folder):
    """Boots once; later machines go on from there."""
    ready = os.path.join(base, "ready.qcow2")
    if os.path.exists(ready):
        return
    began = time.monotonic()
    blank = os.path.join(folder, "blank.raw")
    with open(blank, "wb") as disk:
        disk.truncate(TREE_BYTES)
    machine = Machine(f"{suite}-first", 1, base, folder)
    try:
        machine.start(blank, saved=False)
        machine.answers(BOOT_S)
        code, state = machine.run("systemctl is-system-running --wait; systemctl --failed --no-legend; sync", BOOT_S)
        if not state.startswith("running"):
            sys.exit(f"check.py: {suite} does not come up: {state}")
        machine.command("stop")
        machine.hmp("savevm ready", 300)
        machine.command("quit")
        machine.process.wait(60)
        os.rename(machine.path("qcow2"), ready)
    finally:
        machine.off()
    say(f"     {suite}: booted and saved ({time.monotonic() - began:.0f} s)")


class Fleet:
    """The machines of a run, started when a step first names them."""

    def __init__(self, folder):
        self.folder, self.machines, self.images = folder, {}, {}

    def prepare(self, suite):
        if suite not in self.images:
            base = made("base.sh", suite)
            save(suite, base, self.folder)
            self.images[suite] = base, os.path.join(made("tree.sh", suite, base), "tree.raw")
        return self.images[suite]

    def __getitem__(self, name):
        if name not in self.machines:
            suite, number = steps.MACHINES[name]
            base, tree = self.prepare(suite)
            machine = self.machines[name] = Machine(name, number, base, self.folder)
            machine.start(tree, saved=True)
            machine.command("cont")
            machine.answers(CLOCK_S)
            code, out = machine.run(FIRST.format(now=int(time.time()), name=name, number=number), 120)
            if code:
                raise Failed(f"{name} is not ready: {out}")
        return self.machines[name]

    def drop(self, name):
        machine = self.machines.pop(name, None)
        if machine:
            machine.off()

    def log(self):
        """Best effort: a machine that is stuck has its console."""
        for name, machine in self.machines.items():
            try:
                with open(os.path.join(LOGS, f"{name}.journal"), "w") as out:
                    out.write(machine.run(LAST, 60)[1])
            except (Failed, Timeout, OSError):
                pass

    def off(self):
        for name in list(self.machines):
            self.drop(name)


def run(fleet, step):
    """True when it passed; what it printed goes to the log of a failure."""
    began = time.monotonic()
    try:
        out = step.run(fleet)
    except (Failed, Timeout) as error:
        say(f"FAIL {step.name} ({time.monotonic() - began:.0f} s)")
        text = str(error).strip()
        for line in text.splitlines()[-12:]:
            say(f"     {line}")
        with open(os.path.join(LOGS, "failures"), "a") as log:
            log.write(f"=== {step.name}\n{text}\n")
        return False
    say(f"ok   {step.name} ({time.monotonic() - began:.0f} s{', ' + out if out else ''})")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="go on in a group after a step that failed")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=" or ".join(steps.GROUPS))
    opts = parser.parse_args()
    groups = opts.groups or list(steps.GROUPS)
    unknown = set(groups) - set(steps.GROUPS)
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or os.geteuid():
        sys.exit(f"check.py: {'not found: ' + ', '.join(missing) if missing else 'run as root'} (see docs/hosts.md)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("check.py: ended by a signal"))
    os.makedirs(LOGS, exist_ok=True)
    for old in os.listdir(LOGS):
        os.unlink(os.path.join(LOGS, old))
    passed = failed = 0
    done = set()  # of BEGIN and the like, which several groups have
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dunlin-vm.", dir="/var/tmp") as folder:
        fleet = Fleet(folder)
        try:
            for name in sorted({step.machine for group in groups for step in steps.GROUPS[group]}):
                fleet.prepare(steps.MACHINES[name][0])
            say(f"     images ready ({time.monotonic() - began:.0f} s)")
            for group in groups:
                todo = [step for step in steps.GROUPS[group] if id(step) not in done]
                while todo:
                    if run(fleet, todo[0]):
                        done.add(id(todo.pop(0)))
                        passed += 1
                        continue
                    todo.pop(0)
                    failed += 1
                    if not opts.keep:
                        failed += len(todo)
                        for step in todo:
                            say(f"FAIL {step.name} (not reached)")
                        break
        finally:
            if failed:
                fleet.log()
            for name in os.listdir(folder):
                if name.endswith((".console", ".qemu")):
                    os.replace(os.path.join(folder, name), os.path.join(LOGS, name))
            fleet.off()
    say(f"{passed} passed, {failed} failed ({time.monotonic() - began:.0f} s)")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
