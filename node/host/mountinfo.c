/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/mountinfo.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* "\040" is a space. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 / /mnt rw shared:1 - ext4 /dev/root rw" */
static bool cut_line(char *line, struct mountinfo *ret)
{
	char *dash = strstr(line, " - "), *part[6];
	size_t n;

	if (!dash)
		return false;
	*dash = '\0';
	/* From the seventh on they are optional: they stay in one. */
	n = str_split(line, ' ', part, ARRAY_SIZE(part));
	if (n < ARRAY_SIZE(part))
		return false;
	ret->related = n > ARRAY_SIZE(part);
	unescape(part[3]);
	unescape(part[4]);
	ret->id = part[0];
	ret->device = part[2];
	ret->root = part[3];
	ret->at = part[4];
	ret->type = dash + 3;
	dash[3 + strcspn(dash + 3, " ")] = '\0';
	return true;
}

bool mountinfo_next(char **text, struct mountinfo *ret)
{
	while (**text) {
		char *line = *text, *end = line + strcspn(line, "\n");

		*text = *end ? end + 1 : end;
		*end = '\0';
		if (cut_line(line, ret))
			return true;
	}
	return false;
}
