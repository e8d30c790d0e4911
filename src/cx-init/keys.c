/* depends_on, links, volumes, deploy and labels of a compose service, and the keys that are only reported. */
#include "compose.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/near.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

static void
add_depends(const struct reader *r, const char *text, const struct cx_node *at)
{
	json_t *d = child_object(r->svc, "depends");

	if (!json_object_get(d, text))
		(void)json_object_set_new(d, text, json_pack("{s:s,s:o}", "condition", "", "at", at_node(r->file, at)));
}

void
read_depends(const struct reader *r, const struct cx_node *v)
{
	if (v->kind != CX_MAP) {
		read_list(r, v, add_depends);
		return;
	}
	for (size_t i = 0; i < v->n; i++) {
		const struct cx_node *k = v->pairs[i].key;
		const struct cx_node *c = cx_node_get(v->pairs[i].value, "condition");

		if (k->kind == CX_SCALAR && visit(r, k))
			(void)json_object_set_new(child_object(r->svc, "depends"), k->value,
				json_pack("{s:s,s:o}", "condition", c && c->kind == CX_SCALAR ? c->value : "", "at",
					at_node(r->file, k)));
	}
}

/* "db", or "db:database": the second is the host name that the program uses. */
static void
add_link(const struct reader *r, const char *text, const struct cx_node *at)
{
	CX_FREE char *name = cx_strndup(text, strcspn(text, ":"));
	const char *alias = text + strlen(name);

	add_depends(r, name, at);
	if (*alias)
		cx_json_set(child_object(r->svc, "aliases"), alias + 1, name);
}

void
read_links(const struct reader *r, const struct cx_node *v)
{
	read_list(r, v, add_link);
}

/* --- volumes --- */

static void
add_volume(const struct reader *r, const struct cx_node *n, const char *source, const char *target, const char *mode)
{
	json_t *all = child_array(r->svc, "volumes"), *old;
	size_t i;

	/* A later mount at the same place wins, as with extends. */
	json_array_foreach (all, i, old)
		if (strcmp(cx_json_strd(old, "target", ""), target) == 0) {
			(void)json_array_remove(all, i);
			break;
		}
	if (json_array_size(all) < 1000)
		(void)json_array_append_new(all, json_pack("{s:s,s:s,s:s,s:o}", "source", source, "target", target,
							 "mode", mode, "at", at_node(r->file, n)));
}

static void
read_short_volume(const struct reader *r, const char *text, const struct cx_node *n)
{
	CX_JSON json_t *parts = text_split(text, ':');
	const char *a = json_string_value(json_array_get(parts, 0)), *b = json_string_value(json_array_get(parts, 1)),
		   *c = json_string_value(json_array_get(parts, 2));

	if (b)
		add_volume(r, n, a, b, c ? c : "");
	else
		add_volume(r, n, "", text, "");
}

static void
read_long_volume(const struct reader *r, const struct cx_node *v)
{
	static const char *const keys[] = {"type", "source", "target"};
	CX_JSON json_t *got = json_object();

	for (size_t i = 0; i < 3; i++) {
		const struct cx_node *n = cx_node_get(v, keys[i]);
		CX_FREE char *s = n && visit(r, n) ? value_of(r, n) : NULL;

		cx_json_set(got, keys[i], s ? s : "");
	}
	add_volume(r, v, cx_json_strd(got, "source", ""), cx_json_strd(got, "target", ""),
		strcmp(cx_json_strd(got, "type", ""), "tmpfs") == 0 ? "tmpfs" : "");
}

void
read_volumes(const struct reader *r, const struct cx_node *v)
{
	if (v->kind != CX_SEQ)
		read_list(r, v, read_short_volume);
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n && visit(r, v->items[i]); i++) {
		if (v->items[i]->kind == CX_MAP) {
			read_long_volume(r, v->items[i]);
		} else {
			CX_FREE char *s = value_of(r, v->items[i]);

			if (s)
				read_short_volume(r, s, v->items[i]);
		}
	}
}

/* --- deploy --- */

static void
keep(const struct reader *r, const char *key, const struct cx_node *v)
{
	CX_FREE char *s = v && visit(r, v) && !cx_node_null(v) ? value_of(r, v) : NULL;

	if (s)
		(void)json_object_set_new(child_object(r->svc, "text"), key,
			json_pack("{s:s,s:o}", "value", s, "at", at_node(r->file, v)));
}

static void
read_limits(const struct reader *r, const struct cx_node *resources)
{
	static const char *const sides[] = {"limits", "reservations"};

	for (size_t i = 0; i < 2; i++) {
		const struct cx_node *side = cx_node_get(resources, sides[i]), *devices = cx_node_get(side, "devices");
		CX_FREE char *memory = cx_fmt("deploy.%s.memory", sides[i]), *cpus = cx_fmt("deploy.%s.cpus", sides[i]);

		keep(r, memory, cx_node_get(side, "memory"));
		keep(r, cpus, cx_node_get(side, "cpus"));
		if (devices)
			(void)json_object_set_new(
				child_object(r->svc, "other"), "deploy.devices", at_node(r->file, devices));
	}
}

void
read_deploy(const struct reader *r, const struct cx_node *v)
{
	if (v->kind != CX_MAP)
		wrong_kind(r, v, "map");
	for (size_t i = 0; v->kind == CX_MAP && i < v->n; i++) {
		const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;
		CX_FREE char *path = NULL;

		if (k->kind != CX_SCALAR || !visit(r, w))
			continue;
		path = cx_fmt("deploy.%.40s", k->value);
		if (strcmp(k->value, "resources") == 0)
			read_limits(r, w);
		else if (strcmp(k->value, "replicas") == 0 || strcmp(k->value, "mode") == 0)
			keep(r, path, w);
		else
			(void)json_object_set_new(child_object(r->svc, "other"), path, at_node(r->file, k));
	}
}

static void
add_label(const struct reader *r, const char *name, const char *value, const struct cx_node *at)
{
	(void)json_object_set_new(child_object(r->svc, "labels"), name,
		json_pack("{s:s,s:o}", "value", value ? value : "", "at", at_node(r->file, at)));
}

void
read_labels(const struct reader *r, const struct cx_node *v)
{
	read_pairs(r, v, add_label);
}

/* --- keys that are only reported --- */

static const char in_image[] = "set it in the image's Dockerfile, or in the command";
static const char not_here[] = "a process runs with the rights that the rack gives to all";

static const struct other others[] = {
	{"annotations", CHANGED, "not needed", NULL},
	{"attach", CHANGED, "not needed: cx logs shows what you ask for", NULL},
	{"blkio_config", DROPPED, "no limit of disk traffic", NULL},
	{"cap_add", DROPPED, "no further capabilities", not_here},
	{"cap_drop", DROPPED, "no other set of capabilities", not_here},
	{"cgroup", DROPPED, "no cgroup of its own choice", not_here},
	{"cgroup_parent", DROPPED, "no cgroup of its own choice", not_here},
	{"configs", DROPPED, "no files from outside of the image", "COPY them in the Dockerfile"},
	{"cpu_count", DROPPED, "no such limit", "scale.cpu is a share of the processors"},
	{"cpu_percent", DROPPED, "no such limit", "scale.cpu is a share of the processors"},
	{"cpu_period", DROPPED, "no such limit", "scale.cpu is a share of the processors"},
	{"cpu_quota", DROPPED, "no such limit", "scale.cpu is a share of the processors"},
	{"cpu_rt_period", DROPPED, "no such limit", NULL},
	{"cpu_rt_runtime", DROPPED, "no such limit", NULL},
	{"cpuset", DROPPED, "no choice of processors", NULL},
	{"credential_spec", DROPPED, "no credential specification", NULL},
	{"develop", CHANGED, "not needed here: it is for work on the source", NULL},
	{"device_cgroup_rules", DROPPED, "no devices", not_here},
	{"devices", DROPPED, "no devices", not_here},
	{"dns", DROPPED, "the rack's own DNS server is the only one", "it asks the servers of the host"},
	{"dns_opt", DROPPED, "the rack's own DNS server is the only one", NULL},
	{"dns_search", DROPPED, "no search list", "write host names in full"},
	{"domainname", CHANGED, "not needed: a service is SERVICE.APP.DOMAIN", NULL},
	{"external_links", DROPPED, "other apps are reached by their URL", "https://SERVICE.APP.DOMAIN"},
	{"extra_hosts", DROPPED, "no host names besides DNS", "use the address, or a name that DNS knows"},
	{"gpus", DROPPED, "no graphics processors", NULL},
	{"group_add", DROPPED, "no further groups", in_image},
	{"ipc", DROPPED, "no shared memory between containers", NULL},
	{"isolation", CHANGED, "not needed", NULL},
	{"label_file", DROPPED, "labels are not read from files", NULL},
	{"logging", CHANGED, "not needed: what is printed is in cx logs", NULL},
	{"log_driver", CHANGED, "not needed: what is printed is in cx logs", NULL},
	{"log_opt", CHANGED, "not needed: what is printed is in cx logs", NULL},
	{"mac_address", DROPPED, "no address of its own choice", NULL},
	{"mem_swappiness", DROPPED, "no such limit", NULL},
	{"memswap_limit", DROPPED, "no limit of swap", NULL},
	{"models", DROPPED, "no models", NULL},
	{"net", DROPPED, "all services are on the rack's network", NULL},
	{"networks", CHANGED, NULL, NULL} /* said once, of the key at the top */,
	{"oom_kill_disable", DROPPED, "no such limit", NULL},
	{"oom_score_adj", DROPPED, "no such limit", NULL},
	{"pid", DROPPED, "no processes of other containers", not_here},
	{"pids_limit", DROPPED, "no limit of processes", NULL},
	{"platform", DROPPED, "an image runs on the processor of its rack", "build it for that one"},
	{"post_start", DROPPED, "no hooks", "let the program do it when it starts"},
	{"pre_stop", DROPPED, "no hooks", "let the program do it on SIGTERM"},
	{"provider", DROPPED, "no providers", NULL},
	{"pull_policy", CHANGED, "not needed: an image is pulled when it is not there", NULL},
	{"read_only", DROPPED, "the root file system can be written", NULL},
	{"runtime", DROPPED, "no other runtime", NULL},
	{"secrets", DROPPED, "no files below /run/secrets", "give a secret as a variable: cx env set NAME=..."},
	{"security_opt", DROPPED, "no other security options", not_here},
	{"shm_size", DROPPED, "/dev/shm is 64 MB", "tell the program to use /tmp, as Chrome's --disable-dev-shm-usage"},
	{"stdin_open", CHANGED, "not needed: cx run and cx exec have a standard input", NULL},
	{"stop_signal", DROPPED, "a process is ended by the image's STOPSIGNAL", "write STOPSIGNAL in the Dockerfile"},
	{"storage_opt", DROPPED, "no limit of the file system", NULL},
	{"sysctls", DROPPED, "no kernel parameters", NULL},
	{"tmpfs", DROPPED, "no file system in memory", "/tmp is a folder of the container"},
	{"tty", CHANGED, "not needed: cx run and cx exec have a terminal", NULL},
	{"ulimits", DROPPED, "the limits are those of the rack", "raise them with ulimit in the command"},
	{"use_api_socket", DROPPED, "no access to the engine", NULL},
	{"user", DROPPED, "a process runs as the image's user", "write USER in the Dockerfile"},
	{"userns_mode", DROPPED, "no other user namespace", NULL},
	{"uts", DROPPED, "no host name of the host", NULL},
	{"volume_driver", DROPPED, "volumes are kept by the rack", NULL},
	{"volumes_from", DROPPED, "no volumes of another service",
		"keep what both need in a resource or an object store"},
	{"working_dir", DROPPED, "a process runs in the image's folder", "write WORKDIR in the Dockerfile"},
	{"deploy.devices", DROPPED, "no devices", NULL},
	{"deploy.endpoint_mode", CHANGED, "not needed: the balancer has one address", NULL},
	{"deploy.labels", CHANGED, "not needed", NULL},
	{"deploy.placement", DROPPED, "no choice of a machine", NULL},
	{"deploy.restart_policy", CHANGED, "not needed: the rack restarts what ends", NULL},
	{"deploy.rollback_config", CHANGED, "not needed: a release that does not become healthy never gets traffic",
		NULL},
	{"deploy.update_config", CHANGED, "not needed: new processes start beside the old, which are drained", NULL},
};

const struct other *
other_find(const char *key)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i].key, key) == 0)
			return &others[i];
	return NULL;
}

const char *
other_near(const char *key)
{
	static const char *const read[] = {"build", "image", "command", "entrypoint", "environment", "env_file",
		"ports", "expose", "depends_on", "links", "volumes", "healthcheck", "deploy", "labels", "restart",
		"profiles", "container_name", "scale"};
	unsigned best = cx_near_limit(key) + 1;
	const char *near = NULL;

	for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++) {
		unsigned n = cx_near_distance(key, read[i]);

		if (n < best) {
			best = n;
			near = read[i];
		}
	}
	return near;
}
