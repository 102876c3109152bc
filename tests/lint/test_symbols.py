# SPDX-License-Identifier: Apache-2.0
"""symbols.py counts arrows and circles in what a compiler made of small trees."""
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import rooms  # noqa: E402
import symbols  # noqa: E402

LIST = "base: | text\nbase/net: | sockets\nnode/host: | the kernel\nnode/pool: node/host | volumes\n" \
       "node/top: node/host node/pool | all\n"
TREE = {"base/text.c": "void text(void) {}\n",
        "node/host/pids.c": "void text(void);\nvoid pids(void) { text(); }\n",
        "node/pool/pool.c": "void pids(void);\nvoid pool(void) { pids(); }\n",
        "node/top/all.c": "void pool(void);\nvoid pids(void);\nvoid all(void) { pool(); pids(); }\n"}


def told(folder, tree, rows=LIST):
    texts, found = {**TREE, **tree, rooms.LIST: rows}, []
    for path, text in texts.items():
        if path.endswith(".c") and text:
            target = folder / path.replace(".c", ".o")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["gcc", "-O0", "-xc", "-", "-c", "-o", str(target)], input=text, text=True, check=True)
    called = symbols.check(folder, texts, lambda path, line, rule, advice: found.append((path, rule)))
    return found, called


def test_what_is_listed_may_be_called(tmp_path):
    found, called = told(tmp_path, {})
    assert not found
    assert ("node/pool", "node/host") in called and ("node/host", "node/pool") not in called


UP = "void all(void);\nvoid %s(void) { all(); }\n"
RING = {"node/pool/a.c": "void b(void);\nvoid a(void) { b(); }\n",
        "node/pool/b.c": "void a(void);\nvoid b(void) { a(); }\n"}
TABLE = {"node/pool/a.c": "void b(void);\nvoid (*const table[])(void) = { b };\n",
         "node/pool/b.c": "extern void (*const table[])(void);\nvoid b(void) { table[0](); }\n"}


def test_what_is_seen_leads_no_further(tmp_path):
    assert told(tmp_path, {}, LIST.replace("node/top: node/host ", "node/top: "))[0] == [("node/top/all.c", "arrow")]


@pytest.mark.parametrize("path,rule,tree", [
    ("node/host/up.c", "arrow", {"node/host/up.c": UP % "up"}),
    ("base/up.c", "arrow", {"base/up.c": "void tls(void);\nvoid up(void) { tls(); }\n",
                            "base/net/tls.c": "void tls(void) {}\n"}),
    ("node/pool/a.c", "circle", RING),
    ("node/pool/a.c", "circle", TABLE),
    ("node/top/all.c", "twice", {"node/pool/pool.c": TREE["node/pool/pool.c"] + "void same(void) {}\n",
                                 "node/top/all.c": TREE["node/top/all.c"] + "void same(void) {}\n"}),
    ("node/host/host.h", "header", {"node/host/host.h": "void pids(void);\nint pool(int a,\n\tint b);\n"}),
    ("node/pool/late.c", "symbols", {"node/pool/late.c": ""}),
    ("node/pool/n.c", "global", {"node/pool/n.c": "int n;\nint f(void) { return n++; }\n"}),
    ("node/pool/n.c", "global", {"node/pool/n.c": "int f(void) { static int n = 1; return n++; }\n"}),
    ("node/pool/n.c", "global", {"node/pool/n.c": "static _Thread_local int n;\nint f(void) { return n++; }\n"}),
    ("node/hook/n.c", "global", {"node/hook/n.c": "static int n;\nint main(void) { return n++; }\n"}),
])
def test_what_should_not_be_is_told(tmp_path, path, rule, tree):
    assert told(tmp_path, tree)[0] == [(path, rule)]


def test_what_never_changes_and_what_is_listed_is_no_global(tmp_path):
    assert not told(tmp_path, {
        "node/pool/n.c": "static const int n[] = { 1 };\nconst char *const t[] = { \"a\" };\n"
                         "int f(int i) { return n[i] + *t[i]; }\n",
        "base/log.c": "int log_max = 1;\n",
        "node/hook/n.c": "static int f(void);\nstatic const int n = 2;\nint main(void) { return n; }\n"},
        LIST + "node/hook: | programs\n")[0]


def test_a_listed_circle_is_one_thing(tmp_path):
    assert not told(tmp_path, RING, LIST + "\n* node/pool: b a | a pool\n")[0]


@pytest.mark.parametrize("row", ["* node/pool: a b | gone", "* node/pool: a b", "* node/pool | a pool"])
def test_rows_of_circles_are_true(tmp_path, row):
    assert told(tmp_path, {}, LIST + row + "\n")[0] == [(rooms.LIST, "circle")]


def test_the_command_is_another_program(tmp_path):
    tree = {"node/host/kill.c": "void show(void);\nvoid kill_it(void) { show(); }\n",
            "node/host/show.c": "void show(void) {}\n", "cli/show.c": "void show(void) {}\n"}
    assert told(tmp_path, tree, LIST + "cli: | the command\n")[0] == [("node/host/show.c", "twice")]
