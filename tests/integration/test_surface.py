# SPDX-License-Identifier: Apache-2.0
"""What both clients show and take: volumes, pools of members, image files, names, states."""

import hashlib
import json
import os
import re
import signal
import time
import unicodedata

import pytest

from cluster import ApiError, run, wait_for


@pytest.fixture(params=["cli", "lxc"])
def tool(request, cluster):
    """Both clients on a member: tool(member)(arguments...)."""
    return lambda member: getattr(cluster[member], request.param)


def test_volumes_of_instances(cluster, tool, launch):
    name = launch("vol", "--target", "m1")
    on = tool(1)
    shown = on("storage", "volume", "show", "default", f"container/{name}").stdout
    assert f"name: {name}" in shown and "type: container" in shown and f"- /1.0/instances/{name}" in shown
    on("storage", "volume", "set", "default", f"container/{name}", "user.note=x y")
    assert tool(0)("storage", "volume", "get", "default", f"container/{name}", "user.note").stdout == "x y\n"
    cluster[0].cli("config", "set", name, "user.other", "1")
    assert "user.note: x y" in on("storage", "volume", "show", "default", f"container/{name}").stdout
    on("storage", "volume", "unset", "default", f"container/{name}", "user.note")
    assert on("storage", "volume", "get", "default", f"container/{name}", "user.note").stdout.strip() == ""
    for args in (["set", "default", f"container/{name}", "size=1GiB"], ["show", "default", "container/none"],
                 ["show", "plain", f"container/{name}"], ["show", "none", f"container/{name}"]):
        r = on("storage", "volume", *args, check=False)
        assert r.returncode == 1 and r.stderr.startswith("Error: ")
    with pytest.raises(ApiError) as e:
        cluster[2].api("DELETE", f"/1.0/storage-pools/default/volumes/container/{name}")
    assert e.value.status == 400 and cluster[2].state(name)["status"] == "Running"
    listed = cluster[0].api("GET", "/1.0/storage-pools/default/volumes/container?recursion=1")
    assert [v["name"] for v in listed if v["name"] == name] == [name]
    assert cluster[0].api("GET", "/1.0/storage-pools/default/volumes/custom") == []


def test_space_of_instances(cluster, tool, launch):
    name = launch("spacious", "--target", "m2")
    cluster[0].cli("exec", name, "--", "sh", "-c", "dd if=/dev/zero of=/big bs=1M count=9 && sync")
    info = tool(0)("storage", "volume", "info", "default", f"container/{name}").stdout.lower()
    assert name in info and re.search(r"usage: (9|1\d)\.\d+mib", info)
    assert re.search(r"disk usage:\s+root: (9|1\d)\.\d+mib", tool(2)("info", name).stdout.lower())
    rows = tool(2)("list", "-c", "nD", "--format", "csv").stdout.splitlines()
    assert [r for r in rows if re.fullmatch(name + r",(9|1\d)\.\d+MiB", r)]
    cluster[1].cli("stop", name, "--force")
    info = tool(0)("storage", "volume", "info", "default", f"container/{name}").stdout.lower()
    assert re.search(r"usage: (9|1\d)\.", info)
    r = tool(0)("storage", "volume", "info", "default", "container/none", check=False)
    assert r.returncode == 1 and "none" in r.stderr


LISTS = ["instances", "images", "images/aliases", "profiles", "networks", "storage-pools", "certificates",
         "cluster/members", "operations", "projects", "warnings"]
BELOW = {"networks": ["state", "leases"], "storage-pools": ["volumes", "resources"],
         "instances": ["state", "logs", "metadata", "snapshots", "backups"]}


def test_all_that_is_listed_is_there(cluster, launch):
    """Each URL of each list, of each list below an object, and of each used_by, on each member."""
    launch("listed", "--target", "m2")
    cluster[0].cli("config", "trust", "add", "--name", "listed")
    for m in cluster.members:
        todo = [f"/1.0/{path}" for path in LISTS]
        seen = set()
        while todo:
            url = todo.pop()
            if url in seen:
                continue
            seen.add(url)
            status, headers, body = m.request("GET", url)
            kind, _, rest = url.removeprefix("/1.0/").partition("/")
            if kind == "operations" and rest and status == 404:
                assert url not in str(m.api("GET", "/1.0/operations"))  # it has been over for a while
                continue
            assert status == 200, (m.name, url, body)
            found = json.loads(body)["metadata"] if "json" in headers["Content-Type"] else None
            if isinstance(found, dict):
                lists = found.values() if kind == "operations" else [found.get("used_by") or []]
                todo += [u for v in lists if isinstance(v, list) for u in v]
                todo += [f"{url}/{sub}" for sub in BELOW.get(kind, []) if rest and "/" not in rest]
            elif isinstance(found, list):
                todo += [u for u in found if isinstance(u, str)]
        assert "/1.0/storage-pools/default/volumes/container/listed" in seen


def test_a_pool_is_shown_as_its_member_has_it(cluster, tool):
    for m in cluster.members:
        assert f"source: {m.dir}/" in tool(0)("storage", "show", "default", "--target", m.name).stdout
    r = tool(0)("storage", "show", "default", "--target", "nobody", check=False)
    assert r.returncode == 1 and "nobody" in r.stderr


@pytest.fixture(scope="module")
def tree(image_file, tmp_path_factory):
    """The test image unpacked, to be packed otherwise."""
    path = tmp_path_factory.mktemp("tree")
    run("tar", "-xf", image_file, "-C", path)
    return path


def all_know(cluster, url):
    """Waits until all members do: what another one was given they learn a moment later."""
    for m in cluster.members:
        wait_for(f"{m.name} to know {url}", lambda m=m: url in m.api("GET", url.rpartition("/")[0]))


@pytest.mark.parametrize("flag,suffix", [("--xz", ".tar.xz"), ("--gzip", ".tar.gz"), ("--bzip2", ".tar.bz2"),
                                         ("--no-auto-compress", ".tar")])
def test_exported_images_are_named_as_they_are_packed(cluster, tool, tree, tmp_path, flag, suffix):
    (tree / "rootfs/etc/packed").write_text(f"{suffix} {tool.__name__} {tmp_path}")
    run("tar", "-C", tree, flag, "-cf", tmp_path / "image", "metadata.yaml", "rootfs")
    data = (tmp_path / "image").read_bytes()
    fingerprint = hashlib.sha256(data).hexdigest()
    with open(tmp_path / "image", "rb") as f:
        cluster[0].cli("image", "import", "-", stdin=f)
    all_know(cluster, f"/1.0/images/{fingerprint}")
    (tmp_path / "out").mkdir()
    tool(1)("image", "export", fingerprint, f"{tmp_path}/out/")
    tool(2)("image", "export", fingerprint, f"{tmp_path}/out/named")
    cluster[0].cli("image", "delete", fingerprint)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted([f"{fingerprint}{suffix}", f"named{suffix}"])
    assert all(p.read_bytes() == data for p in (tmp_path / "out").iterdir())


def test_pairs_of_tarballs(cluster, tool, tree, tmp_path):
    (tree / "rootfs/etc/packed").write_text(str(tmp_path))
    run("tar", "-C", tree, "--xz", "-cf", tmp_path / "meta.tar.xz", "metadata.yaml")
    run("tar", "-C", tree / "rootfs", "--gzip", "-cf", tmp_path / "root.tar.gz", ".")
    parts = [(tmp_path / n).read_bytes() for n in ("meta.tar.xz", "root.tar.gz")]
    fingerprint = hashlib.sha256(parts[0] + parts[1]).hexdigest()
    out = tool(0)("image", "import", tmp_path / "meta.tar.xz", tmp_path / "root.tar.gz", "--alias", "pair").stdout
    assert fingerprint in out
    all_know(cluster, "/1.0/images/aliases/pair")
    (tmp_path / "out").mkdir()
    tool(1)("image", "export", "pair", f"{tmp_path}/out")
    made = sorted((tmp_path / "out").iterdir(), key=lambda p: not p.name.startswith("meta-"))
    assert [p.name for p in made] == [f"meta-{fingerprint}.tar.xz", f"{fingerprint}.tar.gz"]
    assert [p.read_bytes() for p in made] == parts
    cluster[2].cli("launch", "pair", "paired", "--target", "m3")
    assert cluster[0].cli("exec", "paired", "--", "cat", "/etc/packed").stdout == str(tmp_path)
    cluster[0].cli("delete", "--force", "paired")
    cluster[0].cli("image", "delete", "pair")


def test_real_tarballs(cluster, tool, tree, tmp_path):
    """Devices, absolute names and hard links as GNU tar writes them."""
    rootfs = tree / "rootfs"
    (rootfs / "lib/udev").mkdir(parents=True, exist_ok=True)
    for path, kind in (("dev/console", "c"), ("dev/sda", "b"), ("lib/udev/null", "c")):
        if not (rootfs / path).exists():
            run("mknod", rootfs / path, kind, "1", "3")
    if not (rootfs / "etc/again").exists():
        os.link(rootfs / "etc/hosts", rootfs / "etc/again")
    (rootfs / "etc/packed").write_text(str(tmp_path))
    run("tar", "-C", tree, "-P", "--transform", "s,^,/,", "-cf", tmp_path / "image.tar", "metadata.yaml", "rootfs")
    assert run("tar", "-tPf", tmp_path / "image.tar").stdout.startswith("/metadata.yaml\n")
    tool(1)("image", "import", tmp_path / "image.tar", "--alias", "absolute")
    all_know(cluster, "/1.0/images/aliases/absolute")
    cluster[2].cli("launch", "absolute", "abs", "--target", "m2")
    seen = cluster[0].cli("exec", "abs", "--", "sh", "-c", "cat /etc/again; ls /dev/sda /lib/udev", check=False)
    assert "127.0.0.1 localhost" in seen.stdout and "/lib/udev" in seen.stdout and "null" not in seen.stdout
    assert "/dev/sda" in seen.stderr
    cluster[0].cli("delete", "--force", "abs")
    cluster[0].cli("image", "delete", "absolute")


def test_stopping_a_frozen_instance(cluster, tool, launch):
    name = launch("ice", "--target", "m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "echo kept > /root/kept")
    tool(1)("pause", name)
    cluster[0].shows(name, "Frozen")
    tool(1)("stop", name, "--timeout", "30")
    cluster[0].shows(name, "Stopped")
    cluster[0].cli("start", name)
    cluster[0].cli("pause", name)
    tool(1)("restart", name, "--timeout", "30")
    cluster[0].shows(name)


def test_move_to_a_member_and_a_name(cluster, tool, launch):
    name = launch("from1", "--target", "m1")
    on = tool(2)
    r = on("move", name, "to2", "--target", "m2", check=False)
    assert r.returncode == 1 and "running" in r.stderr
    cluster[0].shows(name, location="m1")
    cluster[0].cli("exec", name, "--", "sh", "-c", "echo mine > /root/mine; sync")
    cluster[0].cli("stop", name)
    launch("taken", "--target", "m3")
    r = on("move", name, "taken", "--target", "m2", check=False)
    assert r.returncode == 1 and "already exists" in r.stderr
    r = on("move", name, "bad/name", "--target", "m2", check=False)
    assert r.returncode == 1
    assert cluster[0].instance(name)["location"] == "m1"
    on("move", name, "to2", "--target", "m2")
    try:
        cluster[0].shows("to2", "Stopped", location="m2")
        with pytest.raises(ApiError) as e:
            cluster[2].instance(name)
        assert e.value.status == 404
        cluster[0].cli("start", "to2")
        assert cluster[0].cli("exec", "to2", "--", "cat", "/root/mine").stdout == "mine\n"
    finally:
        cluster[0].cli("delete", "--force", "to2", check=False)


def test_a_move_that_fails_keeps_the_name(cluster, launch):
    name = launch("stays", "--target", "m1")
    cluster[0].cli("stop", name)
    os.kill(cluster[1].pid(), signal.SIGSTOP)
    try:
        r = cluster[0].cli("move", name, "gone", "--target", "m2", check=False)
    finally:
        os.kill(cluster[1].pid(), signal.SIGCONT)
    cluster.settle()
    assert r.returncode == 1
    assert cluster[0].instance(name)["location"] == "m1"
    with pytest.raises(ApiError):
        cluster[0].instance("gone")
    cluster[0].cli("start", name)


def test_a_missing_instance_costs_no_commit(cluster):
    """While no commit is possible the leader still answers, and quickly."""
    leader = next(m for m in cluster.members
                  if "database-leader" in m.api("GET", f"/1.0/cluster/members/{m.name}")["roles"])
    others = [m for m in cluster.members if m is not leader]
    for m in others:
        os.kill(m.pid(), signal.SIGSTOP)
    try:
        began = time.monotonic()
        for method in ("GET", "DELETE", "PUT", "PATCH"):
            with pytest.raises(ApiError) as e:
                leader.api(method, "/1.0/instances/none", None if method in ("GET", "DELETE") else {})
            assert e.value.status == 404, method
        assert time.monotonic() - began < 10, "a commit is given up after 20 s"
    finally:
        for m in others:
            os.kill(m.pid(), signal.SIGCONT)
    cluster.settle()


def test_what_was_made_through_another_member_is_found(cluster):
    for i in range(5):
        cluster[0].cli("init", "test", f"read{i}", "--target", "m1")
        assert cluster[(i + 1) % 3].instance(f"read{i}")["location"] == "m1"
        cluster[(i + 2) % 3].cli("delete", f"read{i}")


def columns_of(m, *args):
    return [line.split(",") for line in m.cli("list", "-f", "csv", *args).stdout.splitlines()]


def test_list_shows_what_instances_use(cluster, launch):
    """Of every member, through every member."""
    for i in (1, 2, 10):
        launch(f"use{i}", "--target", f"m{min(i, 3)}", "-c", "limits.memory=64MiB")
    for m in cluster.members:
        rows = {r[0]: r[1:] for r in columns_of(m, "use", "-c", "nmMNDup")}
        for name in ("use1", "use2", "use10"):
            memory, share, processes, disk, cpu, pid = rows[name]
            assert memory.endswith("iB") and share.endswith("%") and int(processes) > 0 and int(pid) > 0
            assert disk, rows
        lines = m.lxc("list", "use", "-f", "csv", "-c", "nmN").stdout.split()
        seen = {r[0]: r[1:] for r in (line.split(",") for line in lines)}
        assert all(seen[n][0] and int(seen[n][1]) > 0 for n in rows)
    assert [r[0] for r in columns_of(cluster[0], "use")] == ["use1", "use2", "use10"]
    assert [r[1] for r in columns_of(cluster[0], "use", "-c", "sn")] == ["use1", "use2", "use10"]
    default = run(*cluster[0].in_netns(cluster.dunlin, "--debug", "list"), env=cluster[0].env()).stderr
    assert "usage=false" in default


def test_wide_characters_keep_tables_straight(cluster):
    texts = ["plain", "\u6f22\u5b57\u6f22\u5b57", "e\u0301tude", "\U0001f433\U0001f433"]
    for i, text in enumerate(texts):
        cluster[0].cli("profile", "create", f"wide{i}", "--description", text)
    lines = cluster[1].cli("profile", "list").stdout.splitlines()

    def width(s):
        return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in s)
    assert len({width(line) for line in lines}) == 1
    for i in range(len(texts)):
        cluster[0].cli("profile", "delete", f"wide{i}")


def test_deleted_pools_leave_every_member(cluster):
    drivers = [d["Name"] for d in cluster[0].api("GET", "/1.0")["environment"]["storage_supported_drivers"]]
    assert set(drivers) >= {"dir", "overlay"}
    for driver in drivers:
        name = f"short-{driver}"
        cluster[0].cli("storage", "create", name, driver)
        for m in cluster.members:
            wait_for(f"{m.name} to hear of {name}", lambda m=m: f"/1.0/storage-pools/{name}" in m.api(
                "GET", "/1.0/storage-pools"))
            cluster[0].api("GET", f"/1.0/storage-pools/{name}/resources?target={m.name}")
            assert (m.dir / "storage-pools" / name).is_dir()
        cluster[1].cli("storage", "delete", name)
        for m in cluster.members:
            wait_for(f"{name} to leave {m.name}", lambda m=m: not (m.dir / "storage-pools" / name).exists())


def test_messages_are_whole(cluster, launch):
    name = launch("words", "--target", "m1")
    out = cluster[0].cli("profile", "assign", name, "default").stdout
    assert out == f"Profiles default applied to {name}\n"
    cluster[0].cli("stop", name)
    cluster[0].cli("config", "device", "add", name, "root", "disk", "path=/", "pool=default")
    assert "  " not in cluster[0].cli("profile", "assign", name, "").stdout
    said = cluster[0].cli("file", "push", "", f"{name}/x", check=False).stderr
    assert 'cannot read ""' in said
    said = cluster[0].cli("storage", "create", "undriven", "", check=False).stderr
    assert 'unknown driver ""' in said and "overlay" in said


def ask(m, text, *args):
    return run(*m.in_netns(m.cluster.dunlind, "init", *args), env=m.env(), input=text, check=False)


def test_first_steps(single, terminal):
    m = single
    m.cli("image", "import", "/dev/null", check=False)
    r = m.cli("launch", "none", "x", check=False)
    assert r.returncode == 1 and "dunlind init" in r.stderr
    with pytest.raises(ApiError) as e:
        m.api("POST", "/1.0/instances", {"name": "x", "source": {"type": "none"}})
    assert "dunlind init" in e.value.message
    for text in ("", "no\n", "no\nyes\n", "yes\n", "yes\ntoken\n"):
        r = ask(m, text)
        assert r.returncode == 1 and "nothing was changed" in r.stderr, text
    assert m.api("GET", "/1.0/storage-pools") == []
    r = ask(m, "", "--join", "garbage", "--network-address", m.ip)
    assert r.returncode == 1 and "token" in r.stderr and '""' not in r.stderr
    for args in (("--join", "", "--name", "own", "--network-address", m.ip), ("--auto", "--storage-backend", "zfs")):
        r = ask(m, "", *args)
        assert r.returncode == 1 and ("join token is empty" in r.stderr or '"zfs"' in r.stderr)
    assert "server_name is missing" in ask(m, "cluster: {enabled: true}", "--preseed").stderr
    assert not m.api("GET", "/1.0/cluster")["enabled"] and m.api("GET", "/1.0/storage-pools") == []
    r = ask(m, f"maybe\nno\nperhaps\nyes\ngarbage\n{m.ip}:99999\n{m.ip}\nzfs\ndir\n")
    assert r.returncode == 0 and r.stdout.count("Please answer") == 3 and r.stdout.count("is no IP address") == 2
    assert f"set up, with the API on {m.address}" in r.stdout
    assert m.api("GET", "/1.0/storage-pools/default")["driver"] == "dir"
    m.cli("cluster", "enable", "solo")
    r = ask(m, "\n")
    assert r.returncode == 0 and "Join" not in r.stdout and 'member "solo"' in r.stdout
    assert "Storage" not in r.stdout  # it has a pool


@pytest.mark.parametrize("command", [
    ("exec", "", "--", "true"), ("console", ""), ("image", "delete", ""), ("image", "alias", "delete", ""),
    ("launch", ""), ("image", "export", ""), ("image", "alias", "create", "x", ""), ("cluster", "remove", ""),
    ("move", "", "a"), ("start", ""), ("profile", "show", "")])
def test_an_empty_name_is_said_to_be_empty(cluster, command):
    r = cluster[0].cli(*command, check=False)
    assert r.returncode == 1 and ("a name is empty" in r.stderr or "is missing" in r.stderr) and "field" not in r.stderr


def test_a_plan_is_of_the_move_that_is_asked_for(cluster, launch):
    name = launch("plan", "--target", "m1")
    r = cluster[0].cli("move", name, "other", "--target", "m2", "--dry-run", check=False)
    assert r.returncode == 1 and "new name" in r.stderr
    cluster[0].cli("stop", "--force", name)
    assert "Moved plan to m2 as other" in cluster[0].cli("move", name, "other", "--target", "m2").stdout
    cluster[0].cli("rename", "other", name)


def test_questions_take_yes_and_no_only(cluster, launch):
    name = launch("ask", "--target", "m1")
    for text in ("", "no\n", "maybe\n", "maybe\nno\n"):
        r = cluster[0].cli("delete", "--force", "--interactive", name, input=text, check=False)
        assert r.returncode == 1 and ("Please answer" in r.stderr) == text.startswith("maybe")
        r = cluster[0].cli("cluster", "remove", "m3", "--force", input=text, check=False)
        assert r.returncode == 1
    assert len(cluster[0].api("GET", "/1.0/cluster/members")) == 3
    cluster[0].cli("delete", "--force", "--interactive", name, input="perhaps\nyes\n")


def test_a_new_step_shows_no_share(cluster, terminal, tree, tmp_path):
    (tree / "rootfs/etc/packed").write_bytes(os.urandom(24 << 20))
    run("tar", "-C", tree, "-cf", tmp_path / "big.tar", "metadata.yaml", "rootfs")
    os.unlink(tree / "rootfs/etc/packed")
    cluster[0].cli("image", "import", tmp_path / "big.tar", "--alias", "big")
    t = terminal(cluster[1], cluster.dunlin, "launch", "big", "bigone", "--target", "m2")
    shown = b""
    while t.read(0.1) and t.process.poll() is None:
        pass
    shown = t.output
    assert t.process.wait(60) == 0
    assert b": 0%" not in shown
    cluster[0].cli("delete", "--force", "bigone")
    cluster[0].cli("image", "delete", "big")


def test_what_is_missing_is_named(cluster, launch, tmp_path):
    """Also where another thing than the instance is not there, or the server trusts the client no longer."""
    name = launch("named")
    for command in (["move", "none", "--target", "m2"], ["rename", "none", "other"], ["info", "none"],
                    ["move", "none", "--target", "m2", "--dry-run"], ["exec", "none", "--", "true"]):
        assert 'no instance "none"' in cluster[0].cli(*command, check=False).stderr
    said = cluster[0].cli("move", name, "--target", "nobody", check=False).stderr
    assert "nobody" in said and "no instance" not in said
    env = cluster[0].env(DUNLIN_CONF=str(tmp_path))
    remote = [*cluster[0].in_netns(cluster.dunlin)]
    token = cluster[0].cli("config", "trust", "add", "--name", "former").stdout.split()[-1]
    run(*remote, "remote", "add", "there", token, env=env)
    assert name in run(*remote, "list", "there:", env=env).stdout
    trusted = cluster[0].api("GET", "/1.0/certificates?recursion=1")
    cluster[0].cli("config", "trust", "remove", next(c["fingerprint"] for c in trusted if c["name"] == "former"))
    said = run(*remote, "list", "there:", env=env, check=False).stderr
    assert 'server "there" does not trust this client' in said and "remote add" in said


@pytest.mark.parametrize("field", ["name", "type", "location", "content_type", "project"])
def test_what_a_volume_is_cannot_be_edited(cluster, launch, field):
    name = launch("fixed", "--target", "m1")
    url = f"/1.0/storage-pools/default/volumes/container/{name}"
    shown = cluster[0].api("GET", url)
    for method in ("PUT", "PATCH"):
        with pytest.raises(ApiError) as e:
            cluster[0].api(method, url, {"config": {}, "description": "", field: "other"})
        assert e.value.status == 400 and f'"{field}"' in e.value.message
        cluster[0].api(method, url, {k: shown[k] for k in ("config", "description", field) if k in shown})


def test_a_protected_instance_is_not_even_stopped(cluster, launch):
    name = launch("kept", "--target", "m1", "-c", "security.protection.delete=true")
    r = cluster[1].cli("delete", name, "--force", check=False)
    assert r.returncode == 1 and "security.protection.delete" in r.stderr
    assert cluster[0].state(name)["status"] == "Running"
    cluster[0].cli("config", "unset", name, "security.protection.delete")


def test_who_is_chosen_unasked(cluster, launch):
    for member, what in (("m1", "manual"), ("m2", "group"), ("m3", "manual")):
        cluster[0].cli("cluster", "set", member, "scheduler.instance", what)
    try:
        r = cluster[0].cli("init", "test", "nobody", check=False)
        assert r.returncode == 1 and "3 not to be chosen (scheduler.instance)" in r.stderr
        assert cluster[0].instance(launch("asked", "--target", "@default"))["location"] == "m2"
        assert cluster[0].instance(launch("named", "--target", "m3"))["location"] == "m3"
    finally:
        for member in ("m1", "m2", "m3"):
            cluster[0].cli("cluster", "unset", member, "scheduler.instance")


SAMPLE = re.compile(r'([a-z]\w*)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?[0-9.e+-]+)')


def metrics_of(member, path="/1.0/metrics"):
    """(name, {label: value}) -> value, as a scraper reads it."""
    status, headers, body = member.request("GET", path)
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = body.decode().splitlines()
    assert lines[-1] == "# EOF"
    found, types = {}, {}
    for line in lines[:-1]:
        if line.startswith("# "):
            word, name, rest = line[2:].split(" ", 2)
            assert word in ("HELP", "TYPE")
            if word == "TYPE":
                assert name not in types and rest in ("counter", "gauge")
                types[name] = rest
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        assert name in types, line
        found[name, labels or ""] = float(value)
    return found


def test_metrics_of_a_member(cluster, launch):
    name = launch("measured", "--target", "m1")
    labels = f'name="{name}",project="default",type="container"'
    first = metrics_of(cluster[0])
    assert first["lxd_procs_total", labels] >= 1
    assert first["lxd_memory_MemTotal_bytes", labels] > first["lxd_memory_MemFree_bytes", labels] > 0
    assert first["lxd_instances", 'project="default",type="container"'] >= 1
    assert first["lxd_uptime_seconds", ""] >= 0 and first["lxd_warnings_total", ""] == 0
    assert first["dunlin_member_memory_total_bytes", ""] > 0 and ("dunlin_member_load1", "") in first
    assert ("lxd_network_transmit_bytes_total", f'device="lo",{labels}') in first
    cluster[0].cli("exec", name, "--", "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
    wait_for("used CPU time to show", lambda: metrics_of(cluster[0])["lxd_cpu_seconds_total", labels]
             > first["lxd_cpu_seconds_total", labels])
    assert ("lxd_procs_total", labels) not in metrics_of(cluster[1]), "each member tells of its own instances"
    assert ("lxd_procs_total", labels) in metrics_of(cluster[1], "/1.0/metrics?target=m1")
    assert ("lxd_procs_total", labels) in metrics_of(cluster[0], "/1.0/metrics?project=default")
    text = cluster[0].cli("query", "/1.0/metrics").stdout
    assert "# TYPE lxd_procs_total gauge\n" in text and text.endswith("# EOF\n")
    assert "metrics" in cluster[0].api("GET", "/1.0")["api_extensions"]
    cluster[0].cli("stop", name, "--force")
    assert ("lxd_procs_total", labels) not in metrics_of(cluster[0])
