# SPDX-License-Identifier: Apache-2.0
"""The tables of keys (base/keys.h): every row is read, what is read is a row, and docs/reference/keys.md is made
of them: `make docs`."""
import re
import subprocess
from pathlib import Path

PAGE, WHEN = "docs/reference/keys.md", "base/keys.def"
ROW = re.compile(r'^KEY\((\w+), +"([^"]+)", +(.+?), +("[^"]*"|NULL), +(\w+), +"((?:[^"\\]|\\.)*)"\)$')
REFUSED = re.compile(r'^REFUSED\((\w+), +"([^"]+)", +"([^"]*)"\)$')
WHEN_ROW = re.compile(r'^KEY_WHEN\((\w+), +"([^"]*)"\)$', re.M)
SET = re.compile(r'^const struct keys (\w+) = \{ \w+, (?:"(\w+)"|NULL) \};', re.M)
INCLUDE = re.compile(r'^#include "([\w/]+\.def)"$', re.M)
CALL = re.compile(r'\bkeys_(?:text|bool|number|get|read|read_value)\(&(\w+(?:\.keys)?),(?:[^;"]|"config")*?'
                  r'"((?!config")[\w.]+)"')
SETTING = re.compile(r'\bsetting_(?:get\([^;"]*|of\()"([\w.]+)"')
UNKNOWN_CALL = re.compile(r'\bkeys_(?:text|bool|number|get|read|read_value)\((?!&\w+(?:\.keys)?,)[^,;]+,'
                          r'(?:[^;"]|"config")*?"((?!config")[\w.]+)"')
RAW = re.compile(r'\bjson_(?:str|int|bool|object_get)\((?:[\w>.-]*config|json_obj\([^()]*"config"\)),\s*"([\w.]+)"'
                 r'(?:\)|,\s*(\w+)?)')
# Options of devices are read by their type alone, in node/device; what stands in a description has been read.
DEVICES = "node/device"
OPTION = re.compile(r'\bjson_(?:str|int|bool|obj|arr|object_get)\((\w+),\s*"([\w.]+)"')
OPTIONS = re.compile(r"options|(?:\w+_)?(?:dev|device|root|nic|disk)")
TABLE_OF_TYPE = re.compile(r"&(device_\w+\.keys)\b")
EACH_DEVICE = re.compile(r'\bjson_object_foreach\([^;]*?devices"?\)*,\s*\w+(?:->\w+)?,\s*(\w+)\)')
# A function that asks for the key that it is given: whoever calls it reads.
FUNCTION = re.compile(r"^(?:static )?[A-Za-z_][\w *]*?\b(\w+)\(([^;{}#]*)\)\n\{\n(.*?)^\}", re.M | re.S)
BY_NAME = re.compile(r"\bkeys_(?:text|bool|number|get|read|read_value)\(&(\w+(?:\.keys)?),[^;\"]*?, (\w+)[,)]")
READERS = ("node/", "cluster/", "api/", "migrate/")
HEAD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# Configuration keys

Made of the `KEY` rows of the tables beside the code (`base/keys.h` says how they read), which are also what is
checked. A value is refused when it is set, with its key and what is allowed; what only a host knows (interfaces,
paths, CPUs) is asked of the instance's member. A request is checked in what it changes.
"""
TITLES = [  # folder, scope ("": any other), title
    ("node/container", "instance", "Instances and profiles"), ("node/device", "any", "Devices of every type"),
    ("node/device", "", "Devices of type {}"), ("node/network", "any", "Networks"),
    ("node/network", "", "Networks of type {}"), ("node/storage", "any", "Storage pools"),
    ("node/storage", "", "Storage pools with the driver {}"), ("cluster/model", "server", "The server"),
    ("cluster/model", "member", "Cluster members"), ("cluster/model", "image", "Properties of images")]
TYPES = {"TEXT": "text", "BOOL": "true or false", "CHECKED": "text", "PARSED": "text"}


class Row:
    def __init__(self, path, line, m, refused=False):
        self.path, self.line, self.scope, self.name, self.refused = path, line, m[1], m[2], refused
        self.holds, self.default, self.when, self.doc = ("", "NULL", "UNREAD", m[3]) if refused else m.groups()[2:]
        self.pattern = re.compile(re.escape(self.name).replace(r"\*", ".+"))

    def may_be(self):
        words = re.findall(r'"([^"]+)"', self.holds) if self.holds.startswith("WORDS") else []
        if words or self.refused:
            return " or ".join(words) or "refused"
        m = re.match(r"NUMBER\((\S+), (.+)\)$", self.holds)
        if m and "INT32" in m[1]:
            return "a whole number"
        if m:
            shift = re.fullmatch(r"\(?1 << (\d+)\)?( - 1)?", m[2])
            most = (1 << int(shift[1])) - bool(shift[2]) if shift else {"INT32_MAX": 2**31 - 1}.get(m[2], m[2])
            return f"{m[1]} to {most}"
        return TYPES[self.holds.split("(")[0]]


def rows_of(texts):
    out = []
    for path in sorted(p for p in texts if p.endswith(".def") and not p.startswith(("tests/", "cli/"))):
        for number, line in enumerate(texts[path].splitlines(), 1):
            if m := ROW.match(line):
                out.append(Row(path, number, m))
            elif m := REFUSED.match(line):
                out.append(Row(path, number, m, True))
    return out


def title(row):
    folder = str(Path(row.path).parent)
    for n, (f, scope, text) in enumerate(TITLES):
        if f == folder and scope in (row.scope, ""):
            return n, row.scope, text.format(row.scope)
    return len(TITLES), row.scope, f"{folder}: {row.scope}"


def page(texts):
    when = dict(WHEN_ROW.findall(texts.get(WHEN, "")))
    rows, out = rows_of(texts), [HEAD]
    order = list(dict.fromkeys(sorted(title(r)[:1] + (r.path, i, title(r)[2]) for i, r in enumerate(rows))))
    for name in dict.fromkeys(t[3] for t in order):
        mine = [r for r in rows if title(r)[2] == name]
        out.append(f"\n## {name}\n\n| key | may be | default | a change counts | what it is |\n|---|---|---|---|---|")
        for r in sorted(mine, key=lambda r: r.refused):
            default = "" if r.default == "NULL" else "`" + r.default.strip('"') + "`"
            counts = "" if r.refused else when.get(r.when, r.when)
            out.append(f"| `{r.name}` | {r.may_be()} | {default} | {counts} | {r.doc} |")
    return "\n".join(out).replace("\n\n\n", "\n\n") + "\n"


class Reads:
    """What the code reads: of which table, by literals that look like keys, and past the tables."""

    def __init__(self, texts, rows):
        self.rows, self.sets = rows, {}
        self.sources = {p: t for p, t in texts.items() if p.startswith(READERS) and p.endswith(".c")}
        for path, text in self.sources.items():
            tables = [t for t in INCLUDE.findall(text) if any(r.path == t for r in rows)]
            for m in SET.finditer(text):
                self.sets[m[1]] = [r for r in rows if r.path in tables and m[2] in (None, r.scope, "any")
                                   or r.path in tables and r.scope == "any"]
        families = sorted({r.name.split(".")[0] for r in rows if "." in r.name and not r.refused})
        self.literal = re.compile(rf'"((?:{"|".join(families)})\.[\w.%-]+)"') if families else None

    def rows_of_set(self, name):
        """Of an object `struct keys`, or of a type's operations: device_nic.keys are those of nic in node/device."""
        room, _, scope = name.removesuffix(".keys").partition("_")
        if not name.endswith(".keys"):
            return self.sets.get(name, [])
        return [r for r in self.rows if r.scope in (scope, "any") and str(Path(r.path).parent) == f"node/{room}"]

    def find(self, rows, name):
        name = re.sub(r"%(?:\.\*)?s", "some", name)
        return next((r for r in rows if r.pattern.fullmatch(name)), None)

    def check_options(self, path, text, say):
        rows = [r for r in self.rows if str(Path(r.path).parent) == DEVICES]
        inside, each = path.startswith(DEVICES + "/"), set(EACH_DEVICE.findall(text))
        for m in OPTION.finditer(text):
            mine = m[1] == "options" if inside else OPTIONS.fullmatch(m[1]) or m[1] in each
            if mine and self.find(rows, m[2]):
                say(m, f'"{m[2]}" is an option of a device: its type reads it, by its table, and tells it by an '
                       "operation (node/device/device.h)")
        for m in () if inside else TABLE_OF_TYPE.finditer(text):
            say(m, f"{m[1]} is one type's table: ask by an operation (node/device/device.h)")

    def askers(self, text):
        """[(pattern of a call of a function that reads the key it is given, the set that it reads of)]"""
        for name, head, body in FUNCTION.findall(text):
            given = [re.findall(r"\w+", p)[-1] for p in head.split(",") if re.search(r"\w", p)]
            for m in BY_NAME.finditer(body):
                if m[2] in given:
                    before = given.index(m[2]) * r"[^,;\"]*,\s*"
                    yield re.compile(rf'\b{name}\({before}(?:"([\w.]+)"|(\w+)[\[,)])'), m[1]

    def check_asked(self, text, say):
        """The key is said at the call, or by a variable of the file that was given one."""
        for call, table in self.askers(text):
            for m in call.finditer(text):
                variable = rf'\bchar \*(?:const )?{m[2]}(?:\[\])? = ((?:[^;"]|"[\w.]+")*);'
                said = [m[1]] if m[1] else re.findall(r'"([\w.]+)"', " ".join(re.findall(variable, text)))
                for key in said:
                    row = self.find(self.rows_of_set(table), key)
                    if not row or row.refused:
                        say(m, f'"{key}" is no row of the table of {table}')

    def check(self, report):
        for path, text in self.sources.items():
            def say(m, advice, path=path, text=text):
                report(path, text.count("\n", 0, m.start()) + 1, "key", advice)
            for m in CALL.finditer(text):
                row = self.find(self.rows_of_set(m[1]), m[2])
                if not row or row.refused:
                    say(m, f'"{m[2]}" is no row of the table of {m[1]}')
                elif row.when == "UNREAD":
                    say(m, f'{row.path} says that nothing reads "{m[2]}": say when it counts')
            for m in UNKNOWN_CALL.finditer(text):
                if not self.find([r for r in self.rows if r.name != "*"], m[1]):
                    say(m, f'"{m[1]}" is no row of a table')
            for m in SETTING.finditer(text):
                if not self.find(self.sets.get("server_keys", []), m[1]):
                    say(m, f'"{m[1]}" is no row of the table of server_keys')
            for m in RAW.finditer(text):
                lower = path.startswith(("node/", "cluster/")) and not path.startswith("node/daemon/")
                if (lower or m[2] != "NULL") and self.find(self.rows, m[1]):
                    say(m, f'read "{m[1]}" by its table: keys_text() and its like know the default')
            self.check_options(path, text, say)
            self.check_asked(text, say)
            for m in self.literal.finditer(text) if self.literal else ():
                row = self.find(self.rows, m[1])
                if not row or row.refused:
                    say(m, f'"{m[1]}" looks like a key and is no row of a table')
        self.check_unread(report)

    def reads(self):
        """(rows that are read by a call that names their table, what other literals name, by path)"""
        known, loose = set(), {}
        for path, text in self.sources.items():
            for m in CALL.finditer(text):
                known.add(id(self.find(self.rows_of_set(m[1]), m[2])))
            for m in SETTING.finditer(text):
                known.add(id(self.find(self.sets.get("server_keys", []), m[1])))
            rest = SETTING.sub("", CALL.sub("", text))
            loose[path] = {re.sub(r"%(?:\.\*)?s", "some", u) for u in re.findall(r'"([\w.%*-]+)"', rest)}
        return known, loose

    def check_unread(self, report):
        """Where no call names the table, a literal that looks like the key is its reader: it is handed to who calls.
        An option looks like any word: its own type reads it, or what is of no type beside it."""
        known, loose = self.reads()
        for row in self.rows:
            if row.when == "UNREAD" or id(row) in known:
                continue
            room, prefix = str(Path(row.path).parent), row.name.split("*")[0]
            others = {f"{room}/{r.scope}.c" for r in self.rows if r.path == row.path and r.scope != row.scope}
            if room == DEVICES:
                places = [path for path in loose if str(Path(path).parent) == room and path not in others]
            else:
                places = loose if "." in row.name else ()
            if not any(row.pattern.fullmatch(u) or ("*" in row.name and u == prefix)
                       for path in places for u in loose[path]):
                report(row.path, row.line, "key", f'nobody reads "{row.name}": UNREAD, or REFUSED?')


def check(texts, report):
    rows = rows_of(texts)
    Reads(texts, rows).check(report)
    when = dict(WHEN_ROW.findall(texts.get(WHEN, "")))
    for row in rows:
        if when and row.when not in when:
            report(row.path, row.line, "key", f"{row.when} is no row of {WHEN}")
    if PAGE in texts and texts[PAGE] != page(texts):
        report(PAGE, 1, "key", "is not what the tables say: make docs")


if __name__ == "__main__":
    done = subprocess.run(["git", "ls-files", "-co", "*.def"], capture_output=True, text=True, check=True)
    print(page({path: Path(path).read_text() for path in done.stdout.split() if Path(path).exists()}), end="")
