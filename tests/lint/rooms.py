# SPDX-License-Identifier: Apache-2.0
"""The rooms of the tree (rooms.txt): which folder may include which."""
import re
from pathlib import Path

LIST = "tests/lint/rooms.txt"
ROW = re.compile(r"([\w/]+):((?: [\w/]+)*) *\| (\S.*)")
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
FREE, UNIT = ("tests/", "bench/"), "tests/unit/"
ENDINGS = ("", "s", "rs")  # tokens beside token, handlers beside handle: another word


class Rooms:
    """Rows of rooms.txt, lowest room first."""

    def __init__(self, text, report):
        self.sees, self.line, self.used, self.stems, self.report = {}, {}, set(), {}, report
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line[0] in "#*":  # *: circles, see symbols.py
                continue
            m = ROW.fullmatch(line)
            if not m:
                report(LIST, number, "rooms", 'write "room: rooms it sees | what is in it"')
                continue
            self.sees[m[1]], self.line[m[1]] = m[2].split(), number
        for room, sees in self.sees.items():
            for seen in sees:
                self.check_row(room, seen)

    def check_row(self, room, seen):
        order = list(self.sees)
        if seen not in self.sees:
            self.report(LIST, self.line[room], "rooms", f"there is no room {seen}")
        elif order.index(seen) > order.index(room):
            self.report(LIST, self.line[room], "rooms",
                        f"{seen} is above {room}: pass what it needs down by pointer")

    def check_include(self, path, number, target):
        room, into = str(Path(path).parent), str(Path(target).parent)
        if into in (room, "base") or (into == "base/net" and not room.startswith("base")):
            return
        if target.endswith(".def"):
            self.check_table(path, number, room, into)
            return
        self.used.add((room, into))
        if into not in self.sees[room]:
            self.report(path, number, "room", f"{room} must not see {into} ({LIST}): pass what it "
                        "needs down by pointer, or move the code to the room that may")

    def check_table(self, path, number, room, into):
        """A table names nobody, so that it is its whole floor's and of those above; the command's, too."""
        floors = {seen.split("/")[0] for seen in self.sees[room]} | {room.split("/")[0], "base"}
        if into.split("/")[0] not in floors and not room.startswith("cli"):
            self.report(path, number, "room", f"{room} must not see {into} ({LIST}): its floor is none of "
                        "those that it sees")

    def check(self, texts, called):
        for path in texts:
            if path.endswith((".c", ".h", ".def")):
                self.stems.setdefault(str(Path(path).parent), set()).add(Path(path).stem)
        for path, text in texts.items():
            room = str(Path(path).parent)
            if path.startswith(UNIT) and room.removeprefix(UNIT) not in self.sees:
                self.report(path, 1, "room", f"{room} is no room of {LIST}: unit tests mirror them")
            if not path.endswith((".c", ".h", ".def")) or path.startswith(FREE):
                continue
            if room not in self.sees:
                self.report(path, 1, "room", f"{room} is no room of {LIST}")
                continue
            self.check_name(path, texts)
            for number, line in enumerate(text.splitlines(), 1):
                m = INCLUDE.match(line)
                if m and m[1].split("/")[0] in {r.split("/")[0] for r in self.sees}:
                    self.check_include(path, number, m[1])
        for room, sees in self.sees.items():
            for seen in sees:
                if (room, seen) not in self.used and (room, seen) not in called:
                    self.report(LIST, self.line[room], "rooms", f"{room} does not use {seen}: take it out")

    def check_name(self, path, texts):
        """`conn_read.c` beside `conn.c`, or `conn_write.c`, is in want of a room, or of a name of its own; so is
        `connfile.c`."""
        folder, stem = str(Path(path).parent), Path(path).stem
        for other in self.stems[folder] if "_" not in stem else ():
            if stem.startswith(other) and stem[len(other):] not in ENDINGS:
                self.report(path, 1, "room", f"drop the neighbour's prefix {other}")
        head = stem.rpartition("_")[0]
        if not head or stem.endswith("_int"):
            return
        first = stem.partition("_")[0] + "_"
        if head == Path(folder).name or any(f"{folder}/{head}{end}" in texts for end in (".c", ".h")):
            self.report(path, 1, "room", f"drop the neighbour's prefix {head}_")
        elif any(other != stem and other.startswith(first) and other != first + "int" for other in self.stems[folder]):
            self.report(path, 1, "room", f"more than one {first}: give each a name of its own, or them a room")


def check(texts, report, called=()):
    """called: (room, room whose function it calls) by the objects."""
    if LIST in texts:
        Rooms(texts[LIST], report).check(texts, called)
