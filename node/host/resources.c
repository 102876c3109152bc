/* SPDX-License-Identifier: Apache-2.0 */
/* What this host consists of and how busy it is, from /proc and /sys, in LXD's shapes. */
#include <assert.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/facts.h"
#include "node/node.h"

#define TEXT_MAX (1 << 20)
#define CPUS_MAX 4096
#define CACHES_MAX 10
#define SECTOR 512

/* --- reading /proc and /sys ----------------------------------------------------------------- */

/* The file's first line without its end; "" when there is none. */
static char *line_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *line_of(const char *fmt, ...)
{
	_free_ char *path = NULL;
	struct err ignored;
	va_list ap;
	char *text;

	va_start(ap, fmt);
	path = xvasprintf(fmt, ap);
	va_end(ap);
	text = io_read_file(path, TEXT_MAX, NULL, &ignored);
	if (!text)
		return xstrdup("");
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static int64_t number_in(char *own_text, int64_t dflt)
{
	_free_ char *text = own_text;
	int64_t v;

	assert(own_text);
	return str_to_i64(text, INT64_MIN, INT64_MAX, &v) ? v : dflt;
}

#define number_of(dflt, ...) number_in(line_of(__VA_ARGS__), dflt)

/* Where a link leads: its last component, or "" . */
static char *link_name(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *link_name(const char *fmt, ...)
{
	_free_ char *path = NULL;
	char target[PATH_MAX], *slash;
	va_list ap;
	ssize_t n;

	va_start(ap, fmt);
	path = xvasprintf(fmt, ap);
	va_end(ap);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	slash = strrchr(target, '/');
	return xstrdup(slash ? slash + 1 : target);
}

/* The value behind "key" and blanks or ':' at the start of a line of text. */
static char *value_of(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && strchr(": \t", line[n])) {
			const char *v = line + n + strspn(line + n, ": \t");

			return xstrndup(v, strcspn(v, "\n"));
		}
		if (!*line)
			break;
	}
	return xstrdup("");
}

/* "123 kB" in bytes. */
static int64_t kilobytes_of(const char *text, const char *key)
{
	char *v = value_of(text, key);

	v[strcspn(v, " ")] = '\0';
	return number_in(v, 0) * 1024;
}

static void put_text(json_t *to, const char *key, char *own_text)
{
	assert(json_is_object(to));
	json_put_str(to, key, own_text);
	free(own_text);
}

static void each_name(const char *dir, void (*fn)(json_t *list, const char *name), json_t *list)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, versionsort);

	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.')
			fn(list, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static json_t *counted(const char *key, json_t *list)
{
	json_t *o = json_object();

	json_put_int(o, "total", (int64_t)json_array_size(list));
	json_object_set_new(o, key, list);
	return o;
}

/* --- processors ----------------------------------------------------------------------------- */

#define CPU "/sys/devices/system/cpu/cpu%d/"

static json_t *find_or_add(json_t *list, const char *key, int64_t id, bool *ret_new)
{
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		*ret_new = false;
		if (json_int(o, key, -1) == id)
			return o;
	}
	*ret_new = true;
	o = json_object();
	json_put_int(o, key, id);
	json_array_append_new(list, o);
	return o;
}

static json_t *caches_of(int cpu)
{
	json_t *list = json_array();

	for (int i = 0; i < CACHES_MAX; i++) {
		int64_t level = number_of(0, CPU "cache/index%d/level", cpu, i);
		_free_ char *size = line_of(CPU "cache/index%d/size", cpu, i);
		json_t *c;

		if (!level)
			break;
		size[strcspn(size, "K")] = '\0';
		c = json_object();
		json_put_int(c, "level", level);
		put_text(c, "type", line_of(CPU "cache/index%d/type", cpu, i));
		json_put_int(c, "size", number_in(xstrdup(size), 0) * 1024);
		json_array_append_new(list, c);
	}
	return list;
}

static void describe_socket(json_t *s, int cpu, const char *cpuinfo)
{
	int64_t khz = number_of(0, CPU "cpufreq/cpuinfo_max_freq", cpu);

	put_text(s, "name", value_of(cpuinfo, "model name"));
	put_text(s, "vendor", value_of(cpuinfo, "vendor_id"));
	json_object_set_new(s, "cache", caches_of(cpu));
	json_object_set_new(s, "cores", json_array());
	if (khz)
		json_put_int(s, "frequency_turbo", khz / 1000);
}

static int64_t numa_node_of(int cpu)
{
	for (int node = 0; node < 64; node++) {
		_free_ char *path = xasprintf(CPU "node%d", cpu, node);

		if (io_exists(path))
			return node;
	}
	return 0;
}

static void add_cpu(json_t *sockets, int cpu, const char *cpuinfo)
{
	int64_t package = number_of(0, CPU "topology/physical_package_id", cpu);
	int64_t core_id = number_of(cpu, CPU "topology/core_id", cpu);
	json_t *socket, *core, *thread = json_object();
	bool fresh;

	socket = find_or_add(sockets, "socket", package < 0 ? 0 : package, &fresh);
	if (fresh)
		describe_socket(socket, cpu, cpuinfo);
	core = find_or_add(json_arr(socket, "cores"), "core", core_id, &fresh);
	if (fresh) {
		json_put_int(core, "die", number_of(0, CPU "topology/die_id", cpu));
		json_object_set_new(core, "threads", json_array());
	}
	json_put_int(thread, "id", cpu);
	json_put_int(thread, "numa_node", numa_node_of(cpu));
	json_put_int(thread, "thread", (int64_t)json_array_size(json_arr(core, "threads")));
	json_put_bool(thread, "online", number_of(1, CPU "online", cpu) != 0);
	json_put_bool(thread, "isolated", false);
	json_array_append_new(json_arr(core, "threads"), thread);
}

static json_t *cpu_resources(void)
{
	struct err ignored;
	_free_ char *cpuinfo = io_read_file("/proc/cpuinfo", 16 << 20, NULL, &ignored);
	json_t *o = json_object(), *sockets = json_array();
	int total = 0;
	struct utsname u;

	uname(&u);
	for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
		_free_ char *path = xasprintf(CPU, cpu);

		if (!io_exists(path))
			break;
		add_cpu(sockets, cpu, cpuinfo ? cpuinfo : "");
		total++;
	}
	json_put_str(o, "architecture", u.machine);
	json_object_set_new(o, "sockets", sockets);
	json_put_int(o, "total", total);
	return o;
}

/* --- memory --------------------------------------------------------------------------------- */

struct memory {
	int64_t total, used, huge_total, huge_used, huge_size;
};

static void read_memory(struct memory *m)
{
	struct err ignored;
	_free_ char *text = io_read_file("/proc/meminfo", TEXT_MAX, NULL, &ignored);
	int64_t huge_free;

	*m = (struct memory){ 0 };
	if (!text)
		return;
	m->total = kilobytes_of(text, "MemTotal");
	m->used = m->total - kilobytes_of(text, "MemAvailable");
	m->huge_size = kilobytes_of(text, "Hugepagesize");
	m->huge_total = kilobytes_of(text, "HugePages_Total") / 1024 * m->huge_size;
	huge_free = kilobytes_of(text, "HugePages_Free") / 1024 * m->huge_size;
	m->huge_used = m->huge_total - huge_free;
}

static void add_memory_node(json_t *list, const char *name)
{
	_free_ char *path = xasprintf("/sys/devices/system/node/%s/meminfo", name), *text = NULL;
	struct err ignored;
	char key[64];
	int64_t total, node;
	json_t *o;

	if (!str_starts(name, "node") || !str_to_i64(name + 4, 0, 4096, &node))
		return;
	text = io_read_file(path, TEXT_MAX, NULL, &ignored);
	snprintf(key, sizeof(key), "Node %d MemTotal", (int)node);
	total = text ? kilobytes_of(text, key) : 0;
	snprintf(key, sizeof(key), "Node %d MemFree", (int)node);
	o = json_object();
	json_put_int(o, "numa_node", node);
	json_put_int(o, "hugepages_used", 0);
	json_put_int(o, "hugepages_total", 0);
	json_put_int(o, "used", text ? total - kilobytes_of(text, key) : 0);
	json_put_int(o, "total", total);
	json_array_append_new(list, o);
}

static json_t *memory_resources(void)
{
	json_t *o = json_object(), *nodes = json_array();
	struct memory m;

	read_memory(&m);
	each_name("/sys/devices/system/node", add_memory_node, nodes);
	json_object_set_new(o, "nodes", nodes);
	json_put_int(o, "hugepages_total", m.huge_total);
	json_put_int(o, "hugepages_used", m.huge_used);
	json_put_int(o, "hugepages_size", m.huge_size);
	json_put_int(o, "used", m.used);
	json_put_int(o, "total", m.total);
	return o;
}

/* --- cards and disks ------------------------------------------------------------------------ */

/* PCI ids are kept as "0x8086". */
static char *pci_id(const char *address, const char *file)
{
	_free_ char *id = line_of("/sys/bus/pci/devices/%s/%s", address, file);

	return xstrdup(str_starts(id, "0x") ? id + 2 : id);
}

static void put_pci(json_t *o, const char *address)
{
	int64_t node = number_of(0, "/sys/bus/pci/devices/%s/numa_node", address);
	struct utsname u;
	char *driver = link_name("/sys/bus/pci/devices/%s/driver", address);

	uname(&u);
	json_put_str(o, "driver_version", *driver ? u.release : "");
	put_text(o, "driver", driver);
	json_put_int(o, "numa_node", node < 0 ? 0 : node);
	json_put_str(o, "pci_address", address);
	json_put_str(o, "vendor", "");
	put_text(o, "vendor_id", pci_id(address, "vendor"));
	json_put_str(o, "product", "");
	put_text(o, "product_id", pci_id(address, "device"));
}

static void add_pci(json_t *list, const char *address)
{
	json_t *o = json_object();

	put_pci(o, address);
	json_put_int(o, "iommu_group", 0);
	json_object_set_new(o, "vpd", json_object());
	json_array_append_new(list, o);
}

static json_t *ports_of(const char *address)
{
	_free_ char *dir = xasprintf("/sys/bus/pci/devices/%s/net", address);
	json_t *ports = json_array();
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		json_t *p;

		if (e->d_name[0] == '.')
			continue;
		p = json_object();
		json_put_str(p, "id", e->d_name);
		put_text(p, "address", line_of("/sys/class/net/%s/address", e->d_name));
		json_put_int(p, "port", (int64_t)json_array_size(ports));
		json_put_str(p, "protocol", "ethernet");
		json_put_bool(p, "link_detected",
			      number_of(0, "/sys/class/net/%s/carrier", e->d_name) == 1);
		json_put_bool(p, "auto_negotiation", false);
		json_array_append_new(ports, p);
	}
	if (d)
		closedir(d);
	return ports;
}

/* PCI class 0x02....: network controllers. */
static void add_card(json_t *list, const char *address)
{
	_free_ char *class = line_of("/sys/bus/pci/devices/%s/class", address);
	json_t *o;

	if (!str_starts(class, "0x02"))
		return;
	o = json_object();
	put_pci(o, address);
	json_object_set_new(o, "ports", ports_of(address));
	json_array_append_new(list, o);
}

static const char *disk_type(const char *name)
{
	static const struct {
		const char *prefix, *type;
	} types[] = { { "vd", "virtio" }, { "nvme", "nvme" }, { "sr", "cdrom" },
		      { "sd", "scsi" },   { "xvd", "xen" },   { "mmcblk", "mmc" } };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (str_starts(name, types[i].prefix))
			return types[i].type;
	}
	return "";
}

static json_t *partitions_of(const char *disk)
{
	json_t *list = json_array();

	for (int i = 1; i <= 128; i++) {
		bool digit = strchr("0123456789", disk[strlen(disk) - 1]) != NULL;
		_free_ char *name = xasprintf("%s%s%d", disk, digit ? "p" : "", i);
		int64_t sectors = number_of(-1, "/sys/block/%s/%s/size", disk, name);
		json_t *p;

		if (sectors < 0)
			continue;
		p = json_object();
		json_put_str(p, "id", name);
		put_text(p, "device", line_of("/sys/block/%s/%s/dev", disk, name));
		json_put_bool(p, "read_only", number_of(0, "/sys/block/%s/%s/ro", disk, name) != 0);
		json_put_int(p, "size", sectors * SECTOR);
		json_put_int(p, "partition", i);
		json_array_append_new(list, p);
	}
	return list;
}

/* Disks stand on a device; loops, zram and device-mapper do not. */
static void add_disk(json_t *list, const char *name)
{
	_free_ char *device = xasprintf("/sys/block/%s/device", name);
	json_t *o;

	if (!io_exists(device))
		return;
	o = json_object();
	json_put_str(o, "id", name);
	put_text(o, "device", line_of("/sys/block/%s/dev", name));
	put_text(o, "model", line_of("/sys/block/%s/device/model", name));
	put_text(o, "serial", line_of("/sys/block/%s/device/serial", name));
	json_put_str(o, "type", disk_type(name));
	json_put_bool(o, "read_only", number_of(0, "/sys/block/%s/ro", name) != 0);
	json_put_int(o, "size", number_of(0, "/sys/block/%s/size", name) * SECTOR);
	json_put_bool(o, "removable", number_of(0, "/sys/block/%s/removable", name) != 0);
	json_put_int(o, "numa_node", 0);
	json_put_int(o, "block_size",
		     number_of(0, "/sys/block/%s/queue/physical_block_size", name));
	json_put_int(o, "rpm", number_of(0, "/sys/block/%s/queue/rotational", name));
	json_put_str(o, "device_id", "");
	json_object_set_new(o, "partitions", partitions_of(name));
	json_array_append_new(list, o);
}

static json_t *list_of(const char *dir, void (*fn)(json_t *list, const char *name))
{
	json_t *list = json_array();

	each_name(dir, fn, list);
	return list;
}

/* --- the machine ---------------------------------------------------------------------------- */

static json_t *system_resources(void)
{
	static const struct {
		const char *key, *file;
	} dmi[] = { { "uuid", "product_uuid" },       { "vendor", "sys_vendor" },
		    { "product", "product_name" },    { "family", "product_family" },
		    { "version", "product_version" }, { "sku", "product_sku" },
		    { "serial", "product_serial" } };
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(dmi); i++)
		put_text(o, dmi[i].key, line_of("/sys/class/dmi/id/%s", dmi[i].file));
	json_put_str(o, "type", "physical");
	json_object_set_new(o, "firmware", json_null());
	json_object_set_new(o, "chassis", json_null());
	json_object_set_new(o, "motherboard", json_null());
	return o;
}

json_t *node_resources(struct node *n)
{
	static const char pci[] = "/sys/bus/pci/devices";
	json_t *r = json_object();

	json_object_set_new(r, "cpu", cpu_resources());
	json_object_set_new(r, "memory", memory_resources());
	json_object_set_new(r, "gpu", counted("cards", json_array()));
	json_object_set_new(r, "network", counted("cards", list_of(pci, add_card)));
	json_object_set_new(r, "storage", counted("disks", list_of("/sys/block", add_disk)));
	json_object_set_new(r, "usb", counted("devices", json_array()));
	json_object_set_new(r, "pci", counted("devices", list_of(pci, add_pci)));
	json_object_set_new(r, "system", system_resources());
	return r;
}
