# SPDX-License-Identifier: Apache-2.0
"""Who calls whom, by the symbols of the objects: a table counts as a call of all that it names.

Rooms see what rooms.txt lets them see, whatever header told them of it; files that call each other in a
circle are one thing in several files, and stand in rooms.txt with the reason.
"""
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import rooms

LIST = rooms.LIST
CIRCLE = re.compile(r"\* ([\w/]+): (\w+(?: \w+)*) *\| \S.*")
SYMBOL = re.compile(r"\S* *([A-Za-z]) (\S+)")
# What is written to, beside what is made anew: all else stays in the hands of whoever calls.
GLOBALS = {
    "base/log": {"log_max", "prefixed", "dated"},
    "base/fault": {"armed", "fault_armed"},
    "node/daemon/daemon": {"stop_me"},  # for a signal handler
    "node/image/archive": {"lib"},  # made once
    "node/storage/storage": {"driver_list"},  # made once
}
VARIABLE = re.compile(r"^(\w+)(?:\.\d+)? *\|.*\|\.(?:data|bss|tdata|tbss)$", re.M)
HOOK_VARIABLE = re.compile(r"^static (?!.*\bconst\b)[^(;]*;", re.M)


def read_objects(objects):
    """{file without its ending: (symbols it defines, symbols it wants)} for what is below `objects`."""
    found = {}
    for path in sorted(objects.rglob("*.o")):
        said = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True).stdout
        kinds = [m.groups() for m in map(SYMBOL.fullmatch, said.splitlines()) if m]
        found[str(path.relative_to(objects))[:-2]] = ({s for kind, s in kinds if kind in "TDBRC"},
                                                      {s for kind, s in kinds if kind == "U"})
    return found


def calls(objects):
    """{file: {file it calls: a symbol}}. The command and the daemon are two programs."""
    homes = defaultdict(set)
    for path, (defined, _) in objects.items():
        for symbol in defined:
            homes[symbol].add(path)
    graph = {path: {} for path in objects}
    for path, (_, wanted) in objects.items():
        for symbol in sorted(wanted):
            for home in homes[symbol]:
                if home.startswith("base/") or home.startswith("cli/") == path.startswith("cli/"):
                    graph[path].setdefault(home, symbol)
    return graph


def check_twice(objects, report):
    """What links both programs' rooms, as unit tests do, would get the one for the other."""
    homes = defaultdict(list)
    for path, (defined, _) in sorted(objects.items()):
        for symbol in defined - {"main"}:
            homes[symbol].append(path)
    for symbol, paths in sorted(homes.items()):
        if len(paths) > 1:
            report(paths[-1] + ".c", 1, "twice", f"{symbol} is in {paths[0]}.c, too: call it something else")


PROTOTYPE = re.compile(r"^(?!static|typedef|#)[A-Za-z_][\w \*]*?\b(\w+)\([^{}]*?\)(?: *__attribute__.*)?;", re.M)
OFFERS = ("cluster/cluster.h",)  # what a whole floor offers, in whichever of its rooms


def check_headers(objects, texts, report):
    """A header tells of its own room: what a room below told of one above would be a way up."""
    homes = {symbol: str(Path(path).parent) for path, (defined, _) in objects.items() for symbol in defined}
    for path, text in texts.items():
        room = str(Path(path).parent)
        for m in PROTOTYPE.finditer(text) if path.endswith(".h") and path not in OFFERS else ():
            if homes.get(m[1], room) != room:
                report(path, text.count("\n", 0, m.start()) + 1, "header", f"{m[1]}() is in {homes[m[1]]}: "
                       "declare it there")


def variables(objects, path):
    """What of a file is writable, by the sections."""
    nm = ["nm", "-f", "sysv", f"{objects}/{path}.o"]
    return VARIABLE.findall(subprocess.run(nm, capture_output=True, text=True, check=True).stdout)


def check_globals(objects, paths, texts, report):
    advice = "no globals: pass it, or keep it in a struct"
    for path in paths:
        for name in sorted(set(variables(objects, path)) - GLOBALS.get(path, set())):
            report(path + ".c", 1, "global", f"{name}: {advice}")
    for path, text in texts.items():
        if path.startswith("node/hook/") and path.endswith(".c"):
            for m in HOOK_VARIABLE.finditer(text):
                report(path, text.count("\n", 0, m.start()) + 1, "global", advice)


def circles(graph):
    """The sets of files that reach each other, each sorted (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(path):
        index[path] = low[path] = len(index)
        stack.append(path)
        for other in graph[path]:
            if other not in index:
                visit(other)
                low[path] = min(low[path], low[other])
            elif other in stack:
                low[path] = min(low[path], index[other])
        if low[path] == index[path]:
            at = stack.index(path)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for path in graph:
        if path not in index:
            visit(path)
    return sorted(found)


class Symbols:
    def __init__(self, sees, report):
        self.sees, self.report, self.graph, self.called = sees, report, {}, set()

    def check_arrows(self):
        for path, others in self.graph.items():
            room = str(Path(path).parent)
            for other, symbol in others.items():
                into = str(Path(other).parent)
                self.called.add((room, into))
                if into in (room, "base") or (into == "base/net" and room != "base"):
                    continue
                if into not in self.sees[room]:
                    self.report(path + ".c", 1, "arrow", f"{room} must not call {symbol}() of {into}: pass what "
                                "it needs down by pointer, or move the code to the room that may")

    def allowed(self, text):
        """{files of a circle: its line}"""
        ret = {}
        for number, line in enumerate(text.splitlines(), 1):
            m = CIRCLE.fullmatch(line)
            if m:
                ret[tuple(sorted(f"{m[1]}/{name}" for name in m[2].split()))] = number
            elif line.startswith("*"):
                self.report(LIST, number, "circle", 'write "* room: file file | why they are one thing"')
        return ret

    def check_circles(self, text):
        allowed, found = self.allowed(text), {tuple(c) for c in circles(self.graph)}
        for files in sorted(found - set(allowed)):
            ways = [f"{a} calls {b} ({self.graph[a][b]})" for a in files for b in files if b in self.graph[a]]
            room, names = str(Path(files[0]).parent), " ".join(Path(f).name for f in files)
            self.report(files[0] + ".c", 1, "circle", f'end it, or list "* {room}: {names} | REASON" in {LIST}: '
                        + "; ".join(ways[:8]))
        for files in set(allowed) - found:
            self.report(LIST, allowed[files], "circle", "these do not call each other in a circle: take it out")


def check(objects, texts, report):
    """objects: a folder of them, as built from `texts`. Returns the pairs of rooms of which one calls the other."""
    if LIST not in texts:
        return set()
    symbols = Symbols(rooms.Rooms(texts[LIST], lambda *_: None).sees, report)
    read = {path: found for path, found in read_objects(Path(objects)).items() if path + ".c" in texts}
    for path in texts:
        if path.endswith(".c") and str(Path(path).parent) in symbols.sees and path[:-2] not in read \
                and not path.startswith("node/hook/"):  # programs of their own
            report(path, 1, "symbols", f"there is no object of it in {objects}: build first (make)")
    ours = {path: found for path, found in read.items() if str(Path(path).parent) in symbols.sees}
    symbols.graph = calls(ours)
    check_twice(ours, report)
    check_headers(ours, {p: t for p, t in texts.items() if str(Path(p).parent) in symbols.sees}, report)
    symbols.check_arrows()
    symbols.check_circles(texts[LIST])
    check_globals(objects, symbols.graph, texts, report)
    return symbols.called
