/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: reads the tarballs of images. Whoever wrote one may have found a fault in libarchive
 * or a decompressor, so it is read by a process that has little to give (node/helper/confine.h);
 * what it answers is checked again.
 */
#include <linux/capability.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "node/helper/confine.h"
#include "node/helper/verbs.h"
#include "node/image/image_int.h"

#define FD_PROGRESS HELPER_FD_EXTRA
#define FD_TARBALL (HELPER_FD_EXTRA + 1)
#define FD_ROOTFS (HELPER_FD_EXTRA + 2) /* scan: the second tarball of a pair */
#define FD_FOLDER (HELPER_FD_EXTRA + 2) /* unpack: where to */
#define PROGRESS_STEP (256 << 10)
#define MEMORY_BYTES (2ULL << 30) /* a dictionary of xz may have 1 GiB */
#define CPU_S 3600
#define ANSWER_BYTES (16 << 20)

struct progress {
	int64_t before, told;
};

static void tell(void *arg, int64_t done)
{
	struct progress *p = arg;
	int64_t now = p->before + done;

	if (now - p->told < PROGRESS_STEP)
		return;
	/* Nobody reads any more: then nobody waits for the answer either. */
	if (write(FD_PROGRESS, &now, sizeof(now)) < 0)
		_exit(1);
	p->told = now;
}

/* Names in tarballs are any bytes, JSON takes UTF-8 only. */
static char *printable(const char *path)
{
	char *copy = xstrdup(path);

	for (char *c = copy; c && *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return copy;
}

static json_t *scan_answer(const struct image_scan *s, bool pair, struct err *err)
{
	_free_ char *first = printable(s->first_left_out);
	bool empty = !s->metadata.data && !pair;
	json_t *yaml = json_null();

	if (!s->has_rootfs) {
		err_set(err, ERR_INVALID, "image: %s",
			empty ? "holds neither metadata.yaml nor rootfs/"
			      : "there is no rootfs/ in the tarball");
		return NULL;
	}
	if (s->metadata.data)
		yaml = yaml_parse(s->metadata.data, s->metadata.len, "image: metadata.yaml", err);
	if (!yaml)
		return NULL;
	return json_pack("{so,sO,ss?}", "metadata", yaml, "files", s->files, "left_out", first);
}

static int scan_tarballs(struct image_scan *s, bool pair, struct err *err)
{
	struct progress p = { 0 };
	struct image_walk w = { .limits = s->limits,
				.entry = image_scan_entry,
				.arg = s,
				.progress = tell,
				.progress_arg = &p };

	for (int part = 0; part <= pair; part++) {
		s->split_rootfs = part == 1;
		w.fd = part == 0 ? FD_TARBALL : FD_ROOTFS;
		if (image_tar_walk(&w, err) < 0)
			return -1;
		p.before = lseek(w.fd, 0, SEEK_END);
	}
	return 0;
}

/* {limits, pair} -> {metadata, files, left_out} */
json_t *helper_scan(const json_t *request, struct err *err)
{
	const struct confine c = {
		.root = -1, .memory_bytes = MEMORY_BYTES, .cpu_s = CPU_S, .file_bytes = ANSWER_BYTES
	};
	struct image_limits limits = image_limits_of(json_obj(request, "limits"));
	struct image_scan s = { .limits = &limits, .files = json_object() };
	bool pair = json_bool(request, "pair", false);
	json_t *answer = NULL;

	if (fault_init(err) == 0 && image_tar_load(err) == 0 && confine_process(&c, err) == 0 &&
	    fault_point(image_scan_confined, err) == 0 && scan_tarballs(&s, pair, err) == 0)
		answer = scan_answer(&s, pair, err);
	sbuf_free(&s.metadata);
	json_decref(s.files);
	free(s.first_left_out);
	return answer;
}

/* {limits, prefix} */
json_t *helper_unpack(const json_t *request, struct err *err)
{
	const struct confine c = {
		.keep = CONFINE_CAP(CAP_CHOWN) | CONFINE_CAP(CAP_FOWNER) | CONFINE_CAP(CAP_FSETID) |
			CONFINE_CAP(CAP_DAC_OVERRIDE) | CONFINE_CAP(CAP_SETFCAP),
		.root = FD_FOLDER,
		.memory_bytes = MEMORY_BYTES,
		.cpu_s = CPU_S,
	};
	struct image_limits limits = image_limits_of(json_obj(request, "limits"));

	if (fault_init(err) < 0 || image_tar_load(err) < 0 || confine_process(&c, err) < 0 ||
	    fault_point(image_unpack_confined, err) < 0 ||
	    image_unpack(FD_TARBALL, FD_FOLDER, json_str(request, "prefix", ""), &limits, err) < 0)
		return NULL;
	return json_object();
}
