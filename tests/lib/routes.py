# SPDX-License-Identifier: Apache-2.0
"""The rows of api/routes.def, a KIND row as the routes that it stands for."""

import re
from typing import NamedTuple

ROUTE = re.compile(r'^ROUTE\((\w+), +"([^"]+)", +(\w+), .*, +(T_\w+), .*, ([^,]*), "([^"]*)"\)$')
KIND = re.compile(r'^KIND\((\w+), "([^"]+)", "([^"]+)", ([^,]+), (\w+), (\w+), ([^,]+), ([^,]+), "([^"]*)"\)$')
# What a KIND row makes: method, of an object (not of the list), verb, handler. As in api/routes.c.
VERBS = [
    ("GET", False, "LIST", "object_list"), ("GET", True, "GET", "object_get"),
    ("POST", False, "CREATE", "object_create"), ("PUT", True, "CHANGE", "object_change"),
    ("PATCH", True, "CHANGE", "object_change"), ("POST", True, "RENAME", "object_rename"),
    ("DELETE", True, "DELETE", "object_delete")]


class Route(NamedTuple):
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
    _, path, part, verbs, _, _, _, query, doc = m.groups()
    for method, of_object, verb, handler in VERBS:
        if not offers(verbs, verb):
            continue
        takes = "Q_LIST" if verb == "LIST" else query if verb in ("CREATE", "CHANGE") else "0"
        yield Route(number, method, path + part if of_object else path, handler, takes, doc)


def rows(text):
    for number, line in enumerate(text.splitlines(), 1):
        if m := ROUTE.match(line):
            yield Route(number, m[1], m[2], m[3], m[5], m[6])
        elif m := KIND.match(line):
            yield from of_kind(number, m)
        elif line.startswith(("ROUTE(", "KIND(")):
            raise ValueError(f"api/routes.def:{number}: not a row: {line}")
