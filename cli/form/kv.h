/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/kv.h - key=value arguments, and the shapes that the API wants them in. */
#pragma once
#include "base/json.h"
#include "cli/form/args.h"

/* "key=value" -> key (the caller frees) and value (points into arg). */
int kv_split(const char *arg, char **ret_key, const char **ret_value, struct err *err);
/* An object of the arguments from `first` on: key=value each, or one pair "key value" when just
 * those two are left. A value of "-" is read from standard input. */
json_t *kv_object(const struct args *a, int first, struct err *err);
/* Adds the values of a repeated option. */
int kv_options(const struct args *a, const char *opt, json_t *obj, struct err *err);
/* "device,key=value" options into {device: {key: value}}. */
int kv_devices(const struct args *a, const char *opt, json_t *devices, struct err *err);

/* Config maps hold strings: numbers and booleans that YAML made of them become text. */
void config_to_strings(json_t *obj);
/* A copy in which the keys of config, devices and properties are sorted. */
json_t *config_sorted(const json_t *obj);
/* Only these fields ("a b c"), in this order; absent ones are left out. */
json_t *pick_fields(const json_t *obj, const char *fields);

bool word_in(const char *list, const char *word);

/* The name after the last '/', without a query: of URLs like /1.0/instances/c1?project=p. The
 * caller frees. */
char *url_name(const char *url);
/* {"token"...} metadata and the names of its fields, to the base64 text that people pass on. */
char *token_text(const json_t *meta, const char *name_field, const char *name);
/* YAML that was redirected to standard input: a file or a here-document, never a terminal. NULL
 * with err->kind ERR_NONE when there is none. */
json_t *stdin_yaml(struct err *err);
