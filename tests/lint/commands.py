# SPDX-License-Identifier: Apache-2.0
"""The rows of cli/cmds.def, with what its macros make of one."""
import os
import re
import subprocess
from dataclasses import dataclass

PATH = "cli/cmds.def"
KINDS = "GROUP", "CMD_TAIL", "CMD", "LIST"
ROW = re.compile(rf'\b({"|".join(KINDS)})\("([^"]+)", (?:-?\d+, -?\d+, "([^"]*)", )?'
                 rf'(.*?)(?=\b(?:{"|".join(KINDS)})\("|\Z)', re.S)
LITERAL = re.compile(r'"[^"]*"')


@dataclass
class Row:
    group: bool
    words: str
    options: list  # ids
    functions: list  # that it names
    line: int


def line_of(text, words):
    """Where the row stands, or the one that makes it."""
    while words:
        for number, line in enumerate(text.splitlines(), 1):
            if f'("{words}"' in line and not line.startswith(("GROUP", "ENTITY")):
                return number
        words = words.rpartition(" ")[0]
    return 1


def rows(texts):
    text = texts.get(PATH, "")
    kept = "".join(f"#define {kind} {kind}\n" for kind in KINDS)
    made = subprocess.run([os.environ.get("CC", "cc"), "-E", "-P", "-x", "c", "-"], input=kept + text, text=True,
                          capture_output=True, check=True).stdout
    for m in ROW.finditer(re.sub(r'"\s+"', "", made)):
        names = re.findall(r"\b[a-z]\w+\b", LITERAL.sub("", m[4]))
        names += ["c_list"] if m[1] == "LIST" else []
        yield Row(m[1] == "GROUP", m[2], (m[3] or "").split(), names, line_of(text, m[2]))
