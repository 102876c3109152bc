# SPDX-License-Identifier: Apache-2.0
"""Completion as a person has it: a bash on a terminal, with the script sourced, and the tab key."""

import os
from pathlib import Path

import pytest

from cluster import ROOT
from terminal import Terminal

CASES = [  # typed before the tab, what stands there then
    ("dunlin conf", "dunlin config "),
    ("dunlin config set c1 limits.mem", "dunlin config set c1 limits.memory="),
    ("dunlin config set c1 security.pri", "dunlin config set c1 security.privileged="),
    ("dunlin config set c1 boot.autostart=t", "dunlin config set c1 boot.autostart=true "),
    ("dunlin config set n1:c1 environ", "dunlin config set n1:c1 environment."),
    ("dunlin network set br0 ipv4.n", "dunlin network set br0 ipv4.nat="),
    ("dunlin network set br0 dns.mode=man", "dunlin network set br0 dns.mode=managed "),
    ("dunlin storage set pool sour", "dunlin storage set pool source="),
    ("dunlin profile set p security.priv", "dunlin profile set p security.privileged="),
    ("dunlin profile device set p eth0 hwa", "dunlin profile device set p eth0 hwaddr="),
    ("dunlin config device add c1 d dis", "dunlin config device add c1 d disk "),
    ("dunlin config device add c1 d disk readonly=f", "dunlin config device add c1 d disk readonly=false "),
    ("dunlin config device set c1 d requ", "dunlin config device set c1 d required="),
    ("dunlin config unset c1 limits.pro", "dunlin config unset c1 limits.processes "),
]


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    rc = tmp_path_factory.mktemp("bash") / "rc"
    rc.write_text("PS1='ready> '\nbind 'set bell-style none'\nsource <(dunlin completion bash)\n")
    build = Path(os.environ.get("BUILD", ROOT / "build")).resolve()
    env = {**os.environ, "PATH": f"{build}:{os.environ['PATH']}", "TERM": "dumb", "INPUTRC": "/dev/null"}
    t = Terminal(["bash", "--noprofile", "--rcfile", rc, "-i"], env, columns=200)
    t.expect("ready> ")
    yield t
    t.close()


@pytest.mark.parametrize("typed, line", CASES, ids=[c for c, _ in CASES])
def test_tab(shell, typed, line):
    os.write(shell.master, f"{typed}\t<\x01: \r".encode())  # "<" shows where the cursor was; ":" does nothing
    shell.expect(f"{line}<")
    shell.expect("ready> ")
