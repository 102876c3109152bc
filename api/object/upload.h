/* SPDX-License-Identifier: Apache-2.0 */
/* api/object/upload.h - what the headers of an upload say of the image, as LXD's clients send them:
 *
 *     X-LXD-fingerprint: b1a2...    X-LXD-public: 1
 *     X-LXD-properties: os=Debian&release=12
 *     X-LXD-profiles: profile=a&profile=b
 *     X-LXD-aliases: alias=a&alias=b
 */
#pragma once
#include "api/http/req.h"

/* The arguments of JOB_IMAGE_IMPORT, but for the file's name; new reference. "properties" is always
 * there, "profiles" when some are named. */
json_t *upload_args(const struct req *r);
