# SPDX-License-Identifier: Apache-2.0
"""Columns of tables that nobody reads, and decisions that are made on the text of an error."""
import re
from pathlib import Path

ROWS = re.compile(r"^([A-Z][A-Z_]+)\(", re.M)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+([A-Z][A-Z_]+)\(([^)]*)\)((?:[^\\\n]|\\\n|\\.)*)", re.M)
WORDS = ("doc", "help", "what")  # for whoever reads the table itself
MESSAGE = r"\w*(?:err|why|wrong)\w*(?:->|\.)msg\b"
LOOK = (r"\b(str_(?!copy|empty|url)\w+|mem(?:mem|r?chr|cmp)|str(?!len|dup|error)[a-z]+|fnmatch|regexec|sscanf)"
        r"\s*\([^;{]*?")
ON_TEXT = re.compile(rf"{LOOK}\b{MESSAGE}|\b{MESSAGE}\[\w+\] *[!=]=")
ALIAS = re.compile(rf"\bchar \*(\w+) = &?{MESSAGE}(.*?)^\}}", re.M | re.S)
ON_NAME = re.compile(r"^int err_wrap_name\(.*?^}", re.M | re.S)  # of err.c: adds to the text, and answers -1 always
FREE = ("tests/", "bench/")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
TABLE = re.compile(r"^[ \t]*(?:(?:static|const) )*struct (?:(?P<name>\w+)|\{\n(?P<body>(?:(?!^\}).)*)^[ \t]*\}) "
                   r"(?:const )?\w+\[\w*\] = \{$", re.M | re.S)
ROW_BODY = re.compile(r"(?:\] = )?\{ (.*) \},?", re.S)


def check_columns(texts, report):
    """A row's macro takes its columns by position: one definition at least uses each of them."""
    read = {}  # macro -> [is this column read, ...]; a variadic one reads the rest
    for path, text in texts.items():
        if path.startswith(FREE) or not path.endswith((".c", ".h", ".def")):
            continue
        for name, parameters, body in DEFINE.findall(text):
            for i, column in enumerate(p.strip() for p in parameters.replace("\\\n", "").split(",")):
                rest = column == "..."
                used = column in WORDS or re.search(
                    rf"\b{'__VA_ARGS__' if rest else re.escape(column)}\b", body) is not None
                columns = read.setdefault(name, {})
                columns[i] = columns.get(i, False) or bool(used)
    for path, text in texts.items():
        if not path.endswith(".def"):
            continue
        for name in dict.fromkeys(ROWS.findall(text)):
            unread = [i for i, used in read.get(name, {}).items() if not used]
            if unread and len(read[name]) > 1:
                line = text.count("\n", 0, text.index(f"{name}(")) + 1
                report(path, line, "column", f"nobody reads column {unread[0] + 1} of {name}: remove it")


def fields_of(texts, path, before):
    """(names of the members, the texts that may read them) of the table that a macro's rows fill."""
    tables = list(TABLE.finditer(before))
    if not tables:
        return [], {}
    name, body = tables[-1]["name"], tables[-1]["body"]
    if name and not body:
        struct = re.compile(rf"^struct {name} \{{\n(.*?)^\}};", re.M | re.S)
        found = [m[1] for text in texts.values() for m in struct.finditer(text)]
        body = found[0] if len(found) == 1 else ""
    members = [m for line in COMMENT.sub("", body or "").split(";")
               for m in re.findall(r"\(\*(\w+)\)\(", line) or re.findall(r"(\w+)(?:\[[^\]]*\])?\s*(?:,|$)", line)]
    return members, texts if name else {path: texts[path]}


def check_members(texts, report):
    """What a macro puts into a member, by its name or its place, is read where its struct is known."""
    texts = {p: t for p, t in texts.items() if p.endswith((".c", ".h")) and not p.startswith(FREE)}
    for path, text in texts.items():
        for m in DEFINE.finditer(text):
            row = ROW_BODY.search(m[3])
            if not row:
                continue
            members, readers = fields_of(texts, path, text[:m.start()])
            filled = re.findall(r"\.(\w+) = ", row[1]) or members[:len(re.findall(r"[^,]+", row[1]))]
            for name in filled if members else ():
                read = re.compile(rf"(?:->|\.){name}\b(?!\s*=[^=])")
                if not any(read.search(t) for t in readers.values()):
                    report(path, text.count("\n", 0, m.start()) + 1, "column",
                           f"nobody reads {name} of what {m[1]} fills: remove it")


def check_branches(codes, report):
    for path, code in codes.items():
        if path.startswith(FREE) or not path.endswith(".c"):
            continue
        free = ON_NAME.search(code) if path == "base/err.c" else None
        found = {m.start(): m[1] for m in ON_TEXT.finditer(code)}
        for alias in ALIAS.finditer(code):
            found.update((alias.start(2) + m.start(), m[1])
                         for m in re.finditer(rf"{LOOK}\b{alias[1]}\b", alias[2]))
        for at, call in found.items():
            if not free or not free.start() < at < free.end():
                report(path, code.count("\n", 0, at) + 1, "text",
                       f"{call or 'a byte'} of an error's text: branch on its kind")


def check(texts, codes, report):
    check_columns(texts, report)
    check_members(texts, report)
    check_branches(codes, report)
