#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One TCP connection that asks an echo server for its counter every millisecond.

Checks that each answer carries the sequence number sent and that the server's counter grows by one, so a lost,
repeated or reset connection is seen. Says
"connected" on stderr at the first answer, ends after the given seconds and prints one JSON line:
{"replies", "max_gap_ms", "error"}. At SIGTERM it waits for 50 answers more, so that a connection that is silent by
then is seen: half a minute without an answer is an error.
"""

import json
import math
import signal
import socket
import sys
import time


MORE = 50


def talk(address, port, seconds, result):
    s = socket.create_connection((address, port), timeout=30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    f = s.makefile("rb")
    end = time.monotonic() + seconds
    last = time.monotonic()
    counter = None
    n = 0
    while time.monotonic() < end and n < result["until"]:
        n += 1
        s.sendall(b"%d\n" % n)
        line = f.readline()
        if not line:
            raise ConnectionError("closed by the server")
        seq, count = map(int, line.split())
        if seq != n or (counter is not None and count != counter + 1):
            raise ConnectionError(f"answer {line!r} to {n} after counter {counter}")
        counter = count
        now = time.monotonic()
        result["replies"] = n
        result["max_gap_ms"] = max(result["max_gap_ms"], round((now - last) * 1000, 1))
        last = now
        if n == 1:
            print("connected", file=sys.stderr, flush=True)
        time.sleep(0.001)


def main():
    result = {"replies": 0, "max_gap_ms": 0.0, "error": "", "until": math.inf}

    def stop(*_):
        result["until"] = min(result["until"], result["replies"] + MORE)
    signal.signal(signal.SIGTERM, stop)
    try:
        talk(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), result)
    except (OSError, ValueError) as e:
        result["error"] = str(e) or type(e).__name__
    del result["until"]
    print(json.dumps(result), flush=True)
    return 1 if result["error"] else 0


sys.exit(main())
