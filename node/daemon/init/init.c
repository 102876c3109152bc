/* SPDX-License-Identifier: Apache-2.0 */
#include "node/daemon/init/init.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defaults.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"
#include "base/yaml.h"
#include "node/daemon/init/client.h"
#include "node/daemon/init/preseed.h"
#include "node/storage/storage.h"

#define PRESEED_MAX (1 << 20)
#define READY_TIMEOUT_MS 30000

struct init_opts {
	bool automatic, dump, preseed;
	const char *preseed_file;
	const char *join, *name, *address, *port, *driver;
};

static const char usage[] =
	"Usage: dunlind init [--auto | --preseed [FILE|-] | --join TOKEN | --dump] [options]\n"
	"\n"
	"Configures a running dunlind. Without an option it asks.\n"
	"\n"
	"  --auto                  a pool \"" POOL_DEFAULT "\", a network \"dunlinbr0\" and a\n"
	"                          default profile that uses both; what exists is left alone\n"
	"  --preseed [FILE|-]      apply a YAML file (- or nothing: standard input) with any of\n"
	"                          config, storage_pools, networks, profiles, cluster\n"
	"  --join TOKEN            join the cluster that made TOKEN (dunlin cluster add NAME)\n"
	"  --dump                  print the present configuration as a preseed\n"
	"\n"
	"  --name NAME             with --join: this member's name (default: the token's)\n"
	"  --network-address ADDR  listen for the API on this address\n"
	"  --network-port PORT     and port (default " ADDRESS_PORT ")\n"
	"  --storage-backend NAME  with --auto: the pool's driver; without it the first of\n"
#define DRIVER(name, version, doc) "      " #name ": " doc "\n"
#define KEY(...)
#define REFUSED(...)
#include "node/storage/driver.def"
#undef REFUSED
#undef KEY
#undef DRIVER
	"\n"
	"Examples:\n"
	"  dunlind init --auto --network-address 10.0.0.5\n"
	"  dunlind init --join \"$TOKEN\" --network-address 10.0.0.6\n"
	"  dunlind init --preseed < host.yaml\n";

enum {
	OPT_AUTO = 256,
	OPT_PRESEED,
	OPT_JOIN,
	OPT_DUMP,
	OPT_NAME,
	OPT_ADDRESS,
	OPT_PORT,
	OPT_DRIVER
};

static const struct option long_opts[] = {
	{ "auto", no_argument, NULL, OPT_AUTO },
	{ "preseed", optional_argument, NULL, OPT_PRESEED },
	{ "join", required_argument, NULL, OPT_JOIN },
	{ "dump", no_argument, NULL, OPT_DUMP },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "network-address", required_argument, NULL, OPT_ADDRESS },
	{ "network-port", required_argument, NULL, OPT_PORT },
	{ "storage-backend", required_argument, NULL, OPT_DRIVER },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int set_opt(struct init_opts *o, int opt)
{
	switch (opt) {
	case OPT_AUTO:
		o->automatic = true;
		return 0;
	case OPT_PRESEED:
		o->preseed = true;
		o->preseed_file = optarg;
		return 0;
	case OPT_JOIN:
		o->join = optarg;
		return 0;
	case OPT_DUMP:
		o->dump = true;
		return 0;
	case OPT_NAME:
		o->name = optarg;
		return 0;
	case OPT_ADDRESS:
		o->address = optarg;
		return 0;
	case OPT_PORT:
		o->port = optarg;
		return 0;
	case OPT_DRIVER:
		o->driver = optarg;
		return 0;
	default:
		return -1;
	}
}

/* 0, or 1 when help was asked for, or -1. */
static int parse(int argc, char **argv, struct init_opts *o)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "h", long_opts, NULL)) != -1) {
		if (opt == 'h')
			return 1;
		if (set_opt(o, opt) < 0)
			return -1;
	}
	/* --preseed takes its file as a separate word too. */
	if (o->preseed && !o->preseed_file && optind < argc)
		o->preseed_file = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "Error: unexpected argument \"%s\"\n", argv[optind]);
		return -1;
	}
	if (o->automatic + o->preseed + o->dump + (o->join != NULL) > 1) {
		fputs("Error: --auto, --preseed, --join and --dump exclude each other\n", stderr);
		return -1;
	}
	return 0;
}

/* *ret, for the caller to free, is NULL when none was given. */
static int listen_address(const struct init_opts *o, char **ret, struct err *err)
{
	struct address a;
	int64_t port = -1;

	*ret = NULL;
	if (!o->address)
		return 0;
	if (address_parse(o->address, &a, err) < 0)
		return err_wrap(err, "--network-address \"%.100s\"", o->address);
	if (o->port && !str_to_i64(o->port, 1, 65535, &port))
		return err_set(err, ERR_INVALID,
			       "--network-port \"%.20s\": must be a number from 1 to 65535",
			       o->port);
	if (a.port < 0)
		a.port = (int)port;
	*ret = address_text(&a);
	return 0;
}

static char *read_stdin(size_t *ret_len, struct err *err)
{
	struct sbuf b = SBUF(PRESEED_MAX);
	char chunk[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
		sbuf_add(&b, chunk, n);
	if (n < 0 || b.overflow) {
		sbuf_free(&b);
		err_set(err, ERR_INVALID, "standard input: unreadable or larger than %d bytes",
			PRESEED_MAX);
		return NULL;
	}
	*ret_len = b.len;
	return sbuf_take(&b);
}

static int run_preseed(const struct init_opts *o, struct err *err)
{
	bool from_stdin = !o->preseed_file || str_eq(o->preseed_file, "-");
	const char *what = from_stdin ? "standard input" : o->preseed_file;
	_json_ json_t *preseed = NULL;
	_free_ char *text = NULL;
	size_t len = 0;

	text = from_stdin ? read_stdin(&len, err)
			  : io_read_file(o->preseed_file, PRESEED_MAX, &len, err);
	if (!text)
		return -1;
	preseed = yaml_parse(text, len, what, err);
	return preseed ? preseed_apply(preseed, err) : -1;
}

/* Drops the lists whose kind of object already exists, so that --auto never adds to a set-up
 * host. */
static int drop_present(json_t *preseed, struct err *err)
{
	static const char *const kinds[][2] = { { "storage_pools", "/1.0/storage-pools" },
						{ "networks", "/1.0/networks?recursion=1" } };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_json_ json_t *list = init_call("GET", kinds[i][1], NULL, 0, err);
		bool present = false;
		json_t *v;
		size_t k;

		if (!list)
			return -1;
		json_array_foreach(list, k, v)
			if (json_is_string(v) || json_bool(v, "managed", false))
				present = true;
		if (present)
			json_object_del(preseed, kinds[i][0]);
	}
	return 0;
}

static bool profile_has_devices(void)
{
	struct err err;
	_json_ json_t *p = init_call("GET", "/1.0/profiles/" PROFILE_DEFAULT, NULL, 0, &err);

	return p && json_object_size(json_obj(p, "devices")) > 0;
}

static int run_auto(const struct init_opts *o, struct err *err)
{
	const char *driver = o->driver ? o->driver : storage_driver_default();
	_free_ char *address = NULL;
	_json_ json_t *p = NULL;

	if (listen_address(o, &address, err) < 0)
		return -1;
	p = preseed_auto(driver, address);
	if (storage_driver_check(driver, err) < 0)
		return err_wrap(err, "--storage-backend");
	if (drop_present(p, err) < 0)
		return -1;
	if (profile_has_devices())
		json_object_del(p, "profiles");
	return preseed_apply(p, err);
}

static int run_join(const struct init_opts *o, struct err *err)
{
	_free_ char *address = NULL;
	_json_ json_t *p =
		json_pack("{s:{s:b,s:s}}", "cluster", "enabled", 1, "cluster_token", o->join);
	json_t *cluster = json_obj(p, "cluster");

	if (listen_address(o, &address, err) < 0)
		return -1;
	if (!address)
		return err_set(
			err, ERR_INVALID,
			"--join needs --network-address: where the other members reach this host");
	json_put_str(cluster, "server_name", o->name);
	json_put_str(cluster, "server_address", address);
	return preseed_apply(p, err);
}

static int run_dump(struct err *err)
{
	_json_ json_t *p = preseed_dump(err);
	_sbuf_ struct sbuf out = SBUF(PRESEED_MAX);

	if (!p)
		return -1;
	yaml_emit(&out, p);
	fwrite(out.data, 1, out.len, stdout);
	return 0;
}

/* An answer, or the default for an empty line; NULL with err at the end of the input, which is no
 * consent to anything. The caller frees. */
static char *ask(const char *question, const char *dflt, struct err *err)
{
	char line[4096];
	size_t n;

	printf("%s%s%s%s: ", question, dflt ? " [default=" : "", dflt ? dflt : "", dflt ? "]" : "");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin)) {
		puts("");
		err_set(err, ERR_CANCELLED,
			"the input ended before all questions were answered: nothing was changed "
			"(--auto and --preseed ask nothing)");
		return NULL;
	}
	n = strcspn(line, "\r\n");
	line[n] = '\0';
	return xstrdup(n ? line : dflt ? dflt : "");
}

/* 1, 0, or -1. */
static int ask_yes(const char *question, struct err *err)
{
	for (;;) {
		_free_ char *a = ask(question, "no", err);
		int yes = a ? str_yes_no(a) : 0;

		if (!a)
			return -1;
		if (yes >= 0)
			return yes;
		puts("Please answer yes or no.");
	}
}

/* A name could mean another host tomorrow. */
static bool is_address(const char *text, bool join)
{
	struct err ignored;
	struct address a;

	return address_parse(text, &a, &ignored) == 0 && a.is != ADDRESS_NAME && a.port != 0 &&
	       !(join && address_is_any(&a));
}

static char *ask_address(bool join, struct err *err)
{
	for (;;) {
		_free_ char *a = ask(join ? "Address where the other members reach this host"
					  : "Address to listen on (0.0.0.0: all)",
				     join ? NULL : "0.0.0.0", err);

		if (!a || is_address(a, join))
			return take_ptr(a);
		printf("\"%s\" is no IP address%s.\n", a,
		       join ? " that other hosts can reach" : ", with or without a port");
	}
}

static char *ask_driver(struct err *err)
{
	_free_ char *names = storage_driver_names();
	_free_ char *question = xasprintf("Storage backend (%s)", names);
	struct err unknown;

	for (;;) {
		_free_ char *a = ask(question, storage_driver_default(), err);

		if (!a || storage_driver_check(a, &unknown) == 0)
			return take_ptr(a);
		printf("Please answer one of these: %s.\n", names);
	}
}

static char *ask_token(struct err *err)
{
	for (;;) {
		_free_ char *a =
			ask("Join token (dunlin cluster add NAME, on a member)", NULL, err);

		if (!a || *a)
			return take_ptr(a);
	}
}

static int join_by_questions(struct init_opts *o, struct err *err)
{
	_free_ char *token = ask_token(err);
	_free_ char *address = token ? ask_address(true, err) : NULL;

	if (!address)
		return -1;
	o->join = token;
	o->address = address;
	return run_join(o, err);
}

static int set_up_by_questions(struct init_opts *o, bool listens, struct err *err)
{
	static const char question[] = "Make the API available over the network? (yes/no)";
	_json_ json_t *pools = init_call("GET", "/1.0/storage-pools", NULL, 0, err);
	int listen = !pools ? -1 : listens ? 0 : ask_yes(question, err);
	_free_ char *address = listen > 0 ? ask_address(false, err) : NULL;
	_free_ char *driver = NULL;

	if (listen < 0 || (listen > 0 && !address))
		return -1;
	if (json_array_size(pools) == 0 && !(driver = ask_driver(err)))
		return -1;
	o->address = address;
	o->driver = driver;
	return run_auto(o, err);
}

/* Where it answers others; NULL: nowhere. */
static const char *address_of(const json_t *server)
{
	return json_str(json_obj(server, "config"), "core.https_address", NULL);
}

static int run_questions(struct init_opts *o, struct err *err)
{
	_json_ json_t *server = init_call("GET", "/1.0", NULL, 0, err);
	const json_t *env = json_obj(server, "environment");
	int join = 0;

	if (!server)
		return -1;
	if (json_bool(env, "server_clustered", false))
		printf("This host is member \"%s\" of a cluster.\n",
		       json_str(env, "server_name", ""));
	else
		join = ask_yes("Join an existing cluster? (yes/no)", err);
	if (join < 0)
		return -1;
	return join ? join_by_questions(o, err)
		    : set_up_by_questions(o, !str_empty(address_of(server)), err);
}

/* What there is now, and what comes next. */
static void say_ready(void)
{
	struct err ignored;
	_json_ json_t *server = init_call("GET", "/1.0", NULL, 0, &ignored);
	const json_t *env = json_obj(server, "environment");
	const char *address = address_of(server);

	if (json_bool(env, "server_clustered", false))
		printf("This host is member \"%s\" of a cluster", json_str(env, "server_name", ""));
	else
		printf("This host is set up");
	if (!str_empty(address))
		printf(", with the API on %s", address);
	puts(". Next: dunlin image import TARBALL --alias NAME; dunlin launch NAME");
}

static int configure(struct init_opts *o, struct err *err)
{
	if (o->preseed)
		return run_preseed(o, err);
	if (o->automatic)
		return run_auto(o, err);
	return o->join ? run_join(o, err) : run_questions(o, err);
}

static int run(struct init_opts *o, struct err *err)
{
	if (init_wait_ready(deadline_in(READY_TIMEOUT_MS), err) < 0)
		return -1;
	if (o->dump)
		return run_dump(err);
	if (configure(o, err) < 0)
		return -1;
	say_ready();
	return 0;
}

int init_main(int argc, char **argv)
{
	struct init_opts o = { 0 };
	struct err err;
	int rc = parse(argc, argv, &o);

	if (rc != 0) {
		fputs(usage, rc > 0 ? stdout : stderr);
		return rc > 0 ? 0 : 1;
	}
	if (run(&o, &err) < 0) {
		fprintf(stderr, "Error: %s\n", err.msg);
		return 1;
	}
	return 0;
}
