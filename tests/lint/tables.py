# SPDX-License-Identifier: Apache-2.0
"""Tables, headers and documents that say what is not so: keys and options that nobody reads, functions that
nobody calls, targets that the Makefile does not have."""
import fnmatch
import re
from collections import Counter
from pathlib import Path

KEYS, SETTINGS = "api/keys.def", "cluster/settings.def"
KEY = re.compile(r'^KEY\((\w+), +"([^"]+)", +\w+, +(?:"[^"]*"|NULL), +(.*?), +"([^"]*)"\)$')
SETTING = re.compile(r'^SETTING\((\w+), +"([^"]+)"')
# Words by which a row itself says that no code reads it.
UNREAD = ("accepted for compatibility", "kept by the server", "free for users", "properties of the image")
READ = re.compile(r'\bkey_(?:value|bool)\([^;]*?"((?!config"|devices")[^"%]+)"\)')
OPT = re.compile(r'^OPT\("([^"]+)", "([^"]+)"')
CMD = re.compile(r'^CMD(?:_TAIL)?\("([^"]+)", -?\d+, -?\d+, "([^"]*)"')
TARGET = re.compile(r"^([\w.%-]+)(?: [\w.%-]+)*:(?!=)", re.M)
MAKE = re.compile(r"`make ([\w-]+)|^    make ([\w-]+)", re.M)
PROTOTYPE = re.compile(r"^(?!\s|#|static|typedef|extern)[\w ]+[\w \*]*?\b(\w+)\(")


def one_word(rule):
    return rule.startswith("ONE_OF(") and rule.count('"') == 2


def is_read(name, sources):
    family, _, rest = name.partition(".")
    return f'"{name}"' in sources or (family in ("ipv4", "ipv6") and f'"{rest}"' in sources)


def check_keys(texts, report):
    sources = "\n".join(t for p, t in texts.items() if p.endswith(".c")
                        and not p.startswith(("tests/", "bench/", "cli/", "api/keys")))
    rows = set()
    for number, line in enumerate(texts.get(KEYS, "").splitlines(), 1):
        m = KEY.match(line)
        if not m:
            continue
        rows.add(m[2])
        if "*" not in m[2] and not one_word(m[3]) and not m[4].startswith(UNREAD) \
                and not is_read(m[2], sources):
            report(KEYS, number, "key", f'nobody reads "{m[2]}": read it, or make it REFUSED')
    for number, line in enumerate(texts.get(SETTINGS, "").splitlines(), 1):
        m = SETTING.match(line)
        if m and f"SETTING_{m[1]}" not in sources:
            report(SETTINGS, number, "key", f'nobody reads "{m[2]}": remove the row')
    for path, text in texts.items():
        for m in READ.finditer(text) if path.startswith("api/") and path.endswith(".c") else ():
            if m[1] not in rows:
                report(path, text.count("\n", 0, m.start()) + 1, "key", f'"{m[1]}" is no row of {KEYS}')


def check_options(texts, report):
    names = {}
    commands = "\n".join(t for p, t in texts.items() if p.startswith("cli/") and p.endswith(".c"))
    offered = {word for line in texts.get("cli/cmds.def", "").splitlines() if (m := CMD.match(line))
               for word in m[2].split()}
    for number, line in enumerate(texts.get("cli/opts.def", "").splitlines(), 1):
        m = OPT.match(line)
        if not m:
            continue
        names[m[1]] = m[2]
        if m[1] not in offered:
            report("cli/opts.def", number, "option", f'no command offers "{m[1]}": remove the row')
        elif f'"{m[2]}"' not in commands:
            report("cli/opts.def", number, "option", f"nobody reads --{m[2]}: read it, or remove the row")
    for number, line in enumerate(texts.get("cli/cmds.def", "").splitlines(), 1):
        m = CMD.match(line)
        for word in m[2].split() if m else ():
            if word not in names:
                report("cli/cmds.def", number, "option", f'"{word}" is no row of cli/opts.def')


def check_targets(root, texts, report):
    makefile = Path(root) / "Makefile"
    targets = TARGET.findall(makefile.read_text()) if makefile.exists() else []
    for path, text in texts.items():
        for m in MAKE.finditer(text) if path.endswith(".md") else ():
            name = m[1] or m[2]
            if not any(fnmatch.fnmatchcase(name, t.replace("%", "*")) for t in targets):
                report(path, text.count("\n", 0, m.start()) + 1, "target", f"the Makefile has no {name}")


def check_functions(codes, report):
    """A prototype in a header has a function, and somebody who uses it; tests count."""
    words = Counter()
    for path, code in codes.items():
        words.update(re.findall(r"\w+", code))
    for path, code in codes.items():
        if not path.endswith(".h") or path.startswith(("tests/", "bench/")):
            continue
        for number, line in enumerate(code.splitlines(), 1):
            m = PROTOTYPE.match(line)
            if m and words[m[1]] < 2:
                report(path, number, "unused", f"{m[1]}() is defined nowhere")
            elif m and words[m[1]] == 2:
                report(path, number, "unused", f"nobody calls {m[1]}(): remove it")


def check(root, texts, codes, report):
    """texts and codes: path -> text; codes without comments and literals."""
    check_keys(texts, report)
    check_options(texts, report)
    check_targets(root, texts, report)
    if KEYS in texts:  # the whole tree
        check_functions(codes, report)
