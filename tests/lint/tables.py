# SPDX-License-Identifier: Apache-2.0
"""Tables, headers and documents that say what is not so: options that nobody reads, functions that
nobody calls, targets that the Makefile does not have."""
import fnmatch
import re
import sys
from collections import Counter
from pathlib import Path

import commands
import keys

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import routes  # noqa: E402

OPT = re.compile(r'^OPT\("([^"]+)", "([^"]+)", .*, "([^"]*)"\)$')
# How the help of an option says that it asks for what is always so.
ALWAYS = "Accepted for compatibility: "
QUERY = re.compile(r'^(QUERY|COMMON)\((\w+), "([^"]+)"')
QUERY_READ = re.compile(r'\breq_query(?:_true)?\(\w+, "([^"]+)"\)')
FUNCTION = re.compile(r"^(static )?(?!typedef|struct \w+ \{)[\w \*]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.M | re.S)
# Tables whose words stand in no other file: the table, what reads a row's words, and where they mean nothing else.
WORDS = [("base/status.def", re.compile(r'^STATUS\(\w+, +\d+, "(\w+)"'),
          ("base", "node", "cluster", "migrate", "api", "cli")),
         ("cluster/model/state.def", re.compile(r'^INST_STATE\(\w+, +"(\w+)".*?, +(?:NULL|"(\w+)"),'),
          ("node", "scheduler", "migrate", "api", "cli"))]
WORD = re.compile(r'(?<!\w)(?<!log_info\()"(\w+)"')
TARGET = re.compile(r"^([\w.%-]+)(?: [\w.%-]+)*:(?!=)", re.M)
MAKE = re.compile(r"`make ([\w-]+)|^    make ([\w-]+)", re.M)
PROTOTYPE = re.compile(r"^(?!\s|#|static|typedef|extern)[\w ]+[\w \*]*?\b(\w+)\(")

TABLES, API, EXTENSIONS = "docs/architecture.md", "docs/api.md", "api/server/extensions.def"
OURS_ROW = re.compile(r'^EXTENSION\("(dunlin_\w+)"\)', re.M)
OURS_TOLD = re.compile(r"^\| `(dunlin_\w+)` \|", re.M)


class Calls:
    """The functions of a folder, and the code of one together with all that it calls (`word`) there."""

    def __init__(self, texts, folder, word):
        self.own, self.public = {}, {}
        for path, text in texts.items():
            if not path.startswith(folder) or not path.endswith(".c"):
                continue
            for m in FUNCTION.finditer(text):
                self.own[path, m[2]] = m[3]
                if not m[1]:
                    self.public[m[2]] = path
        self.word = word

    def code_of(self, name):
        todo, seen, out = [(self.public.get(name), name)], set(), []
        while todo:
            at = todo.pop()
            if at in seen or at not in self.own:
                continue
            seen.add(at)
            out.append(self.own[at])
            for word in set(re.findall(self.word, self.own[at])):
                here = (at[0], word)
                todo.append(here if here in self.own else (self.public.get(word), word))
        return "\n".join(out)


def check_queries(texts, report):
    """What a row takes its handler reads, and the other way round."""
    names, common, taken, handlers = {}, set(), set(), {}
    table = "api/http/queries.def"
    for line in texts.get(table, "").splitlines():
        if m := QUERY.match(line):
            names[m[2]] = m[3]
            common |= {m[2]} if m[1] == "COMMON" else set()
    rows, kinds = texts.get(routes.ROUTES, ""), texts.get(routes.KINDS, "")
    short = {f"Q_{n}": [f"Q_{n}"] for n in names}
    for m in re.finditer(r"^#define (Q_\w+) \((Q_[^)]*)\)$", rows, re.M):
        short[m[1]] = m[2].split(" | ")
    calls = Calls(texts, "api/", r"\b[a-z]\w+(?=\()|(?<=\(r, )[a-z]\w+(?=\))")
    for row in routes.rows(rows, kinds):
        takes = {n[2:] for w in row.query.split(" | ") for n in short.get(w, ())}
        taken |= takes
        code = calls.code_of(row.handler)
        reads = set(QUERY_READ.findall(code)) | ({"recursion"} if "req_recursion(" in code else set())
        empty = {"recursion"} if row.doc.endswith(": none") else set()
        for name in sorted({names[t] for t in takes - common} - reads - empty):
            report(row.table, row.line, "query", f'{row.handler}() does not read "{name}"')
        handlers.setdefault(row.handler, [row, reads, set()])[2].update(names[t] for t in takes)
    for handler, (row, reads, offered) in handlers.items():
        for name in sorted(reads - offered - {names[n] for n in common}):
            report(row.table, row.line, "query", f'{handler}() reads "{name}", which no row of it takes')
    for number, line in enumerate(texts.get(table, "").splitlines(), 1):
        m = QUERY.match(line)
        if m and m[2] not in taken and m[3] != "project":
            report(table, number, "query", f'no row takes "{m[3]}"')


def check_options(texts, report):
    names, always = {}, set()
    rows = list(commands.rows(texts))
    offered = {word for row in rows for word in row.options}
    for number, line in enumerate(texts.get("cli/form/opts.def", "").splitlines(), 1):
        m = OPT.match(line)
        if not m:
            continue
        names[m[1]] = m[2]
        always |= {m[1]} if m[3].startswith(ALWAYS) else set()
        if m[1] not in offered:
            report("cli/form/opts.def", number, "option", f'no command offers "{m[1]}": remove the row')
    calls = Calls(texts, "cli/", r"\b[a-z]\w+\b")
    for row in rows:
        code = "\n".join(calls.code_of(name) for name in row.functions)
        for word in row.options:
            if word not in names:
                report("cli/cmds.def", row.line, "option", f'"{word}" is no row of cli/form/opts.def')
            elif word not in always and f'"{names[word]}"' not in code:
                report("cli/cmds.def", row.line, "option", f'"{row.words}" does not read --{names[word]}')


def check_words(texts, report):
    """A state or status is an enum outside its table."""
    for table, row, layers in WORDS:
        words = {w for line in texts.get(table, "").splitlines() if (m := row.match(line)) for w in m.groups() if w}
        for path, text in texts.items():
            if path == table or not path.endswith((".c", ".h", ".def")) or path.split("/")[0] not in layers:
                continue
            for m in WORD.finditer(text):
                if m[1] in words:
                    report(path, text.count("\n", 0, m.start()) + 1, "word",
                           f'"{m[1]}" is a word of {table}: use its enum')


def check_targets(root, texts, report):
    makefile = Path(root) / "Makefile"
    targets = TARGET.findall(makefile.read_text()) if makefile.exists() else []
    for path, text in texts.items():
        for m in MAKE.finditer(text) if path.endswith(".md") else ():
            name = m[1] or m[2]
            if not any(fnmatch.fnmatchcase(name, t.replace("%", "*")) for t in targets):
                report(path, text.count("\n", 0, m.start()) + 1, "target", f"the Makefile has no {name}")


def check_documents(texts, report):
    """The table of tables has all of them, the API's page our own extensions."""
    for path in texts:
        if path.endswith(".def") and f"`{path}`" not in texts.get(TABLES, ""):
            report(TABLES, 1, "table", f"does not name {path}: say in its table what a row is, and who reads it")
    rows = {m[1] for m in OURS_ROW.finditer(texts.get(EXTENSIONS, ""))}
    for name in sorted(rows ^ {m[1] for m in OURS_TOLD.finditer(texts.get(API, ""))}):
        report(API, 1, "table", f"{name} is in {EXTENSIONS if name in rows else API} only")


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
    keys.check(texts, report)
    check_options(texts, report)
    check_queries(texts, report)
    check_words(texts, report)
    check_targets(root, texts, report)
    if keys.WHEN in texts:  # the whole tree
        check_functions(codes, report)
    if TABLES in texts:
        check_documents(texts, report)
