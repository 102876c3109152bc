#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens one TCP connection and lets the server speak.

usage: waiter.py ADDRESS PORT SECONDS. Says "connected" on stderr, reads lines and prints one JSON line
{"first", "end"}: what the server said first, and "closed", "reset", "gap" when a number was not the next after the one
before, "silence" when nothing came for that long, or "flows" when after SIGTERM there still came something.
"""

import json
import signal
import socket
import sys
import time

stopped = False


def stop(*_):
    global stopped
    stopped = True


def connect(address, port, deadline):
    """A new interface has no link-local address for a moment."""
    while True:
        try:
            return socket.create_connection((address, port), timeout=30)
        except ConnectionError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def is_next(line, before):
    return before is None or not line.isdigit() or int(line) == int(before) + 1


def wait(s, result):
    before = None
    for line in s.makefile("r"):
        line = line.strip()
        result.setdefault("first", line)
        if not is_next(line, before):
            return "gap"
        if stopped:
            return "flows"
        before = line
    return "closed"


def main():
    signal.signal(signal.SIGTERM, stop)
    result = {}
    with connect(sys.argv[1], int(sys.argv[2]), time.monotonic() + 10) as s:
        print("connected", file=sys.stderr, flush=True)
        s.settimeout(float(sys.argv[3]))
        try:
            result["end"] = wait(s, result)
        except TimeoutError:
            result["end"] = "silence"
        except ConnectionError:
            result["end"] = "reset"
    print(json.dumps(result), flush=True)


main()
