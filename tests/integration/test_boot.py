# SPDX-License-Identifier: Apache-2.0
"""Instances stop and start with their host."""

import os
import signal
import subprocess
import time
from datetime import datetime

import pytest

from cluster import ROOT, run, wait_for


@pytest.fixture
def host(single, image_file):
    single.verb("init", "--auto")
    single.cli("image", "import", image_file, "--alias", "test")
    return single


def launch(m, name, *config):
    m.cli("launch", "test", name, *(w for c in config for w in ("-c", c)))
    return m.state(name)["pid"]


def marks(m, name):
    """How often it was stopped cleanly."""
    r = m.cli("file", "pull", f"{name}/stopped", "-", check=False)
    return r.stdout.count("stopped\n")


def stop_host(m, *flags, **env):
    m.verb("shutdown", "--instances", *flags, **env)
    m.wait_gone()


def running(m):
    return {i["name"] for i in m.api("GET", "/1.0/instances?recursion=1") if i["status"] == "Running"}


def test_instances_stop_cleanly_and_come_back(host):
    """Their wanted state stays what it was: the next daemon starts those that ran."""
    pids = [launch(host, name) for name in ("up1", "up2")]
    launch(host, "off")
    host.cli("stop", "off")
    host.cli("pause", "up2")
    before = marks(host, "off")
    stop_host(host)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    host.start()
    wait_for("those that ran", lambda: running(host) == {"up1", "up2"})
    assert [marks(host, name) for name in ("up1", "up2", "off")] == [1, 1, before]
    # A daemon that only restarts touches none.
    pids = [host.state(name)["pid"] for name in ("up1", "up2")]
    host.shutdown()
    host.start()
    assert [host.state(name)["pid"] for name in ("up1", "up2")] == pids


def test_order_and_deadline(host):
    """Higher priorities first; one that ignores the signal gets its time and no more."""
    launch(host, "first", "boot.stop.priority=10")
    launch(host, "last", "boot.stop.priority=-3")
    deaf = launch(host, "deaf", "boot.stop.priority=5", "boot.host_shutdown_timeout=1",
                  "raw.lxc=lxc.init.cmd = /bin/sleep 1000")
    offset, began = host.log.stat().st_size, time.monotonic()
    stop_host(host)
    assert 1 <= time.monotonic() - began < 30 and not os.path.exists(f"/proc/{deaf}")
    log = host.log_since(offset)
    order = [name for line in log.splitlines() if "instance stopped" in line and "by force" not in line
             for name in ("first", "deaf", "last") if f"={name}" in line or f'"{name}"' in line]
    assert order == ["first", "deaf", "last"], log


def test_only_when_the_host_stops(host, tmp_path):
    """As the unit calls it: an upgrade that restarts it leaves everything alone."""
    systemctl = tmp_path / "systemctl"
    pid = launch(host, "stays")

    def call(state, late=0):
        systemctl.write_text(f"#!/bin/sh\nsleep {late}\necho {state}\nexit 1\n")
        systemctl.chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        run(*host.in_netns("env", f"PATH={path}", host.cluster.dunlind, "shutdown", "--instances", "--if-host-stops"),
            env=host.env())
    for state in ("running", "degraded", "maintenance", "starting"):
        call(state)
        assert host.running() and host.state("stays")["pid"] == pid
    # Also with a daemon that died before, and on a host that is so busy that systemd is slow to answer.
    host.kill()
    call("stopping", late=11)
    assert not os.path.exists(f"/proc/{pid}")
    host.start()
    wait_for("its start", lambda: running(host) == {"stays"})
    assert marks(host, "stays") == 1


def test_without_quorum(own_cluster):
    """All hosts of a cluster may go down at once."""
    c = own_cluster
    for i in (1, 2, 3):
        c[0].cli("launch", "test", f"c{i}", "--target", f"m{i}")
    c[1].kill()
    c[2].kill()
    stop_host(c[0])
    for m in c.members:
        m.start(wait=False)
    for m in c.members:
        m.verb("waitready", "--timeout", "60")
    c.settle()
    wait_for("the instance to come back", lambda: c[0].instance("c1")["status"] == "Running")
    assert marks(c[0], "c1") == 1


def started(m, name):
    """The second of its last start."""
    text = m.api("GET", f"/1.0/instances/{name}?recursion=1")["last_used_at"]
    return datetime.fromisoformat(text.split(".")[0].rstrip("Z")).timestamp()


def test_order_and_delay_of_starts(host):
    launch(host, "slow", "boot.autostart.priority=5", "boot.autostart.delay=3")
    launch(host, "after")
    launch(host, "never", "boot.autostart=false")
    launch(host, "always", "boot.autostart=true", "boot.autostart.priority=9")
    host.cli("stop", "always")
    stop_host(host)
    offset = host.log.stat().st_size
    host.start()
    wait_for("the starts", lambda: running(host) == {"slow", "after", "always"})

    # Logged and noted a moment after it runs.
    def logged():
        lines = [line for line in host.log_since(offset).splitlines() if "instance started" in line]
        return [next(n for n in ("slow", "after", "always", "never") if n in line) for line in lines]
    wait_for("three starts", lambda: len(logged()) >= 3)
    assert logged() == ["always", "slow", "after"]
    wait_for("the second start", lambda: 2 <= started(host, "after") - started(host, "slow") < 30)


def test_stop_during_a_delay_ends(host):
    """A host may go down while it still comes up."""
    launch(host, "one", "boot.autostart.delay=600", "boot.autostart.priority=1")
    launch(host, "two")
    stop_host(host)
    host.start()
    wait_for("the first", lambda: "one" in running(host))
    host.kill(signal.SIGTERM)
    host.start()
    stop_host(host)
    host.start()
    wait_for("the first", lambda: "one" in running(host))


def test_killed_while_it_stops_them(host):
    """What had stopped by then is started by the next daemon, too; an ephemeral one is still there."""
    launch(host, "quick", "boot.stop.priority=1")
    host.cli("launch", "test", "brief", "--ephemeral", "-c", "boot.stop.priority=1")
    launch(host, "deaf", "raw.lxc=lxc.init.cmd = /bin/sleep 1000", "boot.host_shutdown_timeout=600")
    stop = subprocess.Popen(host.in_netns(host.cluster.dunlind, "shutdown", "--instances"), env=host.env(),
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the first to stop", lambda: running(host).isdisjoint({"quick", "brief"}))
    stop.kill()
    stop.wait()
    host.kill()
    host.start()
    wait_for("all of them", lambda: running(host) == {"quick", "brief", "deaf"})


def test_another_daemon_ends_what_a_killed_one_began(host):
    launch(host, "quick", "boot.stop.priority=1")
    pid = launch(host, "deaf", "raw.lxc=lxc.init.cmd = /bin/sleep 1000", "boot.host_shutdown_timeout=5")
    stop = subprocess.Popen(host.in_netns(host.cluster.dunlind, "shutdown", "--instances"), env=host.env(),
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the first to stop", lambda: "quick" not in running(host))
    host.kill()
    assert stop.wait(60) == 0
    assert not os.path.exists(f"/proc/{pid}")
    host.start()
    wait_for("both", lambda: running(host) == {"quick", "deaf"})


def test_a_daemon_that_starts_for_the_stop_forgets_nothing(host):
    """It looks at the rows while it stops already."""
    launch(host, "stays")
    host.cli("launch", "test", "brief", "--ephemeral")
    stop_host(host)
    for _ in range(5):
        host.verb("shutdown", "--instances")
    host.start()
    wait_for("both", lambda: running(host) == {"stays", "brief"})


def test_units_are_complete():
    """One unit stops the instances, before the daemon, and the daemon's unit brings it along."""
    units = {p.name: p.read_text() for p in (ROOT / "node/daemon").glob("*.service")}
    stop = units["dunlind-instances.service"]
    assert "After=dunlind.service" in stop and "ExecStop=@BINDIR@/dunlind shutdown --instances --if-host-stops" in stop
    assert "RemainAfterExit=yes" in stop and "TimeoutStopSec=infinity" in stop
    assert "dunlind-instances.service" in units["dunlind.service"]


def test_a_host_that_stops_takes_no_instances(own_cluster):
    """Neither moves nor new ones come to a member whose instances are being stopped; the plan says so, too."""
    here, there = own_cluster[0], own_cluster[1]
    for name, flags in ("runs", ()), ("lies", ()), ("deaf", ("-c", "boot.host_shutdown_timeout=120", "-c",
                                                            "raw.lxc=lxc.init.cmd = /bin/sleep 1000")):
        here.cli("launch", "test", name, "--target", "m2" if name == "deaf" else "m1", *flags)
    here.cli("stop", "lies")
    deaf = there.state("deaf")["pid"]
    offset = there.log.stat().st_size
    stop = subprocess.Popen(there.in_netns(own_cluster.dunlind, "shutdown", "--instances"), env=there.env())
    wait_for("the stop", lambda: "are being stopped" in there.log_since(offset))
    why = 'the host of member "m2" is shutting down'
    for command in (("move", "runs", "--target", "m2"), ("move", "runs", "--target", "m2", "--stateless"),
                    ("move", "lies", "--target", "m2"), ("launch", "test", "more", "--target", "m2"),
                    ("init", "test", "more", "--target", "m2")):
        refused = here.cli(*command, check=False)
        assert refused.returncode == 1 and why in refused.stderr, (command, refused)
    plan = here.api("GET", "/1.0/instances/runs/move-plan?target=m2")
    assert plan["kind"] == "refused" and why in plan["reason"], plan
    assert {i["name"]: (i["location"], i["status"]) for i in here.api("GET", "/1.0/instances?recursion=1")
            if i["name"] != "deaf"} == {"runs": ("m1", "Running"), "lies": ("m1", "Stopped")}
    os.kill(deaf, signal.SIGKILL)
    assert stop.wait(60) == 0
    there.wait_gone()
    there.start()
    own_cluster.settle()
    here.cli("move", "runs", "--target", "m2")
