/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/multipart.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define BOUNDARY_MAX 70
#define HEADERS_MAX 4096

char *multipart_boundary(const char *content_type)
{
	const char *at;
	size_t n;

	if (!content_type || strncasecmp(content_type, "multipart/form-data", 19) != 0)
		return NULL;
	at = strcasestr(content_type, "boundary=");
	if (!at)
		return NULL;
	at += strlen("boundary=");
	at += *at == '"';
	n = strcspn(at, at[-1] == '"' ? "\"" : "; \t");
	return n && n <= BOUNDARY_MAX ? xstrndup(at, n) : NULL;
}

void multipart_free(struct multipart *m)
{
	assert(m->n <= MULTIPART_PARTS_MAX);
	for (int i = 0; i < m->n; i++) {
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	}
	m->n = 0;
}

/* name="x" out of the part's headers. */
static void header_value(const char *headers, const char *key, char *ret, size_t size)
{
	const char *at = strcasestr(headers, key);
	_free_ char *value = NULL;

	ret[0] = '\0';
	if (!at)
		return;
	at += strlen(key);
	value = xstrndup(at, strcspn(at, "\"\r\n"));
	str_copy(ret, size, value);
}

static int add_part(struct multipart *m, const char *headers, const char *data, size_t len,
		    const char *dir, struct err *err)
{
	int fd;

	if (m->n == MULTIPART_PARTS_MAX)
		return err_set(err, ERR_INVALID, "upload: more than %d parts", MULTIPART_PARTS_MAX);
	header_value(headers, " name=\"", m->names[m->n], sizeof(m->names[0]));
	header_value(headers, "filename=\"", m->filenames[m->n], sizeof(m->filenames[0]));
	fd = io_temp_fd(dir, err);
	if (fd < 0)
		return -1;
	m->fds[m->n++] = fd;
	if (io_write_full(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "upload: write part \"%s\"", m->names[m->n - 1]);
	return 0;
}

/* data starts behind a delimiter. 0 and where the next one ends; 1 after the last. */
static int take_part(struct multipart *m, const char *data, size_t len, const char *delimiter,
		     const char *dir, size_t *ret_used, struct err *err)
{
	_free_ char *headers = NULL;
	const char *body, *end;

	if (len >= 2 && memcmp(data, "--", 2) == 0)
		return 1;
	if (len < 2 || memcmp(data, "\r\n", 2) != 0)
		return err_set(err, ERR_INVALID, "upload: malformed multipart delimiter");
	body = memmem(data, len < HEADERS_MAX ? len : HEADERS_MAX, "\r\n\r\n", 4);
	if (!body)
		return err_set(err, ERR_INVALID, "upload: a part has no end of its headers");
	headers = xstrndup(data, body - data);
	body += 4;
	end = memmem(body, data + len - body, delimiter, strlen(delimiter));
	if (!end)
		return err_set(err, ERR_INVALID, "upload: the last multipart delimiter is missing");
	*ret_used = end + strlen(delimiter) - data;
	return add_part(m, headers, body, end - body, dir, err);
}

static int split(struct multipart *m, const char *data, size_t len, const char *boundary,
		 const char *dir, struct err *err)
{
	_free_ char *delimiter = xasprintf("\r\n--%s", boundary);
	const char *first = memmem(data, len, delimiter + 2, strlen(delimiter) - 2);
	size_t at;
	int rc = 0;

	if (!first)
		return err_set(err, ERR_INVALID, "upload: no multipart delimiter found");
	at = first - data + strlen(delimiter) - 2;
	while (rc == 0) {
		size_t used = 0;

		rc = take_part(m, data + at, len - at, delimiter, dir, &used, err);
		at += used;
	}
	return rc < 0 ? -1 : 0;
}

int multipart_split(int fd, int64_t size, const char *boundary, const char *dir,
		    struct multipart *ret, struct err *err)
{
	struct multipart m = { .n = 0 };
	void *data;
	int rc;

	if (size <= 0)
		return err_set(err, ERR_INVALID, "upload: empty body");
	data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return err_sys(err, "upload: map the body");
	rc = split(&m, data, size, boundary, dir, err);
	munmap(data, size);
	if (rc < 0)
		multipart_free(&m);
	else
		*ret = m;
	return rc;
}

/* --- making ---------------------------------------------------------------------------------- */

static int copy_file(int to, const struct multipart_file *f, struct err *err)
{
	loff_t at = 0;

	while (at < f->size) {
		char buf[65536];
		ssize_t n = pread(f->fd, buf, sizeof(buf), at);

		if (n == 0)
			return err_set(err, ERR_INTERNAL, "%s is shorter than it was", f->filename);
		if (n < 0 || io_write_full(to, buf, (size_t)n) < 0)
			return err_sys(err, "copy %s", f->filename);
		at += n;
	}
	return 0;
}

char *multipart_head(const char *boundary, const struct multipart_file *f, bool first)
{
	return xasprintf("%s--%s\r\nContent-Disposition: form-data; name=\"%s\"; "
			 "filename=\"%s\"\r\nContent-Type: application/octet-stream\r\n\r\n",
			 first ? "" : "\r\n", boundary, f->name, f->filename);
}

char *multipart_tail(const char *boundary)
{
	return xasprintf("\r\n--%s--\r\n", boundary);
}

static int write_text(int to, char *own_text, struct err *err)
{
	_free_ char *text = own_text;

	assert(own_text);
	return io_write_full(to, text, strlen(text)) < 0 ? err_sys(err, "write a form") : 0;
}

int multipart_write(int to, const char *boundary, const struct multipart_file *files, int n,
		    struct err *err)
{
	for (int i = 0; i < n; i++) {
		if (write_text(to, multipart_head(boundary, &files[i], i == 0), err) < 0 ||
		    copy_file(to, &files[i], err) < 0)
			return -1;
	}
	return write_text(to, multipart_tail(boundary), err);
}
