# SPDX-License-Identifier: Apache-2.0
"""The life of containers through the dunlin command, from any member."""

import json
import os
import signal

import pytest

from cluster import ApiError, run, wait_for
from moves import in_background


def test_unprivileged_by_default(cluster, launch):
    name = launch("plainone", "--target", "m1")
    pid = cluster[0].state(name)["pid"]
    assert open(f"/proc/{pid}/uid_map").read().split() == ["0", "1000000", "65536"]
    assert cluster[0].cli("exec", name, "--", "id", "-u").stdout == "0\n"
    assert os.stat(f"/proc/{pid}/root/etc/passwd").st_uid == 1000000


def test_privileged_when_asked(cluster, launch):
    name = launch("privone", "--target", "m2", "-c", "security.privileged=true")
    pid = cluster[0].state(name)["pid"]
    assert open(f"/proc/{pid}/uid_map").read().split()[:2] == ["0", "0"]


def test_scheduler_spreads_and_says_why(cluster, launch):
    for i in range(3):
        launch(f"spread{i}", "-c", "limits.memory=1GiB")
    where = {cluster[0].instance(f"spread{i}")["location"] for i in range(3)}
    assert where == {"m1", "m2", "m3"}


@pytest.mark.parametrize("member", [0, 2])
def test_exec(cluster, launch, member):
    name = launch(f"exec{member}", "--target", "m1")
    m = cluster[member]
    assert m.cli("exec", name, "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False).returncode == 7
    r = m.cli("exec", name, "--", "sh", "-c", "echo out; echo err >&2")
    assert (r.stdout, r.stderr) == ("out\n", "err\n")
    assert m.cli("exec", name, "--", "cat", input="through\n").stdout == "through\n"
    big = "x" * 300000
    assert m.cli("exec", name, "--", "cat", input=big).stdout == big
    assert m.cli("exec", name, "--env", "A=b", "--cwd", "/tmp", "--", "sh", "-c", "echo $A; pwd").stdout == "b\n/tmp\n"
    assert m.cli("exec", name, "--user", "1", "--group", "1", "--", "id", "-u").stdout == "1\n"
    assert m.cli("exec", name, "--", "/nonexistent", check=False).returncode == 127
    assert m.cli("exec", name, "--", "/etc/passwd", check=False).returncode == 126
    assert m.cli("exec", name, "--", "sh", "-c", "kill -TERM $$", check=False).returncode == 143


def test_exec_on_a_terminal(cluster, launch, terminal):
    name = launch("tty", "--target", "m1")
    t = terminal(cluster[2], cluster.dunlin, "exec", name, "--", "sh", "-c",
                 "tty; stty size; read x; stty size; exit 3", rows=33, columns=101)
    t.expect("/dev/pts/")
    t.expect("33 101")
    t.resize(20, 90)
    os.kill(t.process.pid, signal.SIGWINCH)
    t.type("go\n")
    t.expect("20 90")
    assert t.finish() == 3


def test_states(cluster, launch):
    name = launch("states", "--target", "m2")
    m = cluster[0]
    m.cli("pause", name)
    assert m.instance(name)["status"] == "Frozen"
    m.cli("start", name)
    assert m.instance(name)["status"] == "Running"
    pid = m.state(name)["pid"]
    m.cli("restart", name)
    assert m.instance(name)["status"] == "Running" and m.state(name)["pid"] != pid
    m.cli("stop", name)
    assert m.instance(name)["status"] == "Stopped"
    assert m.cli("stop", name, check=False).returncode == 1
    m.cli("start", name)
    m.cli("stop", "--force", name)
    assert m.instance(name)["status"] == "Stopped"
    assert m.cli("exec", name, "--", "true", check=False).returncode == 1


def test_stop_of_one_that_ignores_the_signal_ends_in_time(cluster, launch):
    name = launch("deaf", "--target", "m1", "-c", "raw.lxc=lxc.init.cmd = /bin/sleep 1000")
    r = cluster[0].cli("stop", name, "--timeout", "1", check=False)
    assert r.returncode == 1 and name in r.stderr + r.stdout
    assert cluster[0].instance(name)["status"] == "Running"
    cluster[0].cli("stop", "--force", name)


def test_a_removal_by_force_cuts_a_clean_stop_short(cluster, launch, world):
    name = launch("stubborn", "--target", "m1", "-c", "raw.lxc=lxc.init.cmd = /bin/sleep 1000")
    stop = in_background(lambda: cluster[2].cli("stop", name, "--timeout", "1000", check=False))
    cluster[1].shows(name, "Stopping")
    cluster[1].cli("delete", "--force", name)
    assert stop().returncode == 0
    with pytest.raises(ApiError):
        cluster[1].instance(name)
    assert world.problems() == []


def test_end_from_inside_is_noticed(cluster, launch, world):
    name = launch("halt", "--target", "m1")
    cluster[0].cli("exec", name, "--", "kill", "-PWR", "1", check=False)
    wait_for("stopped", lambda: cluster[2].instance(name)["status"] == "Stopped")
    assert world.problems() == []


def test_rename_and_delete(cluster, launch, world):
    name = launch("before", "--target", "m1")
    m = cluster[1]
    assert m.cli("rename", name, "after", check=False).returncode == 1
    m.cli("stop", name)
    m.cli("rename", name, "after")
    m.cli("start", "after")
    assert m.cli("exec", "after", "--", "hostname").stdout == "after\n"
    assert m.cli("delete", "after", check=False).returncode == 1
    m.cli("delete", "--force", "after")
    with pytest.raises(ApiError) as e:
        m.instance("after")
    assert e.value.status == 404
    assert world.problems() == []


def test_list_from_every_member(cluster, launch):
    launch("seen", "--target", "m2")
    for m in cluster.members:
        wait_for("an address in the list", lambda: "10.87." in m.cli("list", "seen").stdout)
        row = m.cli("list", "seen", "-f", "csv", "-c", "nsL").stdout.strip()
        assert row == "seen,RUNNING,m2"
        obj = json.loads(m.cli("list", "seen", "-f", "json").stdout)[0]
        assert obj["location"] == "m2" and obj["state"]["network"]["eth0"]["addresses"]
    info = cluster[0].cli("info", "seen").stdout
    assert "seen" in info and "m2" in info and "PID" in info.upper()


def test_config(cluster, launch):
    name = launch("conf", "--target", "m1", "-c", "environment.COLOUR=blue", "-c", "user.note=hello")
    m = cluster[2]
    assert m.cli("config", "get", name, "user.note").stdout == "hello\n"
    assert m.cli("exec", name, "--", "sh", "-c", "echo $COLOUR").stdout == "blue\n"
    m.cli("config", "set", name, "user.note=changed")
    assert "user.note: changed" in m.cli("config", "show", name).stdout
    m.cli("config", "unset", name, "user.note")
    assert m.cli("config", "get", name, "user.note").stdout.strip() == ""
    for bad in ("limits.memory=lots", "limits.cpu=-1", "no.such.key=1", "raw.lxc=lxc.include = /etc/shadow"):
        r = m.cli("config", "set", name, bad, check=False)
        assert r.returncode == 1 and bad.split("=")[0] in r.stderr


def test_limits_take_effect(cluster, launch):
    name = launch("small", "--target", "m1", "-c", "limits.memory=40MiB")
    m = cluster[0]
    assert m.state(name)["memory"]["usage"] < 40 << 20
    r = m.cli("exec", name, "--", "sh", "-c", "head -c 80000000 /dev/zero | tail -c 79999999 > /dev/null", check=False)
    assert r.returncode != 0
    m.cli("config", "set", name, "limits.memory=200MiB")
    r = m.cli("exec", name, "--", "sh", "-c", "head -c 80000000 /dev/zero | tail -c 79999999 > /dev/null", check=False)
    assert r.returncode == 0


def test_limit_of_processes(cluster, launch):
    """From the start, and changed while it runs."""
    m, many = cluster[0], "for i in $(seq 40); do sleep 60 & done; wait %1 2>/dev/null & kill $(jobs -p)"
    name = launch("few", "--target", "m1", "-c", "limits.processes=20")
    r = m.cli("exec", name, "--", "sh", "-c", many, check=False)
    assert "fork" in r.stderr, r
    m.cli("config", "set", name, "limits.processes=500")
    r = m.cli("exec", name, "--", "sh", "-c", many, check=False)
    assert "fork" not in r.stderr, r
    for wrong in ("0", "-1", "many"):
        r = m.cli("config", "set", name, f"limits.processes={wrong}", check=False)
        assert r.returncode and "limits.processes" in r.stderr, r


AT_NEXT_START = [  # key, value, file of its init, what it says once it counts
    ("environment.COLOUR", "blue", "environ", "COLOUR=blue"),
    ("raw.lxc", "lxc.environment = RAW=yes", "environ", "RAW=yes"),
    ("security.privileged", "true", "uid_map", "0 0 4294967295"),
]


def test_keys_that_count_at_the_next_start(cluster, launch):
    """And not before, but for what exec makes of the environment."""
    m, name = cluster[0], launch("later", "--target", "m1")

    def says(file, text):
        read = open(f"/proc/{m.state(name)['pid']}/{file}").read().replace("\0", "\n")
        return text in " ".join(read.split())

    def address():
        return {a["address"] for a in m.state(name)["network"]["eth0"]["addresses"] if a["family"] == "inet"}
    first = wait_for("an address", address)
    for key, value, file, text in AT_NEXT_START:
        m.cli("config", "set", name, f"{key}={value}")
        assert not says(file, text), key
    m.cli("config", "device", "override", name, "eth0", "ipv4.address=10.87.9.9")
    assert m.cli("exec", name, "--", "sh", "-c", "echo $COLOUR").stdout == "blue\n"
    assert address() == first
    m.cli("restart", "--force", name)
    for key, _, file, text in AT_NEXT_START:
        assert says(file, text), key
    wait_for("the address asked for", lambda: address() == {"10.87.9.9"})


def test_files(cluster, launch, tmp_path):
    name = launch("files", "--target", "m1")
    m = cluster[1]
    src = tmp_path / "data"
    src.write_bytes(os.urandom(3 << 20))
    m.cli("file", "push", src, f"{name}/root/data", "--mode", "640", "--uid", "7", "--gid", "8")
    assert m.cli("exec", name, "--", "stat", "-c", "%a %u %g %s", "/root/data").stdout == f"640 7 8 {3 << 20}\n"
    back = tmp_path / "back"
    m.cli("file", "pull", f"{name}/root/data", back)
    assert back.read_bytes() == src.read_bytes()
    m.cli("stop", name)
    m.cli("file", "push", src, f"{name}/root/d1/d2/stopped", "--create-dirs")
    m.cli("file", "pull", f"{name}/root/d1/d2/stopped", back)
    assert back.read_bytes() == src.read_bytes()
    m.cli("start", name)
    assert m.cli("exec", name, "--", "stat", "-c", "%u", "/root/d1/d2/stopped").stdout == "0\n"
    m.cli("file", "delete", f"{name}/root/data")
    assert m.cli("file", "pull", f"{name}/root/data", back, check=False).returncode == 1


def test_links_inside_cannot_reach_the_host(cluster, launch, tmp_path):
    name = launch("escape", "--target", "m1")
    m = cluster[0]
    m.cli("exec", name, "--", "sh", "-c", "ln -s / /root/r; ln -s ../../../../../../etc /root/up; echo in > /etc/mark")
    out = tmp_path / "x"
    m.cli("file", "pull", f"{name}/root/r/etc/mark", out)
    assert out.read_text() == "in\n"
    m.cli("file", "pull", f"{name}/root/up/mark", out)
    host = f"/etc/dunlin-escape-{os.getpid()}"
    (tmp_path / "evil").write_text("evil")
    m.cli("file", "push", tmp_path / "evil", f"{name}/root/r{host}", check=False)
    assert not os.path.exists(host)


def test_console_and_logs(cluster, launch, terminal):
    """Init's console, shared by whoever looks at it, with its log; Ctrl-a q leaves it."""
    name = launch("cons", "--target", "m1")
    m = cluster[2]
    m.cli("exec", name, "--", "sh", "-c", "echo first words > /dev/console")
    t = terminal(m, cluster.dunlin, "console", name)
    t.expect("<ctrl>+a q")
    m.cli("exec", name, "--", "sh", "-c", "echo later words > /dev/console")
    t.expect("later words")
    assert t.detach_console() == 0
    log = m.cli("console", name, "--show-log").stdout
    assert "first words" in log and "later words" in log
    assert "lxc.log" in str(m.api("GET", f"/1.0/instances/{name}/logs"))


def test_disk_device(cluster, launch, tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "hello").write_text("from the host\n")
    name = launch("disky", "--target", "m1")
    m = cluster[0]
    m.cli("stop", name)
    m.cli("config", "device", "add", name, "share", "disk", f"source={tmp_path}", "path=/mnt/share", "shift=true")
    m.cli("start", name)
    assert m.cli("exec", name, "--", "cat", "/mnt/share/hello").stdout == "from the host\n"
    m.cli("exec", name, "--", "sh", "-c", "echo back > /mnt/share/back")
    assert os.stat(tmp_path / "back").st_uid == 0
    r = m.cli("config", "device", "add", name, "bad", "disk", "source=relative", "path=/x", check=False)
    assert r.returncode == 1
    r = m.cli("config", "device", "add", name, "bad", "floppy", check=False)
    assert r.returncode == 1 and "floppy" in r.stderr


def test_containers_reach_one_another_across_members(cluster, launch):
    for i, target in enumerate(("m1", "m2", "m3")):
        launch(f"net{i}", "--target", target)
    addresses = [cluster[0].address_of(f"net{i}") for i in range(3)]
    for i in range(3):
        for address in addresses:
            cluster[0].cli("exec", f"net{i}", "--", "ping", "-c", "1", "-W", "5", address)


@pytest.mark.parametrize("name", ["-x", "a_b", "9lives", "a" * 64, "a/b", "x.", ""])
def test_bad_names(cluster, name):
    with pytest.raises(ApiError) as e:
        cluster[0].api("POST", "/1.0/instances", {"name": name or " ", "source": {"type": "image", "alias": "test"}})
    assert e.value.status == 400


def test_boot_autostart_after_a_host_reboot_only(cluster, launch):
    """The daemon alone restarting must not start what was stopped by hand."""
    name = launch("auto", "--target", "m2", "-c", "boot.autostart=true")
    m = cluster[1]
    m.cli("stop", name)
    m.kill()
    m.start()
    assert m.instance(name)["status"] == "Stopped"
