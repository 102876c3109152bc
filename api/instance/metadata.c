/* SPDX-License-Identifier: Apache-2.0 */
/* What the image that an instance was made from tells of it. */
#include "api/rest/handlers.h"
#include "api/work/instance.h"
#include "node/image/image.h"

int h_metadata_get(struct req *r)
{
	_row_ struct row row = { 0 };
	json_t *metadata;

	if (instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return -1;
	metadata = image_metadata(req_env(r)->node, json_str(row.doc, "image", ""));
	if (!metadata)
		metadata = json_pack("{s:s, s:i, s:i, s:{}, s:{}}", "architecture",
				     json_str(row.doc, "architecture", ""), "creation_date", 0,
				     "expiry_date", 0, "properties", "templates");
	return reply_sync(r, metadata);
}
