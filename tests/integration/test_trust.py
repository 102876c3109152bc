# SPDX-License-Identifier: Apache-2.0
"""Whom the cluster trusts, with what, and when that ends."""

import base64
import json
import re
import subprocess
import time
from datetime import datetime

import pytest

from certificate import Certificate
from cluster import run, wait_for


def seconds_until(text):
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00")).timestamp() - time.time()


def token_fields(text):
    return json.loads(base64.b64decode(text.split()[-1]))


def holders(cluster, secret):
    """Files of any member that have the secret in them."""
    return [p for m in cluster.members for p in m.dir.rglob("*")
            if p.is_file() and not p.is_symlink() and secret.encode() in p.read_bytes()]


def tokens(m):
    return [op for ops in m.api("GET", "/1.0/operations?recursion=1").values() for op in ops if op["class"] == "token"]


def test_token_secrets_are_known_to_their_owner_only(cluster):
    m = cluster[0]
    made = [token_fields(m.cli("config", "trust", "add", "--name", "laptop").stdout),
            token_fields(m.cli("cluster", "add", "m8").stdout)]
    for fields in made:
        assert len(fields["secret"]) == 64 and not holders(cluster, fields["secret"])
        for other in cluster.members:
            wait_for("the token's row", lambda: len(tokens(other)) == 2)
            assert fields["secret"] not in json.dumps(tokens(other))
    assert "laptop" in m.cli("config", "trust", "list-tokens").stdout
    assert "laptop" in m.lxc("config", "trust", "list-tokens").stdout
    assert "m8" in m.cli("cluster", "list-tokens").stdout
    guest = Certificate(m.cluster.dir / "laptop")
    assert guest.curl(m, "/1.0/instances")[0] == 403
    code, reply = guest.curl(m, "/1.0/certificates", "-d", json.dumps({"type": "client", "password": "0" * 64}))
    assert code == 403, reply
    code, reply = guest.curl(m, "/1.0/certificates", "-d",
                             json.dumps({"type": "client", "password": made[0]["secret"]}))
    assert code == 201, reply
    assert guest.curl(m, "/1.0/instances")[0] == 200
    m.cli("config", "trust", "remove", guest.fingerprint)
    m.cli("cluster", "revoke-token", "m8")


@pytest.mark.parametrize("key, value, seconds", [
    ("core.remote_token_expiry", "", 86400), ("core.remote_token_expiry", "2w", 14 * 86400),
    ("cluster.join_token_expiry", "", 3 * 3600), ("cluster.join_token_expiry", "1m", 30 * 86400),
    ("cluster.join_token_expiry", "1M 30S", 90)])
def test_tokens_expire_as_configured(cluster, key, value, seconds):
    m = cluster[0]
    m.api("PATCH", "/1.0", {"config": {key: value}})
    if key.startswith("core"):
        fields = token_fields(m.cli("config", "trust", "add", "--name", "late").stdout)
        m.cli("config", "trust", "revoke-token", "late")
    else:
        fields = token_fields(m.cli("cluster", "add", "m8").stdout)
        m.cli("cluster", "revoke-token", "m8")
    m.api("PATCH", "/1.0", {"config": {key: ""}})
    assert abs(seconds_until(fields["expires_at"]) - seconds) < 60


@pytest.mark.parametrize("value", ["0", "0d", "soon", "1000y", "-1d"])
def test_bad_token_lives_are_refused(cluster, value):
    for key in ("core.remote_token_expiry", "cluster.join_token_expiry"):
        status, _, raw = cluster[0].request("PATCH", "/1.0", {"config": {key: value}})
        assert status == 400 and key in json.loads(raw)["error"]


class OpenConnection:
    """HTTPS that stays open: a request at a time, over openssl's client in a member's network."""

    def __init__(self, member, cert):
        self.process = subprocess.Popen(
            member.in_netns("openssl", "s_client", "-quiet", "-connect", member.address, "-cert", cert.crt,
                            "-key", cert.key), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)

    def send(self, path, *headers):
        """(status, body), the body of answers with a length."""
        self.process.stdin.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode())
        self.process.stdin.flush()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.process.stdout.read(1) or pytest.fail(f"ended after {head}")
        length = re.search(rb"Content-Length: (\d+)", head)
        return int(head.split()[1]), self.process.stdout.read(int(length[1]) if length else 0).decode()

    def close(self):
        self.process.kill()
        self.process.wait()


def test_expired_client_certificates_are_refused(cluster):
    m = cluster[0]
    cert = Certificate(cluster.dir / "short", "short", seconds=12)
    m.api("POST", "/1.0/certificates", {"name": "short", "type": "client", "certificate": base64.b64encode(
        run("openssl", "x509", "-in", cert.crt, "-outform", "DER", text=False).stdout).decode()})
    plain, socket = OpenConnection(m, cert), OpenConnection(m, cert)
    try:
        assert plain.send("/1.0/instances")[0] == 200
        assert socket.send("/1.0/events", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                           "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==")[0] == 101
        wait_for("its last second", lambda: plain.send("/1.0/instances")[0] == 403, 30, 0.2)
        assert "expired" in plain.send("/1.0/instances")[1]
        code, reply = cert.curl(m, "/1.0/instances")
        assert code == 403 and "expired" in reply["error"] and cert.fingerprint[:12] in reply["error"]
        assert cert.curl(m, "/1.0")[1]["metadata"]["auth"] == "untrusted"
        wait_for("the end of its websocket", lambda: socket.process.poll() is not None)
    finally:
        plain.close()
        socket.close()
    m.cli("config", "trust", "remove", cert.fingerprint)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("name", ["m2", "m3 " + "x" * 70])
def test_members_certificates_cannot_be_renamed(cluster, method, name):
    certs = cluster[0].api("GET", "/1.0/certificates?recursion=1")
    of_m3 = next(c["fingerprint"] for c in certs if c["name"] == "m3" and c["type"] == "server")
    status, _, raw = cluster[0].request(method, f"/1.0/certificates/{of_m3}", {"name": name, "type": "client"})
    assert status == 409 and "m3" in json.loads(raw)["error"]
    assert cluster[0].api("GET", f"/1.0/certificates/{of_m3}")["name"] == "m3"
