# SPDX-License-Identifier: Apache-2.0
"""Membership, agreement and failover of three members."""

import base64
import json
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from certificate import Certificate
from cluster import ApiError, Cluster, run, wait_for
from conftest import cluster_name


def members(m):
    return {x["server_name"]: x for x in m.api("GET", "/1.0/cluster/members?recursion=1")}


def leader_of(c, asked=None):
    asked = asked or next(m for m in c.members if m.running())
    name = wait_for("a leader", lambda: next(
        (n for n, x in members(asked).items() if "database-leader" in x["roles"]), None))
    return next(m for m in c.members if m.name == name)


def put_profile(m, name, timeout=20):
    m.api("POST", "/1.0/profiles", {"name": name, "config": {"user.x": name}, "devices": {}}, timeout=timeout)


def test_list_shows_roles_and_status(cluster):
    wait_for("three voters", lambda: all(x["database"] for x in members(cluster[0]).values()))
    for m in cluster.members:
        seen = members(m)
        assert set(seen) == {"m1", "m2", "m3"}
        assert all(x["status"] == "Online" for x in seen.values())
        assert sum("database-leader" in x["roles"] for x in seen.values()) == 1
    out = cluster[1].cli("cluster", "list").stdout
    assert "m3" in out and cluster[2].address in out and "ONLINE" in out.upper()


def test_every_member_answers_and_reads_its_own_writes(cluster):
    for i, m in enumerate(cluster.members):
        put_profile(m, f"p{i}")
        assert m.api("GET", f"/1.0/profiles/p{i}")["config"] == {"user.x": f"p{i}"}
    for m in cluster.members:
        wait_for("the rows everywhere", lambda: {"p0", "p1", "p2"} <= {
            u.rsplit("/", 1)[1] for u in m.api("GET", "/1.0/profiles")})
    for i in range(3):
        cluster[0].api("DELETE", f"/1.0/profiles/p{i}")


def test_lost_update_is_refused(cluster):
    put_profile(cluster[0], "race")
    _, headers, _ = cluster[0].request("GET", "/1.0/profiles/race")
    tag = headers["ETag"]
    wait_for("the row", lambda: cluster[1].request("GET", "/1.0/profiles/race")[0] == 200)
    cluster[1].api("PUT", "/1.0/profiles/race", {"config": {"user.x": "1"}, "devices": {}, "description": ""})
    wait_for("the change", lambda: cluster[0].api("GET", "/1.0/profiles/race")["config"]["user.x"] == "1")
    with pytest.raises(ApiError) as e:
        cluster[0].api("PUT", "/1.0/profiles/race", {"config": {}, "devices": {}, "description": ""},
                       headers={"If-Match": tag})
    assert e.value.status == 412
    cluster[0].api("DELETE", "/1.0/profiles/race")


def test_one_of_three_dead_changes_nothing(own_cluster):
    c = own_cluster
    wait_for("three voters", lambda: all(x["database"] for x in members(c[0]).values()))
    follower = next(m for m in c.members if m is not leader_of(c))
    alive = [m for m in c.members if m is not follower]
    follower.kill()
    for i, m in enumerate(alive):
        put_profile(m, f"without{i}")
        m.cli("launch", "test", f"w{i}", "--target", m.name)
    wait_for("offline", lambda: members(alive[0])[follower.name]["status"] == "Offline")
    result = alive[0].cli("launch", "test", "nope", "--target", follower.name, check=False)
    assert result.returncode == 1 and follower.name in result.stderr
    follower.start()
    wait_for("it caught up", lambda: "without1" in str(follower.api("GET", "/1.0/profiles")))
    wait_for("online", lambda: members(alive[0])[follower.name]["status"] == "Online")


def test_leader_killed_writes_come_back(own_cluster):
    c = own_cluster
    wait_for("three voters", lambda: all(x["database"] for x in members(c[0]).values()))
    leader = leader_of(c)
    others = [m for m in c.members if m is not leader]
    leader.kill()
    started = time.monotonic()
    put_profile(others[0], "after", timeout=30)
    took = time.monotonic() - started
    assert took < 15, f"{took:.1f} s"
    assert others[0].api("GET", "/1.0/profiles/after")["config"]["user.x"] == "after"
    assert leader_of(c, others[0]) is not leader
    leader.start()
    wait_for("it caught up", lambda: "after" in str(leader.api("GET", "/1.0/profiles")))
    put_profile(leader, "again")


def test_without_quorum_reads_and_local_work_go_on(own_cluster):
    c = own_cluster
    wait_for("three voters", lambda: all(x["database"] for x in members(c[0]).values()))
    c[0].cli("launch", "test", "c1", "--target", "m1")
    c[0].cli("launch", "test", "c2", "--target", "m2")
    assert ISLAND not in c[0].request("GET", "/1.0")[1]
    c[1].kill()
    c[2].kill()
    killed = time.monotonic()
    assert c[0].instance("c1")["name"] == "c1"
    assert c[0].cli("exec", "c1", "--", "echo", "here").stdout == "here\n"
    with pytest.raises(ApiError) as e:
        put_profile(c[0], "lost", timeout=60)
    assert e.value.status in (500, 503, 504)
    wait_for("the dead to be offline", lambda: all(members(c[0])[n]["status"] == "Offline" for n in ("m2", "m3")))
    took = time.monotonic() - killed
    assert took < 25, f"the threshold is 5 s, and it took {took:.1f} s"
    assert members(c[0])["m1"]["status"] == "Online"
    says_that_there_is_no_quorum(c[0])
    # Its own containers are still its own.
    c[0].cli("stop", "--force", "c1")
    assert c[0].instance("c1")["status"] == "Stopped"
    assert c[0].cli("start", "c1", check=False).returncode == 0
    c[1].start()
    c[2].start()
    wait_for("writes again", lambda: not try_put(c[0], "back"))
    c.settle()
    assert ISLAND not in c[0].request("GET", "/1.0")[1]
    assert "Warning" not in c[0].cli("cluster", "list").stderr
    wait_for("c2 runs, as before", lambda: c[0].instance("c2")["status"] == "Running")


ISLAND = "X-Dunlin-Island"


def says_that_there_is_no_quorum(m):
    """Each answer, each client and each refused change says it, and says it at once."""
    for method, path, body in (("GET", "/1.0", None), ("GET", "/1.0/instances?recursion=2", None),
                               ("GET", "/1.0/instances/none", None), ("PATCH", "/1.0", {"config": {"user.a": "1"}}),
                               ("GET", "/1.0/instances/c2/state", None)):
        began = time.monotonic()
        status, headers, raw = m.request(method, path, body, timeout=60)
        took = time.monotonic() - began
        assert int(headers[ISLAND]) >= 4, (path, headers)
        assert took < 10, f"{method} {path} took {took:.1f} s"
        if method != "GET":
            assert status == 503 and b"no quorum" in raw and b"m1, m2 and m3" in raw, raw
    assert m.api("GET", "/1.0")["environment"]["dunlin_island"] is True
    listed = {i["name"]: i["status"] for i in m.api("GET", "/1.0/instances?recursion=1")}
    assert listed == {"c1": "Running", "c2": "Error"}
    assert m.instance("c2")["status"] == "Error"
    state = m.api("GET", "/1.0/instances/c2?recursion=1")["state"]
    assert (state["status"], state["pid"], state["network"]) == ("Error", 0, None), "of the time before"
    shown = m.cli("cluster", "list")
    assert "Warning" in shown.stderr and shown.stdout.count("OFFLINE") == 2 and shown.stdout.count("ONLINE") == 1
    assert "ERROR" in m.cli("list").stdout
    began = time.monotonic()
    refused = m.cli("launch", "test", "nope", check=False)
    assert refused.returncode == 1 and "no quorum" in refused.stderr, refused.stderr
    assert time.monotonic() - began < 10
    pulled = m.cli("file", "pull", "c1/etc/hostname", "-")
    assert pulled.stdout and "Warning" in pulled.stderr
    moved = m.cli("move", "c1", "--target", "m2", check=False)
    assert moved.returncode == 1 and '"m2" is not heard: no quorum' in moved.stderr, moved.stderr
    used = run(*m.in_netns("lxc", "list"), env=m.env(), check=False)
    assert used.returncode == 0 and "ERROR" in used.stdout, used.stderr


def test_killed_leader_is_not_online(own_cluster):
    """Neither before nor after the next leader is there, and what ran on it does not run."""
    c = own_cluster
    wait_for("three voters", lambda: all(x["database"] for x in members(c[0]).values()))
    old = leader_of(c)
    others = [m for m in c.members if m is not old]
    c[0].cli("launch", "test", "led", "--target", old.name)
    old.kill()
    wait_for("another leader", lambda: any(
        "database-leader" in x["roles"] for n, x in members(others[0]).items() if n != old.name))
    elected = time.monotonic()
    for m in others:
        seen = members(m)[old.name]["status"]
        assert seen in ("Unknown", "Offline"), f"{m.name} shows the dead leader as {seen}"
    for m in others:
        wait_for("it is offline", lambda: members(m)[old.name]["status"] == "Offline")
        assert m.instance("led")["status"] == "Error"
    took = time.monotonic() - elected
    assert took < 25, f"the threshold is 5 s, and it took {took:.1f} s"
    old.start()
    c.settle()


def test_lost_answer_of_a_member_is_unknown(own_cluster):
    """A member that dies with a change in its hands may have made it: its client is told so."""
    c = own_cluster
    m = c[1]
    c[0].cli("launch", "test", "busy", "--target", "m2")
    os.kill(m.pid(), signal.SIGSTOP)
    answer = []
    t = threading.Thread(target=lambda: answer.append(c[0].request(
        "PUT", "/1.0/instances/busy/state", {"action": "freeze"}, timeout=60)))
    t.start()
    t.join(0.5)
    m.kill()
    t.join(60)
    status, headers, raw = answer[0]
    assert (status, headers["X-Dunlin-Error"]) == (500, "ERR_UNKNOWN"), raw
    assert b"not known" in raw
    m.start()
    c.settle()


@pytest.fixture
def back_alone(own_cluster):
    """A member that was away while a profile was made, and is back while the others hang."""
    c = own_cluster
    m, others = c[0], c.members[1:]
    m.kill(signal.SIGTERM)
    wait_for("a leader", lambda: try_put(others[0], "meanwhile") is None)
    wait_for("both have it", lambda: all("/1.0/profiles/meanwhile" in x.api("GET", "/1.0/profiles") for x in others))
    pids = [x.pid() for x in others]

    def proceed():
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        m.start()
        yield m, proceed
    finally:
        proceed()
    wait_for("a leader's word", lambda: not m.api("GET", "/1.0")["environment"]["dunlin_island"])
    c.settle()


def test_a_member_that_starts_knows_the_present_before_it_answers(back_alone):
    m, proceed = back_alone
    answer = []
    t = threading.Thread(target=lambda: answer.append(m.request("GET", "/1.0/profiles/meanwhile", timeout=60)))
    t.start()
    t.join(0.3)
    assert m.request("GET", "/1.0")[0] == 200, "what is asked of the server itself does not wait"
    proceed()
    t.join(60)
    status, headers, raw = answer[0]
    assert status == 200 and ISLAND not in headers, raw


def test_a_member_that_starts_alone_answers_as_an_island(back_alone):
    m, _ = back_alone
    status, headers, raw = m.request("GET", "/1.0/profiles", timeout=60)
    assert status == 200 and ISLAND in headers and b"/1.0/profiles/default" in raw
    m.kill()
    (m.dir / "replica.db").unlink()
    m.start()
    status, headers, raw = m.request("GET", "/1.0/profiles", timeout=60)
    assert status == 503 and "Retry-After" in headers and b"hears no leader" in raw, raw


def try_put(m, name):
    try:
        put_profile(m, name)
    except ApiError as e:
        return "already" not in e.message and e.message
    return None


def token_of(m, name):
    return m.cli("cluster", "add", name, "--quiet").stdout.split()[-1]


@pytest.fixture
def stranger(cluster):
    """A fourth daemon on the network of the cluster, not a member."""
    from cluster import Member
    m = Member(cluster, "m9", 8)
    cluster.plug_netns(m.netns, m.name, f"{m.ip}/24")
    m.start()
    cluster.members.append(m)
    yield m
    cluster.members.remove(m)
    m.kill()
    run("ip", "-n", cluster.switch, "link", "del", m.name)
    run("ip", "netns", "del", m.netns)
    shutil.rmtree(m.dir)


def test_bad_tokens(cluster, stranger):
    def join(token, *args):
        return stranger.verb("init", "--join", token, "--network-address", stranger.ip, *args, check=False)
    good = token_of(cluster[0], "m9")
    fields = json.loads(base64.b64decode(good))
    cases = {
        "garbage": "garbage",
        "wrong secret": base64.b64encode(json.dumps({**fields, "secret": "0" * 64}).encode()).decode(),
        "wrong certificate": base64.b64encode(json.dumps({**fields, "fingerprint": "0" * 64}).encode()).decode(),
        "nothing in it": base64.b64encode(b"{}").decode(),
    }
    for what, token in cases.items():
        result = join(token)
        assert result.returncode == 1 and result.stderr.startswith("Error: "), what
    assert join(good, "--name", "other").returncode == 1
    assert stranger.api("GET", "/1.0")["environment"]["server_clustered"] is False
    assert join(good).returncode == 0
    wait_for("it is a member", lambda: "m9" in members(cluster[1]))
    assert stranger.api("GET", "/1.0")["environment"]["server_name"] == "m9"
    # used up
    again = cluster[0].request("GET", "/1.0/operations?recursion=1")[2].decode()
    assert fields["secret"] not in again
    cluster[0].cli("cluster", "remove", "m9", "--force", "--yes", check=False)
    cluster[0].api("DELETE", "/1.0/cluster/members/m9?force=1") if "m9" in members(cluster[0]) else None
    wait_for("it is gone", lambda: "m9" not in members(cluster[2]))


def profiles_of(m):
    return {url.rsplit("/", 1)[1] for url in m.api("GET", "/1.0/profiles")}


@pytest.mark.parametrize("rows", [2, 60])  # it has seen less, or more, than the cluster
@pytest.mark.parametrize("fault", ["join_forgetting=late", "join_before_forget=crash"])
def test_a_newcomer_brings_nothing_of_its_own_database(cluster, stranger, fault, rows):
    """However long it takes to forget it, and if it dies before: it has the cluster's rows, and all of them."""
    for n in range(rows):
        put_profile(stranger, f"mine{n}")
    stranger.shutdown()  # keeps a copy of its rows
    stranger.start(DUNLIN_FAULT=fault)
    action = fault.split("=")[1]
    put_profile(cluster[0], f"before-{action}-{rows}")
    try:
        began = time.monotonic()
        r = stranger.verb("init", "--join", token_of(cluster[0], "m9"), "--network-address", stranger.ip, check=False)
        assert time.monotonic() - began < 12, "it waited for a feed to end that should not have begun"
        assert (r.returncode == 0) == (action == "late"), r.stderr
        if action == "crash":
            stranger.wait_gone()
            stranger.start()
        put_profile(cluster[0], f"after-{action}-{rows}")
        cluster.settle()
        wait_for("all that the cluster has, and nothing else",
                 lambda: profiles_of(stranger) == profiles_of(cluster[0]))
        assert not any(p.startswith("mine") for m in cluster.members for p in profiles_of(m))
        put_profile(stranger, f"its-{action}-{rows}")
        wait_for("its own word", lambda: f"its-{action}-{rows}" in profiles_of(cluster[1]))
    finally:
        cluster[0].cli("cluster", "remove", "m9", "--force", "--yes", check=False)


def test_removed_member_starts_over_and_joins_again(own_cluster):
    """With an emptied state folder, as its log says; what still runs of its former life is in nobody's way."""
    c = own_cluster
    m = c[2]
    c[0].cli("launch", "test", "elsewhere", "--target", "m1")
    m.cli("launch", "test", "here", "--target", "m3")
    refused = c[0].cli("cluster", "remove", "m3", check=False)
    assert refused.returncode == 1 and "instance" in refused.stderr
    c[0].cli("delete", "--force", "here")
    c[0].cli("cluster", "remove", "m3")
    assert "m3" not in members(c[1])
    wait_for("it notices", lambda: "removed from its cluster" in m.log.read_text(errors="replace"))
    m.kill()
    shutil.rmtree(m.dir)
    m.start()
    m.join(c[0])
    c.settle()
    m.cli("launch", "test", "again", "--target", "m3")
    c[0].shows("again")


def test_member_is_removed_while_another_has_just_lost_its_power(own_cluster):
    """For some seconds that one looks alive, and would be half of the two that are left."""
    c = own_cluster
    leader = leader_of(c)
    cut, gone = (m for m in c.members if m is not leader)
    c.cut(cut)
    assert members(leader)[cut.name]["status"] == "Online"
    leader.cli("cluster", "remove", gone.name, "--force", "--yes", check=False)
    put_profile(leader, "after")
    c.mend(cut)
    wait_for("the other one", lambda: "after" in str(cut.api("GET", "/1.0/profiles")))


def test_a_voter_is_replaced_while_its_successor_has_just_lost_its_power():
    """The three of five that are left decide: what only looks alive is not made a voter."""
    c = Cluster(f"dtv{os.getpid() % 10000}", 5, "10.209.18")
    try:
        c.up()
        c.enable()
        wait_for("those that stand by", lambda: sum(
            "database-standby" in x["roles"] for x in members(c[0]).values()) == 2)
        leader = leader_of(c)
        seen = members(leader)
        voter = next(m for m in c.members if m is not leader and "database" in seen[m.name]["roles"])
        successor = next(m for m in c.members if "database-standby" in seen[m.name]["roles"])
        c.cut(voter)
        half = time.monotonic() + 2.5
        wait_for("half the time until it is missed", lambda: time.monotonic() > half)
        c.cut(successor)
        wait_for("both to be missed", lambda: all(
            members(leader)[m.name]["status"] == "Offline" for m in (voter, successor)))
        wait_for("another voter", lambda: sum(
            "database" in x["roles"] and x["status"] == "Online" for x in members(leader).values()) == 3)
        put_profile(leader, "after")
    finally:
        c.down()


@pytest.mark.parametrize("dead", [0, 2], ids=["first", "last"])
def test_dead_member_of_three_is_removed(own_cluster, dead):
    """The ordinary repair: the two that are left go on, whoever leads and whatever their names."""
    c = own_cluster
    wait_for("three voters", lambda: all(x["database"] for x in members(c[0]).values()))
    gone = c[dead]
    left = [m for m in c.members if m is not gone]
    gone.kill()
    wait_for("somebody leads", lambda: not try_put(left[0], "before"))
    left[1].cli("cluster", "remove", gone.name, "--force", "--yes", timeout=120)
    for i, m in enumerate(left):
        put_profile(m, f"after{i}")
    assert set(members(left[0])) == {m.name for m in left}
    wait_for("one voter, one that stands by", lambda: sorted(
        "database" in x["roles"] or "database-leader" in x["roles"]
        for x in members(left[0]).values()) == [False, True])
    put_profile(left[0], "still")


def test_many_join_at_once_under_writes(image_file, tmp_path):
    """Five at once, while others write: each is a member in the end, and sees what was written."""
    c = Cluster(cluster_name("join"), 6, "10.209.19")
    try:
        c.up()
        first = c[0]
        first.verb("init", "--auto", "--network-address", first.ip)
        first.cli("cluster", "enable", first.name)
        stop = threading.Event()

        def write_on(worker):
            n = 0
            while not stop.is_set():
                put_profile(first, f"w{worker}-{n}", timeout=60)
                n += 1
            return n

        def join(m):
            m.join(first)
            return m.api("GET", "/1.0/cluster")["server_name"]

        with ThreadPoolExecutor(12) as pool:
            writers = [pool.submit(write_on, k) for k in range(4)]
            joins = [pool.submit(join, m) for m in c.members[1:]]
            try:
                assert [j.result(180) for j in joins] == [m.name for m in c.members[1:]]
            finally:
                stop.set()
            counts = [w.result(60) for w in writers]
        assert all(counts)
        c.settle()
        for m in c.members:
            wait_for("all that was written", lambda: len(m.api("GET", "/1.0/profiles")) == 1 + sum(counts))
    finally:
        c.down()


def test_first_creates_of_a_pool_at_once(own_cluster):
    """A member makes its part of a pool with the first instance there, whoever of many that is."""
    c = own_cluster
    root = {"root": {"type": "disk", "path": "/", "pool": "plain"}}
    together = threading.Barrier(16)

    def create(i):
        together.wait()
        c[1].api("POST", "/1.0/instances?target=m2",
                 {"name": f"x{i}", "source": {"type": "none"}, "devices": root}, timeout=120)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(create, range(16)))
    assert all(c[0].instance(f"x{i}")["location"] == "m2" for i in range(16))


def test_untrusted_clients_get_nothing(cluster):
    m = cluster[0]
    def curl(path, *args):
        out = run(*m.in_netns("curl", "-sk", "-w", "\n%{http_code}", f"https://{m.address}{path}", *args)).stdout
        body, code = out.rsplit("\n", 1)
        return int(code), json.loads(body)
    code, reply = curl("/1.0")
    assert code == 200 and reply["metadata"]["auth"] == "untrusted" and "environment" not in reply["metadata"]
    for path in ("/1.0/instances", "/1.0/cluster/members", "/1.0/certificates", "/internal/leader"):
        assert curl(path)[0] == 403
    assert curl("/1.0/instances", "-d", "{}")[0] == 403
    assert curl("/1.0/certificates", "-H", "Content-Type: application/json", "-d",
                '{"type":"client","password":"wrong"}')[0] in (400, 403)


@pytest.mark.parametrize("method, path", [("GET", "/1.0/instances"), ("GET", "/1.0/certificates"), ("PATCH", "/1.0"),
                                          ("GET", "/internal/ready"), ("GET", "/1.0/instances?target=m3")])
def test_member_certificate_is_not_a_client_certificate(cluster, method, path):
    """Whatever it says besides; and for clients that another member serves it goes on working."""
    m = cluster[0]
    names = ["Kind: admin", "Kind: client", "Name: root", "Address: @", "Proof: " + "0" * 64,
             "Fingerprint: " + m.api("GET", "/1.0")["environment"]["certificate_fingerprint"]]
    for said in [], names[:1], names[1:2], names, names[:1] + names[2:]:
        headers = [w for name in said for w in ("-H", f"X-Dunlin-Forwarded-{name}")]
        out = run(*m.in_netns("curl", "-sk", "-X", method, "-o", "/dev/null", "-w", "%{http_code}", "--cert",
                              m.dir / "server.crt", "--key", m.dir / "server.key", *headers, "-d", '{"config":{}}',
                              f"https://{cluster[1].address}{path}")).stdout
        assert out == "403", said
    assert m.api("GET", "/1.0?target=m2")["environment"]["server_name"] == "m2"


@pytest.mark.parametrize("said", [[], ["Kind: admin"], ["Kind: client", "Proof: " + "0" * 64]])
def test_member_certificate_is_a_strangers_where_strangers_may_ask(cluster, tmp_path, said):
    m, other = cluster[0], cluster[1]
    headers = [w for name in said for w in ("-H", f"X-Dunlin-Forwarded-{name}")]
    new = Certificate(tmp_path / "new")

    def ask(path, *args):
        out = run(*m.in_netns("curl", "-sk", "-w", "\n%{http_code}", "--cert", m.dir / "server.crt", "--key",
                              m.dir / "server.key", "-H", "Content-Type: application/json", *headers, *args,
                              f"https://{other.address}{path}")).stdout
        body, code = out.rsplit("\n", 1)
        return int(code), json.loads(body).get("metadata")

    server = ask("/1.0")[1]
    assert server["auth"] == "untrusted" and "environment" not in server
    assert ask("/1.0/images") == (200, []) and ask("/1.0/images/aliases") == (200, [])
    fingerprint = m.api("GET", "/1.0/images?recursion=1")[0]["fingerprint"]
    assert ask(f"/1.0/images/{fingerprint}")[0] == ask(f"/1.0/images/{fingerprint}/export")[0] == 404
    text = "".join(new.crt.read_text().splitlines()[1:-1])
    for body in ({"type": "client", "name": "x", "certificate": text}, {"type": "client", "name": "x", "token": True},
                 {"type": "client", "name": "x"}):
        assert ask("/1.0/certificates", "-d", json.dumps(body))[0] == 403
    assert new.fingerprint not in json.dumps(m.api("GET", "/1.0/certificates"))
