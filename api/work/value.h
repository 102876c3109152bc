/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/value.h - checks of single values that api/work/keys.def names. Each returns NULL when
 * the value is fine, else what it should have been. Never called with the empty value, which unsets
 * a key. */
#pragma once

const char *check_line(const char *v);
const char *check_domain(const char *v);
const char *check_cidr4(const char *v);
const char *check_ranges4(const char *v);
const char *check_path(const char *v);
const char *check_expiry(const char *v);
const char *check_listen(const char *v);
const char *check_ifname(const char *v);
const char *check_nic_name(const char *v);
const char *check_mac(const char *v);
const char *check_ip4(const char *v);
const char *check_name(const char *v);
const char *check_lease(const char *v);
const char *check_odd(const char *v);
const char *check_fingerprint(const char *v);
const char *check_uuid(const char *v);
const char *check_host_name(const char *v);
