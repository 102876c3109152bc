# SPDX-License-Identifier: Apache-2.0
"""The patches of tests/extending fit the tree, and docs/extending.md shows what they cost.
`python3 tests/lint/extending.py PATCH...` prints what the page has of them."""
import subprocess
import sys
from pathlib import Path

PAGE, PATCHES = "docs/extending.md", "tests/extending"
SHOWN_LINES = 12  # a longer patch is not shown, only counted


def apply(root, how, patch):
    return subprocess.run(["git", "apply", how, patch], cwd=root, capture_output=True, text=True, check=False)


def block(root, patch):
    """The files and how much of each; of a short patch the lines, too."""
    shown = [line.strip() for line in apply(root, "--stat", patch).stdout.splitlines()]
    text = (Path(root) / patch).read_text()
    changed = [line for line in text[text.find("diff --git"):].splitlines()
               if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))]
    if len(changed) <= SHOWN_LINES:
        shown += [""] + changed
    return "".join(f"    {line}".rstrip() + "\n" for line in shown)


def check(root, texts, report):
    for path in sorted((Path(root) / PATCHES).glob("*.patch")):
        patch = f"{PATCHES}/{path.name}"
        done = apply(root, "--check", patch)
        if done.returncode:
            said = done.stderr.strip().splitlines()[0].removeprefix("error: ")
            report(patch, 1, "extending", f"does not fit the tree any more ({said}): make the change again with "
                   f"`git diff -U1`, try it with {PATCHES}/try.sh, show it in {PAGE}")
        elif block(root, patch) not in texts.get(PAGE, ""):
            report(PAGE, 1, "extending", f"does not show what {patch} is: python3 tests/lint/extending.py {patch}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(block(".", name), end="")
