# SPDX-License-Identifier: Apache-2.0
"""A virtual machine of QEMU, which is spoken to over two sockets: its monitor, and the guest agent's serial port.

All that is waited for has a deadline. The machine's console goes to NAME.console in its folder.
"""
import base64
import itertools
import json
import os
import shutil
import socket
import subprocess
import time

ACCEPT_MS = 20_000
# The processor is QEMU's own, without what emulation is slow or wrong with.
CPU = "max,la57=off,avx=off,avx2=off,svm=off"
KERNEL = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off tsc=reliable clocksource=tsc quiet"
MEMORY = "2G"
# What all deadlines are multiplied by, for a host that has other things to do.
PATIENCE = float(os.environ.get("VM_PATIENCE", "1"))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Timeout(Exception):
    """Nothing came before the deadline."""


class Failed(Exception):
    """A command failed, with what it had printed."""


class Line:
    """A unix socket of QEMU, with JSON a line each way."""

    def __init__(self, path, deadline):
        self.buffer = b""
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                return self.sock.connect(path)
            except OSError:
                self.sock.close()
                if time.monotonic() > deadline:
                    raise Timeout(f"{path} is not there") from None
                time.sleep(0.1)

    def send(self, obj, prefix=b""):
        self.sock.settimeout(60)
        self.sock.sendall(prefix + json.dumps(obj).encode() + b"\n")

    def receive(self, deadline):
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout("no answer")
            self.sock.settimeout(left)
            try:
                got = self.sock.recv(1 << 20)
            except TimeoutError:
                continue
            if not got:
                raise Timeout("the machine is gone")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        # 0xff begins what an answer to guest-sync-delimited begins with.
        return json.loads(line.rsplit(b"\xff", 1)[-1] or b"{}")

    def close(self):
        self.sock.close()


class Machine:
    """One host. FOLDER gets its disk, logs and sockets; BASE is what base.sh printed."""

    def __init__(self, name, number, base, folder):
        self.name, self.number, self.base, self.folder = name, number, base, folder
        self.process = self.agent = self.monitor = None
        self.tokens = itertools.count(int(time.time()) % 100000 * 1000)

    def path(self, kind):
        return os.path.join(self.folder, f"{self.name}.{kind}")

    # --- the machine

    def start(self, tree, saved):
        """From the saved machine, else from its disk; TREE is the disk that tree.sh made."""
        disk = self.path("qcow2")
        if saved:
            shutil.copyfile(os.path.join(self.base, "ready.qcow2"), disk)
        else:
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b",
                            os.path.join(self.base, "disk.raw"), disk], check=True)
        argv = ["qemu-system-x86_64", "-name", self.name, "-machine", "q35,hpet=off",
                "-accel", "tcg,thread=multi,tb-size=512", "-cpu", CPU, "-smp", "2", "-m", MEMORY,
                "-kernel", f"{self.base}/vmlinuz", "-initrd", f"{self.base}/initrd", "-append", KERNEL,
                "-drive", f"file={disk},if=virtio,cache=unsafe,format=qcow2",
                "-drive", f"file={tree},if=virtio,format=raw,readonly=on",
                "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=qga,path={self.path('agent')},server=on,wait=off",
                "-device", "virtserialport,chardev=qga,name=org.qemu.guest_agent.0",
                "-netdev", "user,id=n0,restrict=off", "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01",
                "-netdev", "hubport,id=n1,hubid=0", "-device", "virtio-net-pci,netdev=n1,mac=52:54:00:00:01:01",
                "-display", "none", "-serial", f"file:{self.path('console')}",
                "-qmp", f"unix:{self.path('monitor')},server=on,wait=off"]
        if saved:
            argv += ["-loadvm", "ready"]
        for kind in "agent", "monitor":
            if os.path.exists(self.path(kind)):
                os.unlink(self.path(kind))
        with open(self.path("qemu"), "wb") as log:
            # An interrupt at the terminal is for check.py, which reads the machines' logs before they end.
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        deadline = time.monotonic() + 60 * PATIENCE
        self.monitor = Line(self.path("monitor"), deadline)
        self.monitor.receive(deadline)
        self.command("qmp_capabilities")
        self.agent = Line(self.path("agent"), deadline)

    def command(self, name, seconds=60, **arguments):
        """A command of the monitor."""
        deadline = time.monotonic() + seconds * PATIENCE
        self.monitor.send({"execute": name, "arguments": arguments})
        while True:
            answer = self.monitor.receive(deadline)
            if "error" in answer:
                raise Failed(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def hmp(self, line, seconds=60):
        answer = self.command("human-monitor-command", seconds, **{"command-line": line})
        if answer.strip():
            raise Failed(f"{line}: {answer.strip()}")

    def off(self):
        for line in self.agent, self.monitor:
            if line:
                line.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        self.agent = self.monitor = self.process = None
        if os.path.exists(self.path("qcow2")):
            os.unlink(self.path("qcow2"))

    # --- what runs on it

    def call(self, name, deadline, **arguments):
        self.agent.send({"execute": name, "arguments": arguments})
        while True:
            answer = self.agent.receive(deadline)
            if "error" in answer:
                raise Failed(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def answers(self, seconds):
        """Waits until the agent answers, after a boot, too."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            token = next(self.tokens)
            self.agent.send({"execute": "guest-sync-delimited", "arguments": {"id": token}}, b"\xff")
            turn = min(deadline, time.monotonic() + 10)
            try:
                while True:
                    if self.agent.receive(turn).get("return") == token:
                        return
            except Timeout:
                if time.monotonic() > deadline:
                    raise Timeout(f"{self.name} does not answer: {self.path('console')}") from None
            except ValueError:
                continue

    def run(self, script, seconds):
        """(exit status, output) of a shell script on the machine; 124: it was killed at its deadline."""
        seconds = int(seconds * PATIENCE)
        deadline = time.monotonic() + seconds + 60 * PATIENCE
        script = f"exec 2>&1\nexport LC_ALL=C HOME=/root PATH={PATH}\n{script}\n"
        started = self.call("guest-exec", deadline, path="/usr/bin/timeout",
                            arg=["-k", "5", str(seconds), "/bin/bash", "-c", script], **{"capture-output": True})
        pause = 0.05
        while True:
            state = self.call("guest-exec-status", deadline, pid=started["pid"])
            if state["exited"]:
                text = base64.b64decode(state.get("out-data", "")).decode(errors="replace")
                return state.get("exitcode", 128 + state.get("signal", 0)), text
            if time.monotonic() > deadline:
                raise Timeout(f"{self.name}: no end within {seconds} s")
            time.sleep(pause)
            pause = min(1, pause * 1.5)

    def reboot(self, seconds):
        """As an operator does it; returns when the new kernel's agent answers."""
        code, before = self.run("cat /proc/sys/kernel/random/boot_id; systemctl reboot", 60)
        deadline = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < deadline:
            self.answers((deadline - time.monotonic()) / PATIENCE)
            try:
                code, now = self.run("cat /proc/sys/kernel/random/boot_id", 30)
            except (Timeout, Failed):
                continue
            if code == 0 and now.strip() not in before:
                return
            time.sleep(1)
        raise Timeout(f"{self.name} has not booted within {seconds} s: {self.path('console')}")
