# SPDX-License-Identifier: Apache-2.0
"""Which object is meant is composed in one place: its lock's name and its URL; so are the names of what is
meant where none is given."""
import re

from owners import LITERAL, statements

HOME = "cluster/model/ref."
DEFAULTS = ("base/defaults.h", "base/str.c")  # the other is a name in /proc/sys/net
FREE = ("tests/", "bench/")
CLIENT = ("cli/",)  # a client knows the names of the API alone
DEFAULT = re.compile(r'(?:\\)?"default(?:\\)?"')
LOCK = re.compile(r'"(?:instance|image|network|profile|alias)/%s?')
URL = re.compile(r'"/1\.0/(?:instances|containers|images|images/aliases|profiles|networks)/%s?')
# An object's own part of a URL is its name: what is below it is written out, and gets its project.
PARTED = re.compile(r"\bref_of\(")


def check_statement(path, statement):
    literals = " ".join(LITERAL.findall(statement))
    if DEFAULT.search(literals) and path not in DEFAULTS:
        return "name what it is the default of: base/defaults.h"
    if path.startswith((HOME, *CLIENT)):
        return None
    if LOCK.search(literals):
        return "ref_lock() names the lock of an object"
    if URL.search(literals) and not PARTED.search(statement):
        return "ref_url() makes the URL of an object, with its project"
    return None


def check(texts, report):
    for path, text in texts.items():
        if not path.endswith((".c", ".h", ".def")) or path.startswith(FREE):
            continue
        if not DEFAULT.search(text) and not LOCK.search(text) and not URL.search(text):
            continue
        for line, statement in statements(text, path.endswith(".def")):
            advice = check_statement(path, statement)
            if advice:
                report(path, line, "ref", advice)
