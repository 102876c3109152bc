# SPDX-License-Identifier: Apache-2.0
"""Comments, documents and messages that name what is not there: functions, types, macros, files, commands, options,
configuration keys."""
import re

import commands
import keys

COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
LITERALS = re.compile(r'"(?:\\.|[^"\\\n])*"(?:\s*(?:DUNLIN_VERSION\s*)?"(?:\\.|[^"\\\n])*")*')
INCLUDED = re.compile(r"#\s*include\s*<([^>]+)>")
NAMES = [  # what looks like one of ours in a comment, and what it is
    (re.compile(r"\b([a-z]\w+)\(\)"), "function"),
    (re.compile(r"\b(?:struct|enum|union) (\w+)"), "type"),
    (re.compile(r"(?<![\w/.$-])([a-z]\w*_[a-z]\w*)\b(?!\(|\.\w)"), "identifier"),
    (re.compile(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])\b"), "macro"),
]
FILE = re.compile(r"(?<![\w./<-])((?:[\w-]+/)*[\w*-]+\.(?:c|h|def))\b(?![\w(])")
TICKED = re.compile(r"`([^`\n]+)`")
DOC_FILE = re.compile(r"((?:[\w.-]+/)*[\w.*-]+\.(?:c|h|def|py|sh|md|service|txt)|[\w-]+/[\w/.*-]*)")
COMMAND = re.compile(r"(?<![\w./$-])(dunlin|dunlind)((?: +(?:[a-z][a-z-]*|--?[a-z][a-z-]*))+)")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")
KEY = re.compile(r"((?:boot|cluster|core|dns|environment|images|ipv4|ipv6|limits|migration|raw|security|user|volatile|"
                 r"vxlan|bridge)\.[\w.*]+)")
OPT = re.compile(r'^OPT\("([^"]+)", "([^"]+)"')

FOREIGN = "tests/lint/foreign.txt"


class Tree:
    """What there is."""

    def __init__(self, texts):
        self.texts = texts
        code = {p: t for p, t in texts.items() if p.endswith((".c", ".h", ".def"))}
        self.words, included = set(), set()
        for text in code.values():
            self.words.update(re.findall(r"\w+", COMMENT.sub(self.keep_literal, text)))
            included.update(INCLUDED.findall(text))
        self.folders = {p.split("/")[0] for p in texts if "/" in p}
        self.files = set(texts) | {p.rsplit("/", 1)[-1] for p in texts} | included
        self.foreign = {}  # word -> line
        for number, line in enumerate(texts.get(FOREIGN, "").splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                self.foreign[line.split()[0]] = number
        self.used = set()
        self.read_tables()

    @staticmethod
    def keep_literal(m):
        return " " if m.group().startswith(("/*", "//")) else m.group()

    def read_tables(self):
        rows = self.texts.get("cli/form/opts.def", "").splitlines()
        opts = {m[1]: m[2] for line in rows if (m := OPT.match(line))}
        self.commands, self.groups = {}, {"dunlin"}
        for row in commands.rows(self.texts):
            if row.group:
                self.groups.add(row.words)
                continue
            self.commands[row.words] = {opts.get(word) for word in row.options}
            self.groups.update({row.words.rsplit(" ", n)[0] for n in range(1, row.words.count(" ") + 1)})
        self.keys = {row.name for row in keys.rows_of(self.texts)}
        self.globals = set(re.findall(r'\{ "([a-z-]+)",', self.texts.get("cli/form/args.c", ""))) | {"help", "version"}
        daemon = "\n".join(t for p, t in self.texts.items() if p.startswith("node/") and p.endswith((".c", ".def")))
        self.daemon = set(re.findall(r'"(?:--)?([a-z][a-z-]*)', daemon)) | {"help", "version"}
        self.options = set(opts.values()) | self.globals | self.daemon

    def has_word(self, word):
        if word in self.foreign:
            self.used.add(word)
        return word in self.words or word in self.foreign

    def has_file(self, path):
        if "*" in path:
            pattern = re.compile(re.escape(path).replace(r"\*", "[^/]*"))
            return any(pattern.fullmatch(f) for f in self.files)
        if "/" in path and path.split("/")[0] not in self.folders:
            return True
        path = path.rstrip("/")
        return path in self.files or any(f.startswith(path + "/") for f in self.texts)

    def has_key(self, key):
        return key in self.keys or any(
            "*" in row and re.fullmatch(re.escape(row).replace(r"\*", ".+"), key) for row in self.keys) \
            or any(row.startswith(key) for row in self.keys)

    def fault_of(self, program, rest, verbs=1):
        """What is wrong with "dunlin WORD... --OPTION...", or None; verbs 0: what follows dunlind may be prose."""
        words = [w for w in rest.split() if not w.startswith("-")]
        words = words[1:] if words[:1] == ["help"] else words
        options = [w[2:] for w in rest.split() if w.startswith("--")]
        if program == "dunlind":
            strange = [w for w in words[:verbs] + options if w not in self.daemon]
            return f"dunlind has no {strange[0]}" if strange else None
        for n in range(len(words), 0, -1):
            name = " ".join(words[:n])
            if name in self.commands:
                strange = set(options) - self.commands[name] - self.globals
                return f'"dunlin {name}" has no --{min(strange)}' if strange else None
            if name in self.groups:
                return None if n == len(words) else f'there is no "dunlin {" ".join(words[:n + 1])}"'
        return f'there is no "dunlin {words[0]}"' if words else None


def check_comments(tree, path, text, report):
    for m in COMMENT.finditer(text):
        if not m.group().startswith(("/*", "//")):
            continue
        start = text.count("\n", 0, m.start()) + 1

        def line(found):
            return start + m.group().count("\n", 0, found.start())
        for pattern, what in NAMES:
            for found in pattern.finditer(m.group()):
                if not tree.has_word(found[1]):
                    report(path, line(found), "name", f"no {what} is called {found[1]}")
        for found in FILE.finditer(m.group()):
            if not tree.has_file(found[1]):
                report(path, line(found), "name", f"there is no file {found[1]}")


def check_messages(tree, path, text, report):
    for m in LITERALS.finditer(text):
        said = re.sub(r'"\s*(?:DUNLIN_VERSION\s*)?"', "", m.group()).replace('\\"', " ").replace("\\n", " . ")
        for found in COMMAND.finditer(said):
            if fault := tree.fault_of(found[1], found[2], verbs=0):
                report(path, text.count("\n", 0, m.start()) + 1, "command", fault)


def check_document(tree, path, text, report):
    folder = path.rsplit("/", 1)[0] + "/" if "/" in path else ""
    for number, line in enumerate(text.splitlines(), 1):
        block = line.startswith("    ")
        spans = [line] if block else TICKED.findall(line)
        for span in spans:
            for found in COMMAND.finditer(span.split("#  ")[0]):
                if fault := tree.fault_of(found[1], found[2]):
                    report(path, number, "command", fault)
            if block:
                continue
            if (m := DOC_FILE.fullmatch(span)) and not tree.has_file(m[1]) and not tree.has_file(folder + m[1]) \
                    and m[1].split("/")[0] in tree.folders | {m[1]}:
                report(path, number, "name", f"there is no file {m[1]}")
            if (m := re.fullmatch(r"(\w+)\(\)", span)) and not tree.has_word(m[1]):
                report(path, number, "name", f"no function is called {m[1]}")
            if (m := KEY.fullmatch(span)) and not tree.has_key(m[1]) and not m[1].startswith("environment."):
                report(path, number, "key", f"there is no key {m[1]}")
            if span.startswith("--") and (m := OPTION.match(span)) and m[1] not in tree.options:
                report(path, number, "option", f"nothing takes --{m[1]}")
        for link in re.findall(r"\]\(([\w./-]+)\)", line):
            if not tree.has_file(folder + link):
                report(path, number, "name", f"there is no file {link}")


def check(texts, report):
    """texts: path -> text, of the whole tree."""
    tree = Tree(texts)
    for path, text in texts.items():
        if path.endswith((".c", ".h", ".def")):
            check_comments(tree, path, text, report)
            if not path.startswith("tests/"):
                check_messages(tree, path, text, report)
        elif path.endswith(".md"):
            check_document(tree, path, text, report)
    for word in tree.foreign.keys() - tree.used:
        report(FOREIGN, tree.foreign[word], "name", f"remove {word}: no comment names it")
