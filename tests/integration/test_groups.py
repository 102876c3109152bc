# SPDX-License-Identifier: Apache-2.0
"""Groups of members, and instances that are made in and moved to one of them."""

import pytest

from cluster import ApiError, wait_for

GROUPS = "/1.0/cluster/groups"
EMPTY = {"source": {"type": "none"}}


def refused(m, method, path, body=None):
    with pytest.raises(ApiError) as e:
        m.api(method, path, body)
    return e.value


@pytest.fixture
def m(cluster):
    """The second member; groups that a test leaves are emptied and go."""
    yield cluster[1]
    for group in cluster[1].api("GET", GROUPS + "?recursion=1"):
        if group["name"] != "default":
            cluster[1].api("PATCH", f"{GROUPS}/{group['name']}", {"members": []})
            cluster[1].api("DELETE", f"{GROUPS}/{group['name']}")


def groups_of(m, member):
    return m.api("GET", f"/1.0/cluster/members/{member}")["groups"]


def members_of(m, group):
    return m.api("GET", f"{GROUPS}/{group}")["members"]


def test_life_of_a_group(m):
    m.api("POST", GROUPS, {"name": "gpu", "description": "with cards", "members": ["m3", "m1"]})
    assert m.api("GET", GROUPS) == [f"{GROUPS}/default", f"{GROUPS}/gpu"]
    assert m.api("GET", f"{GROUPS}/gpu") == {"name": "gpu", "description": "with cards", "members": ["m1", "m3"]}
    assert groups_of(m, "m1") == ["default", "gpu"] and groups_of(m, "m2") == ["default"]
    m.api("PATCH", f"{GROUPS}/gpu", {"members": ["m2", "m3"]})
    assert members_of(m, "gpu") == ["m2", "m3"] and groups_of(m, "m1") == ["default"]
    m.api("PUT", f"{GROUPS}/gpu", {"description": "none"})
    assert m.api("GET", f"{GROUPS}/gpu") == {"name": "gpu", "description": "none", "members": ["m2", "m3"]}
    m.api("POST", f"{GROUPS}/gpu", {"name": "cards"})
    assert members_of(m, "cards") == ["m2", "m3"] and groups_of(m, "m2") == ["default", "cards"]
    assert refused(m, "GET", f"{GROUPS}/gpu").status == 404
    e = refused(m, "DELETE", f"{GROUPS}/cards")
    assert e.status == 400 and '"m2", "m3"' in e.message, e
    m.api("PATCH", f"{GROUPS}/cards", {"members": []})
    m.api("DELETE", f"{GROUPS}/cards")
    assert m.api("GET", GROUPS) == [f"{GROUPS}/default"]


def test_groups_of_a_member(m):
    for name in ("gpu", "ssd"):
        m.api("POST", GROUPS, {"name": name})
    m.api("PATCH", "/1.0/cluster/members/m1", {"groups": ["gpu", "ssd"]})
    assert members_of(m, "gpu") == ["m1"] and groups_of(m, "m1") == ["default", "gpu", "ssd"]
    m.api("PATCH", "/1.0/cluster/members/m1", {"groups": ["ssd"]})
    assert members_of(m, "gpu") == [] and groups_of(m, "m1") == ["default", "ssd"]
    m.api("PATCH", "/1.0/cluster/members/m1", {"description": "a member"})
    assert groups_of(m, "m1") == ["default", "ssd"]
    e = refused(m, "PATCH", "/1.0/cluster/members/m1", {"groups": ["tpu"]})
    assert e.status == 404 and 'Cluster group not found: "tpu"' in e.message, e


@pytest.mark.parametrize("method, path, body, status, words", [
    ("POST", GROUPS, {"name": "a/b"}, 400, "invalid name"), ("POST", GROUPS, {"name": "@a"}, 400, "invalid name"),
    ("POST", GROUPS, {}, 400, "name"), ("POST", GROUPS, {"name": "default"}, 409, "already exists"),
    ("POST", GROUPS, {"name": "a", "members": ["ghost"]}, 404, 'member not found: "ghost"'),
    ("PUT", f"{GROUPS}/none", {}, 404, 'Cluster group not found: "none"'),
    ("PATCH", f"{GROUPS}/default", {"members": ["m1"]}, 400, '"m2" can\'t leave'),
    ("DELETE", f"{GROUPS}/default", None, 403, "can't be deleted"),
    ("POST", f"{GROUPS}/default", {"name": "all"}, 403, "can't be renamed")])
def test_what_is_refused(m, method, path, body, status, words):
    e = refused(m, method, path, body)
    assert e.status == status and words in e.message, e
    assert m.api("GET", GROUPS) == [f"{GROUPS}/default"] and members_of(m, "default") == ["m1", "m2", "m3"]


def test_a_group_is_where_instances_are_made(m):
    m.api("POST", GROUPS, {"name": "gpu", "members": ["m3"]})
    m.api("POST", GROUPS, {"name": "empty"})
    m.api("PATCH", "/1.0/cluster/members/m3", {"config": {"scheduler.instance": "group"}})
    wait_for("the member's policy", lambda: m.api("GET", "/1.0/cluster/members/m3")["config"])
    try:
        for i in range(2):
            m.api("POST", "/1.0/instances?target=@gpu", {"name": f"g{i}", **EMPTY})
        m.api("POST", "/1.0/instances", {"name": "free", **EMPTY})
        assert [m.instance(n)["location"] for n in ("g0", "g1")] == ["m3", "m3"]
        assert m.instance("free")["location"] in ("m1", "m2")
        e = refused(m, "POST", "/1.0/instances?target=@empty", {"name": "g3", **EMPTY})
        assert e.status == 503 and '"empty"' in e.message and "3 not in the group" in e.message, e
        e = refused(m, "POST", "/1.0/instances?target=@tpu", {"name": "g3", **EMPTY})
        assert e.status == 404 and 'Cluster group not found: "tpu"' in e.message, e
    finally:
        m.api("PATCH", "/1.0/cluster/members/m3", {"config": {"scheduler.instance": ""}})
        for name in ("g0", "g1", "free"):
            m.api("DELETE", f"/1.0/instances/{name}")


def test_a_move_goes_to_another_member_of_the_group(cluster, m):
    m.api("POST", GROUPS, {"name": "gpu", "members": ["m1", "m3"]})
    m.api("POST", "/1.0/instances?target=m1", {"name": "mover", "source": {"type": "image", "alias": "test"}})
    move = {"migration": True, "live": False}
    wait_for("its member to hear of the group", lambda: members_of(cluster[0], "gpu") == ["m1", "m3"])
    assert m.cli("move", "mover", "--cold", "--target", "@gpu", "--dry-run").stdout.startswith("mover would move to m3")
    assert m.cli("move", "mover", "--cold", "--target", "@gpu").stdout.startswith("Moved mover to m3 (cold)")
    assert m.instance("mover")["location"] == "m3"
    m.api("PATCH", f"{GROUPS}/gpu", {"members": ["m3"]})
    wait_for("its member to hear of it", lambda: members_of(cluster[2], "gpu") == ["m3"])
    e = refused(m, "POST", "/1.0/instances/mover?target=@gpu", move)
    assert e.status == 503 and '"gpu"' in e.message and "1 where it is" in e.message, e
    m.api("DELETE", "/1.0/instances/mover")


def test_stock_client(m):
    m.lxc("cluster", "group", "create", "gpu")
    m.lxc("cluster", "group", "assign", "m1", "gpu")
    assert members_of(m, "gpu") == ["m1"]
    m.lxc("cluster", "group", "assign", "m2", "default,gpu")
    assert members_of(m, "gpu") == ["m1", "m2"]
    assert "m2" in m.lxc("cluster", "group", "show", "gpu").stdout
    assert "gpu" in m.lxc("cluster", "group", "list").stdout
    m.lxc("cluster", "group", "rename", "gpu", "cards")
    for member in ("m1", "m2"):
        m.lxc("cluster", "group", "remove", member, "cards")
    assert members_of(m, "cards") == []
    m.lxc("cluster", "group", "delete", "cards")


def test_own_client(m):
    m.cli("cluster", "group", "create", "gpu", "--description", "with cards")
    m.cli("cluster", "group", "add", "m3", "gpu")
    r = m.cli("cluster", "group", "add", "m3", "gpu", check=False)
    assert r.returncode == 1 and 'in the group "gpu" already' in r.stderr, r
    assert "with cards" in m.cli("cluster", "group", "list").stdout
    assert "- m3" in m.cli("cluster", "group", "show", "gpu").stdout
    m.cli("cluster", "group", "rename", "gpu", "cards")
    m.cli("init", "test", "picky", "--target", "@cards")
    assert m.instance("picky")["location"] == "m3"
    m.cli("delete", "picky")
    r = m.cli("cluster", "group", "delete", "cards", check=False)
    assert r.returncode == 1 and "not empty" in r.stderr, r
    r = m.cli("cluster", "group", "remove", "m3", "default", check=False)
    assert r.returncode == 1 and "all are in it" in r.stderr, r
    m.cli("cluster", "group", "assign", "m3", "default")
    m.cli("cluster", "group", "delete", "cards")


def test_a_removed_member_leaves_its_groups(own_cluster):
    m = own_cluster[0]
    m.api("POST", GROUPS, {"name": "gpu", "members": ["m1", "m3"]})
    own_cluster[2].kill()
    m.api("DELETE", "/1.0/cluster/members/m3?force=1")
    assert members_of(m, "gpu") == ["m1"] and members_of(m, "default") == ["m1", "m2"]
