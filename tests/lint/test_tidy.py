# SPDX-License-Identifier: Apache-2.0
"""Each rule of tidy.py fires on a bad sample and is silent on a good one."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import columns  # noqa: E402
import names  # noqa: E402
import owners  # noqa: E402
import refs  # noqa: E402
import tables  # noqa: E402
import tidy  # noqa: E402

C = "/* SPDX-License-Identifier: Apache-2.0 */\n"
H = C + "#pragma once\n"
SH = "# SPDX-License-Identifier: Apache-2.0\n"
MARK = "FIX" + "ME"


def function(lines, name="f"):
    return f"int {name}(void)\n{{\n" + "\t;\n" * (lines - 2) + "}\n"


def include(header):
    return C + f"#include {header}\n"


def call(text):
    return C + f"void f(void)\n{{\n\t{text};\n}}\n"


# (rule, line, path, content): one violation each.
BAD = [
    ("include", 2, "base/a.c", include('"err.h"')),
    ("include", 2, "base/a.c", include('"../base/err.h"')),
    ("include", 2, "api/a.c", include('"lxc/lxccontainer.h"')),
    ("confine", 2, "node/network/bridge.c", include("<lxc/lxccontainer.h>")),
    ("confine", 2, "cluster/store/store.c", include("<dqlite.h>")),
    ("confine", 2, "api/a.c", include("<sqlite3.h>")),
    ("confine", 2, "api/http/auth.c", include("<openssl/ssl.h>")),
    ("confine", 2, "node/a.c", include("<uv.h>")),
    ("confine", 2, "api/a.c", include("<jansson.h>")),
    ("confine", 2, "node/storage/storage.c", include("<archive_entry.h>")),
    ("confine", 2, "cli/a.c", include("<yaml.h>")),
    ("confine", 2, "api/http/conn.c", include("<wslay/wslay.h>")),
    ("confine", 2, "api/a.c", include("<nftables/libnftables.h>")),
    ("confine", 2, "base/a.c", include("<cmocka.h>")),
    *(("banned", 4, "node/a.c", call(f"{name}(x)")) for name in (
        "strcpy", "strcat", "sprintf", "strtok", "atoi", "atol", "strtol", "strtoull", "gets",
        "alloca", "system", "popen", "sleep", "usleep", "rand", "fork", "basename", "dirname",
        "dup")),
    ("temporary", 2, "tests/unit/base/test_a.c", C + 'char d[] = "/tmp/dunlin-a-XXXXXX";\n'),
    ("pragma", 1, "base/a.h", C),
    ("header", 1, "base/a.h", H + "int f(unknown_type x);\n"),
    ("function-size", 3, "base/a.c", C + function(71)),
    ("parameters", 3, "base/a.c", C + "int f(int a, int b, int c, int d, int e, int g)\n{\n}\n"),
    ("parameters", 4, "base/a.h", H + "static inline int f(int a, int b, int c, int d, int e, int g)\n{\n}\n"),
    ("nesting", 7, "base/a.c", C + "void f(void)\n{\n\tfor (;;)\n\t\tif (a) {\n\t\t\tdo\n\t\t\t\tif (b)\n"
     "\t\t\t\t\tc();\n\t\t\twhile (d);\n\t\t}\n}\n"),
    ("file-size", 601, "base/a.c", C + ";\n" * 600),
    ("width", 2, "base/a.c", C + "\t" * 12 + "x = 1;\n"),
    ("width", 2, "base/a.def", C + "R" * 201 + "\n"),
    ("blank", 2, "docs/a.md", "text\nmore \n"),
    ("mark", 2, "docs/a.md", f"text\n{MARK} later\n"),
    ("spdx", 1, "cluster/schema/0001-a.sql", "SELECT 1;\n"),
    ("spdx", 1, "base/a.c", "int x;\n"),
    ("shell", 1, "tests/a.sh", SH + "if true; then\n"),
    ("shell", 1, "tests/a.sh", "#!/bin/bash\n" + SH + "a=(\n"),
    ("ruby", 1, "vagrant/Vagrantfile", SH + "def f(\n"),
    ("allow", 2, "tests/lint/allow.txt", "# list\nbase/a.c:f\n"),
]

GOOD = {
    "base/a.h": H + "#include <stdint.h>\n\nint64_t f(void);\n",
    "base/b.h": H + '#include "base/a.h"\n',
    "base/rows.def": C + "ROW(" + "x" * 190 + ")\n",
    "base/a.c": C + '#include "base/a.h"\n\n#include <uv.h>\n\n' + function(70),
    "base/proc.c": call("fork()"),
    "base/many.c": C + "int f(int a, int b, int c, int d, void (*done)(void *arg, int x, int y),\n"
    "      void *arg, int *ret, char ret_text[8], struct err *err)\n{\n}\n",
    "base/deep.c": C + "void f(void)\n{\n\tfor (;;) {\n\t\tif (a) {\n\t\t\tif (b)\n\t\t\t\tc();\n"
    "\t\t\telse if (d)\n\t\t\t\te();\n\t\t}\n\t\tif (g)\n\t\t\tif (h)\n\t\t\t\ti();\n\t}\n}\n",
    "base/str.c": call("strtol(s, NULL, 10)"),
    "base/json.h": H + "struct json_t;\n",
    "node/text.c": call('log("sleep(1), system(2)"); /* never system() */ ops->system(x)')
    .replace("log", "log_info"),
    "node/own.c": call("my_sleep(1); do_fork (2); x.atoi(3)"),
    "node/image/tar.c": include("<archive.h>"),
    "node/container/verb/lxc.c": include("<lxc/lxccontainer.h>"),
    "node/daemon/net.c": include('"cluster/store/store.h"') + '#include "api/http/route.h"\n',
    "scheduler/a.c": include('"cluster/store/store.h"'),
    "migrate/a.c": include('"node/node.h"'),
    "api/a.c": include('"migrate/move.h"') + '#include "scheduler/place.h"\n',
    "cli/a.c": include('"api/routes.def"'),
    "tests/unit/test_a.c": include('"cli/form/args.h"') + "#include <sqlite3.h>\n#include <cmocka.h>\n",
    "tests/ok.sh": "#!/bin/bash\n" + SH + "a=(1 2)\n",
    "vagrant/Vagrantfile": SH + "puts 1\n",
    "Makefile": SH + "all:\n\ttrue\n",
    "README.md": "# Title without a licence line\n",
    "build/generated.c": "strcpy(a, b);   \n",
}


def lint(root, tree):
    for path, text in tree.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tidy.Tidy(root).run()


@pytest.mark.parametrize("rule,line,path,text", BAD)
def test_bad(tmp_path, rule, line, path, text):
    found = lint(tmp_path, {path: text})
    assert any(f.startswith(f"{path}:{line}: {rule}: ") for f in found), found
    assert all(f": {rule}: " in f or rule == "allow" for f in found), found


@pytest.mark.parametrize("path", GOOD)
def test_good(tmp_path, path):
    assert not lint(tmp_path, {"base/a.h": GOOD["base/a.h"], path: GOOD[path]})


def test_place_of_the_checkout_is_not_named(tmp_path):
    found = lint(tmp_path, {"docs/a.md": f"see {tmp_path}/docs\n", "docs/b.md": "see /tmp/docs\n"})
    assert [f.split(": ")[:2] for f in found] == [["docs/a.md:1", "place"]]


def test_allow_list_admits_and_shrinks(tmp_path):
    tree = {"base/a.c": C + function(80, "long_one"),
            "tests/lint/allow.txt": "base/a.c:long_one a table of cases\n"}
    assert not lint(tmp_path, tree)
    tree["base/a.c"] = C + function(20, "long_one")
    assert [f.split(": ")[:2] for f in lint(tmp_path, tree)] == [["tests/lint/allow.txt:1", "allow"]]


def test_name_of_a_function_over_several_lines():
    code = ["", "static struct x *find_it(int a,", "\t\t\t int b)", "{"]
    assert tidy.Tidy.function_name(code, 4) == "find_it"


def test_missing_ruby_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(tidy.shutil, "which", lambda name: None)
    assert lint(tmp_path, {"vagrant/Vagrantfile": SH}) == [
        "vagrant/Vagrantfile:1: ruby: install ruby (make deps)"]


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_in_git_ignored_files_are_skipped(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    found = lint(tmp_path, {".gitignore": "*.gen.c\n", "a.gen.c": "", "base/new.c": ""})
    assert [f.split(":")[0] for f in found] == ["base/new.c"]


def test_command_line(tmp_path):
    run = [sys.executable, tidy.__file__, str(tmp_path)]
    assert subprocess.run(run, check=False).returncode == 0
    (tmp_path / "a.c").write_text("")
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout.startswith("a.c:1: spdx: ")


KEY = 'KEY(any, "{}", TEXT, NULL, {}, "what it is")\n'
TABLE = '#include "node/a/keys.def"\nconst struct keys a_keys = {{ rows, NULL }};\n{}'.format
READER = 'x = keys_text(&a_keys, json_obj(d, "config"), "{}");\n'
LIVE = {"node/a/keys.def": KEY.format("speed", "LIVE")}
PACE = {"node/a/keys.def": KEY.format("car.pace", "LIVE")}
DEVICE = {"node/device/device.def": KEY.format("pool", "LIVE"), "node/device/r.c": 'option(options, "pool");'}
ASKER = "static const char *option(const json_t *o, const char *name)\n{\n" \
        "\treturn keys_text(&device_any.keys, o, name);\n}\n"
TYPES = "".join(KEY.format("speed", "LIVE").replace("any", name) for name in ("car", "boat"))
OPTION = 'OPT("fast", "quick", 0, OPT_FLAG, NULL, "Fast")\n'
COMMANDS = 'CMD("go", 0, 0, "fast", c_go, "", "Go")\nCMD("stop", 0, 0, "", c_stop, "", "Stop")\n'
GO = "int c_go(struct cli *c)\n{\n\treads(c);\n}\n"
READS_FAST = 'static int reads(struct cli *c)\n{\n\treturn args_flag(a, "quick");\n}\n'
STOP = 'int c_stop(struct cli *c)\n{\n\treturn args_flag(a, "quick");\n}\n'
ROUTES = {"api/http/queries.def": 'QUERY(PATH, "path", check, "of a file")\n',
          "api/routes.def": 'ROUTE(GET, "/1.0/a", h_a, ROLE_ANY, T_HERE, BODY_NONE, 0, 0, Q_PATH, "a")\n'}
THING = {"cluster/model/entity.def": 'KIND(a, A, "as", "", SCOPE_GLOBAL, "thing",\n     "/1.0/a", "/{name}", '
                                     'CAN_ALL & ~CAN_CHANGE, ROLE_ANY, T_HERE, 0, Q_PATH, "a")\n',
         "api/http/queries.def": ROUTES["api/http/queries.def"]}
HANDLER = "int h_a(struct req *r)\n{{\n\t{}\n}}\n"
OTHER = 'static int other(struct req *r)\n{\n\treturn req_query_true(r, "force");\n}\n'
STATES = {"base/status.def": 'STATUS(RUNNING,    103, "Running",     true)\n',
          "cluster/model/state.def": 'INST_STATE(READY, "ready", 0, NULL, "it is ready",\n'
                                     'INST_STATE(MOVING, "moving", TO(READY), "moved_from", "it is moved",\n'}
TREES = [  # (rule, path, tree): one violation each
    ("key", "node/a/keys.def", LIVE),
    ("key", "node/a/keys.def", {"node/a/keys.def": KEY.format("x.*.speed", "LIVE"), "node/a/a.c": 'f("x");'}),
    ("key", "node/a/keys.def", {"node/a/keys.def": 'KEY(car, "speed", NUMBER(0, (1 << 3)), "2", LIVE, "it")\n'}),
    ("key", "node/a/keys.def", {"base/keys.def": 'KEY_WHEN(LIVE, "at once")\n',
                                "node/a/keys.def": KEY.format("car.pace", "SOON"), "node/a/a.c": '"car.pace"'}),
    ("key", "node/a/keys.def", {**LIVE, "node/a/a.c": 'f("speed");'}),
    ("key", "node/b/keys.def", {**PACE, "node/b/keys.def": KEY.format("car.pace", "LIVE"), "node/a/k.c": TABLE(""),
                                "api/a.c": READER.format("car.pace")}),
    ("key", "node/device/device.def", {"node/device/device.def": TYPES, "node/device/car.c": 'option(o, "speed");',
                                       "api/a.c": '"speed"'}),
    ("key", "api/a.c", {**PACE, "node/a/k.c": TABLE(READER.format("car.pace")),
                        "api/a.c": 'keys_bool(keys, x->config, "speed");'}),
    ("key", "api/a.c", {**LIVE, "node/a/k.c": TABLE(""), "api/a.c": READER.format("speed") + READER.format("mtu")}),
    ("key", "api/a.c", {"node/a/keys.def": KEY.format("speed", "UNREAD"), "node/a/k.c": TABLE(""),
                        "api/a.c": READER.format("speed")}),
    ("key", "api/a.c", {"node/a/keys.def": 'REFUSED(any, "speed", "it stands")\n', "node/a/k.c": TABLE(""),
                        "api/a.c": READER.format("speed")}),
    ("key", "api/a.c", {"node/a/a.def": KEY.format("speed", "LIVE").replace("any", "car"),
                        "api/a.c": 'keys_text(&a_car.keys, dev, "speed"); keys_text(&a_boat.keys, dev, "speed");'}),
    ("key", "api/a.c", {"node/a/keys.def": KEY.format("limits.speed", "LIVE"),
                        "api/a.c": 'f("limits.speed", "limits.heat");'}),
    ("key", "node/b.c", {**PACE, "node/b.c": 'json_str(config, "car.pace", NULL);'}),
    ("key", "node/b.c", {**PACE, "node/b.c": 'json_object_get(spec->config, "car.pace")'}),
    ("key", "api/b.c", {**PACE, "api/b.c": 'json_str(json_obj(d, "config"), "car.pace", "12");'}),
    ("key", "api/b.c", {**PACE, "api/b.c": 'json_str(x->config, "car.pace", "12");'}),
    ("key", "api/b.c", {**DEVICE, "api/b.c": 'json_str(old_root, "pool", NULL);'}),
    ("key", "migrate/b.c", {**DEVICE, "migrate/b.c": 'json_object_foreach(json_obj(doc, "devices"), name, v)\n'
                                                     '\tf(json_str(v, "pool", NULL));'}),
    ("key", "api/b.c", {**DEVICE, "api/b.c": 'json_object_foreach((json_t *)x->devices, l->name, v)\n'
                                             '\tf(json_int(v, "pool", 0));'}),
    ("key", "api/b.c", {**DEVICE, "api/b.c": 'keys_text(&device_nic.keys, v, "pool");'}),
    ("key", "node/device/b.c", {**DEVICE, "node/device/b.c": 'json_bool(options, "pool", true);'}),
    ("key", "node/device/b.c", {**DEVICE, "node/device/b.c": ASKER + 'x = option(o, "pool");\ny = option(o, "pol");'}),
    ("key", "node/device/b.c", {**DEVICE, "node/device/b.c": ASKER + 'const char *const all[] = { "pool", "pol" };\n'
                                                             'option(o, all[i]);'}),
    ("key", "node/device/b.c", {**DEVICE, "node/device/b.c": ASKER + 'const char *name = v4 ? "pool" : "pol";\n'
                                                             'option(o, name);'}),
    ("key", "cluster/b.c", {**PACE, "api/c.c": '"car.pace"',
                            "cluster/m/k.c": TABLE("").replace("a_keys", "server_keys"),
                            "cluster/b.c": 'setting_get(c->store, "cluster.pace");'}),
    ("option", "cli/form/opts.def", {"cli/form/opts.def": 'OPT("fast", "fast", 0, OPT_FLAG, NULL, "Fast")\n'}),
    ("option", "cli/cmds.def", {"cli/form/opts.def": OPTION, "cli/cmds.def": COMMANDS, "cli/a.c": GO + "\n" + STOP}),
    ("option", "cli/cmds.def", {"cli/form/opts.def": OPTION, "cli/cmds.def": COMMANDS,
                                "cli/a.c": GO + READS_FAST.replace("reads", "other") + STOP}),
    ("query", "api/routes.def", {**ROUTES, "api/a.c": HANDLER.format("")}),
    ("query", "api/routes.def", {**ROUTES, "api/a.c": HANDLER.format('req_query(r, "path");other(r);') + OTHER}),
    ("query", "cluster/model/entity.def", {**THING, "api/a.c": HANDLER.format("").replace("h_a", "object_create")}),
    ("table", tables.TABLES, {tables.TABLES: "| `base/a.def` |\n", "base/a.def": "", "base/b.def": ""}),
    ("table", tables.API, {tables.TABLES: f"`{tables.EXTENSIONS}`", tables.API: "| `dunlin_a` | so |\n",
                           tables.EXTENSIONS: 'EXTENSION("dunlin_a")\nEXTENSION("dunlin_b")\n'}),
    ("query", "api/http/queries.def", {"api/http/queries.def": 'QUERY(PATH, "path", check, "of a file")\n'}),
    ("option", "cli/cmds.def", {"cli/cmds.def": 'CMD("go", 0, 0, "fast", c_go, "", "Go")\n'}),
    ("word", "api/a.c", {**STATES, "api/a.c": 'json_put_str(doc, "state", "ready");'}),
    ("word", "migrate/a.c", {**STATES, "migrate/a.c": 'json_str(doc, "moved_from", NULL);'}),
    ("word", "cli/a.c", {**STATES, "cli/a.c": 'str_eq(status, "Running")'}),
    ("option", "cli/cmds.def", {"cli/form/opts.def": OPTION, "cli/a.c": GO + READS_FAST.replace("reads", "other"),
                                "cli/cmds.def": '#define MADE(w) CMD(w " go", 0, 0, "fast" "", c_go, "", "Go")\n'
                                                'MADE("x")\n'}),
    ("option", "cli/cmds.def", {"cli/form/opts.def": OPTION,
                                "cli/cmds.def": 'LIST("ls", 0, 0, "fast", "", "List", "a")\n'}),
    ("target", "README.md", {"README.md": "Run `make sim`, or\n\n    make check\n"}),
    ("unused", "base/a.h", {"base/keys.def": "", "base/a.h": "int f(void);\n"}),
    ("unused", "base/a.h", {"base/keys.def": "", "base/a.h": "int f(void);\n", "base/a.c": "int f(void)\n{\n}\n"}),
]
QUIET = {**STATES, **DEVICE,
         "node/device/d.c": ASKER + 'const char *name = "pool";\noption(o, name); option(o, other);',
         "node/device/c.c": 'json_str(dev, "pool", NULL); keys_text(&device_a.keys, d, "pool");',
         "api/d.c": 'json_object_foreach(leases, name, v)\n\tjson_str(v, "pool", NULL); json_str(dev, "device", "");',
          "node/b.c": 'log_info("ready", "n", 1); x = "it is ready"; y = STATUS_RUNNING;',
         "cluster/c.c": '[DB_READY] = "ready",', "tests/a.c": '"Running"',
         "node/a/keys.def": KEY.format("speed", "UNREAD") + KEY.format("x.*.mtu", "LIVE") + KEY.format("n", "LIVE"),
         "node/a/k.c": TABLE('keys_read(&a_keys, c, "n", &n, err);'),
         "base/keys.def": 'KEY_WHEN(LIVE, "now")\nKEY_WHEN(UNREAD, "no")\n',
         "api/a.c": 'xasprintf("x.%s.mtu", nic); json_str(config, "n", NULL); f();\n',
         "base/a.h": "int f(void);\n", "base/a.c": "int f(void)\n{\n}\n",
         "cli/form/opts.def": 'OPT("fast", "quick", 0, OPT_FLAG, NULL, "Fast")\n', "cli/a.c": GO + READS_FAST,
         "cli/cmds.def": 'CMD("go", 0, 0, "fast", c_go, "", "Go")\n'
                         'LIST("l", 0, 0, "fast", "", "L", "a",\n     .fetch = c_go)\n'
                         '#define MADE(w) CMD(w " go", 0, 0, "fa" "st", c_go, "", "Go")\nMADE("x")\n', **ROUTES,
         "api/b.c": HANDLER.format('req_query(r, "path");'), "README.md": "`make check`, `make fuzz-x`\n"}


def table_faults(tmp_path, tree):
    found = []
    (tmp_path / "Makefile").write_text("check: deps\n\ttrue\nfuzz-%: a\n")
    tables.check(tmp_path, tree, tree, lambda path, line, rule, advice: found.append((rule, path)))
    return found


@pytest.mark.parametrize("rule,path,tree", TREES)
def test_tables(tmp_path, rule, path, tree):
    assert table_faults(tmp_path, tree) == [(rule, path)]


def test_tables_that_are_true(tmp_path):
    assert not table_faults(tmp_path, QUIET)


OWNED = {"node/storage/driver.def": 'DRIVER(thin, "1", "shares blocks")\n', "node/storage/thin.c": '"a thin pool";\n',
         "node/device/device.def": 'DEVICE(plug, "a thing")\nKEY(plug, "type", WORDS("plug"), NULL, LIVE, "plug")\n',
         "node/network/type.def": 'NETWORK(star, "spokes")\n'}


def owner_faults(path, text):
    found = []
    owners.check({**OWNED, path: text}, lambda path, line, rule, advice: found.append((path, line, rule)))
    return found


@pytest.mark.parametrize("path,line,text", [
    ("api/a.c", 2, 'a();\nif (str_eq(driver, "thin"))\n\tb();\n'),
    ("migrate/a.c", 1, 'o.shares = !str_eq(json_str(k->pool,\n"driver", ""), "thin");\n'),
    ("node/daemon/a.c", 3, '/* the\n thin pool */\nask("Storage (thin, thick)");\n'),
    ("node/storage/storage.c", 1, "return storage_thin.fill(x);\n"),
    ("api/work/keys.def", 1, 'REFUSED(DISK, "size", "the driver thin has no quota")\n'),
    ("cli/cmd/a.c", 1, 'json_put_str(nic, "type", "plug");\n'),
    ("cli/cmd/a.c", 1, 'is = str_eq(json_str(device, "type", ""), "plug");\n'),
    ("node/daemon/a.c", 1, 'p = json_pack("{s:{s:s}}", "devices", "type", "plug");\n'),
    ("cli/cmd/a.c", 1, 'err_set(err, "device \\"%s\\": give its type (-d %s,type=plug)", a);\n'),
    ("api/work/a.c", 1, "return keys_text(&device_plug.keys, dev, s);\n"),
    ("node/daemon/a.c", 1, 'p = json_pack("{s:{s:s}}", "networks", "type", "star");\n'),
    ("cli/form/opts.def", 1, 'OPT("nettype", "Type of network: star (default)")\n'),
    ("api/object/a.c", 1, "if (type == &network_star)\n\tb();\n"),
    ("migrate/a.c", 1, 'if (str_eq(v, "thin"))\n\tb();\n'),
    ("cli/cmd/a.c", 1, 'return strcmp(word, "plug") == 0;\n'),
    ("api/a.c", 1, 'static const char *const words[] = { "x", "star", NULL };\n'),
])
def test_owners(path, line, text):
    assert owner_faults(path, text) == [(path, line, "owner")]


@pytest.mark.parametrize("path,text", [
    ("api/a.c", '/* a thin pool */ f("a thin layer"); pool("thinner");\n'),
    ("node/storage/thin.c", 'const struct storage_ops storage_thin = { .driver = "thin" };\n'),
    ("tests/unit/a.c", 'pool_of("thin");\n'),
    ("cli/help.def", 'HELP("storage create", "A pool: ", "dunlin storage create fast thin")\n'),
    ("cli/help.def", 'HELP("network create", "A type: ", "dunlin network create net --type star")\n'),
    ("node/daemon/init.c", 'static const char usage[] = "  dunlind init --storage-backend thin\\n";\n'),
    ("node/device/plug.c", 'const struct device_ops device_plug = { .type = "plug" };\n'),
    ("node/network/a.c", 'if (str_eq(l.kind, "bridge"))\n\treturn;\n'),
    ("api/a.c", 'put(j, "thin", 1); x = json_obj(state, "plug");\n'),
    ("cli/cmd/a.c", 'source = json_pack("{s:s}", "type", "plug");\n'),
    ("cli/cmd/a.c", 'COL("TYPE", cell_text, "type") COL("DEVICE", cell_usage, "state/plug/root/usage")\n'),
])
def test_owners_are_quiet(path, text):
    assert not owner_faults(path, text)


def ref_faults(path, text):
    found = []
    refs.check({path: text}, lambda path, line, rule, advice: found.append((path, line, rule)))
    return found


@pytest.mark.parametrize("path,line,text", [
    ("api/a.c", 2, 'a();\njson_put_str(j, "project", "default");\n'),
    ("api/a.c", 1, 'if (str_eq(req_project(r),\n "default"))\n\tb();\n'),
    ("cluster/op/a.c", 1, 'sbuf_puts(b, ",\\"project\\":" "default");\n'),
    ("api/a.c", 1, 'store_get(s, ENT_PROFILE, "default", &row, err);\n'),
    ("cluster/model/ref.h", 1, '#define PROJECT_DEFAULT "default"\n'),
    ("cli/net/a.c", 1, 'if (strcmp(cl->project, "default") == 0)\n\treturn;\n'),
    ("api/a.c", 1, 'key = xasprintf("instance/%s", name);\n'),
    ("migrate/a.c", 1, 'url = xasprintf("/1.0/instances/%s", name);\n'),
    ("api/a.c", 1, 'url = xasprintf("/1.0/images/aliases/%s", name);\n'),
])
def test_refs(path, line, text):
    assert ref_faults(path, text) == [(path, line, "ref")]


@pytest.mark.parametrize("path,text", [
    ("api/a.c", '/* "project": "default" */ f(PROJECT_DEFAULT, "the default");\n'),
    ("base/defaults.h", '#define PROJECT_DEFAULT "default"\n'),
    ("api/a.c", 'url = xasprintf("/1.0/operations/%s", id);\n'),
    ("api/a.c", 'path = xasprintf("/1.0/instances/%s/logs/%s", ref_of(key).name, file);\n'),
    ("cluster/model/ref.c", 'url = xasprintf("/1.0/instances/%s", name);\n'),
    ("cli/net/a.c", 'path = xasprintf("/1.0/instances/%s", name);\n'),
    ("cli/help.def", 'HELP("profile show", "Prints it.", "dunlin profile show default")\n'),
])
def test_refs_are_quiet(path, text):
    assert not ref_faults(path, text)


KNOWN = {"base/known.c": "int known_call(struct known *k);\n#define KNOWN_MAX 3\n#include <linux/tcp.h>\n",
         "cli/form/opts.def": 'OPT("fast", "quick", 0, OPT_FLAG, NULL, "Fast")\n',
         "cli/cmds.def": 'GROUP("pot", "Pots")\nCMD("pot boil", 0, 0, "fast", c_boil, "", "Boil")\n',
         "cli/form/args.c": '{ "debug", "d" }', "node/daemon/dunlind.c": '"init" "auto"',
         "node/a/keys.def": KEY.format("limits.heat", "LIVE") + KEY.format("volatile.*.lid", "LIVE"),
         "docs/known.md": "", "Makefile": ""}
WRONG = [  # (rule, path, line, text)
    ("name", "base/a.c", 2, "/* As\n * lost_call() does. */"),
    ("name", "base/a.c", 1, "int x; /* a lost_word */"),
    ("name", "base/a.c", 1, "int x; /* a lost_word. */"),
    ("name", "base/a.c", 1, "// LOST_MAX"),
    ("name", "base/a.h", 1, "/* of struct lost */"),
    ("name", "base/a.def", 1, "/* see base/lost.h */"),
    ("name", "base/a.c", 1, "/* see lost.c */"),
    ("command", "base/a.c", 1, 'f("run dunlin pot fry");'),
    ("command", "base/a.c", 1, 'f("run \\"dunlin \"\n  "pot fry\\"");'),
    ("command", "cli/help.def", 1, '"dunlin pot boil --slow"'),
    ("command", "docs/a.md", 1, "    # dunlin pan --quick"),
    ("command", "docs/a.md", 1, "see `dunlind melt`"),
    ("command", "docs/a.md", 1, "see `dunlind init --lost`"),
    ("option", "docs/a.md", 1, "with `--slow`"),
    ("key", "docs/a.md", 2, "the key\n`limits.cold`"),
    ("name", "docs/a.md", 1, "`base/lost.c`"),
    ("name", "docs/a.md", 1, "`base/l*.c`"),
    ("name", "docs/a.md", 1, "`lost_call()`"),
    ("name", "docs/a.md", 1, "[here](lost.md)"),
]
RIGHT = {"base/a.c": "/* known_call() of base/known.c: struct known, KNOWN_MAX, see linux/tcp.h, "
                     "<linux/lost.h>, `known_*`, docs/known.md */\nf(\"run dunlin pot boil --quick --debug\");\n"
                     'f("dunlind is gone, lost_word() too");',
         "docs/a.md": "`dunlin pot`, `dunlin help pot boil`, `dunlin pot boil --quick`, `dunlind init --auto`,\n"
                      "`--quick`\n"
                      "`limits.heat`, `volatile.eth0.lid`, `base/k*.c`, `known_call()`, [a](known.md), `/etc/lost.c`,\n"
                      "`other/lost.c`, `lost_word`\n\n    m1# dunlin pot boil\n"}


def name_faults(tree):
    found = []
    names.check(KNOWN | tree, lambda path, line, rule, advice: found.append((rule, path, line)))
    return found


@pytest.mark.parametrize("rule,path,line,text", WRONG)
def test_names(rule, path, line, text):
    assert name_faults({path: text}) == [(rule, path, line)]


def test_names_that_are_there():
    assert not name_faults(RIGHT)


def test_names_of_others_are_listed_while_they_are_used():
    tree = {"base/a.c": "/* LOST_MAX */", names.FOREIGN: "# list\nLOST_MAX of another\n"}
    assert not name_faults(tree)
    assert name_faults({names.FOREIGN: tree[names.FOREIGN]}) == [("name", names.FOREIGN, 2)]


PARTS = {"base/part.def": 'PART(wheel, 4, "round")\n', "base/part.h": "#define PART(name, count, doc) #name count\n"}


FILLED = "static const struct {{\n\tconst char *name; /* it */\n\tint count;\n}} parts[] = {{\n" \
         "#define PIECE(name_, count_) {{ #name_, count_ }},\n}};\n{};\n"
SHARED = "const struct part parts[] = {{\n#define PIECE(n, c) {{ fn_##n, #n, c }},\n}};\n{};\nx->fn(1, 2);\n"

STRUCT = "struct part {\n\tint (*fn)(int a, int b);\n\tconst char *name;\n\tint count;\n};\n"


def column_faults(tree):
    found = []
    columns.check(tree, tree, lambda path, line, rule, advice: found.append((rule, path, line)))
    return found


@pytest.mark.parametrize("rule,path,tree", [
    ("column", "base/part.def", {**PARTS, "base/part.h": "#define PART(name, count, doc) #name\n"}),
    ("column", "base/part.def", {**PARTS, "base/part.h": "#define PART(name, ...) #name\n"}),
    ("column", "base/b.c", {"base/b.c": FILLED.format("*p = parts[0].name")}),
    ("column", "base/b.c", {"base/b.c": FILLED.format("parts[0].name; p.count = 1")}),
    ("column", "base/b.c", {"base/b.c": FILLED.replace("#name_, count_", ".count = count_").format("")}),
    ("column", "base/b.c", {"base/b.c": SHARED.format("p->name"), "base/b.h": STRUCT}),
    ("text", "api/a.c", {**PARTS, "api/a.c": 'if (str_starts(err->msg, "no "))'}),
    ("text", "migrate/a.c", {**PARTS, "migrate/a.c": "return strstr(req_err.msg, word);"}),
    ("text", "api/a.c", {**PARTS, "api/a.c": "if (memmem(err->msg, 3, word, 2))"}),
    ("text", "api/a.c", {**PARTS, "api/a.c": "if (!strchr(why.msg, ch))"}),
    ("text", "api/a.c", {**PARTS, "api/a.c": "if (err->msg[0] == first)"}),
    ("text", "api/a.c", {**PARTS, "api/a.c": "const char *text = err->msg; if (strstr(text, word))\n}\n"}),
    ("text", "base/err.c", {**PARTS, "base/err.c": "bool f(struct err *err) { return strstr(err->msg, word); }\n"}),
])
def test_columns(rule, path, tree):
    assert [fault[:2] for fault in column_faults(tree)] == [(rule, path)]


@pytest.mark.parametrize("tree", [
    {**PARTS, "base/part.c": "#define PART(...)\n"},
    {"base/b.c": FILLED.format("f(parts[0].name, p->count == 1)")},
    {"base/b.c": SHARED.format("p->name"), "base/c.c": "x->count;", "base/b.h": STRUCT},
    {**PARTS, "base/part.h": "#define PART(name, ...) #name\n", "api/a.c": "#define PART(name, rest, doc) rest\n"},
    {**PARTS, "api/a.c": 'if (err->kind == ERR_CONFLICT) log(err->msg);'},
    {**PARTS, "api/a.c": "str_copy(text, sizeof(text), err->msg); n = strlen(err->msg);"
                         " if (err->msg[0]) xstrdup(err->msg);"},
    {**PARTS, "base/err.c": "int err_wrap_name(struct err *err)\n{\n\tstrstr(err->msg, name);\n}\n"},
])
def test_columns_that_are_read(tree):
    assert not column_faults(tree)


def test_page_of_keys(tmp_path):
    tree = {"base/keys.def": 'KEY_WHEN(LIVE, "at once")\nKEY_WHEN(UNREAD, "never")\n',
            "node/device/a.def": 'DEVICE(car)\nKEY(car, "speed", NUMBER(0, 9), "2", LIVE, "how fast")\n'
                                 'REFUSED(car, "wings", "it stands")\nKEY(any, "user.*", TEXT, NULL, UNREAD, "free")\n',
            "node/device/car.c": '"speed"'}
    page = tables.keys.page(tree)
    assert "## Devices of type car\n\n" in page and "## Devices of every type" in page
    assert "| `speed` | 0 to 9 | `2` | at once | how fast |" in page
    assert "| `wings` | refused |  |  | it stands |" in page
    assert not table_faults(tmp_path, {**tree, tables.keys.PAGE: page})
    assert table_faults(tmp_path, {**tree, tables.keys.PAGE: page + "more\n"}) == [("key", tables.keys.PAGE)]
