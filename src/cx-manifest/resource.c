#include "top.h"
#include "value.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/err.h>
#include <cx/near.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <cx/yaml.h>
#include <dirent.h>
#include <string.h>
#include <unistd.h>

/* Types of the successors: a managed database, which a Local Rack runs in a container, or something else here. */
static const struct {
	const char *type, *same, *hint;
} others[] = {{"rds-postgres", "postgres", NULL}, {"rds-mysql", "mysql", NULL}, {"rds-mariadb", "mariadb", NULL},
	{"elasticache-redis", "redis", NULL}, {"elasticache-memcached", "memcached", NULL},
	{"efs", NULL, "files are kept with volumes: [NAME:/path] of the services that share them"},
	{"volume", NULL, "files are kept with volumes: [NAME:/path] of the services that share them"},
	{"storage", NULL, "files are kept with volumes: [NAME:/path] of the services that share them"},
	{"valkey", NULL, "for example type: redis with image: valkey/valkey:8"},
	{"postgis", NULL, "for example type: postgres with image: postgis/postgis:16-3.4"},
	{"rds", NULL, "name the database: rds-postgres, rds-mysql or rds-mariadb"}};

static int
known(const char *type)
{
	CX_FREE char *rel = cx_fmt("resource/%s.json", type);
	struct cx_err e;
	char path[4096];

	return cx_name_valid(type) && cx_share(rel, path, sizeof(path), &e) == 0 && access(path, R_OK) == 0;
}

/* The known type that is nearest, into buf; false when none is near. */
static int
nearest(const char *type, char *buf, size_t n)
{
	unsigned best = cx_near_limit(type) + 1;
	const struct dirent *f;
	struct cx_err e;
	char path[4096];
	DIR *dir = cx_share("resource", path, sizeof(path), &e) == 0 ? opendir(path) : NULL;

	*buf = '\0';
	while (dir && (f = readdir(dir)) != NULL) {
		size_t len = strlen(f->d_name);
		unsigned d;

		if (f->d_name[0] == '.' || len < 6 || len >= n || strcmp(f->d_name + len - 5, ".json") != 0)
			continue;
		CX_FREE char *name = cx_strndup(f->d_name, len - 5);

		d = cx_near_distance(type, name);
		if (d < best || (d == best && *buf && strcmp(name, buf) < 0)) {
			best = d;
			(void)snprintf(buf, n, "%s", name);
		}
	}
	if (dir)
		(void)closedir(dir);
	return *buf != '\0';
}

static void
unknown_type(struct manifest *m, const struct cx_node *v, const char *path, const char *hint)
{
	char near[64];

	cx_diag_add(m->d, v->line, v->column, path, "there is no resource type \"%.60s\"", v->value);
	if (m->d->n > CX_DIAG_MAX)
		return;
	if (hint)
		cx_diag_hint(m->d, "%s", hint);
	else if (nearest(v->value, near, sizeof(near)))
		cx_diag_hint(m->d, "did you mean %s?", near);
	else
		cx_diag_hint(m->d, "postgres, mysql, redis and others; a type of your own is a file resource/TYPE.json "
				   "in share/cx");
}

static void
type_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	const char *s, *hint = NULL;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	for (size_t i = 0; !known(s) && i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(s, others[i].type) != 0)
			continue;
		hint = others[i].hint;
		if (!others[i].same)
			break;
		cx_diag_warn(m->d, v, path, "a Local Rack runs %s in a container of its own", others[i].same);
		(void)json_object_set_new(out, row->name, json_string(others[i].same));
		return;
	}
	(void)json_object_set_new(out, row->name, json_string(s));
	if (!known(s))
		unknown_type(m, v, path, hint);
}

static void
options_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *o = json_object();
	const char *s;

	(void)json_object_set_new(out, row->name, o);
	if (!value_is_map(m, v, path, "options"))
		return;
	for (size_t i = 0; i < v->n; i++) {
		const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;

		if (key_free(k) || cx_node_null(w))
			continue;
		CX_FREE char *full = key_path(path, k->value);

		/* The text as it stands: 10.60 is another version than 10.6. */
		if (value_get_text(m, w, full, &s)) {
			(void)json_object_set_new(o, k->value, json_string(s));
			cx_diag_warn(m->d, k, full, "%s%s", key_not_local,
				strcmp(k->value, "version") == 0 ? ": choose a version with image" : "");
		}
	}
}

static const struct key rows[] = {{.name = "type", .read = type_read}, {.name = "options", .read = options_read},
	{.name = "image", .read = value_text}, {.name = "tags", .read = value_pairs, .note = key_not_local},
	{.name = "size", .note = "the key is storage or class, below options"},
	{.name = "version", .note = "the key is version, below options; image chooses one in a Local Rack"}, {0}};

static json_t *
one(struct manifest *m, const struct cx_node *n, const char *path, const struct key *unused)
{
	json_t *r = json_pack("{s:n,s:{},s:n}", "type", "options", "image");

	(void)unused;
	key_read_map(m, n, path, rows, r);
	if ((n->kind == CX_MAP || cx_node_null(n)) && !value_of(n, "type")) {
		cx_diag_add(m->d, n->line, n->column, path, "has no type");
		cx_diag_hint(m->d, "for example type: postgres");
	}
	return r;
}

void
resources_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	top_names(m, v, path, out, row, "resource", one);
}
