# SPDX-License-Identifier: Apache-2.0
"""asserts.py counts who takes a state, takes something over or gives it away, and what they assert."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import asserts  # noqa: E402

TAKES = "void take(struct box *b, int own_fd)\n{\n\tassert(own_fd >= 0);\n\tb->fd = own_fd;\n}\n"
STATE = "static int\nshow(enum box_state s, struct err *err)\n{\n\tassert(s < BOX_MAX);\n\treturn 0;\n}\n"
GIVES = "char *give(struct box *b)\n{\n\tassert(b->text);\n\treturn take_ptr(b->text);\n}\n"
FREE = "static void own_row(int fd)\n{\n\tstatic_assert(sizeof(fd) == 4);\n\tsame(fd);\n}\n"


def without(text):
    return "".join(line for line in text.splitlines(True) if "\tassert(" not in line)


def told(text, path="node/box.c"):
    found = []
    asserts.check({path: text}, lambda path, line, rule, advice: found.append((path, line, rule)))
    return found


def test_those_that_take_or_give_are_counted_and_no_others():
    assert asserts.count({"node/box.c": TAKES + without(STATE) + GIVES + FREE, "node/box.h": TAKES,
                          "tests/unit/node/box.c": TAKES}) == {
        "node": [("node/box.c", 1, "take", True), ("node/box.c", 6, "show", False),
                 ("node/box.c", 11, "give", True)]}


@pytest.mark.parametrize("text,lines", [
    (TAKES + STATE + GIVES, []),
    (TAKES + without(STATE) + GIVES, []),
    (TAKES + without(STATE) + without(GIVES), [6, 11]),
    (without(TAKES) + FREE, [1]),
    (FREE, []),
])
def test_less_than_half_is_told(text, lines):
    assert told(text) == [("node/box.c", line, "assert") for line in lines]


def test_each_top_folder_counts_alone():
    found = []
    asserts.check({"base/a.c": TAKES + STATE, "node/a.c": without(GIVES)},
                  lambda path, *_: found.append(path))
    assert found == ["node/a.c"]


@pytest.mark.parametrize("condition,lines", [
    ("a < b", []), ("a || !b", []), ("is(a, b) && b", [3]), ("is(a,\n\t       b) &&\n\t       b", [3]),
])
def test_an_assert_has_one_condition(condition, lines):
    assert told(f"int f(void)\n{{\n\tassert({condition});\n}}\n") == [("node/box.c", line, "assert") for line in lines]
    assert not told(f"int f(void)\n{{\n\tassert({condition});\n}}\n", "tests/unit/node/test_box.c")
