/* SPDX-License-Identifier: Apache-2.0 */
/* A volume is a plain copy of the image, in NAME/rootfs: works everywhere, costs what the image
 * weighs. */
#include "node/storage/storage.h"

#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"

static int dir_fill(const char *vol, const char *image_root, struct err *err)
{
	_free_ char *rootfs = xasprintf("%s/rootfs", vol);

	if (io_folder(rootfs, 0755, err) < 0)
		return -1;
	return image_root ? storage_copy_tree(image_root, rootfs, err) : 0;
}

const struct storage_ops storage_dir = {
	.driver = "dir",
	.version = "1",
	.data = "rootfs",
	.fill = dir_fill,
};
