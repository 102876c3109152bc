# SPDX-License-Identifier: Apache-2.0
"""Images: import, export, aliases, fetching from another member, and tarballs that are not what they should be."""

import hashlib
import io
import os
import tarfile

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
