/* SPDX-License-Identifier: Apache-2.0 */
/* base/yaml.h - YAML to and from JSON trees, by libyaml: preseed files, image metadata, the CLI's
 * show and edit. Plain scalars become null, booleans, integers or strings as in YAML 1.2's core
 * schema, but only an integer that reads back with the same digits is one ("0755" stays text);
 * anchors, tags and duplicate keys are refused.
 */
#pragma once
#include "base/json.h"
#include "base/sbuf.h"

json_t *yaml_parse(const char *text, size_t len, const char *what, struct err *err);
/* Block style, keys in the order of the tree; strings that would read as another type are
 * quoted. */
void yaml_emit(struct sbuf *b, const json_t *j);
