# SPDX-License-Identifier: Apache-2.0
"""What those who are not trusted may see and do: local users, network peers, containers, other sites' pages."""

import fnmatch
import glob
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from cluster import Cluster, run, wait_for

# All that other users of the host may open, below a state directory.
PUBLIC = ["cluster.crt", "server.crt", "networks/*/dnsmasq.hosts", "networks/*/dnsmasq.pid", "networks/*/names*"]
NOBODY = 65534

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
    tops += [f"/dev/shm/{(m.dir / 'node-id').read_text().strip()}" for m in cluster.members]
    tops += [p for where in ("/run", "/tmp", "/var/tmp") for p in glob.glob(f"{where}/*dunlin*")]
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
        wait_for("the images on the target", lambda: "fault point reached" in m.log_since(offset), 60)
        paths, seen = seen_by_nobody(cluster)
        assert {p.rsplit("/", 2)[1] for p in paths if "/pages-" in p} == {"secret3-in", "secret3-out"}
        assert seen == []
    finally:
        cluster.restart(m)
        move.wait(60)
    wait_for("the instance to run", lambda: cluster[0].instance("secret3")["status"] == "Running", 30)
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
    stranger = f"{cluster.name}-x"
    cluster.plug_netns(stranger, "mx", f"{cluster.subnet}.99/24")
    try:
        assert frames_after(cluster, cluster[1], lambda vni: send_frame(stranger, cluster[1].ip, vni,
                                                                        "STRANGE-FRAME")) == ["MEMBER-FRAME"]
    finally:
        run("ip", "netns", "del", stranger)


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


def test_tunnels_follow_the_list_of_members(cluster):
    """One that was removed is a stranger from then on."""
    c = Cluster(f"{cluster.name}n", 2, "10.209.250")
    try:
        c.up()
        c.enable()
        c[0].cli("network", "create", "tnet", "--type=overlay", "ipv4.address=10.80.0.1/16")
        wait_for("the tunnel", lambda: run(*c[0].in_netns("ip", "link", "show", "type", "vxlan")).stdout)
        assert frames_after(c, c[0], lambda vni: None) == ["MEMBER-FRAME"]
        vni = vni_of(c[0])
        c[1].kill()
        c[0].cli("cluster", "remove", "m2", "--force")

        def rules():
            return run(*c[0].in_netns("nft", "list", "ruleset")).stdout
        wait_for("the rules without it", lambda: c[1].ip not in rules())
        assert not run(*c[0].in_netns("ip", "link", "show", "type", "vxlan")).stdout or str(vni) in rules()
    finally:
        c.down()
