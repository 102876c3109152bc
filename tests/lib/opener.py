#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens a new TCP connection to an echo server every few milliseconds, and asks each one question.

usage: opener.py ADDRESS PORT SECONDS. Says "connected" on stderr at the first answer, ends at SIGTERM
or after the given seconds and prints one JSON line: {"answered", "reset", "hung", "slowest_ms", "max_gap_ms", "error"}.
A connection is hung when neither an answer nor a reset has come within 10 s; max_gap_ms is the longest time between two
answers.
"""

import asyncio
import json
import signal
import socket
import sys
import time

STEP_S = 0.004
HUNG_S = 10
OPEN_MAX = 2000


class Opener:
    def __init__(self, address, port):
        self.where = (address, port)
        self.result = {"answered": 0, "reset": 0, "hung": 0, "slowest_ms": 0.0, "max_gap_ms": 0.0, "error": ""}
        self.last = None
        self.tasks = set()

    async def ask(self):
        started = time.monotonic()
        try:
            await asyncio.wait_for(self.talk(), HUNG_S)
        except asyncio.TimeoutError:
            self.result["hung"] += 1
            return
        except ConnectionError:
            self.result["reset"] += 1
        except OSError as e:
            self.result["error"] = str(e)
            return
        took = round((time.monotonic() - started) * 1000, 1)
        self.result["slowest_ms"] = max(self.result["slowest_ms"], took)

    async def talk(self):
        loop = asyncio.get_running_loop()
        s = socket.socket(socket.AF_INET6 if ":" in self.where[0] else socket.AF_INET)
        with s:
            s.setblocking(False)
            await loop.sock_connect(s, self.where)
            await loop.sock_sendall(s, b"whoami\n")
            if not await loop.sock_recv(s, 100):
                raise ConnectionError("closed without an answer")
        self.answered()

    def answered(self):
        now = time.monotonic()
        if self.last is None:
            print("connected", file=sys.stderr, flush=True)
            self.last = now
        self.result["max_gap_ms"] = max(self.result["max_gap_ms"], round((now - self.last) * 1000, 1))
        self.result["answered"] += 1
        self.last = now

    async def run(self, seconds):
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        end = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < end:
            if len(self.tasks) < OPEN_MAX:
                task = asyncio.create_task(self.ask())
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            try:
                await asyncio.wait_for(stop.wait(), STEP_S)
            except asyncio.TimeoutError:
                pass
        if self.tasks:
            await asyncio.wait(self.tasks)
        print(json.dumps(self.result), flush=True)


asyncio.run(Opener(sys.argv[1], int(sys.argv[2])).run(float(sys.argv[3])))
