# SPDX-License-Identifier: Apache-2.0
"""Query parameters: each one that a path takes changes something, every other one is refused."""

import json
import re

import pytest
import routes

from cluster import ROOT, ApiError, wait_for

TABLES = [(ROOT / table).read_text() for table in (routes.ROUTES, routes.KINDS)]
ROWS = [row for row in routes.rows(*TABLES) if row.path.startswith("/1.0")]
INSTANCE = {"source": {"type": "image", "alias": "test"}}


@pytest.fixture(scope="module")
def box(cluster):
    """A stopped instance on m1."""
    cluster[0].api("POST", "/1.0/instances?target=m1", {"name": "box", **INSTANCE})
    return "box"


def refused(m, method, path, body=None):
    with pytest.raises(ApiError) as e:
        m.api(method, path, body)
    return e.value


def ask(m, method, path):
    """A path of the table, its parts filled in; objects that are not there must not matter."""
    url = re.sub(r"{(\w+)}", lambda p: {"fingerprint": "f" * 64, "type": "container"}.get(p[1], "nothing"), path)

    def go(query):
        status, _, body = m.request(method, f"{url}?{query}", {} if method in ("PUT", "POST", "PATCH") else None)
        reply = json.loads(body)
        assert reply["error_code"] == status
        return status, reply["error"]
    return go


def test_every_path_refuses_other_projects_and_unknown_parameters(cluster):
    assert len(ROWS) > 80
    for method, path in ((row.method, row.path) for row in ROWS):
        go = ask(cluster[1], method, path)
        status, error = go("project=other")
        assert status == 404 and 'Project not found: "other"' in error, (method, path, error)
        for query, word in (("bogus=1", "bogus"), ("recursive=1", "recursive"), ("public", "public"),
                            ("project=default&project=other", "twice"), ("secrets=x", "secrets")):
            status, error = go(query)
            assert status == 400 and word in error, (method, path, error)
        if "ghost" not in path:
            status, error = go("target=ghost")
            assert status in (400, 404) and ("ghost" in error or "target" in error), (method, path, error)


@pytest.mark.parametrize("path, wrong", [
    ("/1.0/instances?recursion=3", "recursion"), ("/1.0/instances?recursion=yes", "recursion"),
    ("/1.0/instances?instance-type=junk", "instance-type"), ("/1.0/instances?usage=some", "usage"),
    ("/1.0/instances?all-projects=maybe", "all-projects"), ("/1.0/instances?filter=name", "filter"),
    ("/1.0/instances?all-projects=true&project=default", "all-projects"),
    ("/1.0/operations?all-projects=maybe", "all-projects"), ("/1.0/cluster/members/m1?recursion=1", "recursion"),
    ("/1.0/images?secret=x", "secret"), ("/1.0/events?type=junk", "junk"), ("/1.0?recursion=1", "recursion"),
    ("/1.0?target=@default", "group"), ("/1.0/profiles?target=@gpu", "gpu")])
def test_a_value_that_means_nothing_is_refused(cluster, path, wrong):
    e = refused(cluster[0], "GET", path)
    assert e.status in (400, 404) and wrong in e.message, e


def test_what_stock_clients_send_passes(cluster, box):
    m = cluster[0]
    fingerprint = m.api("GET", "/1.0/images/aliases/test")["target"]
    for path in ("/1.0?project=default", "/1.0/instances?filter=&recursion=2", "/1.0/images?filter=&recursion=1",
                 "/1.0/instances?all-projects=true&filter=&recursion=2", "/1.0/operations?project=default&recursion=1",
                 "/1.0/storage-pools/default/volumes?filter=&recursion=1", "/1.0/warnings?recursion=1",
                 "/1.0/projects?recursion=1", "/1.0/cluster/groups?recursion=1", f"/1.0/images/{fingerprint}?target=m3",
                 "/1.0/images/aliases/test?target=m2", f"/1.0/instances/{box}?target=m3&recursion=1",
                 "/1.0/networks/tnet?target=m2", "/1.0/storage-pools/default/resources?target=m2",
                 f"/1.0/instances/{box}/snapshots?recursion=1", "/1.0/profiles?recursion=1&project=",
                 "/1.0/profiles?target=@default"):
        m.api("GET", path)


def test_a_target_is_where_it_is(cluster, box):
    """The instance's member passes; what asks for another one is told where it is."""
    m = cluster[1]
    e = refused(m, "PUT", f"/1.0/instances/{box}/state?target=m3", {"action": "start"})
    assert e.status == 400 and "m1" in e.message and "m3" in e.message, e
    e = refused(m, "PATCH", f"/1.0/instances/{box}?target=m3", {"description": "d"})
    assert e.status == 400 and "m1" in e.message, e
    e = refused(m, "DELETE", f"/1.0/instances/{box}?target=m2")
    assert e.status == 400 and "m1" in e.message, e
    m.api("PATCH", f"/1.0/instances/{box}?target=m1", {"description": "here"})
    wait_for("the change, made by m1", lambda: m.instance(box)["description"] == "here")


def test_volumes_of_a_member(cluster, box):
    m = cluster[1]
    pool = "/1.0/storage-pools/default/volumes"
    here = m.api("GET", f"{pool}?target=m1&recursion=1")
    assert [v["name"] for v in here] == [box] and here[0]["location"] == "m1"
    assert m.api("GET", f"{pool}?target=m2") == []
    assert m.api("GET", f"{pool}?filter=name eq nothing".replace(" ", "%20")) == []
    assert m.api("GET", f"{pool}/container?filter=name%20eq%20{box}") == [f"{pool}/container/{box}"]
    assert m.api("GET", f"{pool}/container/{box}?target=m1")["location"] == "m1"
    assert refused(m, "GET", f"{pool}/container/{box}?target=m2").status == 404
    e = refused(m, "PATCH", f"{pool}/container/{box}?target=m2", {"config": {"user.a": "b"}})
    assert e.status == 404, e


def test_a_group_as_target_is_for_the_scheduler(cluster):
    m = cluster[0]
    for i in range(6):  # as many as make it sure that they are spread
        m.api("POST", "/1.0/instances?target=@default", {"name": f"g{i}", "source": {"type": "none"}})
    assert {m.instance(f"g{i}")["location"] for i in range(6)} == {"m1", "m2", "m3"}
    e = refused(m, "POST", "/1.0/instances?target=@gpu", {"name": "g9", "source": {"type": "none"}})
    assert e.status == 404 and "gpu" in e.message, e
    for i in range(6):
        m.api("DELETE", f"/1.0/instances/g{i}")


def test_clients_with_another_project(cluster):
    """Both say that there is none, whatever they are asked."""
    m = cluster[0]
    for words in (("list",), ("launch", "test", "p1"), ("profile", "list"), ("network", "list"), ("config", "show")):
        r = m.lxc("--project", "other", *words, check=False)
        assert r.returncode and "Project not found" in r.stderr, r
        r = m.cli("--project", "other", *words, check=False)
        assert r.returncode and "Project not found" in r.stderr, r
    wait_for("nothing was made", lambda: all(i["name"] != "p1" for i in m.api("GET", "/1.0/instances?recursion=1")))
