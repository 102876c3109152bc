# SPDX-License-Identifier: Apache-2.0
"""Unmodified Debian with systemd: starts, and moves between members while it runs."""

import subprocess
import tarfile
from pathlib import Path

import pytest

import sandboxes
from cluster import ROOT, run, wait_for
from moves import last_move, move

SUITES = ["bookworm", "trixie"]

LASTING = {"systemd", "systemd-journal", "systemd-logind", "dbus-daemon", "agetty", "pong", "sleep"}

SANDBOXED = """
[Service]
ExecStart=/usr/local/bin/pong
Environment=TICKS=0 DHCP=0
DynamicUser=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
StateDirectory=pong
"""
TICKING = """
[Unit]
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo tick >>/root/ticks'
"""
TIMER = """
[Timer]
OnActiveSec=1s
OnUnitActiveSec=1s
AccuracySec=100ms
"""


@pytest.fixture(scope="module")
def pong(image_file, tmp_path_factory):
    """The static server of the test image."""
    path = tmp_path_factory.mktemp("pong") / "pong"
    with tarfile.open(image_file) as tar:
        path.write_bytes(tar.extractfile("rootfs/sbin/init").read())
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def images(cluster):
    """suite -> alias of an image that all members have; built and imported when first asked for."""
    made = {}

    def alias(suite):
        if suite not in made:
            files = run("sh", ROOT / "tests/image/debian.sh", suite, timeout=800).stdout.split()
            cluster[0].cli("image", "import", *files, "--alias", suite)
            made[suite] = suite
        return suite
    return alias


class Debian:
    def __init__(self, cluster, name, pong):
        self.cluster, self.name, self.pong = cluster, name, pong

    def sh(self, script, check=True, member=0):
        return self.cluster[member].cli("exec", self.name, "--", "sh", "-c", script, check=check).stdout

    def put(self, path, text):
        subprocess.run(self.cluster[0].in_netns(self.cluster.dunlin, "file", "push", "-", f"{self.name}/{path}"),
                       env=self.cluster[0].env(), input=text, text=True, check=True, capture_output=True, timeout=120)

    def state(self):
        return self.sh("systemctl is-system-running", check=False).strip()

    def runs(self):
        assert self.state() == "running", self.sh("systemctl --failed; journalctl --no-pager -n 100", check=False)

    def booted(self):
        wait_for("the end of the boot", lambda: self.state() in ("running", "degraded"), 120, step=0.2)
        self.runs()
        return self

    def serve(self):
        self.cluster[0].cli("file", "push", self.pong, f"{self.name}/usr/local/bin/pong")
        self.put("etc/systemd/system/pong.service", SANDBOXED)
        self.put("etc/systemd/system/ticking.service", TICKING)
        self.put("etc/systemd/system/ticking.timer", TIMER)
        self.sh("systemctl daemon-reload && systemctl start pong ticking.timer")
        # As systemd has it while it starts a service.
        self.sh("file=$(ls /sys/fs/cgroup/system.slice/pong.service/cgroup.procs "
                "/sys/fs/cgroup/unified/system.slice/pong.service/cgroup.procs 2>/dev/null); "
                "systemd-run -q --unit starter sh -c \"exec sleep infinity 3>>$file\"")
        return self.cluster[0].address_of(self.name)

    def processes(self):
        """Those that stay, with their numbers; others may just be ending."""
        out = self.sh("for p in /proc/[0-9]*; do echo ${p#/proc/} $(cat $p/comm 2>/dev/null); done", check=False)
        return {line for line in out.splitlines() if line.partition(" ")[2] in LASTING}

    def ticks(self):
        return int(self.sh("grep -c tick /root/ticks", check=False) or 0)

    def works(self):
        """All that a user of systemd counts on."""
        self.runs()
        before = self.ticks()
        # It may be started a few times only within a while.
        self.sh("systemctl reset-failed; systemctl restart systemd-logind && "
                "systemctl is-active systemd-logind dbus systemd-journald pong")
        assert "done" in self.sh("systemd-run -q --wait --pipe -p PrivateTmp=yes -p ProtectSystem=strict echo done")
        self.sh("echo a word from $$ | systemd-cat -t teller; journalctl --sync")
        assert "a word from" in self.sh("journalctl -t teller --no-pager -o cat")
        wait_for("the timer", lambda: self.ticks() > before + 1, 60, step=0.2)


@pytest.fixture
def debian(cluster, launch, images, pong):
    def start(suite, name, *flags):
        launch(name, "--target", "m1", *flags, image=images(suite))
        return Debian(cluster, name, pong).booted()
    return start


@pytest.mark.parametrize("suite", SUITES)
def test_moves_live_and_works_as_before(cluster, debian, client, world, suite):
    d = debian(suite, f"d-{suite}")
    talk = client(d.serve(), 300)
    d.works()
    main_pid = d.sh("systemctl show -P MainPID pong")
    for target in ("m2", "m3", "m1"):
        before = d.processes()
        # As on a host under pressure of memory: the kernel forgets names of files that are watched.
        Path("/proc/sys/vm/drop_caches").write_text("2")
        info = last_move(cluster, d.name, target)
        assert info["kind"] == "live" and 0 < info["downtime_ms"] < 20000
        assert d.processes() == before and len(before) >= len(LASTING)
        d.works()
    assert d.sh("systemctl show -P MainPID pong") == main_pid
    result = talk.finish()
    assert result["error"] == "" and result["replies"] > 100
    before = d.processes()
    cluster[0].cli("stop", "--stateful", d.name)
    cluster[0].cli("start", d.name)
    assert d.processes() == before, "it goes on from memory that was on disk"
    d.works()
    cluster[0].cli("stop", d.name)
    assert world.problems() == []


def test_without_the_recipe_it_is_refused_by_name(cluster, debian):
    d = debian("bookworm", "plain", "-c", "migration.stateful=false")
    plan = cluster[0].api("GET", f"/1.0/instances/{d.name}/move-plan?target=m2")
    assert plan["kind"] == "near-live"
    assert any("systemd-logind.service" in reason and "UTS" in reason for reason in plan["reasons"]), plan
    assert move(cluster[0], d.name, "m2", "--mode", "live", check=False).returncode == 1
    assert d.state() == "running"
    assert "tmpfs" in d.sh("stat -f -c %T /run") and d.sh("ls /run/systemd/system/service.d", check=False) == ""
    cluster[0].cli("config", "unset", d.name, "migration.stateful")
    cluster[0].cli("restart", "--force", d.name)
    d.booted()
    assert last_move(cluster, d.name, "m2")["kind"] == "live"


FAULTS = [
    # fault point, member whose daemon has it, action, where it runs afterwards
    ("move_source_frozen", 0, "error", "m1"),
    ("move_target_before_restore", 1, "crash", "m1"),
    ("move_source_before_commit", 0, "crash", "m1"),
    ("move_target_after_commit", 1, "crash", "m2"),
]


@pytest.mark.parametrize("fault, member, action, want", FAULTS, ids=[f"{f[0]}-{f[2]}" for f in FAULTS])
def test_nothing_is_lost_when_a_move_fails(cluster, debian, client, world, fault, member, action, want):
    d = debian("bookworm", "faulty")
    talk = client(d.serve(), 300)
    m = cluster[member]
    cluster.restart(m, DUNLIN_FAULT=f"{fault}={action}")
    move(cluster[2], d.name, "m2", check=False)
    if action == "crash":
        m.wait_gone()
        m.start()
    wait_for(f"{d.name} on {want}, running", lambda: (
        cluster[2].instance(d.name)["location"], cluster[2].instance(d.name)["status"]) == (want, "Running"))
    cluster.settle()
    d.works()
    move(cluster[2], d.name, "m3")
    d.works()
    assert talk.finish()["error"] == ""
    wait_for("a consistent world", lambda: world.problems() == [])
    if action == "error":
        cluster.restart(m)


def test_sandboxes_are_as_the_page_says(cluster, debian):
    """What is refused is named with its unit; what moves is in the same sandbox as before."""
    d = debian("trixie", "boxes")
    table = sandboxes.table(sandboxes.Survey(cluster, d.name).rows())
    assert table == sandboxes.documented(), f"docs/{sandboxes.PAGE.name} should have this table:\n{table}"
