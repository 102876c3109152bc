# SPDX-License-Identifier: Apache-2.0
"""Members of a Dunlin cluster on one host, each in a network namespace of its own.

The demo, the integration tests and the benchmarks all build their clusters with this. A namespace
<name>-net holds a bridge that stands for the physical network; each member's namespace has eth0 on it.
Every resource carries the cluster's name, and down() removes all of them.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEMBER_PORT = 8443
PATIENCE = 60  # seconds for what comes for sure: the machine may be slow, and others use it


class CommandError(Exception):
    def __init__(self, argv, result):
        self.result = result
        super().__init__(f"{' '.join(map(str, argv))} -> {result.returncode}\n{result.stdout}{result.stderr}")


def run(*argv, check=True, timeout=120, **kw):
    kw.setdefault("text", True)
    result = subprocess.run([str(a) for a in argv], capture_output=True, timeout=timeout, **kw)
    if check and result.returncode != 0:
        raise CommandError(argv, result)
    return result


def wait_for(what, condition, timeout=PATIENCE, step=0.02):
    """Polls a condition that has no event to wait for; the value it returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout} s; at last {value!r}")
        time.sleep(step)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=120):
        super().__init__("dunlin", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.unix_path))


class ApiError(Exception):
    def __init__(self, status, message):
        self.status, self.message = status, message
        super().__init__(f"{status}: {message}")


class Member:
    def __init__(self, cluster, name, index):
        self.cluster, self.name, self.index = cluster, name, index
        self.netns = f"{cluster.name}-{name}"
        self.ip = f"{cluster.subnet}.{index + 1}"
        self.address = f"{self.ip}:{MEMBER_PORT}"
        self.dir = cluster.dir / name
        self.log = cluster.dir / f"{name}.log"
        self.process = None

    # --- processes

    def env(self, **extra):
        return {**os.environ, "DUNLIN_DIR": str(self.dir), "LXD_DIR": str(self.dir),
                "DUNLIN_CONF": str(self.cluster.dir / "cli"), "LXD_CONF": str(self.cluster.dir / "lxc"),
                "ASAN_OPTIONS": "detect_leaks=0", **extra}

    def in_netns(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.netns}", *argv]

    def start(self, wait=True, **env):
        self.dir.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.in_netns(self.cluster.dunlind, "--log-level", self.cluster.log_level),
                env=self.env(**env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        (self.cluster.dir / f"{self.name}.pid").write_text(str(self.process.pid))
        if wait:
            self.verb("waitready", "--timeout", PATIENCE)
        return self

    def pid(self):
        return int((self.cluster.dir / f"{self.name}.pid").read_text())

    def kill(self, sig=signal.SIGKILL):
        """nsenter replaces itself by the daemon, so this is the daemon's pid."""
        os.kill(self.pid(), sig)
        self.wait_gone()

    def wait_gone(self, timeout=PATIENCE):
        pid = self.pid()
        if self.process and self.process.pid == pid:
            self.process.wait(timeout)
            return

        def gone():
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
                return state == "Z"
            except (FileNotFoundError, ProcessLookupError):
                return True
        wait_for(f"end of {self.name}", gone, timeout)

    def running(self):
        if self.process and self.process.pid == self.pid():
            return self.process.poll() is None
        return Path(f"/proc/{self.pid()}").exists()

    def log_since(self, offset):
        return self.log.read_bytes()[offset:].decode(errors="replace")

    def shutdown(self):
        self.verb("shutdown")
        self.wait_gone()

    def verb(self, *args, **kw):
        return run(*self.in_netns(self.cluster.dunlind, *args), env=self.env(), **kw)

    def cli(self, *args, check=True, **kw):
        """The dunlin command against this member."""
        return run(*self.in_netns(self.cluster.dunlin, *args), env=self.env(), check=check, **kw)

    def lxc(self, *args, check=True, **kw):
        """Debian's lxc client against this member."""
        return run(*self.in_netns("lxc", *args), env=self.env(), check=check, **kw)

    # --- API

    def request(self, method, path, body=None, headers=None, timeout=120):
        """(status, headers, bytes)"""
        c = UnixConnection(self.dir / "unix.socket", timeout)
        data = body
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)) and not hasattr(body, "read"):
            data = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path, data, headers)
            r = c.getresponse()
            return r.status, dict(r.getheaders()), r.read()
        finally:
            c.close()

    def api(self, method, path, body=None, headers=None, wait=True, timeout=120):
        """Metadata of the answer; operations are waited for and give their final object."""
        status, _, raw = self.request(method, path, body, headers, timeout)
        reply = json.loads(raw)
        if reply["type"] == "error":
            raise ApiError(status, reply["error"])
        if reply["type"] == "async" and wait:
            op = self.api("GET", reply["operation"] + "/wait", timeout=timeout)
            if op["status_code"] != 200:
                raise ApiError(op["status_code"], op["err"])
            return op
        return reply["metadata"]

    def instance(self, name):
        return self.api("GET", f"/1.0/instances/{name}")

    def shows(self, name, status="Running", **want):
        """Waits until this member shows the instance so: what another member did it learns a moment later."""
        want["status"] = status
        wait_for(f"{name} to be shown as {want} by {self.name}", lambda: want.items() <= self.instance(name).items())

    def state(self, name):
        return self.api("GET", f"/1.0/instances/{name}/state")

    def address_of(self, name, device="eth0", family="inet", scope="global"):
        def find():
            net = (self.state(name).get("network") or {}).get(device) or {}
            return next((a["address"] for a in net.get("addresses", [])
                         if a["family"] == family and a["scope"] == scope), None)
        return wait_for(f"address of {name}", find)


class Cluster:
    def __init__(self, name, members=3, subnet="10.209.7", directory=None, build=None, log_level="info"):
        self.name, self.subnet, self.log_level = name, subnet, log_level
        self.dir = Path(directory or f"/var/tmp/{name}")
        self.build = Path(build or os.environ.get("BUILD", ROOT / "build")).resolve()
        suffix = os.environ.get("DUNLIN_SUFFIX", "")
        self.dunlind, self.dunlin = self.build / f"dunlind{suffix}", self.build / f"dunlin{suffix}"
        self.members = [Member(self, f"m{i + 1}", i) for i in range(members)]
        self.switch = f"{name}-net"

    def __getitem__(self, index):
        return self.members[index]

    # --- network

    def network_up(self):
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "sw0", "type", "bridge", "forward_delay", "0")
        run("ip", "-n", self.switch, "link", "set", "sw0", "up", "mtu", "9000")
        for m in self.members:
            self.plug_netns(m.netns, m.name, f"{m.ip}/24")

    def plug_netns(self, netns, port, address):
        """A namespace with eth0 on the physical network."""
        run("ip", "netns", "add", netns)
        run("ip", "-n", netns, "link", "set", "lo", "up")
        run("ip", "-n", self.switch, "link", "add", port, "mtu", "1600", "type", "veth",
            "peer", "name", "eth0", "mtu", "1600", "netns", netns)
        run("ip", "-n", self.switch, "link", "set", port, "master", "sw0", "up")
        run("ip", "-n", netns, "addr", "add", address, "dev", "eth0")
        run("ip", "-n", netns, "link", "set", "eth0", "up")

    def cut(self, member):
        run("ip", "-n", self.switch, "link", "set", member.name, "down")

    def mend(self, member):
        run("ip", "-n", self.switch, "link", "set", member.name, "up")

    def client_netns(self, member, bridge, address, name="cl"):
        """A namespace on a container network, by way of a member's bridge. Returns its name."""
        netns = f"{self.name}-{name}"
        run("ip", "netns", "add", netns)
        run("ip", "-n", netns, "link", "set", "lo", "up")
        run("ip", "-n", member.netns, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", netns)
        run("ip", "-n", member.netns, "link", "set", name, "mtu", "1450", "master", bridge, "up")
        run("ip", "-n", netns, "link", "set", "eth0", "mtu", "1450", "up")
        run("ip", "-n", netns, "addr", "add", address, "dev", "eth0")
        return netns

    # --- life

    def up(self):
        self.dir.mkdir(parents=True, exist_ok=True)
        self.network_up()
        for m in self.members:
            m.start()
        return self

    def enable(self, preseed=None):
        """Makes the first member a cluster and lets the others join by token."""
        first = self.members[0]
        first.verb("init", "--auto", "--network-address", first.ip) if preseed is None else \
            first.verb("init", "--preseed", "-", input=preseed)
        first.cli("cluster", "enable", first.name)
        for m in self.members[1:]:
            m.join(first)
        return self

    def down(self):
        """Removes every trace; returns what had to be killed or was left by mistake."""
        for m in self.members:
            try:
                self.stop_member(m)
            except (OSError, ValueError, CommandError, TimeoutError):
                pass
        for ns in self.namespaces():
            for pid in run("ip", "netns", "pids", ns, check=False).stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            run("ip", "netns", "del", ns, check=False)
        self.remove_cgroups()
        for m in self.members:
            if (m.dir / "node-id").exists():
                shutil.rmtree(Path("/dev/shm") / (m.dir / "node-id").read_text().strip(), ignore_errors=True)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            target = line.split()[1]
            if target.startswith(f"{self.dir}/"):
                run("umount", "-l", target, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def settle(self, timeout=PATIENCE):
        """Waits until every running member sees all running members online, a leader, and three voters."""
        up = [m for m in self.members if m.running()]

        def settled():
            for m in up:
                rows = {r["server_name"]: r for r in m.api("GET", "/1.0/cluster/members?recursion=1")}
                if not all(rows.get(o.name, {}).get("status") == "Online" for o in up) or \
                        not any("database-leader" in r["roles"] for r in rows.values()) or \
                        sum(r["database"] for r in rows.values()) < min(3, len(rows)):
                    return False
            return True
        wait_for("a settled cluster", settled, timeout)

    def restart(self, m, **env):
        """kill -9, start with an environment, and wait until the cluster has settled."""
        m.kill(signal.SIGKILL)
        m.start(**env)
        self.settle()

    def stop_member(self, m):
        if not m.running():
            return
        for url in m.api("GET", "/1.0/instances"):
            name = url.rsplit("/", 1)[1]
            if m.instance(name)["location"] in (m.name, "none") and m.state(name)["status_code"] != 102:
                m.api("PUT", f"/1.0/instances/{name}/state", {"action": "stop", "force": True})
        m.kill(signal.SIGKILL)

    def namespaces(self):
        out = run("ip", "netns", "list").stdout
        return [w.split()[0] for w in out.splitlines() if w.startswith(f"{self.name}-")]

    def cgroups(self):
        """The members' cgroup folders, in each hierarchy."""
        names = {(m.dir / "node-id").read_text().strip() for m in self.members if (m.dir / "node-id").exists()}
        tops = ["/sys/fs/cgroup", *(e.path for e in os.scandir("/sys/fs/cgroup") if e.is_dir())]
        return [Path(top) / name for top in tops for name in names if (Path(top) / name).is_dir()]

    def remove_cgroups(self):
        for top in self.cgroups():
            for path, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:
                    pass


def join(member, first, token=None):
    if token is None:
        token = first.cli("cluster", "add", member.name, "--quiet").stdout.split()[-1]
    return member.verb("init", "--join", token, "--network-address", member.ip)


Member.join = join
