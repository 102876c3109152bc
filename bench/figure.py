# SPDX-License-Identifier: Apache-2.0
"""What all figures share: how long a call takes, and the line that a figure is printed as."""

import time


def seconds(function, *args):
    started = time.monotonic()
    function(*args)
    return time.monotonic() - started


def report(name, value, unit, baseline, what, goal):
    ratio = value / baseline if baseline else float("nan")
    print(f"{name:34} {value:10.3f} {unit:6} = {ratio:8.2f} x {what} ({baseline:.3f})   goal {goal}", flush=True)
