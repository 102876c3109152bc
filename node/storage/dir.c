/* SPDX-License-Identifier: Apache-2.0 */
/* A volume is a plain copy of the image, in NAME/rootfs: works everywhere, costs what the image
 * weighs. */
#include "base/io.h"
#include "base/mem.h"
#include "node/host/idmap.h"
#include "node/storage/copy.h"
#include "node/storage/folder.h"

#define DATA "rootfs"

static int make(const char *volume, const char *image_root, struct err *err)
{
	_free_ char *rootfs = xasprintf("%s/" DATA, volume);

	if (folder_make(volume, err) < 0 || io_folder(rootfs, 0755, err) < 0)
		return -1;
	return image_root ? storage_copy_tree(image_root, rootfs, err) : 0;
}

static int mount_dir(const json_t *spec, const char *mountpoint, struct err *err)
{
	const char *volume = json_str(json_obj(spec, "rootfs"), "volume", "");
	_free_ char *rootfs = xasprintf("%s/" DATA, volume);
	_close_ int userns = -1;

	if (idmap_userns_of_spec(spec, false, &userns, err) < 0)
		return -1;
	return idmap_mount(rootfs, mountpoint, userns, false, err);
}

static const struct folder_ops folder = { .data = DATA, .make = make, .drop = io_remove_tree };

const struct storage_ops storage_dir = {
	FOLDER_DRIVER(&folder),
	.mount = mount_dir,
};
