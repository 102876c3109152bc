# SPDX-License-Identifier: Apache-2.0
"""The REST API's manners: envelopes, tags, limits, and what bad requests get."""

import json
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

import keys
from cluster import ROOT, ApiError, UnixConnection, run, wait_for

INSTANCE = {"name": "x1", "source": {"type": "image", "alias": "test"}}


def get(m, path, **kw):
    status, headers, body = m.request("GET", path, **kw)
    return status, headers, json.loads(body)


def test_envelopes(cluster):
    m = cluster[0]
    assert get(m, "/")[2]["metadata"] == ["/1.0"]
    status, headers, reply = get(m, "/1.0")
    assert status == 200 and set(reply) == {"type", "status", "status_code", "operation", "error_code", "error",
                                            "metadata"}
    assert (reply["type"], reply["status"], reply["status_code"]) == ("sync", "Success", 200)
    assert reply["metadata"]["api_version"] == "1.0" and reply["metadata"]["auth"] == "trusted"
    assert headers["ETag"].startswith('"')
    status, _, reply = get(m, "/1.0/instances/nope")
    assert status == reply["error_code"] == 404 and reply["type"] == "error" and reply["metadata"] is None


def test_slow_reader_gets_all_of_a_large_answer(cluster):
    """On a connection that has done nothing yet, and across several looks at what stands still."""
    m = cluster[0]
    keys = [f"user.large{i}" for i in range(30)]
    m.api("PATCH", "/1.0", {"config": dict.fromkeys(keys, "x" * 60000)})
    c = UnixConnection(m.dir / "unix.socket", 20)
    c.request("GET", "/1.0")
    time.sleep(2.5)
    reply = json.loads(c.getresponse().read())
    assert all(len(reply["metadata"]["config"][k]) == 60000 for k in keys)
    c.close()
    m.api("PATCH", "/1.0", {"config": dict.fromkeys(keys, "")})


def test_create_is_an_operation_visible_everywhere(cluster):
    m = cluster[1]
    status, headers, raw = m.request("POST", "/1.0/instances", {**INSTANCE, "name": "opvis"})
    reply = json.loads(raw)
    assert status == 202 and reply["type"] == "async" and headers["Location"].startswith("/1.0/operations/")
    op = reply["metadata"]
    assert op["resources"]["instances"] == ["/1.0/instances/opvis"] and op["class"] == "task"
    for other in cluster.members:
        done = other.api("GET", f"{reply['operation']}/wait?timeout=30")
        assert done["status_code"] == 200 and done["id"] == op["id"]
    m.api("DELETE", "/1.0/instances/opvis")


def test_recursion(cluster, launch):
    launch("rec", "--target", "m2")
    m = cluster[0]
    assert "/1.0/instances/rec" in m.api("GET", "/1.0/instances")
    one = next(i for i in m.api("GET", "/1.0/instances?recursion=1") if i["name"] == "rec")
    assert one["expanded_devices"]["root"]["pool"] == "default" and "state" not in one
    two = next(i for i in m.api("GET", "/1.0/instances?recursion=2") if i["name"] == "rec")
    assert two["state"]["status"] == "Running" and two["snapshots"] in ([], None)
    assert m.api("GET", "/1.0/containers/rec")["name"] == "rec"
    assert [i["name"] for i in m.api("GET", "/1.0/instances?recursion=1&filter=name+eq+rec")] == ["rec"]
    with pytest.raises(ApiError):
        m.api("GET", "/1.0/instances?recursion=1&filter=name+eq")


BAD_BODIES = [
    ("POST", "/1.0/instances", {**INSTANCE, "colour": "blue"}, "colour"),
    ("POST", "/1.0/instances", {**INSTANCE, "config": {"limits.cpu": 1}}, "config"),
    ("POST", "/1.0/instances", {**INSTANCE, "config": {"no.such": "1"}}, "no.such"),
    ("POST", "/1.0/instances", {**INSTANCE, "name": 7}, "name"),
    ("POST", "/1.0/instances", {**INSTANCE, "source": {"type": "image", "alias": "nothing"}}, "nothing"),
    ("POST", "/1.0/instances", {**INSTANCE, "source": {"type": "teapot"}}, "teapot"),
    ("POST", "/1.0/instances", {**INSTANCE, "profiles": ["ghost"]}, "ghost"),
    ("POST", "/1.0/instances", {**INSTANCE, "devices": {"eth0": {"type": "nic", "network": "ghost"}}}, "ghost"),
    ("POST", "/1.0/instances?target=ghost", INSTANCE, "ghost"),
    ("POST", "/1.0/instances?project=other", INSTANCE, "other"),
    ("POST", "/1.0/profiles", {"name": "p/q"}, "p/q"),
    ("POST", "/1.0/profiles", {"name": "p", "config": {"limits.memory": "much"}}, "limits.memory"),
    ("POST", "/1.0/profiles", {}, "name"),
    ("POST", "/1.0/networks", {"name": "n1", "type": "ring"}, "ring"),
    ("POST", "/1.0/networks", {"name": "n1", "config": {"ipv4.address": "300.1.1.1/24"}}, "ipv4.address"),
    ("POST", "/1.0/storage-pools", {"name": "s1", "driver": "tape"}, "tape"),
    ("PUT", "/1.0", {"config": {"core.bogus": "1"}}, "core.bogus"),
    ("POST", "/1.0/images/aliases", {"name": "a", "target": "f" * 64}, "f" * 12),
    ("POST", "/1.0/cluster/members", {"server_name": "bad name"}, "bad name"),
]


@pytest.mark.parametrize("method, path, body, word", BAD_BODIES, ids=[f"{p}-{w[:12]}" for _, p, _, w in BAD_BODIES])
def test_bad_bodies_name_the_field(cluster, method, path, body, word):
    with pytest.raises(ApiError) as e:
        cluster[0].api(method, path, body)
    assert 400 <= e.value.status < 500 and word in e.value.message, e.value
    assert "x1" not in str(cluster[0].api("GET", "/1.0/instances"))


@pytest.mark.parametrize("raw", [b"{", b"[]", b"nul", b'{"name": "a", "name": "b"}', b"[" * 100000, b"\xff\xfe"])
def test_broken_json(cluster, raw):
    status, _, body = cluster[0].request("POST", "/1.0/profiles", raw, {"Content-Type": "application/json"})
    assert status == 400 and json.loads(body)["error"]


def test_oversized_body(cluster):
    c = UnixConnection(cluster[0].dir / "unix.socket")
    try:
        c.request("POST", "/1.0/profiles", b" " * (40 << 20), {"Content-Type": "application/json"})
    except BrokenPipeError:
        pass  # refused while it was still being sent
    assert c.getresponse().status == 413
    c.close()


def test_first_answers_are_taken_while_the_server_is_busy(cluster):
    """They are still in the queue whenever it looks for clients that take nothing, once a second."""
    ask = 200 * b"GET /1.0/nothing HTTP/1.1\r\nHost: a\r\n\r\n"
    end = time.monotonic() + 3.5
    while time.monotonic() < end:
        new = [socket.socket(socket.AF_UNIX) for _ in range(32)]
        for s in new:
            s.connect(str(cluster[0].dir / "unix.socket"))
            s.sendall(ask)
            s.shutdown(socket.SHUT_WR)
        for s in new:
            with s, s.makefile("rb") as f:
                assert f.read().count(b"HTTP/1.1 404") == 200


def raw_exchange(m, data):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(15)
    s.connect(str(m.dir / "unix.socket"))
    s.sendall(data)
    out = b""
    try:
        while chunk := s.recv(65536):
            out += chunk
            if b"\r\n\r\n" in out:
                break
    except (TimeoutError, ConnectionResetError):
        pass
    s.close()
    return out


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"POST /1.0/profiles HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /1.0/profiles HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    b"POST /1.0/profiles HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
    b"\x16\x03\x01 hello",
])
def test_malformed_heads(cluster, head):
    out = raw_exchange(cluster[0], head)
    assert out == b"" or out.split(b" ")[1] in (b"400", b"413", b"431")
    assert get(cluster[0], "/")[0] == 200


def test_if_match(cluster, launch):
    name = launch("tagged", "--target", "m3")
    m = cluster[0]
    _, headers, reply = get(m, f"/1.0/instances/{name}")
    i = reply["metadata"]
    body = {k: i[k] for k in ("architecture", "config", "devices", "ephemeral", "profiles", "description")}
    m.api("PUT", f"/1.0/instances/{name}", {**body, "description": "one"}, headers={"If-Match": headers["ETag"]})
    with pytest.raises(ApiError) as e:
        m.api("PUT", f"/1.0/instances/{name}", {**body, "description": "two"}, headers={"If-Match": headers["ETag"]})
    assert e.value.status == 412
    assert m.instance(name)["description"] == "one"


def test_unknown_paths_and_methods(cluster):
    assert get(cluster[0], "/1.0/nonsense")[0] == 404
    assert cluster[0].request("DELETE", "/1.0/instances")[0] in (404, 405, 501)


def test_concurrent_creates_of_one_name(cluster):
    results = []

    def create(m):
        try:
            m.api("POST", "/1.0/instances", {**INSTANCE, "name": "single"})
            results.append("made")
        except ApiError as e:
            results.append(e.status)
    threads = [threading.Thread(target=create, args=(m,)) for m in cluster.members for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results.count("made") == 1, results
    wait_for("gone", lambda: cluster[0].cli("delete", "single", check=False).returncode == 0)


# --- values of keys

KEY_ROWS = keys.rows_of({str(p.relative_to(ROOT)): p.read_text() for p in ROOT.rglob("*.def")
                         if "build" not in p.parts})
JUNK = {"NUMBER": ["-99999999999999999999", "1.5", " 1", "1GiB"], "BOOL": ["perhaps", " true"]}
DEVICES = {"nic": {"type": "nic", "network": "tnet"}, "none": {"type": "none"},
           "disk": {"type": "disk", "path": "/mnt", "source": "/tmp"}}


def bad_values(row):
    if row.refused:
        return ["true"]
    what, _, args = row.holds.partition("(")
    ends = args[:-1].split(", ") if what == "NUMBER" else []
    more = ["a\nb"] if what in ("CHECKED", "PARSED", "WORDS") else []
    outside = [str(int(ends[0]) - 1), str(int(ends[1]) + 1)] if ends and args[:-1].replace(", ", "").isdigit() else []
    return ["x" * 70000] + JUNK.get(what, []) + more + outside


def refused(m, method, path, body, key, value):
    with pytest.raises(ApiError) as e:
        m.api(method, path, body)
    assert e.value.status == 400 and key in e.value.message, (key, value[:40], e.value)
    assert len(value) > 60 or json.dumps(value)[1:-1] in json.dumps(e.value.message), e.value


def test_every_key_refuses_junk(cluster):
    """By walking the table: on server, member, instance, profile, network, pool and devices."""
    m = cluster[0]
    m.cli("init", "test", "keyed", "--target", "m1")
    m.api("POST", "/1.0/profiles", {"name": "keyed"})
    places = {
        "node/container/instance": [("PATCH", "/1.0/instances/keyed", {}), ("PATCH", "/1.0/profiles/keyed", {})],
        "cluster/model/server": [("PATCH", "/1.0", {})],
        "cluster/model/member": [("PATCH", "/1.0/cluster/members/m2", {})],
        "node/network/any": [("PATCH", "/1.0/networks/tnet", {}), ("POST", "/1.0/networks", {"name": "junk"})],
        "node/network/overlay": [("POST", "/1.0/networks", {"name": "junk", "type": "overlay"})],
        "node/storage/any": [("PATCH", "/1.0/storage-pools/plain", {}),
                             ("POST", "/1.0/storage-pools", {"name": "junk", "driver": "dir"})]}
    before = [m.api("GET", p) for ways in places.values() for _, p, _ in ways]
    assert len(KEY_ROWS) > 60
    for row in KEY_ROWS:
        folder, key = str(Path(row.path).parent), row.name.replace("*", "some")
        devices = [row.scope] if row.scope in DEVICES else list(DEVICES)
        for value in bad_values(row):
            for method, path, body in places.get(f"{folder}/{row.scope}", []):
                refused(m, method, path, {**body, "config": {key: value}}, key, value)
            for of in devices if folder == "node/device" and key != "type" else ():
                for path in ("/1.0/instances/keyed", "/1.0/profiles/keyed"):
                    refused(m, "PATCH", path, {"devices": {"dev": {**DEVICES[of], key: value}}}, key, value)
    assert before == [m.api("GET", p) for ways in places.values() for _, p, _ in ways]
    m.cli("delete", "keyed")
    m.api("DELETE", "/1.0/profiles/keyed")


REFUSED_VALUES = [  # body of a PATCH of a stopped instance, words of the answer
    ({"config": {"raw.lxc": "# first\nlxc.nonsense = 1"}}, ["raw.lxc", "line 2", "lxc.nonsense = 1"]),
    ({"config": {"raw.lxc": "lxc.namespace.clone = net"}}, ["raw.lxc", "line 1", "lxc.namespace.clone"]),
    ({"config": {"limits.cpu": "0,4000"}}, ["limits.cpu", "0,4000", "does not have"]),
    ({"config": {"volatile.nonsense": "1"}}, ["volatile.nonsense"]),
    ({"config": {"volatile.eth9.hwaddr": "00:16:3e:00:00:09"}}, ["volatile.eth9.hwaddr", "no nic"]),
    ({"config": {"volatile.uuid": "6f1b9a64-1c70-4a2e-9d0f-3b1f8f0f1b11"}}, ["volatile.uuid"]),
    ({"devices": {"d": {"type": "disk", "path": "/mnt", "source": "/no/such"}}}, ["source", "/no/such", "required"]),
    ({"devices": {"root": {"type": "disk", "path": "/", "pool": "default", "size": "1GiB"}}}, ["size", "quota"]),
    ({"devices": {"root": {"type": "disk", "path": "/", "pool": "plain"}}}, ["default"]),
    ({"devices": {"root": {"type": "disk", "path": "/", "pool": "default", "readonly": "true"}}}, ["readonly"]),
    ({"devices": {"root": {"type": "none"}}}, ["root"]),
    ({"devices": {"eth0": {"type": "nic", "network": "tnet", "mtu": "9100"}}}, ["mtu", "9100", "tnet"]),
    ({"devices": {"e": {"type": "nic", "network": "tnet", "name": "eth0"}}}, ["eth0"]),
    ({"devices": {"a-name-that-is-too-long": {"type": "nic", "network": "tnet"}}}, ["name", "interface"]),
    ({"devices": {"e1": {"type": "nic", "parent": "lo", "ipv4.address": "10.1.1.1"}}}, ["ipv4.address", "lo"]),
    ({"devices": {"e": {"type": "nic", "parent": "lo", "network": "tnet"}}}, ["parent"]),
    ({"devices": {"e1": {"type": "nic", "parent": "lo"}}}, ["parent", "lo", "no bridge", "m2"]),
    ({"devices": {"e1": {"type": "nic", "parent": "eth0"}}}, ["parent", "eth0", "no bridge"]),
    ({"devices": {"e1": {"type": "nic", "parent": "nobr"}}}, ["parent", "nobr", "no such interface"]),
    ({"devices": {"e": {"type": "nic", "network": "tnet"}}}, ["name", "2 to 15"]),
    ({"devices": {"e1": {"type": "nic", "network": "tnet", "host_name": "eth0"}}}, ["host_name", "eth0", "m2"]),
    ({"devices": {"e1": {"type": "nic", "network": "tnet", "host_name": "hn1"},
                  "e2": {"type": "nic", "network": "tnet", "host_name": "hn1"}}}, ["host_name", "hn1", "e1"]),
    ({"description": "x" * 5000}, ["description", "4096"]),
    ({"devices": {"e": {"type": "none", "speed": "1"}}}, ["speed"]),
    ({"architecture": "i686"}, ["architecture", "i686"]),
    ({"architecture": "2"}, ["architecture", "2"]),
    ({"stateful": True}, ["stateful"]),
]


@pytest.fixture(scope="module")
def stopped(cluster):
    cluster[0].cli("init", "test", "stopped", "--target", "m2")
    yield "stopped"
    cluster[0].cli("delete", "--force", "stopped")


@pytest.mark.parametrize("body, words", REFUSED_VALUES, ids=[w[0] + str(i) for i, (_, w) in enumerate(REFUSED_VALUES)])
def test_what_could_not_start_is_refused_when_set(cluster, stopped, body, words):
    m = cluster[0]
    before = m.instance(stopped)
    with pytest.raises(ApiError) as e:
        m.api("PATCH", f"/1.0/instances/{stopped}", body)
    assert 400 <= e.value.status < 502 and all(w in e.value.message for w in words), e.value
    assert m.instance(stopped) == before


@pytest.mark.parametrize("architecture, words", [("2", ["x86_64"]), ("x86", ["x86_64"]), ("s390x", ["no member"])])
def test_architecture_of_a_new_instance(cluster, architecture, words):
    with pytest.raises(ApiError) as e:
        cluster[0].api("POST", "/1.0/instances", {"name": "arch", "architecture": architecture,
                                                 "source": {"type": "none"}})
    assert e.value.status == 400
    assert all(w in e.value.message for w in ["architecture", f'"{architecture}"', *words]), e.value


def test_what_a_client_read_it_may_send_back(cluster, stopped):
    m = cluster[0]
    m.api("PATCH", f"/1.0/instances/{stopped}", {"devices": {
        "opt": {"type": "disk", "path": "/mnt", "source": "/no/such", "required": "false"}}})
    obj = m.instance(stopped)
    assert any(k.startswith("volatile.") for k in obj["config"])
    m.api("PUT", f"/1.0/instances/{stopped}", {**obj, "description": "again"})
    assert m.instance(stopped)["config"] == obj["config"]
    assert m.instance(stopped)["description"] == "again"


@pytest.mark.parametrize("config, words", [
    ({"ipv4.address": "10.209.0.1/16"}, ["ipv4.address", "10.209.0.1/16", "member"]),
    ({"ipv4.address": "10.87.3.1/24"}, ["ipv4.address", "overlaps", "tnet"]),
    ({"ipv4.address": "198.18.7.2/24"}, ["ipv4.address", "interface", "lo"]),
    ({"ipv4.address": "10.7.0.1/24", "ipv4.dhcp.ranges": "10.7.0.1-10.7.0.1"}, ["ipv4.dhcp.ranges", "gateway"]),
    ({"ipv4.address": "10.7.0.1/24", "ipv4.dhcp.ranges": "10.8.0.1-10.8.0.3"}, ["ipv4.dhcp.ranges", "10.8.0.1"])])
def test_a_subnet_that_others_have_is_refused(cluster, config, words):
    m = cluster[0]
    run("ip", "-n", m.netns, "addr", "replace", "198.18.7.9/32", "dev", "lo")
    with pytest.raises(ApiError) as e:
        m.api("POST", "/1.0/networks", {"name": "subn", "config": config})
    assert e.value.status in (400, 409) and all(w in e.value.message for w in words), e.value
    assert "/1.0/networks/subn" not in m.api("GET", "/1.0/networks")


def test_smallest_mtu_of_a_network(cluster):
    m = cluster[0]
    m.api("POST", "/1.0/networks", {"name": "small", "config": {"bridge.mtu": "576"}})
    assert m.api("GET", "/1.0/networks/small/state")["mtu"] == 576
    m.api("DELETE", "/1.0/networks/small")


def test_one_host_name_is_of_one_instance(cluster, stopped):
    """On any member, for they move; set on it, by a profile, or by its creation."""
    m = cluster[0]
    nic = {"type": "nic", "network": "tnet", "name": "eth0", "host_name": "hn9"}
    m.api("PATCH", f"/1.0/instances/{stopped}", {"devices": {"eth0": nic}})
    m.api("POST", "/1.0/profiles", {"name": "hosted", "devices": {"eth0": nic}})
    m.cli("init", "test", "other", "--target", "m1")
    m.cli("init", "test", "other2", "--target", "m3")
    try:
        for how in [("PATCH", "/1.0/instances/other", {"devices": {"eth0": nic}}),
                    ("PATCH", "/1.0/instances/other", {"profiles": ["default", "hosted"]}),
                    ("POST", "/1.0/instances?target=m1", {**INSTANCE, "name": "third", "devices": {"eth0": nic}})]:
            with pytest.raises(ApiError) as e:
                m.api(*how)
            assert e.value.status == 400 and "hn9" in e.value.message and stopped in e.value.message
        for name in ("other", "other2"):
            m.api("PATCH", f"/1.0/instances/{name}", {"profiles": ["default", "hosted"], "devices": {
                "eth0": {"type": "nic", "network": "tnet", "name": "eth0"}}})
        m.api("PATCH", "/1.0/instances/other2", {"description": "as before"})
        m.api("PATCH", "/1.0/profiles/hosted", {"devices": {"eth0": {**nic, "host_name": "hn8"}}})
        with pytest.raises(ApiError) as e:
            m.api("PATCH", "/1.0/profiles/hosted", {"devices": {
                "eth1": {"type": "nic", "network": "tnet", "name": "eth1", "host_name": "hn7"}}})
        assert e.value.status == 400 and "hn7" in e.value.message and "other" in e.value.message
    finally:
        m.cli("delete", "other", "other2")
        m.api("DELETE", "/1.0/profiles/hosted")
        m.api("PATCH", f"/1.0/instances/{stopped}", {"devices": {"eth0": {**nic, "host_name": ""}}})


def at_once(leader, *calls):
    """Makes calls that are all checked before any is committed; True for each that succeeded."""
    done = [False] * len(calls)

    def call(i, m, *args):
        try:
            m.api(*args)
            done[i] = True
        except ApiError as e:
            assert e.status < 500, e
    threads = [threading.Thread(target=call, args=(i, *c)) for i, c in enumerate(calls)]
    os.kill(leader.pid(), signal.SIGSTOP)
    try:
        for t in threads:
            t.start()
        time.sleep(0.3)  # shorter than an election; what is late is only checked later
    finally:
        os.kill(leader.pid(), signal.SIGCONT)
    for t in threads:
        t.join()
    return done


@pytest.fixture
def leader_first(cluster):
    """The members, that which leads first."""
    leads = next(x["server_name"] for x in cluster[0].api("GET", "/1.0/cluster/members?recursion=1")
                 if "database-leader" in x["roles"])
    return sorted(cluster.members, key=lambda m: m.name != leads)


@pytest.fixture
def raced(cluster):
    """A profile with a root disk, a pool and a network; whatever is left of them is removed."""
    m = cluster[0]
    m.api("POST", "/1.0/storage-pools", {"name": "raced", "driver": "dir"})
    m.api("POST", "/1.0/networks", {"name": "raced", "config": {"ipv4.address": "none"}})
    m.api("POST", "/1.0/profiles", {"name": "raced", "devices": ROOT_DISK})
    for other in cluster.members:
        wait_for("the last", lambda: other.request("GET", "/1.0/profiles/raced")[0] == 200)
    yield
    m.cli("delete", "raced", check=False)
    for path in ("profiles/raced2", "profiles/raced", "networks/raced", "networks/raced1", "networks/raced2",
                 "storage-pools/raced"):
        m.request("DELETE", f"/1.0/{path}")


ROOT_DISK = {"root": {"type": "disk", "path": "/", "pool": "default"}}
RACED_NIC = {"eth0": {"type": "nic", "network": "raced", "name": "eth0"}}
NEW_RACED = {"name": "raced", "source": {"type": "none"}, "profiles": ["raced"]}
SUBNET = {"config": {"ipv4.address": "10.99.0.1/24"}}


@pytest.mark.parametrize("one, two", [
    (("POST", "/1.0/instances?target={}", NEW_RACED), ("DELETE", "/1.0/profiles/raced")),
    (("POST", "/1.0/instances?target={}", NEW_RACED),
     ("PATCH", "/1.0/profiles/raced", {"devices": {"root": {"type": "none"}}})),
    (("POST", "/1.0/instances?target={}", {**NEW_RACED, "devices": RACED_NIC}),
     ("PATCH", "/1.0/profiles/raced", {"devices": {"eth1": RACED_NIC["eth0"]}})),
    (("POST", "/1.0/instances?target={}", {**NEW_RACED, "devices": RACED_NIC}), ("DELETE", "/1.0/networks/raced")),
    (("POST", "/1.0/instances?target={}", {**NEW_RACED, "devices": {"root": {**ROOT_DISK["root"], "pool": "raced"}}}),
     ("DELETE", "/1.0/storage-pools/raced")),
    (("PATCH", "/1.0/profiles/raced", {"devices": RACED_NIC}), ("DELETE", "/1.0/networks/raced")),
    (("POST", "/1.0/profiles", {"name": "raced2", "devices": RACED_NIC}), ("DELETE", "/1.0/networks/raced")),
    (("POST", "/1.0/networks", {"name": "raced1", **SUBNET}), ("POST", "/1.0/networks", {"name": "raced2", **SUBNET})),
], ids=["profile", "root", "interface", "network", "pool", "profile-network", "new-profile-network", "subnet"])
def test_of_two_changes_that_exclude_each_other_one_is_refused(leader_first, raced, one, two):
    leader, m, other = leader_first
    done = at_once(leader, (m, one[0], one[1].format(m.name), *one[2:]), (other, *two))
    assert done.count(True) == 1, done


def plant(cluster, table, key, doc):
    """A row as an older version may have left it."""
    m = cluster[0]
    change = ["put", table, key, -1, json.dumps(doc)]
    body = json.dumps({"txs": [{"id": os.urandom(16).hex(), "base": 0, "changes": [change]}]})
    for other in cluster.members:
        out = run(*m.in_netns("curl", "-sk", "--cert", m.dir / "server.crt", "--key", m.dir / "server.key", "-H",
                              "Content-Type: application/json", "-d", body, f"https://{other.address}/internal/tx"))
        if '"error_code":0' in out.stdout.replace(" ", ""):
            break
    wait_for("the row", lambda: doc["description"] in str(m.api("GET", f"/1.0/{table}/{key}")))


def test_an_old_value_stands_in_no_way(cluster):
    m = cluster[0]
    eth1 = {"type": "nic", "network": "tnet", "name": "eth1"}
    m.api("POST", "/1.0/profiles", {"name": "aged"})
    m.cli("init", "test", "aged", "--target", "m2", "--profile", "default", "--profile", "aged")
    plant(cluster, "profiles", "aged", {"description": "planted", "config": {"cluster.evacuate": "stop"},
                                        "devices": {"eth1": {**eth1, "name": "0"}}})
    m.api("PATCH", "/1.0/instances/aged", {"config": {"user.a": "1"}})
    m.api("PATCH", "/1.0/profiles/aged", {"config": {"user.a": "1"}})
    whole = m.api("GET", "/1.0/profiles/aged")
    m.api("PUT", "/1.0/profiles/aged", {**whole, "description": "sent back"})
    m.cli("config", "set", "aged", "user.b=2")
    with pytest.raises(ApiError) as e:
        m.api("PUT", "/1.0/instances/aged/state", {"action": "start"})
    assert "dunlin profile edit aged" in e.value.message, e.value
    for body in ({"config": {"cluster.evacuate": "auto"}}, {"devices": {"eth1": {**eth1, "name": "1"}}}):
        with pytest.raises(ApiError) as e:
            m.api("PATCH", "/1.0/profiles/aged", body)
        assert e.value.status == 400
    m.api("PATCH", "/1.0/profiles/aged", {"config": {"cluster.evacuate": ""}})
    with pytest.raises(ApiError) as e:
        m.api("PUT", "/1.0/instances/aged/state", {"action": "start"})
    assert "dunlin profile edit aged" in e.value.message and '"name"' in e.value.message, e.value
    m.api("PATCH", "/1.0/profiles/aged", {"devices": {"eth1": eth1}})
    m.cli("start", "aged")
    m.cli("delete", "--force", "aged")
    m.api("DELETE", "/1.0/profiles/aged")


def test_a_profile_that_instances_need(cluster, stopped):
    """Neither its root disk nor its devices can go or change so that an instance breaks."""
    m = cluster[0]
    default = m.api("GET", "/1.0/profiles/default")
    m.api("POST", "/1.0/profiles", {"name": "second", "devices": {
        "eth1": {"type": "nic", "network": "tnet", "name": "eth1"}}})
    m.cli("profile", "add", stopped, "second")
    bad = [
        ("PUT", "default", {**default, "devices": {"eth0": default["devices"]["eth0"]}}),
        ("PUT", "default", {**default, "devices": {}}),
        ("PATCH", "default", {"devices": {"root": {"type": "disk", "path": "/", "pool": "plain"}}}),
        ("PATCH", "default", {"devices": {"root": {"type": "disk", "path": "/srv", "source": "/tmp"}}}),
        ("PATCH", "second", {"devices": {"eth1": {"type": "nic", "network": "tnet", "name": "eth0"}}}),
        ("PATCH", "second", {"devices": {"disk": {"type": "disk", "path": "/", "pool": "default"}}})]
    for method, name, body in bad:
        with pytest.raises(ApiError) as e:
            m.api(method, f"/1.0/profiles/{name}", body)
        assert e.value.status == 400 and f'"{stopped}"' in e.value.message, e.value
    r = m.cli("profile", "remove", stopped, "default", check=False)
    assert r.returncode == 1 and "root" in r.stderr
    r = m.cli("profile", "assign", stopped, "second", check=False)
    assert r.returncode == 1 and "root" in r.stderr
    assert m.api("GET", "/1.0/profiles/default") == default
    for path in ("/1.0/profiles/second", "/1.0/networks/tnet", "/1.0/storage-pools/default"):
        with pytest.raises(ApiError) as e:
            m.api("DELETE", path)
        assert e.value.status == 400 and f'"{stopped}"' in e.value.message, e.value
    m.cli("profile", "remove", stopped, "second")
    m.api("DELETE", "/1.0/profiles/second")


INSTANCE_SOURCE = {"type": "image", "alias": "test"}
DEMANDS = [  # what used to be accepted and did nothing
    ("PUT", "/1.0/instances", {"state": {"action": "restart", "stateful": True}}, "stateful"),
    ("POST", "/1.0/instances", {**INSTANCE, "source": {**INSTANCE_SOURCE, "refresh": True}}, "refresh"),
    ("POST", "/1.0/instances", {**INSTANCE, "source": {**INSTANCE_SOURCE, "mode": "push"}}, "mode"),
    ("POST", "/1.0/instances", {**INSTANCE, "source": {**INSTANCE_SOURCE, "secret": "s"}}, "secret"),
    ("POST", "/1.0/instances", {**INSTANCE, "source": {**INSTANCE_SOURCE, "project": "p"}}, "project"),
    ("POST", "/1.0/instances", {**INSTANCE, "config": {"volatile.last_state.power": "RUNNING"}}, "last_state.power"),
    ("POST", "/1.0/instances/stopped", {"name": "other", "config": {"user.a": "b"}}, "config"),
    ("POST", "/1.0/instances/stopped", {"name": "other", "profiles": ["default"]}, "profiles"),
    ("PATCH", "/1.0/instances/stopped", {"name": "other"}, "name"),
    ("PATCH", "/1.0/instances/stopped", {"type": "virtual-machine"}, "virtual-machine"),
    ("PATCH", "/1.0/networks/tnet", {"type": "bridge"}, "bridge"),
    ("PATCH", "/1.0/networks/tnet?target=m2", {"config": {"user.a": "b"}}, "m2"),
    ("PATCH", "/1.0/networks/tnet", {"config": {"raw.dnsmasq": "log-queries"}}, "raw.dnsmasq"),
    ("PATCH", "/1.0/networks/tnet", {"config": {"ipv4.nat.address": "10.1.2.3"}}, "ipv4.nat.address"),
    ("POST", "/1.0/networks", {"name": "junk", "type": "bridge", "config": {"vxlan.id": "7"}}, "vxlan.id"),
    ("PATCH", "/1.0/storage-pools/plain", {"driver": "overlay"}, "overlay"),
    ("PATCH", "/1.0/storage-pools/plain?target=m2", {"config": {"user.a": "b"}}, "m2"),
    ("PATCH", "/1.0/profiles/default", {"name": "other"}, "other"),
    ("PATCH", "/1.0/cluster/members/m2", {"roles": ["ovn-chassis"]}, "roles"),
    ("PATCH", "/1.0/cluster/members/m2", {"roles": []}, "roles"),
    ("PATCH", "/1.0/cluster/members/m2", {"groups": ["gpu"]}, "Cluster group not found"),
    ("PATCH", "/1.0/cluster/members/m2", {"server_name": "m9"}, "m9"),
    ("PATCH", "IMAGE", {"auto_update": True}, "auto_update"),
    ("PATCH", "IMAGE", {"expires_at": "tomorrow"}, "tomorrow"),
    ("PATCH", "IMAGE", {"profiles": ["ghost"]}, "ghost"),
    ("PATCH", "IMAGE", {"properties": {"a b": "c"}}, "a b"),
]


@pytest.mark.parametrize("method, path, body, word", DEMANDS, ids=[f"{p}-{w}" for _, p, _, w in DEMANDS])
def test_a_demand_that_nobody_meets_is_refused(cluster, stopped, method, path, body, word):
    m = cluster[0]
    if path == "IMAGE":
        path = "/1.0/images/" + m.api("GET", "/1.0/images/aliases/test")["target"]
    before = m.api("GET", path.partition("?")[0])
    with pytest.raises(ApiError) as e:
        m.api(method, path, body)
    assert (400 <= e.value.status < 500 or e.value.status == 501) and word in e.value.message, e.value
    assert m.api("GET", path.partition("?")[0]) == before


def test_a_member_read_and_sent_back_passes(cluster):
    m = cluster[0]
    obj = m.api("GET", "/1.0/cluster/members/m2")
    m.api("PUT", "/1.0/cluster/members/m2", {**obj, "description": "second"})
    assert m.api("GET", "/1.0/cluster/members/m2")["description"] == "second"
    r = m.lxc("cluster", "role", "add", "m2", "ovn-chassis", check=False)
    assert r.returncode == 1 and "roles" in r.stderr, r
