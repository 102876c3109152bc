/* SPDX-License-Identifier: Apache-2.0 */
/* node/node.h - what one host does: run containers, keep their volumes and images, plug their
 * networks. Knows nothing of the cluster: callers hand in plain descriptions and get plain
 * answers.
 *
 * Folders below DUNLIN_DIR:
 *   images/FP                       the tarball;  images/FP.root/ unpacked once (ids unshifted)
 *   storage-pools/POOL/containers/NAME/   one volume: rootfs/ (dir), or upper/ work/ (overlay)
 *   containers/NAME/                liblxc's folder: config, lxc.log, console.log, spec.json
 *   run/                            sockets, leases, CRIU images (tmpfs where there is one)
 *
 * The mounts of a container are made by the helper that starts it, in a private mount namespace
 * that its monitor keeps: they vanish with it, whatever dies first.
 */
#pragma once
#include "base/json.h"
#include "base/pool.h"
#include "base/status.h"
#include "base/undo.h"

struct node;

struct node_opts {
	const char *dir;
	const char *cgroup_name; /* prefix of this member's cgroups, unique on the kernel */
	struct pool *pool;
	/* The status of a container changed by itself or by us (any thread): Running, Stopped,
	 * Frozen, Error. state is what container_state gives, NULL when it is gone. */
	void (*instance_changed)(void *arg, const char *name, const json_t *state);
	/* Somebody removed firewall rules of the network, NULL: perhaps of any (from the watch's
	 * thread, quick); network_ensure makes them again. NULL: nobody wants to know. */
	void (*network_lost)(void *arg, const char *network);
	void *arg;
};
struct node *node_new(const struct node_opts *o, struct err *err);
/* Finds the containers of earlier runs: running ones are watched again, half-made and
 * half-deleted things of jobs that died are removed. `places` is by name: true for an instance
 * whose row is here, false for one that a move will settle, the member for one that is elsewhere
 * (it is stopped if it runs here). Whatever else is found is left as it is: nobody asked for its
 * end. */
int node_recover(struct node *n, const json_t *places, struct err *err);
/* Nothing of the node submits work or calls back by itself any more: call it before pool_free. */
void node_stop(struct node *n);
void node_free(struct node *n); /* leaves containers running */
const char *node_dir(const struct node *n);
/* "6.18.0", criu version or "", cpu flags, storage drivers: for GET /1.0 and migration
 * pre-flights. */
json_t *node_facts(struct node *n);
json_t *node_load(struct node *n);	/* load, memory, cpus, disk: for FACT_MEMBER */
json_t *node_resources(struct node *n); /* LXD's resources object */

/* --- containers (node/container/container.c; helpers in node/container)
 * ---------------------------- */

/* A container's description for this host, made by api/work/spec.c out of rows:
 * {
 *   "name", "hostname" (as processes inside see it; else the name), "uuid", "architecture",
 *   "config": {expanded configuration},
 *   "privileged": bool, "idmap": {"base": 1000000, "size": 65536},
 *   "rootfs": {"driver": "dir|overlay", "volume": "/abs/path", "image": "/abs/images/FP.root"},
 *   "nics":  [{"device","name","hwaddr","mtu","host_name","bridge","ipv4","ipv4_gateway",
 *              "ipv4_dhcp": bool, "ipv6"...}],
 *              ipv4 as "10.1.2.3/24"; bridge: interface to plug the host side into
 *   "disks": [{"device","source","path","readonly": bool,"shift": bool}]
 * }
 */
int container_start(struct node *n, const json_t *spec, struct err *err);
/* timeout_s < 0: LXD's default 600. force: at once. ERR_TIMEOUT when a clean stop did not end
 * in time. */
int container_stop(struct node *n, const char *name, bool force, int timeout_s, struct err *err);
int container_freeze(struct node *n, const char *name, bool freeze, struct err *err);
/* Removes the liblxc folder and what is left of nics; refuses while it runs. The volume is
 * storage's. */
int container_delete(struct node *n, const char *name, struct err *err);
int container_rename(struct node *n, const char *name, const char *new_name, struct err *err);
/* Makes a running container like this spec: limits, disks and nics. When a part fails the others
 * are as before. What else differs waits for the next start. Nothing to do for a stopped one. */
int container_update(struct node *n, const json_t *spec, struct err *err);
enum status container_status(struct node *n, const char *name);
pid_t container_pid(struct node *n, const char *name);	    /* init as seen here; 0 when stopped */
/* LXD's instance state: status, status_code, pid, processes, cpu{usage}, memory{usage,...},
 * disk{root{usage}}, network{eth0{addresses[],counters{},hwaddr,host_name,mtu,state,type}}. */
json_t *container_state(struct node *n, const char *name);

/* What goes into a container says so, for a move that begins to take it away must wait for its end,
 * and what comes later for the move's: then the container is here as before, or elsewhere. NULL
 * with ERR_BUSY when that is not decided within 30 s, or when it has left. */
struct visit;
struct visit *container_visit(struct node *n, const char *name, const char *what, struct err *err);
void visit_end(struct visit *v); /* NULL does nothing */
/* A visit would have to wait. */
bool container_is_closed(struct node *n, const char *name);
/* Waits as a visit does. */
int container_await_open(struct node *n, const char *name, struct err *err);

struct exec_spec {
	const char *name; /* container; the caller has a visit */
	const json_t *command, *environment; /* list; object of strings (complete) */
	const char *cwd;
	uint32_t uid, gid;
	bool interactive;
	int width, height;
	int fds[3]; /* given to the command; interactive: fds[0] is the pty's slave for all three */
};
struct exec;
/* The command runs inside; fds stay the caller's. Without a cwd it begins in its user's home folder
 * or in /; HOME and USER are its user's unless the environment has them. done(arg, status, err) is
 * told once from some thread: err NULL and status 0-255, 128+N for signal N, 126/127 not executable
 * / not found; or err when the command could not be started or its end was not seen. */
struct exec *container_exec(struct node *n, const struct exec_spec *spec,
			    void (*done)(void *arg, int status, const struct err *err), void *arg,
			    struct err *err);
void exec_signal(struct exec *e, int sig);
void exec_kill(struct exec *e); /* the command and its process group */
void exec_free(struct exec *e); /* kills a command that still runs */
/* pty pair with a size; the caller closes both. */
int tty_open(struct node *n, const char *name, int width, int height, int *ret_master,
	     int *ret_slave, struct err *err);
int tty_resize(int master, int width, int height);

/* A socket joined to the console (node/console/console.h): what is written there is typed. width or
 * height 0: the size stays. ERR_CONFLICT when stopped. */
int container_console(struct node *n, const char *name, int width, int height, struct err *err);
void container_console_resize(struct node *n, const char *name, int width, int height);
char *container_console_log(struct node *n, const char *name, size_t *ret_len, struct err *err);
int container_console_clear(struct node *n, const char *name, struct err *err);

/* Files inside, for a running or stopped container; path is absolute inside, resolved beneath
 * the root (no escape by links). spec is needed when it is stopped (to mount its root). */
struct file_info {
	char type[16]; /* file directory symlink */
	uint32_t uid, gid, mode;
	int64_t size, mtime;
};
/* file: ret_fd; directory: ret_list of names; symlink: ret_target (caller frees). Others NULL
 * or -1. */
int file_get(struct node *n, const json_t *spec, const char *path, struct file_info *info,
	     int *ret_fd, json_t **ret_list, char **ret_target, struct err *err);
struct file_put {
	const char *path, *type;    /* type: file directory symlink */
	int64_t uid, gid, mode;	    /* -1: default (0, 0, 0644/0755) */
	bool append;
	int content_fd;		    /* file */
	const char *target;	    /* symlink */
};
int file_put(struct node *n, const json_t *spec, const struct file_put *f, struct err *err);
int file_delete(struct node *n, const json_t *spec, const char *path, struct err *err);

/* names of the log files of a container (lxc.log, console.log, forkstart.log ...), and one
 * opened. */
json_t *container_logs(struct node *n, const char *name);
int container_log_open(struct node *n, const char *name, const char *file, struct err *err);
int container_log_delete(struct node *n, const char *name, const char *file, struct err *err);

/* --- images (node/image/image.c)
 * ---------------------------------------------------------------- */

/* Verifies and takes a unified tarball (or a split pair: rootfs_fd >= 0): size and entry
 * limits, no absolute or ".." paths or links out, no device nodes, metadata.yaml present and
 * sane. want_fp, when not NULL, must be the result. Returns
 * {fingerprint,size,architecture,created_at,expires_at,properties{},type}. Nothing is left
 * behind on failure. progress may be NULL.
 */
json_t *image_import(struct node *n, int fd, int rootfs_fd, const char *want_fp,
		     void (*progress)(void *arg, int64_t done, int64_t total), void *arg,
		     struct err *err);
bool image_present(struct node *n, const char *fingerprint);
int image_open(struct node *n, const char *fingerprint, int64_t *ret_size, struct err *err);
/* The unpacked root (shared lower layer); unpacks on first use, atomically. Path to the caller
 * to free. */
char *image_root(struct node *n, const char *fingerprint, struct err *err);
int image_delete(struct node *n, const char *fingerprint, struct err *err);
json_t *image_templates(struct node *n, const char *fingerprint);

/* --- storage (node/storage/storage.c; one file a driver)
 * ------------------------------------------ */

/* pool: {"name","driver","config":{source,...}}. */
int pool_create(struct node *n, const json_t *pool, struct err *err);
/* By what this host knows of it; 0 as well when it is gone. ERR_CONFLICT while it holds volumes. */
int pool_delete(struct node *n, const char *name, struct err *err);
/* {space:{used,total},inodes:{...}} */
json_t *pool_usage(struct node *n, const json_t *pool, struct err *err);
const json_t *storage_drivers(void); /* [{"Name","Version","Remote"}], borrowed */
/* A container's volume from an image (image_root NULL: empty). Atomic: a half-made one is not
 * there. */
int volume_create(struct node *n, const json_t *pool, const char *name, const char *image_root,
		  struct err *err);
/* ERR_CONFLICT when files of this name are here already, of an instance that no row knows: asked
 * before a row or a note lays claim to the name, for what follows may undo it all. */
int volume_check_free(struct node *n, const json_t *pool, const char *name, struct err *err);
int volume_delete(struct node *n, const json_t *pool, const char *name, struct err *err);
int volume_rename(struct node *n, const json_t *pool, const char *name, const char *new_name,
		  struct err *err);
char *volume_path(struct node *n, const json_t *pool, const char *name); /* caller frees */
/* The folder whose content is the container's own data: rootfs/ of dir, upper/ of overlay. What
 * a move sends. */
char *volume_data_path(struct node *n, const json_t *pool, const char *name);
/* Allocated bytes of that folder; -1 when they cannot be counted by the deadline. */
int64_t volume_usage(struct node *n, const json_t *pool, const char *name, int64_t deadline);

/* --- networks (node/network/network.c, bridge.c, vxlan.c, dnsmasq.c, firewall.c)
 * ------------------ */

/* net: {"name","type":"bridge|overlay","config":{ipv4.address, ipv4.nat, ipv4.dhcp, bridge.mtu,
 * ...},
 *       "vni": n, "peers":[{"address": underlay ip of another member}], "local": our underlay ip}.
 * Makes or brings up to date the bridge, its address, NAT, dnsmasq, and for overlay the VXLAN
 * port.
 */
int network_ensure(struct node *n, const json_t *net, struct err *err);
int network_remove(struct node *n, const char *name, struct err *err);
/* Forwarding entries of an overlay: {"mac": "underlay ip"} of all containers elsewhere.
 * Replaces the set. */
int network_forwarding(struct node *n, const char *name, const json_t *macs, struct err *err);
json_t *network_state(struct node *n, const char *name, struct err *err); /* LXD's network state */
json_t *network_leases(struct node *n, const char *name); /* [{hostname,hwaddr,address,type}] */
/* All containers of the network, wherever they are: [{hwaddr, ipv4, hostname}]. Their names resolve
 * here, and DHCP gives nobody else their addresses. */
int network_hosts(struct node *n, const json_t *net, const json_t *hosts, struct err *err);
/* veth pair for a nic of a spec: the host side up (plugged into its bridge when plug), the peer
 * waiting for liblxc (named nic.host_name with suffix 'p'). Idempotent. */
int nic_create(struct node *n, const json_t *nic, bool plug, struct err *err);
int nic_plug(struct node *n, const char *host_name, const char *bridge, bool plug, struct err *err);
int nic_delete(struct node *n, const char *host_name, struct err *err);
/* Before a start, in which liblxc makes the pair: nothing of that name is left, and its bridge is
 * there. After it: the pair is known as ours, and the bridge knows its address. */
int nic_vacate(struct node *n, const json_t *nic, struct err *err);
int nic_adopt(struct node *n, const json_t *nic, struct err *err);
/* The global addresses in network{} of a container's state, to all on the bridges of its spec's
 * nics. */
void announce_container(int fd, const json_t *spec, const json_t *network);
