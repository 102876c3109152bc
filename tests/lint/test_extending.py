# SPDX-License-Identifier: Apache-2.0
"""The page of what one more takes is held to the patches, and these to the tree."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import extending  # noqa: E402

PATCH = """One more a.

Tests: none
diff --git a/a.def b/a.def
--- a/a.def
+++ b/a.def
@@ -1 +1,2 @@
 A(one)
+A(two)
"""
PAGE = """    a.def |    1 +
    1 file changed, 1 insertion(+)

    +A(two)
"""


@pytest.fixture
def faults(tmp_path):
    (tmp_path / extending.PATCHES).mkdir(parents=True)
    (tmp_path / extending.PATCHES / "a.patch").write_text(PATCH)

    def run(table, page):
        found = []
        (tmp_path / "a.def").write_text(table)
        extending.check(tmp_path, {extending.PAGE: page}, lambda path, line, rule, advice: found.append(path))
        return found
    return run


def test_a_page_that_is_true(faults):
    assert not faults("A(one)\n", f"# One more\n\n{PAGE}\nThat is all.\n")


@pytest.mark.parametrize("page", ["", PAGE.replace("1 insertion", "2 insertions"), PAGE.replace("two", "three")])
def test_a_page_that_is_not(faults, page):
    assert faults("A(one)\n", page) == [extending.PAGE]


def test_a_patch_that_does_not_fit(faults):
    assert faults("A(zero)\n", PAGE) == [f"{extending.PATCHES}/a.patch"]
