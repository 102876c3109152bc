# SPDX-License-Identifier: Apache-2.0
"""Clusters for the tests: real daemons, containers and CRIU, a network namespace per member.

A cluster is made once per test file (`cluster`), or for one test that breaks it (`own_cluster`). Tests that may leave
something of containers that no row knows ask `world` for problems themselves.
"""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("lib", "lint")]

from cluster import ROOT, Cluster, run, wait_for  # noqa: E402
from terminal import Terminal  # noqa: E402
from world import World  # noqa: E402

SUBNETS = itertools.count(20)
CLIENTS = itertools.count(1)
NETWORK = "tnet"

PRESEED = """
config:
  core.https_address: {address}
storage_pools:
- {{name: default, driver: overlay}}
- {{name: plain, driver: dir}}
networks:
- name: tnet
  type: overlay
  config: {{ipv4.address: 10.87.0.1/16}}
profiles:
- name: default
  devices:
    root: {{type: disk, path: /, pool: default}}
    eth0: {{type: nic, name: eth0, network: tnet}}
"""


def cluster_name(label):
    """Of this process alone: several run at once."""
    return f"dt{os.getpid()}{label}"


@pytest.fixture(scope="session")
def image_file(tmp_path_factory):
    """The test image: that of TEST_IMAGE, or made here."""
    if "TEST_IMAGE" in os.environ:
        return Path(os.environ["TEST_IMAGE"])
    path = tmp_path_factory.mktemp("image") / "test-image.tar.xz"
    run("sh", ROOT / "tests/image/build.sh", path)
    return path


def make_cluster(label, image_file, members=3, **kw):
    c = Cluster(cluster_name(label), members, f"10.209.{next(SUBNETS)}", **kw)
    try:
        c.up()
        c.enable(PRESEED.format(address=c[0].address))
        c[0].cli("image", "import", image_file, "--alias", "test")
        c.settle()
        for m in c.members:
            wait_for("the image's row", lambda: m.api("GET", "/1.0/images/aliases"))
    except BaseException:
        show_logs(c)
        c.down()
        raise
    return c


def logs_of(c):
    """The ends of its members' logs, as (title, text)."""
    logs = [(m.name, m.log) for m in c.members if m.log.exists()]
    return [(name, "\n".join(log.read_text(errors="replace").splitlines()[-60:])) for name, log in logs]


def show_logs(c):
    for name, text in logs_of(c):
        print(f"--- {name}\n{text}", file=sys.stderr)


@pytest.fixture(scope="module")
def cluster(request, image_file):
    c = make_cluster(request.module.__name__.replace("test_", "")[:4], image_file)
    yield c
    c.down()


@pytest.fixture
def own_cluster(request, image_file):
    c = make_cluster("own", image_file)
    yield c
    c.down()


@pytest.fixture
def single(request):
    """One daemon that was never configured."""
    c = Cluster(cluster_name("one"), 1, f"10.209.{next(SUBNETS)}")
    try:
        c.up()
        yield c[0]
    finally:
        c.down()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure comes with the logs of the test's clusters, read while they are still there."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    values = [getattr(v, "cluster", v) for v in getattr(item, "funcargs", {}).values()]
    for c in {id(v): v for v in values if isinstance(v, Cluster)}.values():
        report.sections += [(f"log of {name}", text) for name, text in logs_of(c)]


@pytest.fixture
def launch(cluster):
    """launch(name, *flags, member=0): a running container, deleted after the test."""
    made = []

    def start(name, *flags, member=0, image="test"):
        made.append(name)
        cluster[member].cli("launch", image, name, *flags)
        return name
    yield start
    for name in made:
        cluster[0].cli("delete", "--force", name, check=False)


@pytest.fixture
def client(cluster):
    """client(address, seconds): a background TCP client on the containers' network; finish() gives its result."""
    clients = []

    def start(address, seconds=60, member=2, program="pingpong.py", port=7000, own=None):
        n = next(CLIENTS)
        netns = cluster.client_netns(cluster[member], NETWORK, f"10.87.251.{n}/16", name=f"cl{n}")
        if own:
            run("ip", "-n", netns, "addr", "add", own, "dev", "eth0", "nodad")
        p = Client(netns, address, seconds, program, port)
        clients.append(p)
        return p
    yield start
    for p in clients:
        p.remove()


class Client:
    def __init__(self, netns, address, seconds, program, port):
        self.netns = netns
        argv = ["nsenter", f"--net=/run/netns/{netns}", sys.executable, ROOT / "tests/lib" / program, address,
                str(port), str(seconds)]
        wait_for(f"{address} to answer", lambda: self.connects(argv))

    def connects(self, argv):
        """A container that was started just now may not listen yet."""
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if line.startswith("connected"):
            return True
        said = line + self.process.communicate()[0]
        assert "refused" in said, said
        return False

    def finish(self, stop=True):
        import json
        if stop:
            self.process.terminate()
        return json.loads(self.process.communicate(timeout=60)[0])

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        run("ip", "netns", "del", self.netns, check=False)


@pytest.fixture
def terminal():
    """terminal(member, command...): a command in a member's namespace on a terminal of its own."""
    opened = []

    def start(member, *argv, **size):
        opened.append(Terminal(member.in_netns(*argv), member.env(), **size))
        return opened[-1]
    yield start
    for t in opened:
        t.close()


@pytest.fixture
def world(cluster):
    return World(cluster)
