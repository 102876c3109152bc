# SPDX-License-Identifier: Apache-2.0
"""Who takes a state, takes something over or gives it away asserts what only a bug can break: half of them at least."""
import re

OWN = re.compile(r"\bown_\w+")
STATE = re.compile(r"\benum (?:\w+_)?(?:state|status|phase|stage|step|life)\s+\w+")
GIVE = re.compile(r"\btake_(?:ptr|fd)\s*\(")
ASSERT = re.compile(r"(?<!\w)assert\s*\(")
FUNCTION = re.compile(r"^(?P<head>[A-Za-z_][^;{}#]*\))\n\{\n(?P<body>.*?)^\}", re.M | re.S)
NAME = re.compile(r"(\w+)\s*\(")
FREE = ("tests/", "bench/")


def conditions(code):
    """(offset, condition) of each assert."""
    for m in ASSERT.finditer(code):
        depth, end = 1, m.end()
        while depth and end < len(code):
            depth += (code[end] == "(") - (code[end] == ")")
            end += 1
        yield m.start(), code[m.end():end - 1]


def functions(code):
    """(line, name, has an assert) of those that the rule is about."""
    for m in FUNCTION.finditer(code):
        name = NAME.search(m["head"])
        takes = m["head"][name.end():]
        if OWN.search(takes) or STATE.search(takes) or GIVE.search(m["body"]):
            yield code.count("\n", 0, m.start()) + 1, name[1], bool(ASSERT.search(m["body"]))


def count(codes):
    """top folder -> [(path, line, name, has an assert)]"""
    found = {}
    for path, code in codes.items():
        if path.endswith(".c") and "/" in path and not path.startswith(FREE):
            for line, name, has in functions(code):
                found.setdefault(path.partition("/")[0], []).append((path, line, name, has))
    return found


def check(codes, report):
    for path, code in codes.items():
        if not path.endswith((".c", ".h")) or path.startswith(FREE):
            continue
        for at, condition in conditions(code):
            if "&&" in condition:
                report(path, code.count("\n", 0, at) + 1, "assert", "one condition each")
    for folder, rows in count(codes).items():
        without = [row for row in rows if not row[3]]
        if 2 * len(without) > len(rows):
            for path, line, name, _ in without:
                report(path, line, "assert", f"{name}() takes a state or ownership and asserts nothing, like "
                       f"{len(without)} of {len(rows)} in {folder}: half of them must")
