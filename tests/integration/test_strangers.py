# SPDX-License-Identifier: Apache-2.0
"""What those who are not trusted may see and do: local users, network peers, containers, other sites' pages."""

import fnmatch
import glob
import io
import json
import os
import signal
import stat
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from cluster import Cluster, run, wait_for
from stranger import Stranger

# All that other users of the host may open, below a state directory.
PUBLIC = ["cluster.crt", "server.crt", "networks/*/dnsmasq.hosts", "networks/*/dnsmasq.pid", "networks/*/names*"]
NOBODY = 65534


def temporary():
    """Not what unit tests make, which may run at the same time."""
    return {p for where in ("/tmp", "/var/tmp") for p in glob.glob(f"{where}/*dunlin*")
            if not Path(p).name.startswith("dunlin-test-")}


BEFORE = temporary()  # other people's

TRY = """
import os, stat, sys
for path in sys.stdin.read().split("\\0"):
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            os.listdir(path)
        elif stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        elif stat.S_ISSOCK(mode):
            import socket
            socket.socket(socket.AF_UNIX).connect(path)
        else:
            continue
        print(path)
    except OSError:
        pass
"""


def everything(top):
    """All paths below, as root sees them; not into what is mounted there."""
    yield str(top)
    for folder, folders, files in os.walk(top):
        folders[:] = [f for f in folders if not os.path.ismount(os.path.join(folder, f))]
        yield from (os.path.join(folder, f) for f in folders + files)


def opened_by_nobody(paths):
    out = subprocess.run(["/usr/bin/python3", "-c", TRY], input="\0".join(paths), text=True, capture_output=True,
                         user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", check=True).stdout
    return out.splitlines()


def seen_by_nobody(cluster):
    """What other users can open of the members' files, apart from PUBLIC."""
    tops = [str(m.dir) for m in cluster.members]
    memory = [f"/dev/shm/{(m.dir / 'node-id').read_text().strip()}" for m in cluster.members]
    tops += [*memory, *(images for top in memory for images in glob.glob(f"{top}/*"))]  # mounted, each
    tops += [*glob.glob("/run/*dunlin*"), *(temporary() - BEFORE)]
    paths = [p for top in tops if os.path.exists(top) for p in everything(top)]
    assert any(p.endswith("/spec.json") for p in paths)
    seen = []
    for path in opened_by_nobody(paths):
        inside = next((path[len(str(m.dir)) + 1:] for m in cluster.members if path.startswith(f"{m.dir}/")), path)
        if not any(fnmatch.fnmatch(inside, p) for p in PUBLIC):
            seen.append(inside)
    return paths, seen


def test_other_users_see_nothing(cluster, launch):
    launch("secret1", "--target", "m1")
    launch("secret2", "--target", "m2", "--storage", "plain")
    cluster[0].api("POST", "/1.0/certificates", {"type": "client", "name": "somebody", "token": True}, wait=False)
    cluster[0].shutdown()  # writes its replica
    cluster[0].start()
    cluster.settle()
    assert (cluster[0].dir / "replica.db").exists()
    assert seen_by_nobody(cluster)[1] == []
    assert opened_by_nobody([f"{cluster[0].dir}/cluster.crt"]) != []


def test_other_users_see_nothing_of_a_move(cluster, launch):
    launch("secret3", "--target", "m1")
    m = cluster[1]
    cluster.restart(m, DUNLIN_FAULT="move_target_before_restore=hang")
    offset = m.log.stat().st_size
    move = subprocess.Popen(cluster[0].in_netns(cluster.dunlin, "move", "secret3", "--target", "m2"),
                            env=cluster[0].env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the images on the target", lambda: "fault point reached" in m.log_since(offset))
        paths, seen = seen_by_nobody(cluster)
        assert {p.rsplit("/", 2)[1] for p in paths if "/pages-" in p} == {"secret3-in", "secret3-out"}
        assert seen == []
    finally:
        cluster.restart(m)
        move.wait(60)
    wait_for("the instance to run", lambda: cluster[0].instance("secret3")["status"] == "Running")
    cluster[0].cli("move", "secret3", "--target", "m3")
    assert cluster[0].instance("secret3")["location"] == "m3"


def test_wide_modes_of_an_older_version_are_taken_back(cluster, launch):
    launch("secret4", "--target", "m3")
    m = cluster[2]
    m.shutdown()
    for name, mode in (("replica.db", 0o644), ("member.json", 0o644), ("database", 0o755), ("networks/tnet", 0o755),
                       ("containers", 0o755), ("containers/secret4", 0o755), ("containers/secret4/spec.json", 0o644),
                       ("node-id", 0o644), ("run", 0o755), ("moves", 0o755)):
        (m.dir / name).chmod(mode)
    assert len(seen_by_nobody(cluster)[1]) >= 10
    m.start()
    cluster.settle()
    assert seen_by_nobody(cluster)[1] == []
    assert m.cli("exec", "secret4", "--", "true").returncode == 0


def test_modes_inside_a_container_are_its_own(cluster, launch, tmp_path):
    """The daemon's umask shows nowhere inside."""
    for name, pool in (("mode1", "default"), ("mode2", "plain")):
        launch(name, "--storage", pool)
        (tmp_path / "f").write_text("x")
        cluster[0].cli("file", "push", "-p", tmp_path / "f", f"{name}/srv/a/b/f")

        def inside(command):
            return cluster[0].cli("exec", name, "--", "sh", "-c", command).stdout.split()
        assert inside("grep Umask /proc/1/status") == ["Umask:", "0022"]
        assert inside("umask; touch /root/t; stat -c %a /root/t") == ["0022", "644"]
        assert inside("stat -c %a /etc /srv/a /srv/a/b /srv/a/b/f") == \
            ["755", "755", "755", "644"]
        assert inside("find / -xdev -type d ! -perm -755 ! -path / ! -path /root ! -path /proc ! -path /sys") == []


def test_folders_that_a_tarball_leaves_out(cluster, tmp_path):
    with tarfile.open(tmp_path / "gaps.tar", "w") as t:
        for name, data in (("metadata.yaml", b"architecture: x86_64\ncreation_date: 1700000000\n"),
                           ("rootfs/opt/deep/file", b"x")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    m = cluster[0]
    m.cli("image", "import", tmp_path / "gaps.tar", "--alias", "gaps")
    try:
        m.cli("init", "gaps", "gaps1", "--target", "m1", "--storage", "plain")
        root = next(Path(m.dir / "storage-pools/plain/containers").glob("gaps1/rootfs"))
        assert [oct((root / p).stat().st_mode & 0o777) for p in ("", "opt", "opt/deep", "opt/deep/file")] == \
            ["0o755", "0o755", "0o755", "0o644"]
    finally:
        m.cli("delete", "gaps1", check=False)
        m.cli("image", "delete", "gaps")


# --- the members' tunnels ---------------------------------------------------------------------------------------------

LISTEN = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
print("ready", flush=True)
while True:
    frame = s.recv(2000)
    for mark in (b"STRANGE-FRAME", b"MEMBER-FRAME"):
        if mark in frame:
            print(mark.decode(), flush=True)
"""

SEND = """
import socket, struct, sys
to, vni, mark, source = sys.argv[1:5]
frame = bytes.fromhex("ffffffffffff02aabbccddee88b5") + mark.encode() + bytes(46)
payload = struct.pack(">II", 0x08000000, int(vni) << 8) + frame
if source:
    udp = struct.pack(">HHHH", 40000, 4789, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    head += socket.inet_aton(source) + socket.inet_aton(to)
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.sendto(head + udp, (to, 4789))
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(payload, (to, 4789))
"""


def send_frame(netns, to, vni, mark, source=""):
    run("nsenter", f"--net=/run/netns/{netns}", "python3", "-c", SEND, to, vni, mark, source)


def frames_after(cluster, member, send):
    """The marks seen on the overlay's bridge after what `send` sent, up to those of a member's own frame."""
    sniff = subprocess.Popen(member.in_netns("python3", "-c", LISTEN, "tnet"), stdout=subprocess.PIPE, text=True)
    try:
        assert sniff.stdout.readline() == "ready\n"
        vni = cluster[0].api("GET", "/1.0/networks/tnet")["config"].get("vni") or vni_of(member)
        send(vni)
        seen = []
        other = next(m for m in cluster.members if m is not member)
        while "MEMBER-FRAME" not in seen:
            send_frame(other.netns, member.ip, vni, "MEMBER-FRAME")
            seen.append(sniff.stdout.readline().strip())
        return seen
    finally:
        sniff.kill()
        sniff.wait()
        sniff.stdout.close()


def vni_of(member):
    links = json.loads(run(*member.in_netns("ip", "-j", "-d", "link", "show", "type", "vxlan")).stdout)
    return next(link["linkinfo"]["info_data"]["id"] for link in links if link.get("linkinfo"))


def test_tunnels_take_frames_of_members_only(cluster):
    stranger, m = Stranger(cluster), cluster[1]
    try:
        assert frames_after(cluster, m, lambda vni: send_frame(stranger.netns, m.ip, vni,
                                                               "STRANGE-FRAME")) == ["MEMBER-FRAME"]
    finally:
        stranger.remove()


def test_tunnels_take_no_frames_of_workloads(cluster):
    """On another bridge, behind its member's address or with a member's as their own."""
    a, b = cluster[0], cluster[1]
    a.cli("network", "create", "alone", "ipv4.address=10.99.7.1/24", "ipv4.nat=true")
    wait_for("the bridge", lambda: run(*a.in_netns("ip", "link", "show", "alone"), check=False).returncode == 0)
    netns = cluster.client_netns(a, "alone", "10.99.7.77/24", name="clx")
    try:
        run("ip", "-n", netns, "route", "add", "default", "via", "10.99.7.1")
        run(*a.in_netns("sysctl", "-q", "-w", "net.ipv4.ip_forward=1"))
        assert run("nsenter", f"--net=/run/netns/{netns}", "ping", "-c1", "-W5", b.ip).returncode == 0
        assert frames_after(cluster, b, lambda vni: send_frame(netns, b.ip, vni, "STRANGE-FRAME")) == ["MEMBER-FRAME"]
        # To the member itself, with another member's address.
        run(*a.in_netns("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.alone.rp_filter=0"))
        assert frames_after(cluster, a, lambda vni: send_frame(netns, a.ip, vni, "STRANGE-FRAME",
                                                               b.ip)) == ["MEMBER-FRAME"]
    finally:
        run("ip", "netns", "del", netns)
        a.cli("network", "delete", "alone")


def rules_of(member):
    return run(*member.in_netns("nft", "list", "ruleset")).stdout


@pytest.mark.parametrize("removed", ["flush ruleset", "delete table inet dunlin-tnet", "flush table inet dunlin-tnet"])
def test_a_reloaded_firewall_opens_no_tunnel(cluster, removed):
    """Whose first step is to remove all rules; nothing else changes that would make the daemon look."""
    stranger, m = Stranger(cluster), cluster[1]
    before = sorted(rules_of(m).splitlines())
    try:
        run(*m.in_netns("nft", removed))
        wait_for("the rules", lambda: sorted(rules_of(m).splitlines()) == before)
        assert frames_after(cluster, m, lambda vni: send_frame(stranger.netns, m.ip, vni,
                                                               "STRANGE-FRAME")) == ["MEMBER-FRAME"]
    finally:
        stranger.remove()


MASQUERADE = """table ip other {
chain out {
type nat hook postrouting priority srcnat
ip saddr 10.99.8.0/24 masquerade
}
}
"""


def test_tunnels_take_no_frames_from_bridges_of_others(cluster):
    """Their host passes them on in its own name, or with a member's that they forged; to itself, too."""
    a, b, third = cluster.members
    run("ip", "-n", a.netns, "link", "add", "other", "type", "bridge")
    run("ip", "-n", a.netns, "addr", "add", "10.99.8.1/24", "dev", "other")
    run("ip", "-n", a.netns, "link", "set", "other", "up")
    netns = cluster.client_netns(a, "other", "10.99.8.77/24", name="cly")
    run("ip", "-n", netns, "route", "add", "default", "via", "10.99.8.1")
    run(*a.in_netns("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0",
                    "net.ipv4.conf.other.rp_filter=0"))
    run(*a.in_netns("nft", "-f", "-"), input=MASQUERADE)
    try:
        assert run("nsenter", f"--net=/run/netns/{netns}", "ping", "-c1", "-W5", b.ip).returncode == 0
        for to, forged in ((b, ""), (b, third.ip), (a, third.ip)):
            assert frames_after(cluster, to, lambda vni: send_frame(netns, to.ip, vni, "STRANGE-FRAME",
                                                                    forged)) == ["MEMBER-FRAME"]
    finally:
        run("ip", "netns", "del", netns)
        run(*a.in_netns("nft", "delete", "table", "ip", "other"))
        run("ip", "-n", a.netns, "link", "del", "other")


def test_tunnels_follow_the_list_of_members(cluster):
    """One that was removed is a stranger from then on."""
    c = Cluster(f"{cluster.name}n", 2, "10.209.250")
    try:
        c.up()
        c.enable()
        c[0].cli("network", "create", "tnet", "--type=overlay", "ipv4.address=192.168.231.1/24")
        wait_for("the tunnel", lambda: run(*c[0].in_netns("ip", "link", "show", "type", "vxlan")).stdout)
        assert frames_after(c, c[0], lambda vni: None) == ["MEMBER-FRAME"]
        vni = vni_of(c[0])
        c[1].kill()
        c[0].cli("cluster", "remove", "m2", "--force", "--yes")

        wait_for("the rules without it", lambda: c[1].ip not in rules_of(c[0]))
        assert not run(*c[0].in_netns("ip", "link", "show", "type", "vxlan")).stdout or str(vni) in rules_of(c[0])
    finally:
        c.down()


# --- shared budgets ---------------------------------------------------------------------------------------------------

@pytest.fixture
def stranger(cluster):
    s = Stranger(cluster)
    yield s
    s.remove()


def check_business_as_usual(cluster, m):
    """An administrator on the socket, the other members, and a client of another address get their answers."""
    for member in (m, *(o for o in cluster.members if o is not m)):
        began = time.monotonic()
        member.api("PATCH", "/1.0", {"config": {"user.strangers": str(began)}}, timeout=30)
        assert member.api("GET", "/1.0/instances", timeout=30) is not None
        assert time.monotonic() - began < 20
    other = next(o for o in cluster.members if o is not m)
    assert run(*other.in_netns("curl", "-sk", "-m", "10", f"https://{m.address}/")).stdout.startswith('{"type":"sync"')


def leader(cluster):
    rows = cluster[0].api("GET", "/1.0/cluster/members?recursion=1")
    name = next(r["server_name"] for r in rows if "database-leader" in r["roles"])
    return next(m for m in cluster.members if m.name == name)


def test_bodies_of_strangers_have_a_budget_of_their_own(cluster, stranger):
    m = leader(cluster)
    got = stranger.does(m, "bodies", 60)
    assert 4 <= got["held"] <= 16 and got["held"] + got["refused"] == 60
    check_business_as_usual(cluster, m)


def test_connections_of_strangers_give_way(cluster, stranger):
    m = leader(cluster)
    assert 200 <= stranger.does(m, "silent", 320)["held"] <= 256
    check_business_as_usual(cluster, m)


@pytest.mark.parametrize("group, least", [("ffdhe8192", 1000), ("P-384", 97)])
def test_first_messages_of_strangers_cost_little(cluster, stranger, tmp_path, group, least):
    """They choose what is computed for them, without computing anything themselves."""
    conf = tmp_path / "openssl.cnf"
    conf.write_text(f"openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nGroups = {group}\n")
    m = leader(cluster)
    got = stranger.does(m, "hellos", 200, OPENSSL_CONF=str(conf))
    assert got["held"] == 200 and got["bytes"] > least
    check_business_as_usual(cluster, m)


def test_strangers_are_cut_when_they_are_slow(cluster, stranger, tmp_path):
    """However steadily they drip; and one that does not read its answer holds it not for long."""
    fingerprint = import_public(cluster[0], tmp_path, "lazy", 3 << 20)
    try:
        got = stranger.does(cluster[0], "drips", 0, fingerprint)
        assert set(got["cut"]) == {"handshake", "head", "body"}
        assert got["cut"]["handshake"] < 25 and got["cut"]["head"] < 25 and got["cut"]["body"] < 45
        assert got["read"] < 3 << 20
    finally:
        cluster[0].cli("image", "delete", "lazy")


def import_public(m, tmp_path, alias, size):
    with tarfile.open(tmp_path / f"{alias}.tar", "w") as t:
        for name, data in (("metadata.yaml", b"architecture: x86_64\ncreation_date: 1700000000\n"),
                           ("rootfs/blob", os.urandom(size))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    m.cli("image", "import", tmp_path / f"{alias}.tar", "--alias", alias, "--public")
    return m.api("GET", f"/1.0/images/aliases/{alias}")["target"]


def test_slow_exports_of_a_public_image_hold_nothing_up(cluster, stranger, tmp_path):
    """The member that is asked has to fetch it first, over a slow line."""
    source, m = cluster[0], cluster[1]
    fingerprint = import_public(source, tmp_path, "slow", 8 << 20)
    wait_for("the image's row", lambda: any(fingerprint in u for u in m.api("GET", "/1.0/images")))
    # Only the connection that carries much is slow.
    run(*source.in_netns("sysctl", "-q", "-w", "net.netfilter.nf_conntrack_acct=1"))
    run(*source.in_netns("nft", "-f", "-"), input="""table inet slow { chain out {
        type filter hook output priority 0; policy accept;
        oifname "eth0" ct bytes > 2000000 limit rate over 60 kbytes/second drop
        }
        }""")
    try:
        assert stranger.does(m, "exports", 120, fingerprint) == {"held": 120}
        check_business_as_usual(cluster, m)
    finally:
        run(*source.in_netns("nft", "delete", "table", "inet", "slow"))
        stranger.remove = lambda: None
        Stranger.remove(stranger)
        wait_for("the image to be let go",
                 lambda: source.cli("image", "delete", "slow", check=False).returncode == 0)


def test_exports_of_pairs_take_no_room(cluster, stranger, tmp_path):
    """However many strangers ask for a public image in two files and do not read it."""
    m, size = cluster[0], 16 << 20
    (tmp_path / "metadata.yaml").write_text("architecture: x86_64\ncreation_date: 1700000000\n")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/blob").write_bytes(os.urandom(size))
    run("tar", "-C", tmp_path, "-cf", tmp_path / "meta.tar", "metadata.yaml")
    run("tar", "-C", tmp_path / "root", "-cf", tmp_path / "root.tar", ".")
    m.cli("image", "import", tmp_path / "meta.tar", tmp_path / "root.tar", "--alias", "pair", "--public")
    fingerprint = m.api("GET", "/1.0/images/aliases/pair")["target"]

    def opened():
        """What the daemon has open: how often a file of the image, and bytes in files without a name."""
        files, unnamed = 0, 0
        for link in Path(f"/proc/{m.pid()}/fd").iterdir():
            try:
                files += fingerprint in os.readlink(link)
                st = link.stat()
                unnamed += st.st_size if stat.S_ISREG(st.st_mode) and not st.st_nlink else 0
            except FileNotFoundError:
                pass
        return files, unnamed
    before = opened()[1]  # that of the import may last for a while
    try:
        stranger.does(m, "exports", 12, fingerprint)
        wait_for("the exports", lambda: opened()[0] >= 24 or opened()[1] >= before + 3 * size)
        assert opened()[1] < before + size
    finally:
        Stranger.remove(stranger)
        stranger.remove = lambda: None
        wait_for("the image to be let go",
                 lambda: m.cli("image", "delete", "pair", check=False).returncode == 0)


def test_a_member_that_stands_still_does_not_hold_its_clients(cluster, launch):
    launch("still", "--target", "m2")
    m, still = cluster[0], cluster[1]
    os.kill(still.pid(), signal.SIGSTOP)
    try:
        status, _, body = m.request("GET", "/1.0/instances/still/logs", timeout=90)
        assert status == 503 and "m2" in json.loads(body)["error"]
    finally:
        os.kill(still.pid(), signal.SIGCONT)
        cluster.settle()


def test_an_upload_to_a_member_that_stands_still_is_answered(cluster, launch, tmp_path):
    """More than the connection to it holds: the client has not sent everything when it gets the answer."""
    launch("takes", "--target", "m2")
    m, still = cluster[0], cluster[1]
    files = "/1.0/instances/takes/files?path=/root/file"
    assert m.request("POST", files, b"small")[0] == 200
    os.kill(still.pid(), signal.SIGSTOP)
    try:
        status, _, body = m.request("POST", files, bytes(24 << 20), timeout=90)
        assert status == 503 and "m2" in json.loads(body)["error"]
        (tmp_path / "large").write_bytes(bytes(96 << 20))
        r = m.cli("file", "push", tmp_path / "large", "takes/root/file", check=False)
        assert r.returncode == 1 and "m2" in r.stderr
    finally:
        os.kill(still.pid(), signal.SIGCONT)
        cluster.settle()
    assert m.request("GET", files)[2] == b"small"
    assert m.request("POST", files, bytes(24 << 20))[0] == 200


# --- pages of other sites ---------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def browser(cluster, tmp_path_factory):
    """browser(path, *curl options): status, head and body of a request with a trusted client certificate."""
    where, m = tmp_path_factory.mktemp("browser"), cluster[0]
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=b",
        "-days", "30", "-keyout", where / "k.pem", "-out", where / "c.pem")
    m.cli("config", "trust", "add", where / "c.pem")

    def ask(path, *options, member=m, **kw):
        out = run(*member.in_netns("curl", "-sk", "-i", "-m", "20", "--http1.1", "--cert", where / "c.pem", "--key",
                                   where / "k.pem", *options, f"https://{member.address}{path}"), **kw).stdout
        head, _, body = out.partition("\n\n" if "\n\n" in out else "\r\n\r\n")
        return int(head.split()[1]), head.lower(), body
    return ask


PROFILE = ("-X", "POST", "-d", '{"name": "made"}')


@pytest.mark.parametrize("headers, status", [
    (["Content-Type: text/plain"], 415),
    (["Content-Type: text/plain;charset=UTF-8"], 415),
    (["Content-Type: application/x-www-form-urlencoded"], 415),
    (["Content-Type: multipart/form-data; boundary=x"], 415),
    (["Content-Type: application/jsonish"], 415),
    (["Content-Type: application/json"], 201),
    (["Content-Type: application/json; charset=utf-8"], 201),
    (["Content-Type:"], 201),  # not sent
    (["Content-Type: application/json", "Origin: https://evil.example"], 403),
    (["Content-Type: application/json", "Origin: null"], 403),
    (["Content-Type:", "Origin: http://{address}"], 403),
    (["Content-Type:", "Origin: app://{address}"], 403),
    (["Content-Type: application/json", "Origin: https://{address}"], 201),
    (["Content-Type: application/json", "Origin: https://{address}0"], 403),
    (["Content-Type: application/json", "Sec-Fetch-Site: cross-site"], 403),
])
def test_requests_of_other_sites(cluster, browser, headers, status):
    m = cluster[0]
    options = [o for h in headers for o in ("-H", h.format(address=m.address))]
    try:
        got, head, _ = browser("/1.0/profiles", *PROFILE, *options)
        assert got == status and "x-content-type-options: nosniff" in head
        assert ("made" in str(m.api("GET", "/1.0/profiles"))) == (status == 201)
    finally:
        m.request("DELETE", "/1.0/profiles/made")


def test_websockets_of_other_sites(cluster, browser):
    def upgrade(*options):
        return browser("/1.0/events", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H",
                       "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "-m", "2",
                       *options, check=False)[0]
    assert upgrade("-H", "Origin: https://evil.example") == 403
    assert upgrade("-H", f"Origin: https://{cluster[0].address}") == 101
    assert upgrade("-H", f"Origin: wss://{cluster[0].address}") == 101  # as ws4py says it
    assert upgrade() == 101


def test_no_answer_is_for_browsers_to_guess(cluster, browser, launch, tmp_path):
    launch("sniff", "--target", "m2")
    (tmp_path / "page").write_text("<html><script>alert(1)</script>")
    cluster[0].cli("file", "push", tmp_path / "page", "sniff/root/page")
    for path in ("/", "/1.0", "/nothing", "/1.0/instances/sniff", "/1.0/instances/sniff/files?path=/root/page",
                 "/1.0/instances/sniff/console", "/1.0/operations/none"):
        _, head, _ = browser(path)
        assert head.count("x-content-type-options: nosniff") == 1, (path, head)
    # An answer that comes later, and one to what is no request at all.
    reply = json.loads(cluster[0].request("PUT", "/1.0/instances/sniff/state", {"action": "restart"})[2])
    assert browser(f"{reply['operation']}/wait")[1].count("x-content-type-options: nosniff") == 1
    assert browser("/1.0/instances/sniff/console", "-H", "A B: c")[1].count("x-content-type-options: nosniff") == 1


def test_curl_on_the_socket_needs_no_type(cluster):
    m = cluster[0]

    def patch(*options):
        return json.loads(run("curl", "-s", "--unix-socket", m.dir / "unix.socket", "-X", "PATCH", *options, "-d",
                              '{"config": {"user.curl": "1"}}', "http://dunlin/1.0").stdout)
    assert patch()["status_code"] == 200
    assert patch("-H", "Content-Type: text/plain")["error_code"] == 415


def test_a_missing_instance_costs_no_commit(cluster):
    """Not even through a member that has to ask the leader."""
    m = next(o for o in cluster.members if o is not leader(cluster))

    def revision_after(n):
        for i in range(n):
            assert m.request("GET", f"/1.0/instances/nothing-{i}/state")[0] == 404
        return sum(f.stat().st_size + f.stat().st_mtime_ns for f in (leader(cluster).dir / "database").iterdir()
                   if f.name.startswith("open"))
    wait_for("a database at rest", lambda: revision_after(0) == revision_after(0))
    assert any(revision_after(0) == revision_after(5) for _ in range(5))
