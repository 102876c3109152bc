# SPDX-License-Identifier: Apache-2.0
"""Hosts on the members' network that nobody trusts, and what they try."""

import itertools
import json
import os
import subprocess

from cluster import run

NUMBERS = itertools.count(1)

# Runs in a stranger's namespace: opens connections, prints what became of them as JSON.
STRANGER = """
import json, select, socket, ssl, sys, time
ip, what, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
POST = (b"POST /1.0/certificates HTTP/1.1\\r\\nHost: a\\r\\nContent-Type: application/json\\r\\n"
        b"Content-Length: 262144\\r\\n\\r\\n")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE


def connect(tls=True):
    s = socket.create_connection((ip, 8443), timeout=20)
    return context.wrap_socket(s) if tls else s


def say(**kw):
    print(json.dumps(kw), flush=True)


if what == "bodies":
    head = POST
    refused, held = 0, []
    for i in range(count):
        s = connect()
        try:
            s.sendall(head + b"x" * 250000)
            if select.select([s], [], [], 0.05)[0] and b" 429 " in s.recv(100):
                refused += 1
                continue
        except OSError:
            refused += 1
            continue
        held.append(s)
    say(held=len(held), refused=refused)
elif what == "silent":
    held = [connect(tls=i % 2 == 0) for i in range(count)]
    for s in held:
        s.settimeout(0)
    def lives(s):
        try:
            return s.recv(1) != b""
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
    deadline = time.monotonic() + 8
    while sum(map(lives, held)) > 256 and time.monotonic() < deadline:
        time.sleep(0.05)
    say(held=sum(map(lives, held)))
elif what == "drips":
    head = POST
    export = b"GET /1.0/images/%s/export HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n" % sys.argv[4].encode()
    drips = {"handshake": (connect(tls=False), b"", b"\\x16"),
             "head": (connect(), b"GET / HTTP/1.1\\r\\n", b"A: b\\r\\n"), "body": (connect(), head, b"x" * 2000)}
    for s, first, _ in drips.values():
        s.sendall(first)
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.connect((ip, 8443))
    lazy = context.wrap_socket(lazy)
    lazy.sendall(export)
    began, cut = time.monotonic(), {}
    while drips and time.monotonic() - began < 50:
        time.sleep(0.5)
        for name, (s, _, more) in list(drips.items()):
            try:
                s.sendall(more)
                s.settimeout(0.01)
                if s.recv(1) == b"":
                    raise OSError
            except (TimeoutError, ssl.SSLWantReadError):
                pass
            except OSError:
                cut[name] = time.monotonic() - began
                del drips[name]
    lazy.settimeout(60)
    got = 0
    try:
        while n := len(lazy.recv(1 << 20)):
            got += n
    except OSError:
        pass
    say(cut=cut, read=got)
elif what == "hellos":
    hello = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    except ssl.SSLWantReadError:
        hello = hello.read()
    held = [connect(tls=False) for i in range(count)]
    for s in held:
        s.sendall(hello)
    say(held=len(held), bytes=len(hello))
elif what == "exports":
    held = [connect() for i in range(count)]
    for s in held:
        s.sendall(b"GET /1.0/images/%s/export HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n" % sys.argv[4].encode())
    say(held=len(held))
sys.stdin.read()
"""


class Stranger:
    """A host on the members' network that nobody trusts."""

    def __init__(self, cluster):
        n = next(NUMBERS)
        self.cluster, self.netns, self.process = cluster, f"{cluster.name}-x{n}", None
        cluster.plug_netns(self.netns, f"mx{n}", f"{cluster.subnet}.{100 + n}/24")

    def does(self, member, what, count=0, *more, **env):
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.netns}", "python3", "-c", STRANGER, member.ip, what, str(count),
             *more], env={**os.environ, **env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return json.loads(self.process.stdout.readline())

    def remove(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
        run("ip", "netns", "del", self.netns)
