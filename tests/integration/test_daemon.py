# SPDX-License-Identifier: Apache-2.0
"""A single daemon: set-up, verbs, restart."""

import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from cluster import ApiError, CommandError, UnixConnection, run, wait_for


def test_help_and_version(single):
    assert "waitready" in single.verb("--help").stdout
    assert "--preseed" in single.verb("init", "--help").stdout
    assert single.verb("--version").stdout.strip()
    with pytest.raises(CommandError) as e:
        single.verb("frobnicate")
    assert "frobnicate" in e.value.result.stderr


def test_starts_fast_and_keys_are_private(single):
    key = single.dir / "server.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "id-ecPublicKey" in run("openssl", "x509", "-in", single.dir / "server.crt", "-noout", "-text").stdout
    assert stat.S_IMODE((single.dir / "unix.socket").stat().st_mode) == 0o660


def test_init_auto_twice(single):
    single.verb("init", "--auto")
    single.verb("init", "--auto")
    assert [p["name"] for p in single.api("GET", "/1.0/storage-pools?recursion=1")] == ["default"]
    assert set(single.api("GET", "/1.0/profiles/default")["devices"]) == {"root", "eth0"}


def test_preseed(single):
    single.verb("init", "--preseed", "-", input="""
config:
  core.https_address: 127.0.0.1:8443
storage_pools:
- name: one
  driver: dir
networks:
- name: br9
  type: bridge
  config:
    ipv4.address: 10.77.9.1/24
    ipv4.nat: true
profiles:
- name: web
  config:
    limits.cpu: 2
  devices:
    root: {type: disk, path: /, pool: one}
""")
    assert single.api("GET", "/1.0/profiles/web")["config"] == {"limits.cpu": "2"}
    assert single.api("GET", "/1.0")["config"]["core.https_address"] == "127.0.0.1:8443"
    assert single.api("GET", "/1.0/networks/br9")["config"]["ipv4.nat"] == "true"
    dumped = single.verb("init", "--dump").stdout
    assert "br9" in dumped and "limits.cpu" in dumped


@pytest.mark.parametrize("text, words", [
    ("storage_pools: 3", "storage_pools"),
    ("nonsense: {}", "nonsense"),
    ("storage_pools: [{name: x, driver: floppy}]", "floppy"),
    ("networks: [{name: toolonganetworkname, type: bridge}]", "toolonganetworkname"),
    ("config: {core.nonsense: 1}", "core.nonsense"),
    ("a: [b", "standard input"),
])
def test_bad_preseed_leaves_nothing(single, text, words):
    result = single.verb("init", "--preseed", "-", input=text, check=False)
    assert result.returncode == 1 and words in result.stderr
    assert single.api("GET", "/1.0/storage-pools") == [] and single.api("GET", "/1.0/networks?recursion=1") == []


def test_preseed_that_fails_late_undoes_what_it_made(single):
    bad = "storage_pools: [{name: keep, driver: dir}]\nprofiles: [{name: p, config: {limits.cpu: many}}]"
    result = single.verb("init", "--preseed", "-", input=bad, check=False)
    assert result.returncode == 1 and "limits.cpu" in result.stderr
    assert single.api("GET", "/1.0/storage-pools") == []


def test_clean_shutdown_and_second_daemon_is_refused(single):
    second = run(*single.in_netns(single.cluster.dunlind), env=single.env(), check=False)
    assert second.returncode == 1 and str(single.dir) in second.stderr
    single.shutdown()
    assert not single.running()
    result = single.verb("waitready", "--timeout", "1", check=False)
    assert result.returncode == 1 and "not ready" in result.stderr
    single.start()


def test_start_right_after_a_kill_waits_for_the_dying_one(single):
    """Its locks go with it: the next start must not need a second attempt."""
    for _ in range(5):
        os.kill(single.pid(), signal.SIGKILL)
        dying = single.process
        single.start()
        assert dying.wait(30) == -signal.SIGKILL


def test_second_daemon_waits_for_one_that_stops(single):
    """Stopped, it holds its locks until it may go on to die."""
    os.kill(single.pid(), signal.SIGSTOP)
    first = single.process
    single.start(wait=False)
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait(30) == -signal.SIGKILL
    single.verb("waitready", "--timeout", "30")
    assert single.process.poll() is None


def test_database_on_a_mount_of_its_own(single):
    """A fresh database folder is emptied, which must not mean to remove it."""
    single.shutdown()
    shutil.rmtree(single.dir)
    folder = single.dir / "database"
    folder.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "tmpfs", folder)
    try:
        (folder / "lost+found").mkdir()
        for i in range(2):
            single.start()
            single.cli("profile", "create", f"p{i}")
            single.kill()
        single.start()
        names = {u.rsplit("/", 1)[1] for u in single.api("GET", "/1.0/profiles")}
        assert {"p0", "p1"} <= names
        assert any(folder.iterdir())
        single.kill()
    finally:
        run("umount", "-l", folder)


def test_limits_where_process_1_is_in_a_cgroup(single, image_file):
    """As in a container of another manager: liblxc starts everything below the cgroup of process 1."""
    single.shutdown()
    v1 = Path("/sys/fs/cgroup/memory")
    outer = (v1 if v1.is_dir() else Path("/sys/fs/cgroup")) / f"{single.cluster.name}-outer"
    outer.mkdir()
    shell = f'echo $$ >{outer}/cgroup.procs && {{ "$@" & wait; }}'
    with open(single.log, "ab") as log:
        first = subprocess.Popen(single.in_netns("unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
                                                 "sh", "-c", shell, "sh", single.cluster.dunlind),
                                 env=single.env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        single.verb("waitready", "--timeout", "30")
        single.verb("init", "--auto")
        single.cli("image", "import", image_file, "--alias", "test")
        single.cli("launch", "test", "c1", "-c", "limits.memory=64MiB")
        limits = [p.read_text().strip() for name in ("memory.limit_in_bytes", "memory.max")
                  for p in outer.rglob(f"c1/payload/{name}")]
        assert limits == [str(64 << 20)]
        single.cli("config", "set", "c1", "limits.memory", "96MiB")
        assert single.cli("exec", "c1", "--", "echo", "alive").stdout == "alive\n"
        single.cli("delete", "--force", "c1")
    finally:
        first.kill()
        first.wait(30)
        wait_for("the end of all in it", lambda: not (outer / "cgroup.procs").read_text())
        for path, _, _ in os.walk(outer, topdown=False):
            os.rmdir(path)


def test_https_address_changes_at_once(single):
    def answers(port):
        return run(*single.in_netns("curl", "-ks", f"https://{single.ip}:{port}/"), check=False).stdout
    r = single.cli("config", "trust", "add", "--name", "early", check=False)
    assert r.returncode == 1 and "core.https_address" in r.stderr
    assert single.api("GET", "/1.0/operations") == {}
    single.cli("config", "set", "core.https_address", f"{single.ip}:8443")
    assert "/1.0" in answers(8443)
    single.lxc("config", "set", "core.https_address", f"{single.ip}:8444")
    assert "/1.0" in answers(8444) and not answers(8443)
    r = single.cli("config", "set", "core.https_address", "10.254.254.254:8443", check=False)
    assert r.returncode == 1 and "10.254.254.254:8443" in r.stderr
    assert single.cli("config", "get", "core.https_address").stdout == f"{single.ip}:8444\n" and answers(8444)
    single.cli("config", "unset", "core.https_address")
    assert not answers(8444)


def test_expired_trust_token(single):
    single.verb("init", "--auto", "--network-address", single.ip)
    single.cli("config", "set", "core.remote_token_expiry", "1S")
    token = single.cli("config", "trust", "add", "--name", "late").stdout.split()[-1]
    wait_for("its end", lambda: "late" not in single.cli("config", "trust", "list-tokens").stdout)
    r = single.cli("remote", "add", "late", token, check=False)
    assert r.returncode == 1 and 'the trust token for "late" expired' in r.stderr


def test_revoked_trust_token(single):
    single.verb("init", "--auto", "--network-address", single.ip)
    token = single.cli("config", "trust", "add", "--name", "gone").stdout.split()[-1]
    single.cli("config", "trust", "revoke-token", "gone")
    r = single.cli("remote", "add", "gone", token, check=False)
    assert r.returncode == 1 and "the token was used or revoked" in r.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_containers_outlive_the_daemon(single, image_file, how):
    single.verb("init", "--auto")
    single.cli("image", "import", image_file, "--alias", "test")
    single.cli("launch", "test", "c1")
    pid = single.state("c1")["pid"]
    single.kill(how)
    assert os.path.exists(f"/proc/{pid}")
    single.start()
    assert single.state("c1")["pid"] == pid and single.instance("c1")["status"] == "Running"
    assert single.cli("exec", "c1", "--", "echo", "alive").stdout == "alive\n"
    single.cli("stop", "c1")
    wait_for("the end of init", lambda: not os.path.exists(f"/proc/{pid}"))


def test_container_that_ends_while_the_daemon_is_down(single, image_file):
    single.verb("init", "--auto")
    single.cli("image", "import", image_file, "--alias", "test")
    single.cli("launch", "test", "c1")
    pid = single.state("c1")["pid"]
    single.kill()
    os.kill(pid, signal.SIGKILL)
    wait_for("the end of init", lambda: not os.path.exists(f"/proc/{pid}"))
    single.start()
    assert single.instance("c1")["status"] == "Stopped"
    single.cli("start", "c1")
    assert single.instance("c1")["status"] == "Running"


def test_unknown_names_are_named(single):
    for path in ("/1.0/instances/nope", "/1.0/profiles/nope", "/1.0/images/aliases/nope", "/1.0/networks/nope",
                 "/1.0/storage-pools/nope"):
        with pytest.raises(ApiError) as e:
            single.api("GET", path)
        assert e.value.status == 404


def test_uploads_of_unknown_size_leave_the_reserve_of_the_disk(single):
    """What the daemon needs itself, for its database, is not given to a body that only tells its size by its end."""
    single.shutdown()
    run("mount", "-t", "tmpfs", "-o", "size=160m", "test", single.dir)
    try:
        single.start()
        room = []
        c = UnixConnection(single.dir / "unix.socket")
        c.putrequest("POST", "/1.0/images")
        c.putheader("Content-Type", "application/octet-stream")
        c.putheader("Transfer-Encoding", "chunked")
        c.endheaders()
        try:
            for _ in range(200):
                c.send(b"%x\r\n%s\r\n" % (1 << 20, bytes(1 << 20)))
                st = os.statvfs(single.dir)
                room.append(st.f_bavail * st.f_frsize >> 20)
            c.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was told before its end
        answer = c.getresponse()
        assert answer.status == 507 and b"no room" in answer.read()
        c.close()
        assert min(room) >= 60, room
        wait_for("the room to be free again",
                 lambda: os.statvfs(single.dir).f_bavail * os.statvfs(single.dir).f_frsize >> 20 >= room[0] - 4)
        single.api("PATCH", "/1.0", {"config": {"user.note": "written"}})
    finally:
        single.kill()
        run("umount", single.dir)
