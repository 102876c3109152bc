# SPDX-License-Identifier: Apache-2.0
"""The rows of api/routes.def, with those that a KIND row of cluster/model/entity.def stands for."""

import re
from typing import NamedTuple

ROUTE = re.compile(r'^ROUTE\((\w+), +"([^"]+)", +(\w+), .*, +(T_\w+), .*, ([^,]*), "([^"]*)"\)$')
KIND = re.compile(r'^KIND\(\w+, \w+, "\w+", "\w*", SCOPE_\w+, "[^"]+",\n +"([^"]+)", "([^"]+)", ([^,]+), \w+, \w+, '
                  r'([^,]+), ([^,]+), "([^"]*)"\)$', re.M)
ROUTES, KINDS = "api/routes.def", "cluster/model/entity.def"
# What a KIND row makes: method, of an object (not of the list), verb, handler. As in api/routes.c.
VERBS = [
    ("GET", False, "LIST", "object_list"), ("GET", True, "GET", "object_get"),
    ("POST", False, "CREATE", "object_create"), ("PUT", True, "CHANGE", "object_change"),
    ("PATCH", True, "CHANGE", "object_change"), ("POST", True, "RENAME", "object_rename"),
    ("DELETE", True, "DELETE", "object_delete")]


class Route(NamedTuple):
    table: str
    line: int
    method: str
    path: str
    handler: str
    query: str
    doc: str


def offers(verbs, verb):
    """verbs: "CAN_ALL", "CAN_ALL & ~CAN_RENAME" or "CAN_LIST | CAN_GET"."""
    all_of, *without = verbs.split(" & ~")
    return (all_of == "CAN_ALL" or f"CAN_{verb}" in all_of.split(" | ")) and f"CAN_{verb}" not in without


def of_kind(number, m):
    path, part, verbs, _, query, doc = m.groups()
    for method, of_object, verb, handler in VERBS:
        if not offers(verbs, verb):
            continue
        takes = "Q_LIST" if verb == "LIST" else query if verb in ("CREATE", "CHANGE") else "0"
        yield Route(KINDS, number, method, path + part if of_object else path, handler, takes, doc)


def rows(routes, kinds):
    """The texts of the two tables."""
    for number, line in enumerate(routes.splitlines(), 1):
        if m := ROUTE.match(line):
            yield Route(ROUTES, number, m[1], m[2], m[3], m[5], m[6])
        elif line.startswith("ROUTE("):
            raise ValueError(f"{ROUTES}:{number}: not a row: {line}")
    for row in re.finditer(r"^KIND\(", kinds, re.M):
        number = kinds.count("\n", 0, row.start()) + 1
        if not (m := KIND.match(kinds, row.start())):
            raise ValueError(f"{KINDS}:{number}: not a row")
        yield from of_kind(number, m)
