# SPDX-License-Identifier: Apache-2.0
"""What a row of a table stands for is known in one file: nobody else branches on its name."""
import re

# The table, its macro, the row's own file, its symbol, and what a statement speaks of that means it.
TABLES = [
    ("node/storage/driver.def", "DRIVER", "node/storage/{}.c", "storage_{}", ["driver|pool|backend|storage"]),
    ("node/device/device.def", "DEVICE", "node/device/{}.c", "device_{}", ["type", r"\bdev|\bnics?\b|\broot\b"]),
    ("node/network/type.def", "NETWORK", "node/network/{}.c", "network_{}", ["type", r"\bnet"]),
]
# Words that others have for something else, the kernel (links, file systems) and the API (states, choices): where
# they are compared like this, or anywhere.
ALIKE = {"bridge": r'\bkind\b|RTA_DATA', "overlay": r'"nfs"', "none": "", "disk": r"\bwant\b|\busage\b"}
NOT_LISTED = ("bridge", "none")
COMPARED = r'\b(?:str_\w+|strn?(?:case)?cmp)\s*\([^;{]*"NAME"|\bcase .*"NAME"'
LISTED = r'^\s*(?:(?:"[^"]*"|NULL),?\s*)*"NAME"\s*,?\s*(?:(?:"[^"]*"|NULL),?\s*)*\}?$'
FREE = ("tests/", "bench/")
EXAMPLE = re.compile(r'" *dunlind? ')  # for people, who have to name one
COMMENT_OR_LITERAL = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
LITERAL = re.compile(r'"(?:\\.|[^"\\\n])*"')


def statements(text, table):
    """(line, statement or row of a table), with its literals and without comments."""
    literals = []

    def keep(m):
        if not m[0].startswith('"'):
            return "\n" * m[0].count("\n")
        literals.append(m[0])
        return f"\0{len(literals) - 1}\0"

    text = COMMENT_OR_LITERAL.sub(keep, text)
    at, ends = 0, r"(?<=[;{})]\n)" if table else r"(?<=[;{}])"
    for part in re.split(ends, text):
        line = text.count("\n", 0, at + len(part) - len(part.lstrip())) + 1
        at += len(part)
        yield line, re.sub("\0(\\d+)\0", lambda m: literals[int(m[1])], part)


def decides(name, statement):
    """Whatever the variable is called: a value is compared with the name, or the name is one of a list of words."""
    patterns = (COMPARED,) if name in NOT_LISTED else (COMPARED, LISTED)
    found = any(re.search(p.replace("NAME", name), statement) for p in patterns)
    return found and (name not in ALIKE or not re.search(ALIKE[name], statement))


def check_table(table, texts, report):
    path, macro, file, symbol, about = table
    for name in re.findall(rf"^{macro}\((\w+),", texts.get(path, ""), re.M):
        own, word = file.format(name), re.compile(rf"(?<!/)\b{name}\b(?!/)")
        for other, text in texts.items():
            if not other.endswith((".c", ".h", ".def")) or other.startswith(FREE) or other in (path, own):
                continue
            if not word.search(text) and symbol.format(name) not in text:
                continue
            for line, statement in statements(text, other.endswith(".def")):
                named = any(word.search(x) and not EXAMPLE.match(x) for x in LITERAL.findall(statement))
                if named and all(re.search(x, statement, re.I) for x in about) or decides(name, statement) or \
                        re.search(rf"\b{symbol.format(name)}\b", statement):
                    report(other, line, "owner", f"{name} is known in {own} alone: ask an operation or a flag of it")


def check(texts, report):
    for table in TABLES:
        check_table(table, texts, report)
