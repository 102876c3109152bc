/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/form/cli.h"

#define REDRAW_MS 100

bool progress_wanted(const struct cli *c)
{
	return !c->quiet && !c->debug && isatty(STDERR_FILENO);
}

struct progress progress_begin(const struct cli *c, const char *what)
{
	return (struct progress){ .what = what, .on = what && progress_wanted(c) };
}

static int columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void progress_text(struct progress *p, const char *text)
{
	char line[512];

	if (!p->on)
		return;
	snprintf(line, sizeof(line), "%s%s%s", p->what, *text ? ": " : "", text);
	fprintf(stderr, "\r\033[K%.*s", columns() - 1, line);
	fflush(stderr);
	p->drawn = true;
}

void progress_share(struct progress *p, int64_t done, int64_t total)
{
	int64_t t = clock_ms();
	char size[16], text[64];

	if (!p->on || t < p->next_ms)
		return;
	p->next_ms = t + REDRAW_MS;
	if (total > 0 && done * 100 / total == 0)
		*text = '\0'; /* the name of the step says as much */
	else if (total > 0)
		snprintf(text, sizeof(text), "%" PRId64 "%%", done * 100 / total);
	else
		str_copy(text, sizeof(text), str_of_size(done, size));
	progress_text(p, text);
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
