# SPDX-License-Identifier: Apache-2.0
"""failures.py finds in the logs of a run what failed, and says it in few lines."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import failures  # noqa: E402

UNIT = """unit: base-test_a: 3 passed
[==========] Running 3 test(s).
[ RUN      ] test_good
[       OK ] test_good
[ RUN      ] test_bad
what it logged
[  ERROR   ] --- 0x1 != 0x2
[   LINE   ] --- tests/unit/base/test_b.c:7: error: Failure!
[  FAILED  ] test_bad
[ RUN      ] test_also_good
[       OK ] test_also_good
[==========] 3 test(s) run.
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] test_bad
unit: base-test_b: FAILED (exit status 1)
[ RUN      ] test_crash
before
==7==ERROR: AddressSanitizer: heap-use-after-free on address 1
    #0 1 in it
unit: base-test_c: FAILED (exit status 1)
[ RUN      ] test_good
[       OK ] test_good
[  PASSED  ] 1 test(s).
==8==ERROR: LeakSanitizer: detected memory leaks
unit: base-test_d: FAILED (exit status 23)
unit: 5 passed, 3 failed
"""

PYTEST = """integration: test_a: 4 passed (3 s)
.F                                                                       [100%]
=================================== FAILURES ===================================
___________________________________ test_one ___________________________________

    def test_one():
        x = 1
>       assert x == 2
E       assert 1 == 2

tests/integration/test_b.py:3: AssertionError
----------------------------------- log of m1 ----------------------------------
one
two
=========================== short test summary info ============================
FAILED tests/integration/test_b.py::test_one - assert 1 == 2
1 failed, 1 passed in 0.02s
integration: test_b: FAILED (exit status 1, 3 s)
conftest.py: no such module
integration: test_c: FAILED (exit status 4, 0 s)
"""


def told(**parts):
    return failures.summary([(name, text.splitlines()) for name, text in parts.items()])


def test_unit_tests_are_named_with_what_they_asserted():
    out = told(unit=UNIT)
    titles = [line for line in out if line.startswith("==")]
    assert titles == ["== unit: base-test_b: test_bad (exit status 1)",
                      "== unit: base-test_c: test_crash did not end (exit status 1)",
                      "== unit: base-test_d: outside of its tests (exit status 23)"]
    assert out[1:4] == ["   what it logged", "   [  ERROR   ] --- 0x1 != 0x2",
                        "   [   LINE   ] --- tests/unit/base/test_b.c:7: error: Failure!"]
    assert out[5] == "   ==7==ERROR: AddressSanitizer: heap-use-after-free on address 1"
    assert "LeakSanitizer" in out[-1]


def test_integration_tests_are_named_with_the_ends_of_logs():
    assert told(integration=PYTEST) == [
        "== integration: test_b: test_one (exit status 1, 3 s)", "   -- log of m1", "   one", "   two",
        "   >       assert x == 2", "   E       assert 1 == 2", "   tests/integration/test_b.py:3: AssertionError",
        "== integration: test_c: no test said why (exit status 4, 0 s)", "   conftest.py: no such module"]


def test_other_parts_show_their_errors():
    assert told(build="CC a.c\na.c:1:2: error: expected ';'\nmake: *** [a.o] Error 1\nCC b.c") == [
        "== build", "   a.c:1:2: error: expected ';'", "   make: *** [a.o] Error 1"]
    assert told(replay="one\ntwo") == ["== replay", "   one", "   two"]


def test_much_is_bounded():
    lines = "".join(f"[ RUN      ] test_{i}\n" + "x" * 999 + "\n" + "more\n" * 99 + f"[  FAILED  ] test_{i}\n"
                    for i in range(99))
    out = told(unit=lines + "unit: base-test_a: FAILED (exit status 99)\n")
    assert len(out) == failures.LINES + 1 and out[-1] == "== and 89 more"
    assert max(map(len, out)) <= failures.WIDTH + 3


def test_nothing_failed():
    assert told() == []
