/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/http/route.h"
#include "base/mem.h"
#include "base/str.h"

#define SEGMENTS_MAX 12

/* The decoded segments, in place; 0 when the path cannot match anything. A slash at the end is let
 * pass. */
static size_t split_path(char *path, char *segments[SEGMENTS_MAX])
{
	size_t n;

	if (path[0] != '/')
		return 0;
	n = str_split(path + 1, '/', segments, SEGMENTS_MAX);
	if (n > SEGMENTS_MAX)
		return 0;
	if (n > 1 && !*segments[n - 1])
		n--;
	for (size_t i = 0; i < n; i++) {
		if (!str_url_decode(segments[i], false))
			return 0;
	}
	if (n >= 2 && str_eq(segments[0], "1.0") && str_eq(segments[1], "containers"))
		segments[1] = (char *)"instances";
	return n;
}

/* Does the row's path match? The score has a bit for each segment that matched as a literal, the
 * first one highest, so that the more literal row wins. */
static bool match(const char *pattern, char *const segments[], size_t n, unsigned *ret_score,
		  char *params[ROUTE_PARAMS_MAX])
{
	unsigned score = 1;
	size_t nparams = 0;

	for (size_t i = 0; i < n; i++) {
		size_t len;

		if (*pattern++ != '/')
			return false;
		len = strcspn(pattern, "/");
		score <<= 1;
		if (pattern[0] == '{') {
			if (!*segments[i] || nparams == ROUTE_PARAMS_MAX)
				return false;
			params[nparams++] = segments[i];
		} else {
			if (strncmp(pattern, segments[i], len) != 0 || segments[i][len])
				return false;
			score |= 1;
		}
		pattern += len;
	}
	*ret_score = score;
	return !*pattern;
}

struct best {
	unsigned score;
	const struct route *route, *any_method;
};

/* HEAD falls back to GET. */
static int method_fits(const struct route *r, const char *method)
{
	if (strcmp(r->method, method) == 0)
		return 2;
	return strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0;
}

static void consider(struct best *b, const struct route *r, unsigned score, const char *method,
		     int *fit)
{
	int f = method_fits(r, method);

	if (score > b->score) {
		*b = (struct best){ score, NULL, r };
		*fit = 0;
	}
	if (score == b->score && f > *fit) {
		b->route = r;
		*fit = f;
	}
}

const struct route *route_match(const struct route *table, const char *method, char *path,
				char *params[ROUTE_PARAMS_MAX], struct err *err)
{
	char *segments[SEGMENTS_MAX];
	size_t n = split_path(path, segments);
	struct best best = { 0 };
	unsigned score;
	int fit = 0;

	memset(params, 0, sizeof(*params) * ROUTE_PARAMS_MAX);
	for (const struct route *r = table; n && r->method; r++) {
		char *ignored[ROUTE_PARAMS_MAX];

		if (r->handler && match(r->path, segments, n, &score, ignored))
			consider(&best, r, score, method, &fit);
	}
	if (best.route) {
		match(best.route->path, segments, n, &score, params);
		return best.route;
	}
	if (best.any_method)
		err_set(err, ERR_METHOD, "%s does not answer %.16s", best.any_method->path, method);
	else
		err_set(err, ERR_NOT_FOUND, "no such path");
	return NULL;
}
