# SPDX-License-Identifier: Apache-2.0
"""Disks and nics of running containers: a change takes effect at once, lasts, and moves along."""

import json
import os

import pytest

from cluster import run, wait_for


@pytest.fixture
def folder(tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "hello").write_text("from the host\n")
    return tmp_path


@pytest.fixture(scope="module")
def second_network(cluster):
    cluster[0].cli("network", "create", "tnet2", "--type=overlay", "ipv4.address=10.88.0.1/24")
    for m in cluster.members:
        wait_for("the network", lambda: "tnet2" in m.cli("network", "list").stdout)
    return "tnet2"


def inside(m, name, command, **kw):
    return m.cli("exec", name, "--", "sh", "-c", command, **kw)


def mounts(m, name):
    return inside(m, name, "cat /proc/mounts").stdout


def test_disk_comes_and_goes(cluster, launch, folder, world):
    name = launch("plug", "--target", "m1")
    m = cluster[1]
    m.cli("config", "device", "add", name, "d", "disk", f"source={folder}", "path=/mnt/new/place", "shift=true")
    assert inside(m, name, "cat /mnt/new/place/hello; echo back > /mnt/new/place/back").stdout == "from the host\n"
    assert os.stat(folder / "back").st_uid == 0
    m.lxc("config", "device", "add", name, "f", "disk", f"source={folder}/hello", "path=/etc/one-file")
    assert inside(m, name, "cat /etc/one-file").stdout == "from the host\n"
    m.lxc("config", "device", "set", name, "d", "path", "/mnt/elsewhere")
    assert " /mnt/elsewhere " in mounts(m, name) and " /mnt/new/place " not in mounts(m, name)
    m.lxc("config", "device", "remove", name, "d")
    m.cli("config", "device", "remove", name, "f")
    assert " /mnt/elsewhere " not in mounts(m, name) and " /etc/one-file " not in mounts(m, name)
    assert (folder / "hello").exists()
    assert world.problems() == []


def test_readonly_disk_stays_readonly(cluster, launch, folder):
    """Root inside may not lift what the host laid down."""
    name = launch("plugro", "--target", "m2")
    m = cluster[0]
    m.cli("config", "device", "add", name, "d", "disk", f"source={folder}", "path=/mnt/ro", "shift=true",
          "readonly=true")
    r = inside(m, name, "mount -o remount,bind,rw /mnt/ro; echo x > /mnt/ro/hello", check=False)
    assert r.returncode != 0
    assert (folder / "hello").read_text() == "from the host\n"


def test_plugged_devices_survive_move_daemon_and_restart(cluster, launch, folder, second_network, world):
    name = launch("plugmv", "--target", "m1")
    m = cluster[2]
    m.cli("config", "device", "add", name, "d", "disk", f"source={folder}", "path=/mnt/x", "shift=true")
    m.cli("config", "device", "add", name, "eth1", "nic", f"network={second_network}", "name=eth1")
    address = m.address_of(name, "eth1")
    cluster.restart(cluster[0])
    wait_for("it running", lambda: m.instance(name)["status"] == "Running")
    m.cli("move", name, "--target", "m2")
    assert m.instance(name)["status"] == "Running" and m.address_of(name, "eth1") == address
    assert inside(m, name, "cat /mnt/x/hello").stdout == "from the host\n"
    m.cli("restart", name)
    assert m.address_of(name, "eth1") == address
    assert inside(m, name, "cat /mnt/x/hello").stdout == "from the host\n"
    assert inside(m, name, "ip route").stdout.count("default") == 1
    m.cli("config", "device", "remove", name, "d")
    m.cli("config", "device", "remove", name, "eth1")
    assert "eth1" not in m.state(name)["network"] and " /mnt/x " not in mounts(m, name)
    assert "volatile.eth1.hwaddr" not in m.instance(name)["config"]
    m.cli("move", name, "--target", "m3")
    assert world.problems() == []


def test_nic_reaches_the_other_members_at_once(cluster, launch, second_network):
    a, b = launch("na", "--target", "m1"), launch("nb", "--target", "m2")
    for name in (a, b):
        cluster[0].lxc("config", "device", "add", name, "eth1", "nic", f"network={second_network}", "name=eth1")
    address = cluster[2].address_of(b, "eth1")
    assert address.startswith("10.88.0.")
    inside(cluster[0], a, f"ping -c 1 -W 5 {address}")
    assert "brd 10.88.0.255" in inside(cluster[0], a, "ip addr show eth1").stdout
    assert "brd 10.87.255.255" in inside(cluster[0], a, "ip addr show eth0").stdout


def test_two_nics_from_the_start(cluster, launch, second_network):
    """Each network has a gateway, the container has one default route."""
    name = launch("twonics", "--target", "m1")
    m = cluster[0]
    m.cli("stop", name)
    m.cli("config", "device", "add", name, "eth1", "nic", f"network={second_network}", "name=eth1")
    m.cli("start", name)
    assert m.address_of(name, "eth1").startswith("10.88.0.")
    assert inside(m, name, "ip route").stdout.count("default") == 1


def test_a_failed_change_changes_nothing(cluster, launch, folder, world):
    name = launch("plugbad", "--target", "m1")
    other = cluster[1].address_of(launch("plugfree", "--target", "m2"))
    m = cluster[1]
    before = m.instance(name)
    for device in (["disk", f"source={folder}/missing", "path=/mnt/x"], ["nic", "network=tnet", "name=eth0"],
                   ["disk", f"source={folder}", "path=/proc/1/root"],
                   ["nic", "network=tnet", "name=eth7", "ipv4.address=10.99.0.1"]):
        r = m.cli("config", "device", "add", name, "bad", *device, check=False)
        assert r.returncode == 1 and "bad" in r.stderr, r.stderr
    r = m.lxc("config", "device", "override", name, "eth0", f"ipv4.address={other}", check=False)
    assert r.returncode == 1 and "belongs to instance \"plugfree\"" in r.stderr
    r = m.lxc("config", "set", name, "limits.cpu=0-999", check=False)
    assert r.returncode == 1 and "CPUs" in r.stderr
    after = m.instance(name)
    assert (after["devices"], after["config"]) == (before["devices"], before["config"])
    assert world.problems() == []


def test_optional_disk(cluster, launch, folder):
    name = launch("plugopt", "--target", "m1")
    m = cluster[0]
    m.cli("config", "device", "add", name, "d", "disk", f"source={folder}/later", "path=/mnt/x", "required=false")
    m.cli("restart", name)
    assert " /mnt/x " not in mounts(m, name)
    (folder / "later").mkdir()
    m.cli("restart", name)
    assert " /mnt/x " in mounts(m, name)


def test_profile_devices_reach_running_containers(cluster, launch, folder):
    name = launch("plugprof", "--target", "m3")
    m = cluster[0]
    m.cli("profile", "create", "shares")
    m.cli("profile", "add", name, "shares")
    m.cli("profile", "device", "add", "shares", "d", "disk", f"source={folder}", "path=/mnt/p")
    wait_for("the mount", lambda: " /mnt/p " in mounts(m, name))
    m.cli("profile", "device", "remove", "shares", "d")
    wait_for("its end", lambda: " /mnt/p " not in mounts(m, name))
    m.cli("profile", "remove", name, "shares")
    m.cli("profile", "delete", "shares")
    for device in (["nic", "network=nonet"], ["disk", "path=/", "pool=nopool"]):
        r = m.cli("profile", "device", "add", "default", "bad", *device, check=False)
        assert r.returncode == 1 and "not found" in r.stderr


@pytest.mark.parametrize("mounted", [False, True])
def test_a_change_that_a_crash_cut_off_is_carried_out(cluster, launch, folder, mounted):
    """The row has it, the container or the note of it not yet: the next daemon makes it so, once."""
    name = launch(f"plugcut{int(mounted)}", "--target", "m2")
    m = cluster[1]
    m.cli("config", "device", "add", name, "d", "disk", f"source={folder}", "path=/mnt/x")
    spec = m.dir / f"containers/{name}/spec.json"
    text = json.loads(spec.read_text())
    pid = m.state(name)["pid"]
    m.kill()
    if not mounted:
        run("nsenter", f"--target={pid}", "--mount", "umount", "/mnt/x")
    text["devices"] = [d for d in text["devices"] if d["device"] != "d"]
    spec.write_text(json.dumps(text))
    m.start()
    wait_for("the change", lambda: any(d["device"] == "d" for d in json.loads(spec.read_text())["devices"]))
    assert mounts(cluster[0], name).count(" /mnt/x ") == 1
