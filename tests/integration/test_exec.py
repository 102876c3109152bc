# SPDX-License-Identifier: Apache-2.0
"""Commands in containers: their status is theirs whatever their clients do, and nothing stays behind."""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster import ApiError, UnixConnection, wait_for
from websocket import BINARY, TEXT, WebSocket


@pytest.fixture(scope="module")
def box(cluster):
    cluster[0].cli("launch", "test", "box", "--target", "m1")
    yield "box"
    cluster[0].cli("delete", "--force", "box", check=False)


@pytest.fixture(params=["cli", "lxc"])
def tool(request, cluster):
    """The command `exec` of both clients on a member: tool(member)(arguments...)."""
    return lambda member: lambda *args, **kw: getattr(cluster[member], request.param)("exec", *args, check=False, **kw)


class Session:
    """An exec with the sockets that the test opens."""

    def __init__(self, member, name, *command, interactive=False, sockets=("control", "0", "1", "2")):
        self.member = member
        self.op = member.api("POST", f"/1.0/instances/{name}/exec", {
            "command": list(command), "wait-for-websocket": True, "interactive": interactive}, wait=False)
        self.path = f"/1.0/operations/{self.op['id']}"
        for slot in sockets:
            if slot in self.op["metadata"]["fds"]:
                setattr(self, f"ws_{slot}", self.open(slot))

    def open(self, slot):
        ws = WebSocket(self.member, f"{self.path}/websocket?secret={self.op['metadata']['fds'][slot]}")
        assert ws.status == 101
        return ws

    def result(self):
        return self.member.api("GET", f"{self.path}/wait?timeout=60")["metadata"]["return"]


def processes(member, name, word):
    return member.cli("exec", name, "--", "sh", "-c", f"ps -o args | grep '[{word[0]}]{word[1:]}'", check=False).stdout


def wakeups(member):
    """How often each thread of a member's daemon has waited for something."""
    found = {}
    for task in Path(f"/proc/{member.pid()}/task").iterdir():
        try:
            text = (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[task.name] = int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return found


def wakes_a_second(member):
    before, started = wakeups(member), time.monotonic()
    wait_for("two seconds", lambda: time.monotonic() > started + 2, step=0.1)
    after, took = wakeups(member), time.monotonic() - started
    return {t: (after[t] - before[t]) / took for t in after.keys() & before.keys()}


def descriptors(member):
    return len(os.listdir(f"/proc/{member.pid()}/fd"))


@pytest.mark.parametrize("member", [0, 1])
def test_outputs_closed_early(tool, box, member):
    r = tool(member)(box, "--", "sh", "-c", "echo out; echo err >&2; exec >&- 2>&-; sleep 1; exit 5")
    assert (r.returncode, r.stdout) == (5, "out\n") and r.stderr.endswith("err\n")
    r = tool(member)(box, "--", "sh", "-c", "exec >&-; sleep 0.3; echo err >&2; exit 6")
    assert (r.returncode, r.stderr) == (6, "err\n")
    r = tool(member)(box, "--", "sh", "-c", "exec <&- 2>&-; sleep 0.3; echo out; exit 7", input="unread" * 50000)
    assert (r.returncode, r.stdout) == (7, "out\n")
    r = tool(member)(box, "-t", "--", "sh", "-c", "echo out; exec >&- 2>&- <&-; sleep 0.3; exit 8")
    assert (r.returncode, r.stdout) == (8, "out\n")


def test_status_under_load(cluster, box):
    """Commands that close their outputs just before they end, many at once, while the host is busy."""
    script = "seq 1 2000; echo err >&2; exec >&- 2>&-; exit 5"
    want = (5, "".join(f"{i}\n" for i in range(1, 2001)), "err\n")
    load = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(3)]

    def one(i):
        r = cluster[i % 2].cli("exec", box, "--", "sh", "-c", script, check=False)
        return r.returncode, r.stdout, r.stderr
    try:
        with ThreadPoolExecutor(8) as pool:
            wrong = [r for r in pool.map(one, range(96)) if r != want]
    finally:
        for p in load:
            p.kill()
            p.wait()
    assert not wrong, f"{len(wrong)} of 96: {wrong[0][0]} {wrong[0][2]!r}"


def test_a_process_left_behind(tool, box):
    """It may hold the outputs for ever: what it says soon still counts, then the command is over."""
    r = tool(1)(box, "--", "sh", "-c", "(sleep 0.3; echo late) & echo soon; exit 3")
    assert (r.returncode, r.stdout) == (3, "soon\nlate\n")
    r = tool(1)(box, "--", "sh", "-c", "sleep 100 & exit 4", timeout=30)
    assert r.returncode == 4
    r = tool(1)(box, "-t", "--", "sh", "-c", "sleep 100 & exit 4", timeout=30)
    assert r.returncode == 4


@pytest.mark.parametrize("interactive", [False, True])
@pytest.mark.parametrize("how", ["close", "drop"])
def test_closed_data_sockets_are_no_signal(cluster, box, interactive, how):
    m = cluster[0]
    script = "read x; i=0; while [ $i -lt 3000 ]; do echo words words; i=$((i+1)); done; echo more >&2; exit 5"
    s = Session(m, box, "sh", "-c", script, interactive=interactive)
    for slot in ("1", "2"):
        if not interactive:
            getattr(getattr(s, f"ws_{slot}"), how)()
    s.ws_0.send(BINARY, b"go\n")
    getattr(s.ws_0, how)()
    assert s.result() == 5
    assert s.ws_control.read_stream() == b""


def test_a_closed_control_socket_is_no_signal(cluster, box):
    s = Session(cluster[0], box, "sh", "-c", "read x; echo $x; exit 5")
    s.ws_control.close()
    s.ws_0.send(BINARY, b"go\n")
    assert s.ws_1.read_stream() == b"go\n"
    assert s.result() == 5


def test_input_is_delivered_after_its_socket_closed(cluster, box):
    s = Session(cluster[0], box, "sh", "-c", "sleep 1; wc -c; exit 5")
    for _ in range(30):
        s.ws_0.send(BINARY, bytes(10000))
    s.ws_0.send(TEXT)
    s.ws_0.close()
    assert s.ws_1.read_stream() == b"300000\n"
    assert s.result() == 5


@pytest.mark.parametrize("member", [0, 1])
@pytest.mark.parametrize("flag", ["-T", "-t"])
def test_a_killed_client_takes_its_command_along(cluster, box, member, flag):
    m, here = cluster[member], cluster[0]
    before = descriptors(here)
    script = "echo up; sleep 4321; echo never"
    p = subprocess.Popen(m.in_netns(cluster.dunlin, "exec", box, flag, "--", "sh", "-c", script), env=m.env(),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert p.stdout.readline().strip() == b"up"
    assert "sleep 4321" in processes(here, box, "sleep 4321")
    p.kill()
    p.communicate()
    wait_for("the end of the command", lambda: not processes(here, box, "sleep 4321"))
    wait_for("closed descriptors", lambda: descriptors(here) <= before)
    wait_for("the end of its operation", lambda: not here.api("GET", "/1.0/operations?recursion=1").get("running"))


def test_a_killed_client_without_a_control_socket(cluster, box):
    s = Session(cluster[0], box, "sh", "-c", "sleep 5432; echo never", sockets=("0", "1", "2"))
    wait_for("its start", lambda: processes(cluster[0], box, "sleep 5432"))
    for ws in (s.ws_0, s.ws_1, s.ws_2):
        ws.drop()
    assert s.result() == 128 + signal.SIGKILL
    assert not processes(cluster[0], box, "sleep 5432")


def test_signals(cluster, box):
    m = cluster[1]
    p = subprocess.Popen(m.in_netns(cluster.dunlin, "exec", box, "--", "sh", "-c",
                                    "trap 'echo caught; exit 9' TERM; echo up; while :; do sleep 0.1; done"),
                         env=m.env(), stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"up\n"
    p.terminate()
    assert p.communicate(timeout=60)[0] == b"caught\n" and p.returncode == 9
    assert m.cli("exec", box, "--", "sh", "-c", "kill -9 $$", check=False).returncode == 137


def test_recorded_output(cluster, box):
    op = cluster[1].api("POST", f"/1.0/instances/{box}/exec", {
        "command": ["sh", "-c", "echo out; echo err >&2; exec >&- 2>&-; sleep 0.3; exit 5"], "record-output": True})
    assert op["metadata"]["return"] == 5
    texts = [cluster[1].request("GET", op["metadata"]["output"][fd])[2] for fd in ("1", "2")]
    assert texts == [b"out\n", b"err\n"]


def test_a_command_that_cannot_start(tool, cluster, box):
    r = tool(1)(box, "--", "no-such-command")
    assert r.returncode == 127 and "no-such-command" in r.stderr
    assert tool(1)(box, "--", "/etc/passwd").returncode == 126


def test_home(tool, cluster, box):
    users = "".join(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n" for name, uid in (("al", 4000), ("lost", 4001)))
    cluster[0].cli("exec", box, "--", "sh", "-c", "mkdir -p /home/al; cat >> /etc/passwd", input=users)
    ask = ("--", "sh", "-c", "echo $PWD $HOME $USER")

    def told(*flags):
        r = tool(1)(box, *flags, *ask)
        return r.stdout.split()
    assert told() == ["/root", "/root", "root"]
    assert told("--user", "4000") == ["/home/al", "/home/al", "al"]
    assert told("--user", "4001") == ["/", "/home/lost", "lost"]
    assert told("--user", "4002") == ["/"]
    assert told("--cwd", "/tmp") == ["/tmp", "/root", "root"]
    assert told("--env", "HOME=/mnt") == ["/root", "/mnt", "root"]
    cluster[0].cli("exec", box, "--", "sh", "-c", "mv /etc/passwd /etc/passwd.kept; mkfifo /etc/passwd")
    try:
        assert told() == ["/root", "/root", "root"]
    finally:
        cluster[0].cli("exec", box, "--", "sh", "-c", "mv -f /etc/passwd.kept /etc/passwd")


def test_missing_folder(tool, cluster, box):
    for flags in (["--cwd", "/no/such"], ["--cwd", "/etc/passwd"], ["--cwd", "/no/such", "-t"]):
        r = tool(1)(box, *flags, "--", "sh", "-c", "echo ran; exit 3")
        assert r.returncode == 1 and r.stdout == ""
        assert r.stderr.startswith("Error: ") and flags[1] in r.stderr
    with pytest.raises(ApiError) as e:
        cluster[0].api("POST", f"/1.0/instances/{box}/exec", {"command": ["true"], "cwd": "/no/such"})
    assert e.value.status == 400 and "/no/such" in e.value.message


def test_a_client_that_left_is_waited_for_no_more(cluster, box):
    """The member that was asked for an operation of another looks for its end, but only as long as somebody listens."""
    op = cluster[0].api("POST", f"/1.0/instances/{box}/exec", {"command": ["sleep", "120"]}, wait=False)
    path = f"/1.0/operations/{op['id']}"
    wait_for("the operation at the other member", lambda: cluster[1].request("GET", path)[0] == 200)
    quiet = wakes_a_second(cluster[1])
    clients, started = [], time.monotonic()
    try:
        for i in range(200):
            wait_for("its moment", lambda: time.monotonic() > started + i / 400, step=0.001)
            client = UnixConnection(cluster[1].dir / "unix.socket")
            client.request("GET", f"{path}/wait")
            clients.append(client)
        # How often depends on how much the machine lets it run.
        busy = wait_for("somebody to look", lambda: (b := wakes_a_second(cluster[1])) and any(
            b[t] > quiet[t] + 20 for t in b.keys() & quiet.keys()) and b)
    finally:
        for client in clients:
            client.close()
    looking = max(busy.keys() & quiet.keys(), key=lambda t: busy[t] - quiet[t])
    more = busy[looking] - quiet[looking]
    wait_for("an end of the looking", lambda: wakes_a_second(cluster[1])[looking] < quiet[looking] + more / 4)
    assert cluster[0].api("GET", path)["status"] == "Running"
