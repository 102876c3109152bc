/* SPDX-License-Identifier: Apache-2.0 */
/* config trust list, add, and the tokens for new clients. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/net/certinfo.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/list.h"
#include "cli/form/kv.h"
#include "cli/form/term.h"
#include "cli/net/client.h"
#include "cli/net/remote.h"
#include "cli/net/tokens.h"

#define CERT_MAX (64 << 10)
#define DATE "%b %-d, %Y at %-I:%M%p (UTC)"

static char *date_of(int64_t when)
{
	time_t t = when;
	char buf[64];
	struct tm tm;

	if (when <= 0 || !gmtime_r(&t, &tm) || !strftime(buf, sizeof(buf), DATE, &tm))
		return xstrdup("");
	return xstrdup(buf);
}

static struct x509_info describe(const json_t *cert, const char *field)
{
	struct x509_info info = { 0 };
	struct err bad;

	x509_describe(json_str(cert, field, ""), &info, &bad);
	return info;
}

char *cell_common_name(const json_t *cert, const char *field)
{
	return xstrdup(describe(cert, field).common_name);
}

char *cell_issued(const json_t *cert, const char *field)
{
	return date_of(describe(cert, field).not_before);
}

char *cell_expires(const json_t *cert, const char *field)
{
	return date_of(describe(cert, field).not_after);
}

static json_t *request_body(const struct args *a, const char *name)
{
	json_t *body = json_object();
	const char *projects = args_value(a, "projects");

	json_put_str(body, "name", name);
	json_put_str(body, "type", args_value(a, "type") ? args_value(a, "type") : "client");
	json_put_bool(body, "restricted", args_flag(a, "restricted"));
	if (projects) {
		json_t *list = json_array();

		for (const char *p = projects; *p;) {
			size_t len = strcspn(p, ",");
			_free_ char *one = xstrndup(p, len);

			json_array_append_new(list, json_string(one));
			p += len + (p[len] == ',');
		}
		json_object_set_new(body, "projects", list);
	}
	return body;
}

/* The base64 inside the armour. */
static char *certificate_base64(const char *pem)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	const char *from = strstr(pem, begin);
	const char *to = from ? strstr(from, "-----END CERTIFICATE-----") : NULL;
	_sbuf_ struct sbuf b = SBUF(CERT_MAX);

	if (!to)
		return NULL;
	for (from += strlen(begin); from < to; from++)
		if (!strchr(" \t\r\n", *from))
			sbuf_putc(&b, *from);
	return sbuf_take(&b);
}

static int add_certificate(struct client *cl, const char *file, struct err *err)
{
	const struct args *a = &client_cli(cl)->args;
	const char *slash = strrchr(file, '/');
	const char *name = args_value(a, "name");
	size_t len;
	_free_ char *pem = strcmp(file, "-") == 0 ? term_read_all(CERT_MAX, &len, err)
						  : io_read_file(file, CERT_MAX, &len, err);
	_free_ char *base64 = pem ? certificate_base64(pem) : NULL;
	_json_ json_t *body = NULL;

	if (!pem)
		return -1;
	if (!base64)
		return err_set(err, ERR_INVALID, "%s holds no certificate in PEM form", file);
	body = request_body(a, name ? name : slash ? slash + 1 : file);
	json_put_str(body, "certificate", base64);
	return api_do(cl, "POST", "/1.0/certificates", body, err);
}

static int add_token(struct client *cl, struct err *err)
{
	struct cli *c = client_cli(cl);
	const char *given = args_value(&c->args, "name");
	struct api_call call = API_CALL("POST", "/1.0/certificates");
	_free_ char *asked = NULL, *token = NULL;
	_json_ json_t *body = NULL, *op = NULL;
	const json_t *meta;
	const char *name;

	if (str_empty(given)) {
		fputs("Please provide the client's name: ", stderr);
		asked = term_line();
		given = asked;
	}
	if (str_empty(given))
		return err_set(err, ERR_INVALID, "a token needs the client's name: --name NAME");
	body = request_body(&c->args, given);
	json_put_bool(body, "token", true);
	call.json = body;
	op = api_begin(cl, &call, err);
	if (!op)
		return -1;
	meta = json_obj(op, "metadata");
	name = token_client_name(meta);
	token = token_text(meta, "client_name", name ? name : given);
	cli_say(c, "Client %s certificate add token:\n", given);
	puts(token);
	return 0;
}

/* [REMOTE:] [FILE]. */
int c_trust_add(struct cli *c, struct err *err)
{
	_free_ char *remote = NULL;
	int first = conf_is_remote(c->conf, args_pos(&c->args, 0), &remote);
	const char *file = args_pos(&c->args, first);
	struct client *cl = client_open(c, remote, err);

	if (!cl)
		return -1;
	if (args_pos(&c->args, first + 1))
		return err_set(err, ERR_INVALID, "too many arguments. Usage: dunlin %s %s",
			       c->args.cmd->words, c->args.cmd->usage);
	return file ? add_certificate(cl, file, err) : add_token(cl, err);
}

static const struct token_kind client_tokens = {
	.name_of = token_client_name,
	.noun = "trust token",
};

json_t *trust_token_items(struct cli *c, struct client *cl, const char *path, enum need need,
			  struct err *err)
{
	return tokens_unused(cl, &client_tokens, err);
}

int c_trust_revoke_token(struct cli *c, struct err *err)
{
	bool two = c->args.npos == 2;
	const char *name = args_pos(&c->args, 0);
	struct client *cl = two ? client_of_remote(c, name, err) : client_of(c, name, &name, err);

	return cl ? tokens_revoke(cl, &client_tokens, two ? args_pos(&c->args, 1) : name, err) : -1;
}
