# SPDX-License-Identifier: Apache-2.0
"""Asks a name server: dns.py SERVER NAME prints the addresses, dns.py SERVER ADDRESS the names (RFC 1035)."""

import secrets
import socket
import struct
import sys

A, PTR = 1, 12
TIMEOUT = 5


def encode(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


def decode(message, at):
    """(name, offset after it)"""
    parts, end = [], None
    while message[at]:
        if message[at] >= 0xc0:
            end = end or at + 2
            at = (message[at] & 0x3f) << 8 | message[at + 1]
            continue
        parts.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(parts), end or at + 1


def ask(server, name, kind):
    number = secrets.randbelow(65536)
    question = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + encode(name) + struct.pack(">2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(TIMEOUT)
        s.sendto(question, (server, 53))
        message = s.recv(4096)
    answers, at, found = struct.unpack(">H", message[6:8])[0], 12, []
    at = decode(message, at)[1] + 4
    for _ in range(answers):
        at = decode(message, at)[1]
        got, _, _, size = struct.unpack(">2HIH", message[at:at + 10])
        at += 10
        if got == kind:
            found.append(socket.inet_ntoa(message[at:at + 4]) if kind == A else decode(message, at)[0])
        at += size
    return found


if __name__ == "__main__":
    server, what = sys.argv[1:]
    if what.replace(".", "").isdigit():
        print(*ask(server, ".".join(reversed(what.split("."))) + ".in-addr.arpa", PTR))
    else:
        print(*ask(server, what, A))
