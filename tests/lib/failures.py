# SPDX-License-Identifier: Apache-2.0
"""failures.py LOGS: what failed in a run of check.sh, each with what it takes to find the cause, in few lines.

The end of an output is often all that is seen of it: this is printed last, and is bounded, however much failed.
"""

import re
import sys
from pathlib import Path

LINES = 60  # of all failures together
WIDTH = 160
FEWEST = 5  # of one failure, when there are many
TOLD_MAX = 12  # of a difference that an assertion explains
LOG_LINES = 5  # of each member's log

# What a report of a sanitizer begins with; the cause is at its beginning, that of all else at its end.
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:")
CMOCKA_RUN = re.compile(r"\[ RUN      \] (\w+)")
CMOCKA_END = re.compile(r"\[  (?:FAILED|ERROR ) +\] (\w+)$")
UNIT_FAILED = re.compile(r"unit: (\S+): FAILED (.*)")
PYTEST_HEAD = re.compile(r"_{3,} (.+?) _{3,}$")
PYTEST_LOG = re.compile(r"-{3,} (.+?) -{3,}$")
# The statement, what was wrong with it, and where.
PYTEST_TOLD = re.compile(r"(>  |E  |\S+\.py:\d+: )")
MODULE_FAILED = re.compile(r"integration: (\S+): FAILED (.*)")
TOLD = re.compile(r"error|warning:|\*\*\*|FAILED", re.IGNORECASE)


def bounded(lines, most):
    """The report of a sanitizer from its beginning, anything else up to its end."""
    lines = [line for line in lines if line.strip()]
    for i, line in enumerate(lines):
        if SANITIZER.search(line):
            return lines[i:i + most]
    return lines[-most:]


def unit(lines):
    """[(title, lines)]: the tests that failed, and the programs that ended without saying which."""
    found, program, test = [], [], None
    before = []  # what the running test, or the program, wrote
    for line in lines:
        started, ended, failed = CMOCKA_RUN.match(line), CMOCKA_END.match(line), UNIT_FAILED.match(line)
        if started:
            test, before = started[1], []
        elif failed:
            if test or not program or any(SANITIZER.search(own) for own in before):
                program.append((f"{test} did not end" if test else "outside of its tests", before))
            found += [(f"{failed[1]}: {title} {failed[2]}", own) for title, own in program]
            program, test, before = [], None, []
        elif line.startswith("[       OK ]") or line.startswith("unit: "):
            test, before = None, []
        elif ended and test:
            program.append((test, before))
            test, before = None, []
        else:
            before.append(line)
    return found


def pytest_section(lines):
    """The ends of the logs that come with a failure, then what was asserted, and where."""
    told, logs = [], []
    for line in lines:
        title = PYTEST_LOG.match(line)
        if title:
            logs.append((title[1], []))
        elif logs:
            logs[-1][1].append(line)
        elif PYTEST_TOLD.match(line) and not (line.startswith("E  ") and len(told) >= TOLD_MAX):
            told.append(line)
    ends = [[f"-- {title}", *[line for line in log if line.strip()][-LOG_LINES:]] for title, log in logs]
    return sum(ends, []) + told


def pytest(lines):
    """[(title, lines)]: the tests that failed, and the modules that ended without saying which."""
    found, module, section = [], [], None
    before = []
    for line in lines:
        head, failed = PYTEST_HEAD.match(line), MODULE_FAILED.match(line)
        if head:
            section = []
            module.append((head[1], section))
        elif failed:
            found += [(f"{failed[1]}: {title} {failed[2]}", pytest_section(own)) for title, own in module] or \
                [(f"{failed[1]}: no test said why {failed[2]}", before)]
            module, section, before = [], None, []
        elif line.startswith("===") or line.startswith("integration: "):
            section, before = None, []
        elif section is not None:
            section.append(line)
        else:
            before.append(line)
    return found + [(title, pytest_section(own)) for title, own in module]


def any_part(lines):
    """The lines that tell of an error when there are any."""
    return [("", [line for line in lines if TOLD.search(line)] or lines)]


def summary(parts):
    """parts: [(name, lines)] of those that failed."""
    found = [(part, *f) for part, lines in parts
             for f in (unit(lines) if part == "unit" else pytest(lines)) or any_part(lines)]
    shown = found[:LINES // (FEWEST + 1)]
    most = max(LINES // max(len(shown), 1) - 1, FEWEST)
    out = []
    for part, title, lines in shown:
        out.append(f"== {part}: {title}" if title else f"== {part}")
        out += ["   " + line[:WIDTH] for line in bounded(lines, most)]
    if len(found) > len(shown):
        out.append(f"== and {len(found) - len(shown)} more")
    return out


def main():
    logs = Path(sys.argv[1])
    failed = [f for f in sorted(logs.glob("*.count")) if f.read_text().split()[1] != "0"]
    parts = [(f.stem, f.with_suffix(".log").read_text(errors="replace").splitlines()) for f in failed]
    for line in summary(parts):
        print(line)


if __name__ == "__main__":
    main()
