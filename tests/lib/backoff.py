#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How a TCP connection takes the silence of its server, and whether IPv6 asks who else has the server's address.

usage: backoff.py ADDRESS PORT SECONDS. Asks an echo server every millisecond; says "connected" on stderr at the first
answer, and "silent" once its system has sent one request so often that it is some seconds until it does so again. At
SIGTERM it ends with the next answer, and prints one JSON line: {"replies", "error", "again", "backoff", "asked"}: the
number of times that the request was sent again after "silent" until its answer came, what tcpi_backoff was then, and
how many questions for duplicates of the address came (RFC 4862, 5.4.2).
"""

import json
import select
import signal
import socket
import struct
import sys
import time

SILENT = 5  # times that the timer has doubled: 0.2 s before, 6.4 s then
ETH_P_IPV6 = 0x86DD
NEIGHBOUR_SOLICITATION = 135
stopped = False


def stop(*_):
    global stopped
    stopped = True


def tcp_info(s):
    """(tcpi_backoff, tcpi_total_retrans) of linux/tcp.h"""
    info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return info[4], struct.unpack_from("=I", info, 100)[0]


class Questions:
    """Those for duplicates that others send on the wire of this namespace."""

    def __init__(self, address):
        host = address.split("%")[0]
        self.target = socket.inet_pton(socket.AF_INET6, host) if ":" in host else None
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6))
        self.socket.setblocking(False)
        self.seen = 0

    def look(self):
        while True:
            try:
                frame, source = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            asks = len(frame) >= 78 and frame[20] == socket.IPPROTO_ICMPV6 and frame[54] == NEIGHBOUR_SOLICITATION
            nobody = frame[22:38] == bytes(16)
            self.seen += source[2] != socket.PACKET_OUTGOING and asks and nobody and frame[62:78] == self.target


def answer(s, result, questions, end):
    """One line; meanwhile looks at how often the request is sent."""
    line = b""
    while not line.endswith(b"\n"):
        questions.look()
        if time.monotonic() > end:
            raise TimeoutError("no answer")
        if select.select([s], [], [], 0.002)[0]:
            got = s.recv(4096)
            if not got:
                raise ConnectionError("closed by the server")
            line += got
            continue
        backoff, sent_again = tcp_info(s)
        if backoff >= SILENT and "silent_at" not in result:
            result["silent_at"] = sent_again
            print("silent", file=sys.stderr, flush=True)
    return line


def connect(address, port, deadline):
    """A new address cannot be reached for a moment."""
    while True:
        try:
            return socket.create_connection((address, port), timeout=5)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def talk(address, port, seconds, result):
    s = connect(address, port, time.monotonic() + 20)
    questions = Questions(address)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end = time.monotonic() + seconds
    while not stopped or "again" not in result:
        result["replies"] += 1
        s.sendall(b"%d\n" % result["replies"])
        line = answer(s, result, questions, end)
        if int(line.split()[0]) != result["replies"]:
            raise ConnectionError(f"answer {line!r} to {result['replies']}")
        if result["replies"] == 1:
            print("connected", file=sys.stderr, flush=True)
        if "silent_at" in result and "again" not in result:
            result["backoff"], sent_again = tcp_info(s)
            result["again"] = sent_again - result["silent_at"]
        result["asked"] = questions.seen
        time.sleep(0.001)


def main():
    signal.signal(signal.SIGTERM, stop)
    result = {"replies": 0, "error": "", "asked": 0}
    try:
        talk(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), result)
    except (OSError, ValueError) as e:
        result["error"] = str(e) or type(e).__name__
    print(json.dumps(result), flush=True)


main()
