#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""increments.py ADDRESS PORT SECONDS: writes to a Redis server by four connections, as fast as it answers.

Each connection increments a key of its own, so that a write that was acknowledged and is gone, or was made twice, is
seen in the next answer. Says "connected" on stderr at the first, and prints one JSON line at SIGTERM or in the end:
{"replies", "max_gap_ms", "error"}, the gap being the longest time without an answer on a connection.
"""

import json
import signal
import socket
import sys
import threading
import time


def write(address, port, key, result):
    s = socket.create_connection((address, port), timeout=30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    f = s.makefile("rb")
    command = b"INCR %s\r\n" % key
    acknowledged, last = 0, time.monotonic()
    while time.monotonic() < result["end"]:
        s.sendall(command)
        line = f.readline()
        if line != b":%d\r\n" % (acknowledged + 1):
            raise ConnectionError(f"{line!r} after {acknowledged} acknowledged writes")
        acknowledged += 1
        now = time.monotonic()
        result["max_gap_ms"] = max(result["max_gap_ms"], round((now - last) * 1000, 1))
        last = now
        result["replies"] += 1
        if acknowledged == 1 and key == b"k0":
            print("connected", file=sys.stderr, flush=True)


def main():
    result = {"replies": 0, "max_gap_ms": 0.0, "error": "", "end": time.monotonic() + float(sys.argv[3])}

    def stop(*_):
        result["end"] = 0

    def run(n):
        try:
            write(sys.argv[1], int(sys.argv[2]), b"k%d" % n, result)
        except (OSError, ValueError) as e:
            result["error"] = str(e) or type(e).__name__
    signal.signal(signal.SIGTERM, stop)
    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    del result["end"]
    print(json.dumps(result))


main()
