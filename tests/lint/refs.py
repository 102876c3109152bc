# SPDX-License-Identifier: Apache-2.0
"""Which object is meant is composed in one place: its project, its lock's name and its URL."""
import re

from owners import LITERAL, statements

HOME = "cluster/model/ref."
FREE = ("tests/", "bench/", "cli/")  # a client knows the names of the API alone
PROJECT = re.compile(r'"default"')
ABOUT_PROJECT = re.compile(r"project", re.I)
LOCK = re.compile(r'"(?:instance|image|network|profile|alias)/%s?')
URL = re.compile(r'"/1\.0/(?:instances|containers|images|images/aliases|profiles|networks)/%s?')
# An object's own part of a URL is its name: what is below it is written out, and gets its project.
PARTED = re.compile(r"\bref_of\(")


def check_statement(statement):
    literals = " ".join(LITERAL.findall(statement))
    if PROJECT.search(literals) and ABOUT_PROJECT.search(statement):
        return "write PROJECT_DEFAULT (cluster/model/ref.h), or ask the ref"
    if LOCK.search(literals):
        return "ref_lock() names the lock of an object"
    if URL.search(literals) and not PARTED.search(statement):
        return "ref_url() makes the URL of an object, with its project"
    return None


def check(texts, report):
    for path, text in texts.items():
        if not path.endswith((".c", ".h", ".def")) or path.startswith((HOME, *FREE)):
            continue
        if not PROJECT.search(text) and not LOCK.search(text) and not URL.search(text):
            continue
        for line, statement in statements(text, path.endswith(".def")):
            advice = check_statement(statement)
            if advice:
                report(path, line, "ref", advice)
