#include "service.h"
#include "expand.h"
#include "value.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

/* A text, or lines that run one after the other. */
static void
test_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	CX_BUF struct cx_buf b = {0};
	const char *s;

	if (v->kind == CX_SCALAR) {
		value_text(m, v, path, out, row);
		return;
	}
	if (!value_is_list(m, v, path, "commands"))
		return;
	for (size_t i = 0; i < v->n; i++)
		if (value_get_text(m, v->items[i], path, &s))
			cx_buf_addf(&b, "%s%s", b.n ? " && " : "", s);
	if (b.n)
		(void)json_object_set_new(out, row->name, json_string(b.p));
}

static const struct key command_rows[] = {{.name = "production", .read = value_command},
	{.name = "development", .read = value_command, .note = key_not_local}, {.name = "test", .read = test_read},
	{0}};

static void
command_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *all;

	if (v->kind != CX_MAP) {
		value_command(m, v, path, out, row);
		return;
	}
	all = json_object();
	key_read_map(m, v, path, command_rows, all);
	if (json_object_get(all, "production"))
		(void)json_object_set(out, row->name, json_object_get(all, "production"));
	if (json_object_get(all, "test"))
		(void)json_object_set(out, "test", json_object_get(all, "test"));
	if (json_object_get(all, "development"))
		(void)json_object_set(out, "development", json_object_get(all, "development"));
	json_decref(all);
}

static void
entries_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *entries = json_copy(m->environment);

	if (key_visit(m, v, json_object_size(entries)))
		environment_read(m, v, path, entries);
	(void)json_object_set_new(out, row->name, environment_list(entries));
	json_decref(entries);
}

static void
termination_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {{.name = "grace", .read = value_int, .max = 3600}, {0}};
	json_t *t = json_object();

	(void)row;
	key_read_map(m, v, path, rows, t);
	if (json_object_get(t, "grace"))
		(void)json_object_set(out, "drain", json_object_get(t, "grace"));
	json_decref(t);
}

static int
is_variable(const char *s)
{
	return *s && !strchr("0123456789", *s) &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == strlen(s);
}

/* NAME, or NAME:VARIABLE, which is what the process knows it by. */
static void
use_resource(struct manifest *m, const struct cx_node *v, const char *path, json_t *list, json_t *aliases)
{
	const char *s, *alias;

	if (!value_get_text(m, v, path, &s))
		return;
	CX_FREE char *name = cx_strndup(s, strcspn(s, ":"));

	alias = s[strlen(name)] ? s + strlen(name) + 1 : NULL;
	if (value_open(m, v)) {
		(void)json_array_append_new(list, json_string(s));
		return;
	}
	if (!json_object_get(m->resources, name)) {
		cx_diag_add(m->d, v->line, v->column, path, "there is no resource \"%.60s\"", name);
		cx_diag_hint(m->d, "declare it under the top-level key resources, with its type");
		return;
	}
	if (alias && !is_variable(alias)) {
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not the name of a variable", alias);
		cx_diag_hint(m->d, "NAME or NAME:VARIABLE, for example db:DATABASE_URL");
		return;
	}
	(void)json_array_append_new(list, json_string(name));
	if (alias)
		(void)json_object_set_new(aliases, name, json_string(alias));
}

static void
resources_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array(), *aliases = json_object();

	(void)json_object_set_new(out, row->name, list);
	if (value_is_list(m, v, path, "resource names"))
		for (size_t i = 0; i < v->n; i++)
			use_resource(m, v->items[i], path, list, aliases);
	if (json_object_size(aliases))
		(void)json_object_set(out, "resourceVariables", aliases);
	json_decref(aliases);
}

static void
agent_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {
		{.name = "enabled", .read = value_bool}, {.name = "ports", .read = ports_read}, {0}};
	static const struct key whole = {.name = "enabled", .read = value_bool};
	json_t *a = json_pack("{s:b,s:[]}", "enabled", 1, "ports");

	if (v->kind == CX_SCALAR)
		value_bool(m, v, path, a, &whole);
	else
		key_read_map(m, v, path, rows, a);
	if (json_is_false(json_object_get(a, "enabled"))) {
		(void)json_object_set_new(out, row->name, json_false());
		json_decref(a);
	} else
		(void)json_object_set_new(out, row->name, a);
}

static void
certificate_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {
		{.name = "id", .read = value_text}, {.name = "duration", .read = value_duration}, {0}};
	json_t *c;

	if (v->kind == CX_SCALAR) {
		value_text(m, v, path, out, row);
		return;
	}
	c = json_object();
	key_read_map(m, v, path, rows, c);
	(void)json_object_set_new(out, row->name, c);
}

static void
redirect_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {{.name = "redirect", .read = value_bool}, {0}};
	json_t *t = json_object();
	const struct cx_node *r = value_of(v, "redirect");

	key_read_map(m, v, path, rows, t);
	if (json_is_false(json_object_get(t, "redirect")))
		cx_diag_warn(m->d, r, path, "a Local Rack always redirects http to https");
	(void)json_object_set_new(out, row->name, t);
}

static const struct key deployment_rows[] = {{.name = "minimum", .read = value_int, .max = 100},
	{.name = "maximum", .read = value_int, .min = 100, .max = 200}, {0}};
static const struct key dns_rows[] = {{.name = "ndots", .read = value_int, .max = 15}, {0}};
static const struct key init_rows[] = {{.name = "image", .read = value_text},
	{.name = "command", .read = value_command}, {.name = "volumeOptions", .read = value_any_maps},
	{.name = "configMounts", .read = value_any_maps}, {0}};
static const struct key lifecycle_rows[] = {
	{.name = "preStop", .read = value_text}, {.name = "postStart", .read = value_text}, {0}};

/* In the order of the document. What a Local Rack does not honour has a note; what nobody honours has no reader. */
static const struct key service_rows[] = {{.name = "build", .read = build_read}, {.name = "image", .read = value_text},
	{.name = "command", .read = command_read}, {.name = "environment", .read = entries_read},
	{.name = "port", .read = port_read}, {.name = "health", .read = health_read},
	{.name = "scale", .read = scale_read}, {.name = "test", .read = test_read},
	{.name = "volumes", .read = volumes_read}, {.name = "resources", .read = resources_read},
	{.name = "drain", .read = value_int, .max = 3600}, {.name = "termination", .read = termination_read},
	{.name = "timeout", .read = value_int, .min = 1, .max = 3600}, {.name = "memory", .read = scale_memory_read},
	{.name = "cpu", .read = value_int, .max = 262144}, {.name = "init", .read = value_bool},
	{.name = "privileged", .read = value_bool}, {.name = "agent", .read = agent_read, .note = key_not_local},
	{.name = "annotations", .read = value_pairs, .note = key_not_local},
	{.name = "accessControl", .read = value_any_map, .note = key_not_local},
	{.name = "cdn", .read = value_text, .note = key_not_local},
	{.name = "certificate",
		.read = certificate_read,
		.note = "not honoured by a Local Rack: its own authority signs for SERVICE.APP.DOMAIN"},
	{.name = "configMounts", .read = value_any_maps, .note = key_not_local},
	{.name = "deployment",
		.read = value_map,
		.rows = deployment_rows,
		.note = "not honoured by a Local Rack: it starts new processes beside the old"},
	{.name = "disableHostUsers", .read = value_bool, .note = key_not_local},
	{.name = "dnsConfig", .read = value_map, .rows = dns_rows, .note = key_not_local},
	{.name = "domain", .read = domain_read, .note = "not honoured by a Local Rack: it serves SERVICE.APP.DOMAIN"},
	{.name = "grpcHealthEnabled", .read = value_bool, .note = key_not_local},
	{.name = "imagePullSecrets", .read = value_any_maps, .note = key_not_local},
	{.name = "ingressAnnotations", .read = value_pairs, .note = key_not_local},
	{.name = "initContainer", .read = value_map, .rows = init_rows, .note = key_not_local},
	{.name = "internal",
		.read = value_bool,
		.note = "not honoured by a Local Rack: the balancer serves it on loopback like the others"},
	{.name = "internalAndExternal", .read = value_bool, .note = key_not_local},
	{.name = "internalRouter", .read = value_bool, .note = key_not_local},
	{.name = "labels", .read = value_pairs, .note = key_not_local},
	{.name = "lifecycle", .read = value_map, .rows = lifecycle_rows, .note = key_not_local},
	{.name = "links",
		.read = value_texts,
		.note = "not honoured by a Local Rack: services reach one another as https://SERVICE.APP.DOMAIN"},
	{.name = "liveness", .read = probe_read, .note = key_not_local},
	{.name = "nlb", .read = nlb_read, .note = key_not_local},
	{.name = "nodeAffinityLabels", .read = value_any_maps, .note = key_not_local},
	{.name = "nodeSelectorLabels", .read = value_pairs, .note = key_not_local},
	{.name = "policies", .read = value_texts, .note = key_not_local},
	{.name = "ports", .read = ports_read, .note = key_not_local},
	{.name = "securityContext", .read = value_any_map, .note = key_not_local},
	{.name = "singleton", .read = value_bool, .note = key_not_local},
	{.name = "startupProbe", .read = probe_read, .note = key_not_local}, {.name = "sticky", .read = value_bool},
	{.name = "tags", .read = value_pairs, .note = key_not_local}, {.name = "tls", .read = redirect_read},
	{.name = "volumeOptions", .read = value_any_maps, .note = key_not_local},
	{.name = "whitelist", .read = value_networks, .note = key_not_local},
	/* Habits from elsewhere. */
	{.name = "arguments", .note = "build arguments are the key args of build"},
	{.name = "args", .note = "build arguments are the key args of build"},
	{.name = "cpu_shares", .note = "the key is cpu"},
	{.name = "mem_limit", .note = "the key is memory, a number of MB"},
	{.name = "context", .note = "the key is path, below build"},
	{.name = "dockerfile", .note = "the key is manifest, below build"},
	{.name = "depends_on", .note = "leave it out: resources are ready before services start"},
	{.name = "entrypoint", .note = "set it in the image; command replaces what it is given"},
	{.name = "env_file", .note = "name the variables under environment and set them with cx env set"},
	{.name = "expose", .note = "the key is port"}, {.name = "healthcheck", .note = "the key is health, a path"},
	{.name = "hooks", .note = "there are no hooks: run commands with cx run, or in the image"},
	{.name = "loadBalancerType", .note = "no rack has it: leave it out"},
	{.name = "networks", .note = "leave it out: services of an app share a network"},
	{.name = "replicas", .note = "the key is scale"},
	{.name = "restart", .note = "leave it out: what ends is started again"},
	{.name = "secrets", .note = "name the variables under environment and set them with cx env set"},
	{.name = "slow_start", .note = "no rack has it: leave it out"}, {0}};

/* Another spelling of two keys of scale, which wins. */
static void
move_to_scale(json_t *s, const struct cx_node *n, const char *word)
{
	json_t *v = json_object_get(s, word);

	if (v && !value_of(cx_node_get(n, "scale"), word))
		(void)json_object_set(json_object_get(s, "scale"), word, v);
	(void)json_object_del(s, word);
}

json_t *
service_read(struct manifest *m, const struct cx_node *n, const char *path)
{
	json_t *s = json_pack("{s:n,s:n,s:n,s:n,s:n,s:{s:s,s:i,s:i,s:i},s:{s:{s:i,s:i},s:i,s:n},s:n,s:[],s:[],s:i,s:i}",
		"build", "image", "command", "environment", "port", "health", "path", "/", "interval", 5, "timeout", 4,
		"grace", 5, "scale", "count", "min", 1, "max", 1, "memory", 256, "cpu", "test", "volumes", "resources",
		"drain", 30, "timeout", 60);

	key_read_map(m, n, path, service_rows, s);
	if (json_is_null(json_object_get(s, "environment")) && key_visit(m, n, json_object_size(m->environment)))
		(void)json_object_set_new(s, "environment", environment_list(m->environment));
	move_to_scale(s, n, "memory");
	move_to_scale(s, n, "cpu");
	if (json_is_string(json_object_get(s, "image")) && json_is_object(json_object_get(s, "build"))) {
		cx_diag_warn(m->d, cx_node_get(n, "build"), path, "has both image and build; the image is used");
		(void)json_object_set_new(s, "build", json_null());
	}
	if (json_is_null(json_object_get(s, "image")) && json_is_null(json_object_get(s, "build")))
		(void)json_object_set_new(s, "build", build_default());
	return s;
}
