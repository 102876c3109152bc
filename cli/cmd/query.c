/* SPDX-License-Identifier: Apache-2.0 */
/* query: a raw request. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/term.h"
#include "cli/net/client.h"

#define DATA_MAX (64 << 20)

static int read_data(const struct args *a, json_t **ret, struct err *err)
{
	const char *data = args_value(a, "data");
	_free_ char *text = NULL;
	size_t len;

	*ret = NULL;
	if (!data)
		return 0;
	if (strcmp(data, "-") == 0) {
		text = term_read_all(DATA_MAX, &len, err);
		if (!text)
			return -1;
		data = text;
	}
	*ret = json_parse(data, strlen(data), "--data", err);
	return *ret ? 0 : -1;
}

static int check_method(const char *m, struct err *err)
{
	for (const char *p = m; *p; p++)
		if (!isupper((unsigned char)*p))
			return err_set(err, ERR_INVALID,
				       "--request \"%.20s\": GET, POST, PUT, PATCH or DELETE", m);
	return *m ? 0 : err_set(err, ERR_INVALID, "--request is empty");
}

static bool is_empty(const json_t *j)
{
	return !j || json_is_null(j) || (json_is_object(j) && json_object_size(j) == 0);
}

static int print_answer(struct client *cl, const struct api_call *call, struct err *err)
{
	const struct args *a = &client_cli(cl)->args;
	_reply_ struct http_reply reply = { 0 };
	_json_ json_t *meta = NULL, *done = NULL;

	if (api_send(cl, call, &reply, err) < 0) {
		if (args_flag(a, "raw") && reply.body.len)
			fwrite(reply.body.data, 1, reply.body.len, stdout);
		return -1;
	}
	if (args_flag(a, "raw")) {
		fwrite(reply.body.data ? reply.body.data : "", 1, reply.body.len, stdout);
		return 0;
	}
	meta = http_reply_metadata(&reply, err);
	if (!meta) {
		/* A file's bytes, for instance. */
		fwrite(reply.body.data ? reply.body.data : "", 1, reply.body.len, stdout);
		return 0;
	}
	if (reply.head.status == 202 && args_flag(a, "wait")) {
		done = api_wait(cl, meta, err);
		return done ? fmt_print_json(done, true, err) : -1;
	}
	return is_empty(meta) ? 0 : fmt_print_json(meta, true, err);
}

int c_query(struct cli *c, struct err *err)
{
	const char *path, *method = args_value(&c->args, "request");
	struct client *cl = client_of(c, args_pos(&c->args, 0), &path, err);
	struct api_call call = API_CALL(method ? method : "GET", NULL);
	_json_ json_t *data = NULL;

	if (!cl || check_method(call.method, err) < 0)
		return -1;
	if (*path != '/')
		return err_set(err, ERR_INVALID, "the path \"%.80s\" must begin with '/'", path);
	if (read_data(&c->args, &data, err) < 0)
		return -1;
	call.path = path;
	call.raw = true;
	call.json = data;
	return print_answer(cl, &call, err);
}
