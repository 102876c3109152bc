#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens one TCP connection and lets the server speak first.

usage: waiter.py ADDRESS PORT SECONDS. Says "connected" on stderr, waits at most that long and prints one JSON line:
{"end"}, which is what the server said, "closed", "reset", or "silence" after the given seconds or at SIGTERM.
"""

import json
import signal
import socket
import sys
import time


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


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


def wait(address, port, seconds):
    with connect(address, port, time.monotonic() + 10) as s:
        print("connected", file=sys.stderr, flush=True)
        s.settimeout(seconds)
        return s.recv(100).decode().strip() or "closed"


signal.signal(signal.SIGTERM, stop)
try:
    end = wait(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
except (Stop, TimeoutError):
    end = "silence"
except ConnectionError:
    end = "reset"
print(json.dumps({"end": end}), flush=True)
