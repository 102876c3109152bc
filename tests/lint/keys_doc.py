# SPDX-License-Identifier: Apache-2.0
"""docs/keys.md, made of the tables of keys: `python3 tests/lint/keys_doc.py > docs/keys.md`."""
import re
from pathlib import Path

KEYS, SETTINGS, PAGE = "api/work/keys.def", "cluster/model/settings.def", "docs/keys.md"
KEY = re.compile(r'^KEY\((\w+), +"([^"]+)", +K_(\w+), +(?:"([^"]*)"|NULL), +(.*?), +"([^"]*)"\)$', re.M)
REFUSED = re.compile(r'^REFUSED\((\w+), +"([^"]+)", +"([^"]*)"\)$', re.M)
SETTING = re.compile(r'^SETTING\(\w+, +"([^"]+)", +(\d+), +(\d+), +(\d+), +"([^"]*)"\)$', re.M)
TITLES = {"INSTANCE": "Instances and profiles", "NIC": "Devices of type nic", "DISK": "Devices of type disk",
          "NONE": "Devices of type none", "NETWORK": "Networks", "POOL": "Storage pools", "SERVER": "The server",
          "MEMBER": "Cluster members", "IMAGE": "Properties of images"}
HEAD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# Configuration keys

Made of `api/work/keys.def` and `cluster/model/settings.def`, which are also what is checked. A value
is refused when it is set, with its key and what is allowed; what only a host knows (interfaces, paths,
CPUs) is asked of the instance's member. A request is checked in what it changes.
"""
TYPES = {"STRING": "text", "BOOL": "true or false", "INT": "a whole number"}


def allowed(kind, rule):
    words = re.findall(r'"([^"]+)"', rule) if rule.startswith("ONE_OF") else []
    if words:
        return " or ".join(words)
    m = re.match(r"RANGE\((\S+), (.+)\)$", rule)
    if m and "INT32" not in rule:
        return f"{m[1]} to {'16777215' if '<<' in m[2] else m[2]}"
    return TYPES[kind]


def page(texts):
    rows = {of: [] for of in TITLES}
    for of, name, kind, default, rule, doc in KEY.findall(texts.get(KEYS, "")):
        rows[of].append((name, allowed(kind, rule), default, doc))
    for name, least, most, default, doc in SETTING.findall(texts.get(SETTINGS, "")):
        rows["SERVER"].append((name, f"{least} to {most}", default, doc))
    refused = {of: [] for of in TITLES}
    for of, name, why in REFUSED.findall(texts.get(KEYS, "")):
        refused[of].append((name, "refused", "", why))
    out = [HEAD]
    for of, title in TITLES.items():
        out.append(f"\n## {title}\n\n| key | may be | default | what it is |\n|---|---|---|---|")
        out += [f"| `{n}` | {may} | {f'`{d}`' if d else ''} | {doc} |" for n, may, d, doc in rows[of] + refused[of]]
    return "\n".join(out).replace("\n\n\n", "\n\n") + "\n"


def check(texts, report):
    if KEYS in texts and PAGE in texts and texts[PAGE] != page(texts):
        report(PAGE, 1, "keys", "is not what the tables say: python3 tests/lint/keys_doc.py > docs/keys.md")


if __name__ == "__main__":
    print(page({path: Path(path).read_text() for path in (KEYS, SETTINGS)}), end="")
