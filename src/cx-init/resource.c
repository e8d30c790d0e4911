#include "compose.h"
#include "emit.h"
#include "text.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spec.h>
#include <cx/spool.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Images that are one of our types by another name, or by their maker's; the version of the others is worth keeping. */
static const struct {
	const char *image, *type;
	int keep;
} images[] = {{"postgres", "postgres", 1}, {"postgis/postgis", "postgres", 1}, {"timescale/timescaledb", "postgres", 1},
	{"pgvector/pgvector", "postgres", 1}, {"bitnami/postgresql", "postgres", 0}, {"mysql", "mysql", 1},
	{"mysql/mysql-server", "mysql", 0}, {"percona", "mysql", 1}, {"bitnami/mysql", "mysql", 0},
	{"mariadb", "mariadb", 1}, {"bitnami/mariadb", "mariadb", 0}, {"linuxserver/mariadb", "mariadb", 0},
	{"redis", "redis", 1}, {"redis/redis-stack-server", "redis", 1}, {"redislabs/redismod", "redis", 1},
	{"valkey/valkey", "redis", 1}, {"bitnami/redis", "redis", 0}, {"bitnami/valkey", "redis", 0},
	{"memcached", "memcached", 1}, {"bitnami/memcached", "memcached", 0}, {"rabbitmq", "rabbitmq", 1},
	{"bitnami/rabbitmq", "rabbitmq", 0}, {"elasticsearch", "elasticsearch", 1},
	{"elasticsearch/elasticsearch", "elasticsearch", 1}, {"bitnami/elasticsearch", "elasticsearch", 0}};

/* "registry/namespace/name", without registry, tag and digest; "library" is no namespace. */
static char *
image_name(const char *image)
{
	const char *slash = strchr(image, '/');

	while (slash && (memchr(image, '.', (size_t)(slash - image)) || memchr(image, ':', (size_t)(slash - image)))) {
		image = slash + 1;
		slash = strchr(image, '/');
	}
	if (strncmp(image, "library/", 8) == 0)
		image += 8;
	return cx_strndup(image, strcspn(image, ":@"));
}

/* A type of share/cx/resource, also one that users added. */
static json_t *
type_load(const char *type)
{
	CX_FREE char *rel = cx_fmt("resource/%s.json", type);
	char path[4096];
	struct cx_err e;

	if (!cx_name_valid(type) || cx_share(rel, path, sizeof(path), &e) < 0 || access(path, R_OK) != 0)
		return NULL;
	return cx_json_load(AT_FDCWD, path, &e);
}

char *
resource_type(const char *image, int *keep)
{
	CX_FREE char *name = image_name(image);
	const char *base = strncmp(name, "convox/", 7) == 0 ? name + 7 : name;
	CX_JSON json_t *type = NULL;

	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
		if (strcmp(images[i].image, base) == 0) {
			*keep = images[i].keep && base == name;
			return cx_strdup(images[i].type);
		}
	type = cx_name_valid(base) ? type_load(base) : NULL;
	if (!type)
		return NULL;
	*keep = base == name;
	return cx_strdup(base);
}

/* A database's image may also be there for its client programs: what it runs tells. */
static int
runs_server(const json_t *svc)
{
	static const char *const servers[] = {"postgres", "mysqld", "mariadbd", "redis-server", "valkey-server",
		"memcached", "rabbitmq-server", "docker-entrypoint", "elasticsearch", "redismod", "start_rabbit"};
	static const char *const keys[] = {"entrypoint", "command"};
	CX_BUF struct cx_buf all = {0};
	const json_t *w;
	size_t i;

	for (int k = 0; k < 2; k++)
		json_array_foreach (json_object_get(svc, keys[k]), i, w)
			cx_buf_addf(&all, "%s ", json_string_value(w));
	if (!all.n || *all.p == '-')
		return 1;
	for (i = 0; i < sizeof(servers) / sizeof(servers[0]); i++)
		if (strstr(all.p, servers[i]) && !strstr(all.p, "://"))
			return 1;
	return 0;
}

static void
find_one(struct plan *p, const char *raw, const json_t *svc)
{
	const char *image = text_of(svc, "image"), *tag, *url;
	CX_JSON json_t *spec = NULL;
	int keep = 0;
	CX_FREE char *type = image && !json_object_get(svc, "build") ? resource_type(image, &keep) : NULL;
	CX_FREE char *scheme = NULL;
	json_t *r;

	if (!type || !runs_server(svc) || !(spec = type_load(type)))
		return;
	url = cx_json_strd(spec, "url", "");
	scheme = cx_strndup(url, strstr(url, "://") ? (size_t)(strstr(url, "://") - url) : 0);
	tag = strrchr(image, '/') ? strrchr(image, '/') : image;
	keep = keep && strpbrk(tag, ":@") && strcmp(strpbrk(tag, ":@"), ":latest") != 0;
	r = json_pack("{s:s,s:s,s:s,s:s?,s:{},s:{},s:{}}", "type", type, "name", cx_json_strd(p->names, raw, raw),
		"scheme", scheme, "image", keep ? image : NULL, "users", "votes", "as");
	(void)json_object_set_new(p->resources, raw, r);
}

/* --- who uses it --- */

struct seen {
	struct plan *p;
	const char *raw, *variable, *value;
};

static void
see_host(void *arg, const char *host, int url)
{
	const struct seen *s = arg;
	const char *to = cx_json_str(s->p->hosts, host);
	json_t *r = to ? json_object_get(s->p->resources, to) : NULL, *votes;
	size_t n = strlen(s->variable);

	if (!r || strcmp(to, s->raw) == 0)
		return;
	(void)json_object_set_new(json_object_get(r, "users"), s->raw, json_true());
	/* A variable DATABASE_URL votes for the name "database": then the rack gives just that variable. */
	if (!url || n <= 4 || strcmp(s->variable + n - 4, "_URL") != 0 || strchr(s->value, ','))
		return;
	votes = json_object_get(r, "votes");
	(void)json_object_set_new(votes, s->variable, json_integer(cx_json_int(votes, s->variable, 0) + 1));
}

static void
see_service(struct plan *p, const char *raw, const json_t *svc)
{
	const char *name, *alias, *variable;
	const json_t *v;

	json_object_foreach (json_object_get(svc, "aliases"), alias, v)
		if (!json_object_get(p->hosts, alias))
			(void)json_object_set(p->hosts, alias, (json_t *)v);
	json_object_foreach (json_object_get(svc, "depends"), name, v)
		if (json_object_get(p->resources, name))
			(void)json_object_set_new(
				json_object_get(json_object_get(p->resources, name), "users"), raw, json_true());
	json_object_foreach (json_object_get(svc, "environment"), variable, v) {
		struct seen s = {p, raw, variable, cx_json_strd(v, "value", "")};

		hosts_in(variable, s.value, see_host, &s);
	}
}

/* database of DATABASE_URL, when that is a name and nobody else has it. */
static char *
name_of_url(const struct plan *p, const json_t *self, const char *variable)
{
	size_t n = strlen(variable) - 4;
	CX_FREE char *name = cx_strndup(variable, n);
	const char *raw;
	const json_t *r;

	for (char *c = name; *c; c++)
		*c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
	if (!cx_name_valid(name) || strspn(variable, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(variable))
		return NULL;
	json_object_foreach (p->resources, raw, r)
		if (r != self && strcmp(cx_json_strd(r, "name", ""), name) == 0)
			return NULL;
	return cx_steal(&name);
}

static void
rename_one(const struct plan *p, json_t *r)
{
	CX_FREE char *best = NULL;
	long long most = 0;
	const char *variable;
	const json_t *n;

	json_object_foreach (json_object_get(r, "votes"), variable, n) {
		CX_FREE char *name = json_integer_value(n) > most ? name_of_url(p, r, variable) : NULL;

		if (name) {
			most = json_integer_value(n);
			free(best);
			best = cx_steal(&name);
		}
	}
	if (best && strcmp(best, cx_json_strd(r, "name", "")) != 0) {
		(void)json_object_set_new(r, "name", json_string(best));
		(void)json_object_set_new(r, "renamed", json_true());
	}
}

static void
all_built_use(const struct plan *p, const char *raw, json_t *r)
{
	CX_FREE char *key = cx_fmt("services.%.80s", raw);
	json_t *users = json_object_get(r, "users");
	const char *name;
	const json_t *svc;

	json_object_foreach (p->in->raw, name, svc)
		if (json_object_get(svc, "build") && !json_object_get(p->resources, name))
			(void)json_object_set_new(users, name, json_true());
	if (json_object_size(users))
		say(p->in, CHANGED, key, json_object_get(json_object_get(p->in->raw, raw), "at"),
			"no service says that it uses %s: all that are built here get its URL", raw);
}

void
resources_find(struct plan *p)
{
	const char *raw;
	json_t *v;

	json_object_foreach (p->in->raw, raw, v)
		find_one(p, raw, v);
	json_object_foreach (p->in->raw, raw, v)
		if (!json_object_get(p->resources, raw))
			see_service(p, raw, v);
	json_object_foreach (p->resources, raw, v) {
		rename_one(p, v);
		if (json_object_size(json_object_get(v, "users")) == 0)
			all_built_use(p, raw, v);
	}
}

/* --- the reports and the keys of convox.yml --- */

static void
report_dropped(const struct plan *p, const json_t *svc, const char *url, const char *path)
{
	struct init *in = p->in;
	const char *k;
	const json_t *v;
	size_t i;

	if (json_object_get(svc, "command"))
		say(in, DROPPED, path, json_object_get(svc, "command_at"),
			"its command: a resource runs as its type does");
	if (json_object_size(json_object_get(svc, "environment")))
		say(in, CHANGED, path, json_object_get(svc, "at"),
			"its environment: user, password and database are the rack's, and stand in %s", url);
	json_array_foreach (json_object_get(svc, "volumes"), i, v) {
		const char *source = cx_json_strd(v, "source", ""), *target = cx_json_strd(v, "target", "");

		if (*source != '.' && *source != '/' && *source != '~' && !text_has(target, "initdb"))
			continue;
		say(in, DROPPED, path, json_object_get(v, "at"), "the mount %.80s at %.80s", source, target);
		say_hint(in, "load what is in it once: cx run SERVICE with a client and %s", url);
	}
	json_object_foreach (json_object_get(svc, "other"), k, v)
		if (other_find(k) && other_find(k)->verdict == DROPPED)
			say(in, DROPPED, path, v, "%.40s: a resource runs as its type does", k);
}

static void
emit_one(const struct plan *p, const char *raw, const json_t *r)
{
	const json_t *svc = json_object_get(p->in->raw, raw);
	const char *name = cx_json_strd(r, "name", ""), *type = cx_json_strd(r, "type", ""),
		   *image = cx_json_str(r, "image");
	CX_FREE char *url = cx_spec_url_name(name), *path = cx_fmt("services.%.80s", raw);
	json_t *out = json_pack("{s:s}", "type", type);

	if (image)
		cx_json_set(out, "image", image);
	(void)json_object_set_new(json_object_get(p->in->out, "resources"), name, out);
	say(p->in, CHANGED, path, json_object_get(svc, "at"), "is the resource %s of type %s now; who uses it gets %s",
		name, type, url);
	if (cx_json_true(r, "renamed"))
		say_hint(
			p->in, "it is called %s so that the rack gives %s, which the services read already", name, url);
	else if (!image && strpbrk(text_of(svc, "image"), ":@"))
		say_hint(p->in, "the version is the rack's; to choose one, add image: to it");
	report_dropped(p, svc, url, path);
}

void
resources_emit(struct plan *p)
{
	const char *raw;
	const json_t *r;

	json_object_foreach (p->resources, raw, r)
		emit_one(p, raw, r);
}
