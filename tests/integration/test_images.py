# SPDX-License-Identifier: Apache-2.0
"""Images: import, export, aliases, fetching from another member, and tarballs that are not what they should be."""

import hashlib
import io
import os
import signal
import tarfile
from pathlib import Path

import pytest

from cluster import ApiError, wait_for

METADATA = b"architecture: x86_64\ncreation_date: 1700000000\nproperties:\n  os: made\n"


def tarball(path, entries, metadata=METADATA, mode="w:gz"):
    """entries: (name, content | TarInfo)"""
    with tarfile.open(path, mode) as t:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
        if metadata is not None:
            add("metadata.yaml", metadata)
        for name, what in entries:
            if isinstance(what, tarfile.TarInfo):
                t.addfile(what)
            else:
                add(name, what)
    return path


def special(name, kind, linkname="", major=1, minor=3):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.devmajor, info.devminor = kind, linkname, major, minor
    return (name, info)


def fingerprint(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def upload(m, path, **headers):
    with open(path, "rb") as f:
        return m.api("POST", "/1.0/images", f.read(), headers={"Content-Type": "application/octet-stream", **headers})


def test_import_list_export_delete(cluster, tmp_path):
    good = tarball(tmp_path / "good.tar.gz", [("rootfs/etc/hostname", b"made\n")])
    m = cluster[1]
    m.cli("image", "import", good, "--alias", "made", "colour=blue")
    fp = fingerprint(good)
    for other in cluster.members:
        assert fp[:12] in other.cli("image", "list").stdout
    info = m.cli("image", "info", "made").stdout
    assert fp in info and "x86_64" in info and "blue" in info
    m.cli("image", "export", "made", tmp_path / "out")
    out = next(p for p in tmp_path.iterdir() if p.name.startswith("out") or p.name.startswith(fp))
    exported = out if out.is_file() else next(out.iterdir())
    assert fingerprint(exported) == fp
    again = m.cli("image", "import", good, check=False)
    assert again.returncode == 1 and "already exists" in again.stderr
    m.cli("image", "alias", "create", "second", fp)
    m.cli("image", "alias", "delete", "made")
    assert "second" in m.cli("image", "alias", "list").stdout
    m.cli("image", "delete", "second")
    assert fp[:12] not in cluster[0].cli("image", "list").stdout
    assert not list(m.dir.glob(f"images/{fp}*"))


def test_fetched_from_another_member_when_first_needed(cluster, image_file, launch):
    launch("fetched", "--target", "m3")
    fp = fingerprint(image_file)
    assert (cluster[2].dir / "images" / fp).exists()
    assert fingerprint(cluster[2].dir / "images" / fp) == fp


def bomb(tmp_path):
    return tarball(tmp_path / "bomb.tar.gz", [(f"rootfs/zero{i}", bytes(64 << 20)) for i in range(4)])


BAD = {
    "absolute": lambda d: tarball(d / "t", [("/etc/evil", b"x")]),
    "dotdot": lambda d: tarball(d / "t", [("rootfs/../../evil", b"x")]),
    "symlink then through it": lambda d: tarball(
        d / "t", [special("rootfs/l", tarfile.SYMTYPE, "/tmp"), ("rootfs/l/dunlin-evil", b"x")]),
    "hardlink out": lambda d: tarball(d / "t", [special("rootfs/h", tarfile.LNKTYPE, "../../../etc/passwd")]),
    "no metadata": lambda d: tarball(d / "t", [("rootfs/x", b"x")], metadata=None),
    "bad metadata": lambda d: tarball(d / "t", [("rootfs/x", b"x")], metadata=b"[1, 2"),
    "no root file system": lambda d: tarball(d / "t", []),
    "decompression bomb": bomb,
    "not a tarball": lambda d: (d / "t").write_bytes(os.urandom(5000)) and d / "t",
    "empty": lambda d: (d / "t").write_bytes(b"") or d / "t",
}


@pytest.mark.parametrize("what", BAD)
def test_malformed_tarballs_leave_nothing(cluster, tmp_path, what):
    path = BAD[what](tmp_path)
    m = cluster[0]
    before = sorted(os.listdir(m.dir / "images"))
    with pytest.raises(ApiError) as e:
        upload(m, path)
    assert 400 <= e.value.status < 500, e.value
    assert e.value.message
    assert sorted(os.listdir(m.dir / "images")) == before
    assert not os.path.exists("/tmp/dunlin-evil")
    assert m.running()


def test_truncated(cluster, tmp_path, image_file):
    cut = tmp_path / "cut"
    data = open(image_file, "rb").read()
    cut.write_bytes(data[:len(data) // 2])
    with pytest.raises(ApiError):
        upload(cluster[0], cut)


def test_wrong_hash(cluster, tmp_path):
    good = tarball(tmp_path / "g.tar.gz", [("rootfs/etc/x", b"hash\n")])
    with pytest.raises(ApiError) as e:
        upload(cluster[0], good, **{"X-LXD-fingerprint": "0" * 64})
    assert "0000" in e.value.message or "fingerprint" in e.value.message.lower()
    assert fingerprint(good)[:12] not in cluster[0].cli("image", "list").stdout


def test_damaged_copy_on_a_member_is_not_used(cluster, tmp_path, launch):
    good = tarball(tmp_path / "d.tar.gz", [("rootfs/etc/x", os.urandom(1000))])
    cluster[0].cli("image", "import", good, "--alias", "damaged")
    fp = fingerprint(good)
    store = cluster[0].dir / "images" / fp
    data = bytearray(store.read_bytes())
    data[len(data) // 2] ^= 0xff
    store.write_bytes(data)
    result = cluster[0].cli("init", "damaged", "never", "--target", "m2", check=False)
    assert result.returncode == 1
    # What is wrong with the copy, not that the third member has none.
    assert 'from member "m1"' in result.stderr and "is not on this member" not in result.stderr
    assert cluster[0].cli("info", "never", check=False).returncode == 1
    assert not (cluster[1].dir / "images" / fp).exists()
    cluster[0].cli("image", "delete", "damaged")


def test_image_in_use_by_overlay_containers_stays_usable(cluster, launch, tmp_path):
    launch("user1", "--target", "m1")
    cluster[0].cli("stop", "user1")
    cluster[0].cli("start", "user1")
    assert cluster[0].instance("user1")["status"] == "Running"


def helper_of(m, verb):
    """The pid of the member's helper once it is confined, and what /proc tells of it."""
    def find():
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields["PPid"] == str(m.pid()) and fields["Name"] == verb and fields["Seccomp"] == "2":
                return int(fields["Pid"]), fields
        return None
    return wait_for(f"a confined {verb} of {m.name}", find)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_reader_of_a_tarball_dies(cluster, tmp_path):
    """As when an image takes over or crashes whatever parses it: an error, and the daemon is as before."""
    good = tarball(tmp_path / "k.tar.gz", [("rootfs/etc/x", os.urandom(1000))])
    fp = fingerprint(good)
    m = cluster[1]

    def begin():
        return m.api("POST", "/1.0/images", good.read_bytes(), {"Content-Type": "application/octet-stream"},
                     wait=False)["id"]

    cluster.restart(m, DUNLIN_FAULT="image_scan_confined=hang")
    before = sorted(os.listdir(m.dir / "images"))
    op = begin()
    pid, status = helper_of(m, "helper-scan")
    assert status["Uid"].split() == ["65534"] * 4 and int(status["CapEff"], 16) == 0
    os.kill(pid, signal.SIGKILL)
    done = m.api("GET", f"/1.0/operations/{op}/wait")
    assert done["status_code"] == 400, done
    assert fp[:12] in done["err"] and "could not be read" in done["err"], done
    assert sorted(os.listdir(m.dir / "images")) == before
    assert m.running() and m.api("GET", "/1.0")
    begin()
    pid, _ = helper_of(m, "helper-scan")
    m.kill(signal.SIGKILL)
    wait_for("the reader to end with its daemon", lambda: not alive(pid))
    m.start()
    cluster.settle()
    assert sorted(os.listdir(m.dir / "images")) == before
    m.cli("image", "import", good, "--alias", "killed")
    cluster.restart(m, DUNLIN_FAULT="image_unpack_confined=hang")
    op = m.api("POST", "/1.0/instances?target=m2",
               {"name": "half", "source": {"type": "image", "alias": "killed"}}, wait=False)["id"]
    pid, status = helper_of(m, "helper-unpack")
    assert status["Uid"].split() == ["65534"] * 4 and status["NoNewPrivs"] == "1"
    os.kill(pid, signal.SIGKILL)
    done = m.api("GET", f"/1.0/operations/{op}/wait")
    assert done["status_code"] == 400 and "could not be read" in done["err"], done
    assert not list(m.dir.glob(f"images/{fp}.root*"))
    cluster.restart(m)
    m.cli("init", "killed", "half", "--target", "m2")
    m.cli("delete", "half")
    m.cli("image", "delete", "killed")
