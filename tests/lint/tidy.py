#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The project's own lint: layering, sizes, banned calls and hygiene. usage: tidy.py [ROOT]

Prints one `path:line: rule: what to do instead` per violation; exits 1 when there is any.
CC and CFLAGS say how headers are compiled alone; OBJECTS is the folder of what was built of ROOT.
"""
import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asserts
import columns
import extending
import names
import owners
import refs
import rooms
import symbols
import tables

FILE_LINES, FUNCTION_LINES, PARAMETERS, LEVELS = 600, 70, 5, 3
COLUMNS = {".def": 200, ".py": 120}  # a table row stays on one line
COLUMNS_DEFAULT = 100
ALLOW = "tests/lint/allow.txt"

# Third-party headers and the only files that include them; tests and benchmarks are free.
CONFINED = {
    "lxc/*": ["node/*/verb*.c", "node/host/lxc_*.c"],
    "dqlite.h": ["cluster/db/dqnode.c"],
    "sqlite3.h": ["cluster/member/life.c", "cluster/replica/*.c", "cluster/db/*.c"],
    "openssl/*": ["base/net/tls.c", "base/net/x509.c", "base/net/certinfo.c", "base/net/handshake.c",
                  "base/digest.c", "base/rng.c"],
    "uv.h": ["base/*.c", "api/http/*.c"],
    "jansson.h": ["base/json*.c", "base/json*.h"],
    "archive*.h": ["node/image/*.c"],
    "seccomp.h": ["node/helper/confine.c"],
    "yaml.h": ["base/yaml*.c"],
    "wslay/*": ["base/net/ws*.c", "api/http/websocket.c"],
    "nftables/*": ["node/*.c"],
    "cmocka.h": [],
}
FREE = ("tests/", "bench/")

# Pattern of the call, the files that may use it, what to use instead.
STR = "use the str_to_* parsers of base/str.h"
OWN_STRTOL, OWN_FORK = ["base/*.c", *(f + "*" for f in FREE)], [
    "node/helper/helper.c", "node/*/verb*.c", "node/criu/mounts.c", "node/hook/*.c", "base/proc*.c",
    *(f + "*" for f in FREE)]
OWN_TARBALLS = ["node/image/verb.c", "node/image/tar.c", "node/image/unpack.c",
                "node/image/image_int.h", "tests/*"]
OWN_UMASK = ["node/daemon/dunlind.c", "node/*/verb*.c", "node/device/inside.c", "node/hook/*.c",
             "api/http/listener.c", "tests/*"]
BANNED = [
    ("strcpy|stpcpy", [], "use str_copy()"),
    ("strcat|v?sprintf", [], "use struct sbuf or snprintf()"),
    ("strtok(?:_r)?", [], "use str_split()"),
    ("atoi|atol|atoll|atof", [], STR),
    ("strto(?:l|ll|ul|ull|imax|umax|d|f|ld)", OWN_STRTOL, STR),
    ("gets", [], "use io_read_file() or getline()"),
    ("alloca", [], "use a fixed array or xcalloc()"),
    ("system|popen", [], "use proc_run() with an argument vector"),
    ("sleep|usleep", [], "wait for an event with a deadline (base/clock.h)"),
    ("s?rand|random", [], "use rng_bytes() or rng_u64()"),
    ("v?fork", OWN_FORK, "use proc_spawn() or a helper verb"),
    ("umask", OWN_UMASK, "it is 077 everywhere: say a mode with io_folder() or fchmod()"),
    ("image_tar_walk|image_unpack", OWN_TARBALLS, "run it in a helper: image_job_run()"),
    ("dup", [], "use fcntl(F_DUPFD_CLOEXEC); to end a stream of another's, stream_cutter()"),
    ("basename|dirname", [], "use strrchr() on a path of known shape"),
]
BANNED = [(re.compile(rf"(?<![\w.>])({names})\s*\("), ok, to) for names, ok, to in BANNED]
# Folders of unit tests: an integration test looks at what the daemons leave beside them.
TEMPORARY = re.compile(r'/tmp/(?!dunlin-test-)dunlin[^"]*XXXXXX')

C_LIKE = (".c", ".h", ".def")
SIZED = (*C_LIKE, ".py", ".sh")
SPDX_NEEDED = (*SIZED, ".sql", ".service", "Makefile", "Vagrantfile")
TEXT = (*SPDX_NEEDED, ".md", ".txt", ".yml", ".yaml", ".json", ".clang-format", ".gitignore")
MARKS = re.compile(r"\b(FIX" r"ME|TO" r"DO|X" r"XX)\b")
SYSTEM_DIRS = {"bin", "boot", "dev", "etc", "home", "lib", "lib64", "mnt", "opt", "proc", "root",
               "run", "sbin", "srv", "sys", "tmp", "usr", "vagrant", "var"}

COMMENT_OR_LITERAL = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
FUNCTION_NAME = re.compile(r"(\w+)\s*\(")
CONTROL = re.compile(r"\t+(?:if|for|while|do|switch|\w*foreach\w*)\b")
SAME_LEVEL = re.compile(r"\s*(?:[}#]|else\b|case\b|default:|$)|\t* ")  # or the rest of a statement

# What does not count as a parameter: outputs, the error, what a callback is handed.
PARAMETER_FREE = re.compile(r"\b(?:ret(?:_\w+)?|err|arg)(?:\[[^\]]*\])?$")


def count_parameters(head):
    """Of a function's head: `int f(int a, void (*done)(void *arg), void *arg, struct err *err)` has two."""
    depth, parts = 0, [""]
    for c in head.partition("(")[2].rpartition(")")[0]:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return sum(not PARAMETER_FREE.search(p.strip()) and p.strip() not in ("", "void") for p in parts)


def too_deep(body):
    """Numbers of the lines whose statement stands in more than LEVELS others that decide or repeat."""
    stack = []
    for number, line in enumerate(body):
        if SAME_LEVEL.match(line):
            continue
        indent = len(line) - len(line.lstrip("\t"))
        while stack and stack[-1] >= indent:
            stack.pop()
        if CONTROL.match(line):
            stack.append(indent)
            if len(stack) > LEVELS:
                yield number


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, p) for p in patterns)


def bare_code(text):
    """The text with comments and literals blanked, line structure kept."""
    return COMMENT_OR_LITERAL.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


class Tidy:
    def __init__(self, root):
        self.root = Path(root).resolve()
        self.found = []
        self.allowed = {}  # "path:function" -> line in the allow-list
        self.long_functions = set()
        self.home = self.home_pattern()

    def report(self, path, line, rule, advice):
        self.found.append((path, line, f"{path}:{line}: {rule}: {advice}"))

    def home_pattern(self):
        """Matches the place of this checkout, which no file may depend on."""
        top = self.root.parts[1]
        place = str(self.root) if top in SYSTEM_DIRS else "/" + top
        return re.compile(rf"(?<![\w./:-]){re.escape(place)}(?![\w-])")

    def files(self):
        git = ["git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard", "-z"]
        names = []
        if (self.root / ".git").exists() and shutil.which("git"):
            # Fails in another user's checkout: then all files count.
            names = subprocess.run(git, stdout=subprocess.PIPE, text=True,
                                   check=False).stdout.split("\0")
        if len(names) < 2:
            names = [str(p.relative_to(self.root)) for p in self.root.rglob("*")]
        skip = {"build", ".git", "__pycache__", ".vagrant", ".pytest_cache"}
        return sorted(n for n in names if n.endswith(TEXT) and (self.root / n).is_file()
                      and not skip & set(Path(n).parts))

    def load_allowed(self):
        try:
            lines = (self.root / ALLOW).read_text().splitlines()
        except FileNotFoundError:
            return
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            key, _, reason = line.partition(" ")
            if not reason.strip() or ":" not in key:
                self.report(ALLOW, number, "allow", "write `path:function reason`")
            self.allowed[key] = number

    def check_text(self, path, lines):
        width = COLUMNS.get(Path(path).suffix, COLUMNS_DEFAULT)
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                self.report(path, number, "blank", "remove the white space at the end")
            if path.endswith(SIZED) and len(line.expandtabs(8)) > width:
                self.report(path, number, "width", f"break the line: at most {width} columns")
            if MARKS.search(line):
                self.report(path, number, "mark", "do it now or file an issue")
            if self.home.search(line):
                self.report(path, number, "place", "name no path of the developer's machine")
        if path.endswith(SIZED) and len(lines) > FILE_LINES:
            self.report(path, len(lines), "file-size", f"split it: at most {FILE_LINES} lines")
        if path.endswith(SPDX_NEEDED) and not any(
                "SPDX-License-Identifier: Apache-2.0" in line for line in lines[:2]):
            self.report(path, 1, "spdx", "start with an SPDX-License-Identifier: Apache-2.0 line")

    def check_includes(self, path, lines):
        for number, line in enumerate(lines, 1):
            m = INCLUDE.match(line)
            if m and m.group(1) == '"':
                self.check_root(path, number, m.group(2))
            elif m and not path.startswith(FREE):
                self.check_confined(path, number, m.group(2))

    def check_root(self, path, number, target):
        if "/" not in target or ".." in target or any(fnmatch.fnmatchcase(target, p) for p in CONFINED):
            self.report(path, number, "include",
                        f'write "{target}" from the root of the tree, or <{target}> when foreign')

    def check_confined(self, path, number, header):
        for pattern, homes in CONFINED.items():
            if fnmatch.fnmatchcase(header, pattern) and not matches(path, homes):
                where = ", ".join(homes) or "tests"
                self.report(path, number, "confine", f"<{header}> belongs to {where}: "
                            "use what that offers, or extend it")

    def check_c(self, path, text, lines):
        self.check_includes(path, lines)
        if path.endswith(".h") and "#pragma once" not in lines:
            self.report(path, 1, "pragma", "add #pragma once")
        code = bare_code(text).splitlines()
        for number, line in enumerate(code, 1):
            for pattern, homes, instead in BANNED:
                for m in pattern.finditer(line):
                    if not matches(path, homes):
                        self.report(path, number, "banned", f"{m.group(1)}(): {instead}")
        for number, line in enumerate(lines, 1):
            if TEMPORARY.search(line):
                self.report(path, number, "temporary", "call it /tmp/dunlin-test-...")
        self.check_functions(path, code)

    def check_functions(self, path, code):
        """The style puts a function's braces, and only those, alone in the first column."""
        start = None
        for number, line in enumerate(code, 1):
            if line.rstrip() == "{":
                start = number
                if not path.startswith(FREE):
                    self.check_parameters(path, number, self.function_head(code, number))
            elif line.startswith("}") and start:
                for at in too_deep(code[start:number - 1]) if not path.startswith(FREE) else ():
                    self.report(path, start + 1 + at, "nesting", f"at most {LEVELS} levels: split the function, or "
                                "return early")
                if number - start + 1 > FUNCTION_LINES:
                    self.long_function(path, start, self.function_name(code, start))
                start = None

    @staticmethod
    def function_head(code, brace):
        head = []
        for line in reversed(code[:brace - 1]):
            if not line.strip() or line[0] in "}#" or line.rstrip().endswith(";"):
                break
            head.insert(0, line.strip())
        return " ".join(head)

    @staticmethod
    def function_name(code, brace):
        m = FUNCTION_NAME.search(Tidy.function_head(code, brace))
        return m.group(1) if m else "?"

    def check_parameters(self, path, number, head):
        m = FUNCTION_NAME.search(head)
        if m and count_parameters(head) > PARAMETERS:
            key = f"{path}:{m.group(1)}"
            self.long_functions.add(key)
            if key not in self.allowed:
                self.report(path, number, "parameters", f"{m.group(1)}(): at most {PARAMETERS} beside outputs, err and "
                            f"a callback's arg: pass a struct, or list it with a reason in {ALLOW}")

    def long_function(self, path, number, name):
        key = f"{path}:{name}"
        self.long_functions.add(key)
        if key not in self.allowed:
            self.report(path, number, "function-size", f"split {name}(): at most "
                        f"{FUNCTION_LINES} lines, or list it with a reason in {ALLOW}")

    def check_command(self, path, rule, argv, advice):
        """Reports the first line of what argv complains of."""
        if not shutil.which(argv[0]):
            self.report(path, 1, rule, f"install {argv[0]} (make deps)")
            return
        done = subprocess.run(argv, capture_output=True, text=True, cwd=self.root, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["failed"]
            self.report(path, 1, rule, f"{advice}: {said[0]}")

    def check_header_alone(self, path):
        argv = shlex.split(os.environ.get("CC", "gcc"))
        flags = shlex.split(os.environ.get("CFLAGS", "-std=gnu11 -D_GNU_SOURCE"))
        argv += [f for f in flags if not f.startswith("-M")]  # would write dependency files
        argv += ["-fsyntax-only", "-I.", "-include", path, "-x", "c", "/dev/null"]
        self.check_command(path, "header", argv, "include what it uses, it must compile alone")

    def check_outside(self, files):
        """What other programs judge, a few at a time."""
        jobs = []
        for path in files:
            if path.endswith(".sh"):
                first = (self.root / path).read_text().partition("\n")[0]
                shell = "bash" if "bash" in first else "sh"
                jobs.append((self.check_command, path, "shell", [shell, "-n", path], "mend it"))
            elif path.endswith("Vagrantfile"):
                jobs.append((self.check_command, path, "ruby", ["ruby", "-c", path], "mend it"))
            elif path.endswith(".h"):
                jobs.append((self.check_header_alone, path))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for result in [pool.submit(*job) for job in jobs]:
                result.result()

    def check_rooms(self, texts):
        called = symbols.check(os.environ["OBJECTS"], texts, self.report) if "OBJECTS" in os.environ else ()
        rooms.check(texts, self.report, called)

    def run(self):
        self.load_allowed()
        files = self.files()
        texts = {path: (self.root / path).read_text(errors="replace") for path in files}
        for path, text in texts.items():
            lines = text.splitlines()
            self.check_text(path, lines)
            if path.endswith(C_LIKE):
                self.check_c(path, text, lines)
        for key in self.allowed.keys() - self.long_functions:
            self.report(ALLOW, self.allowed[key], "allow", f"remove {key}: it is within the limits now")
        self.check_outside(files)
        codes = {path: bare_code(text) for path, text in texts.items() if path.endswith(C_LIKE)}
        self.check_rooms(texts)
        tables.check(self.root, texts, codes, self.report)
        asserts.check(codes, self.report)
        columns.check(texts, codes, self.report)
        names.check(texts, self.report)
        owners.check(texts, self.report)
        refs.check(texts, self.report)
        extending.check(self.root, texts, self.report)
        return [message for *_, message in sorted(self.found)]


def main():
    found = Tidy(sys.argv[1] if len(sys.argv) > 1 else ".").run()
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
