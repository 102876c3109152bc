# SPDX-License-Identifier: Apache-2.0
"""rooms.py holds includes and names to rooms.txt, and rooms.txt to its order."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import rooms  # noqa: E402

LIST = ("base: | text\nnode/host: | the kernel\nnode/pool: node/host | volumes\n"
        "node/up: | more\nnode/top: node/up | all\n"
        "cluster: | rows\n")
TREE = {rooms.LIST: LIST, "base/err.h": "", "node/host/pids.h": "", "node/up/a.h": "",
        "node/pool/pool.c": '#include "base/err.h"\n#include "node/host/pids.h"\n',
        "node/top/all.c": '#include "node/up/a.h"\n', "cluster/rows.def": ""}


def told(**tree):
    found = []
    rooms.check({**TREE, **tree}, lambda path, line, rule, advice: found.append((path, line, rule)))
    return found


def test_a_whole_tree_is_quiet():
    assert not told()


@pytest.mark.parametrize("path,text,line", [
    ("node/host/b.c", '#include "node/pool/pool.h"\n', 1),
    ("node/host/b.c", '\n#include "node/cellar/b.h"\n', 2),
    ("node/cellar/b.c", "", 1),
    ("node/pool/pool_x.c", "", 1),
    ("node/host/pids_more.c", "", 1),
    ("node/host/b.c", '#include "cluster/rows.def"\n', 1),
    ("tests/unit/node/test_pids.c", "", 1),
])
def test_what_is_in_the_wrong_room_is_told(path, text, line):
    assert told(**{path: text}) == [(path, line, "room")]


def test_two_files_of_one_prefix_are_told():
    assert told(**{"node/host/net_a.c": "", "node/host/net_b.c": ""}) == [
        ("node/host/net_a.c", 1, "room"), ("node/host/net_b.c", 1, "room")]
    assert not told(**{"node/host/net_a.c": "", "node/host/net_a.h": "", "node/pool/net_b.c": "",
                       "node/host/net_int.h": "", "node/host/nets.c": ""})


def test_a_neighbours_name_begins_no_other():
    assert told(**{"node/host/net.c": "", "node/host/netfile.h": ""}) == [("node/host/netfile.h", 1, "room")]
    assert not told(**{"node/host/net.c": "", "node/host/nets.c": "", "node/pool/netfile.c": ""})


def test_unit_tests_mirror_the_rooms():
    assert not told(**{"tests/unit/node/host/test_pids.c": ""})


def test_a_table_is_everybodys():
    assert not told(**{"node/host/b.c": '#include "node/pool/rows.def"\n'})


@pytest.mark.parametrize("row", [
    "node/host: node/pool | the kernel", "node/host: node/cellar | the kernel",
    "node/host: ^node/pool | the kernel", "node/host the kernel", "node/host: node/host | the kernel",
])
def test_rows_are_in_order(row):
    assert (rooms.LIST, 2, "rooms") in told(**{rooms.LIST: LIST.replace("node/host: | the kernel", row)})


def test_a_leave_that_nobody_takes_is_told():
    assert told(**{"node/pool/pool.c": ""}) == [(rooms.LIST, 3, "rooms")]
