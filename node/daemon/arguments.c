/* SPDX-License-Identifier: Apache-2.0 */
#include "node/daemon/arguments.h"

#include <getopt.h>
#include <string.h>

#include "base/str.h"

static bool read_seconds(const char *text, uint64_t *ret_s)
{
	return str_to_u64(text, ARGUMENT_SECONDS_MAX, ret_s);
}

static bool read_level(const char *text, enum log_level *ret)
{
	int level = log_level_parse(text);

	if (level < 0)
		return false;
	*ret = (enum log_level)level;
	return true;
}

enum daemon_wish arguments_daemon(int argc, char **argv, struct daemon_arguments *ret)
{
	static const struct option opts[] = {
		{ "group", required_argument, NULL, 'g' },
		{ "log-level", required_argument, NULL, 'l' },
		{ "debug", no_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	*ret = (struct daemon_arguments){ .level = LOG_INFO };
	optind = 0; /* from the start */
	while ((opt = getopt_long(argc, argv, "h", opts, NULL)) != -1) {
		if (opt == 'h')
			return WISH_HELP;
		if (opt == 'V')
			return WISH_VERSION;
		if (opt == 'g')
			ret->group = optarg;
		else if (opt == 'd')
			ret->level = LOG_DEBUG;
		else if (opt != 'l' || !read_level(optarg, &ret->level))
			return WISH_USAGE;
	}
	ret->strange = optind < argc ? argv[optind] : NULL;
	return WISH_RUN;
}

bool arguments_shutdown(int argc, char **argv, struct shutdown_arguments *ret)
{
	static const struct option opts[] = { { "timeout", required_argument, NULL, 't' },
					      { "instances", no_argument, NULL, 'i' },
					      { "if-host-stops", no_argument, NULL, 'h' },
					      { NULL, 0, NULL, 0 } };
	int opt;

	*ret = (struct shutdown_arguments){ 0 };
	optind = 0;
	while ((opt = getopt_long(argc, argv, "t:", opts, NULL)) != -1) {
		if (opt == 'i')
			ret->instances = true;
		else if (opt == 'h')
			ret->if_host_stops = true;
		else if (opt != 't' || !read_seconds(optarg, &ret->timeout_s))
			return false;
	}
	return optind == argc;
}

bool arguments_waitready(int argc, char **argv, uint64_t *ret_timeout_s)
{
	*ret_timeout_s = 0;
	if (argc == 1)
		return true;
	if (argc == 2 && str_starts(argv[1], "--timeout="))
		return read_seconds(argv[1] + strlen("--timeout="), ret_timeout_s);
	return argc == 3 && (str_eq(argv[1], "--timeout") || str_eq(argv[1], "-t")) &&
	       read_seconds(argv[2], ret_timeout_s);
}
