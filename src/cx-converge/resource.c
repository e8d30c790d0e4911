/* Resources: one container each, described by share/cx/resource/TYPE.json, untouched by a release that does not change
 * them. */
#include "converge.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/event.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spec.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define READY_SECONDS 120

static json_t *
load_type(const char *type, struct cx_err *e)
{
	CX_FREE char *rel = cx_fmt("resource/%s.json", type);
	char path[4096];
	json_t *t;

	if (cx_name_check("resource type", type, e) < 0 || cx_share(rel, path, sizeof(path), e) < 0)
		return NULL;
	t = cx_json_load(AT_FDCWD, path, e);
	if (!t && e->cls == CX_NO)
		(void)cx_err_set(e, CX_BAD, "there is no resource type %s", type);
	return t;
}

static json_t *
body_of(struct conv *c, const struct app *a, const char *name, const json_t *r, const json_t *type)
{
	const char *image = cx_json_str(r, "image") ? cx_json_str(r, "image") : cx_json_strd(type, "image", "");
	CX_FREE char *volume = cx_fmt("%s.%s.resource.%s", c->rack, a->name, name);
	const char *target = cx_json_str(type, "volume"), *k;
	json_t *body, *env = json_array(), *v, *labels;
	char hash[17];

	json_object_foreach (json_object_get(type, "environment"), k, v) {
		CX_FREE char *pair = cx_fmt("%s=%s", k, json_string_value(v) ? json_string_value(v) : "");

		(void)json_array_append_new(env, json_string(pair));
	}
	body = json_pack("{s:s,s:o,s:{s:s,s:s,s:s,s:s,s:s},s:{s:s,s:{s:s}}}", "Image", image, "Env", env, "Labels",
		"convox.rack", c->rack, "convox.app", a->name, "convox.type", "resource", "convox.name", name,
		"convox.index", "1", "HostConfig", "NetworkMode", c->network, "RestartPolicy", "Name", "no");
	if (json_is_array(json_object_get(type, "command")))
		(void)json_object_set(body, "Cmd", json_object_get(type, "command"));
	if (target)
		(void)json_object_set_new(json_object_get(body, "HostConfig"), "Mounts",
			json_pack("[{s:s,s:s,s:s,s:{s:{s:s,s:s}}}]", "Type", "volume", "Source", volume, "Target",
				target, "VolumeOptions", "Labels", "convox.rack", c->rack, "convox.app", a->name));
	box_hash(body, hash);
	labels = json_object_get(body, "Labels");
	cx_json_set(labels, "convox.hash", hash);
	return body;
}

/* Whether its port takes a connection; waits 50 ms at the most. */
static int
takes_connection(const char *ip, long port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	CX_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int err = 0;
	socklen_t n = sizeof(err);

	if (fd < 0 || inet_pton(AF_INET, ip, &sa.sin_addr) != 1)
		return 0;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS)
		return 0;
	return poll(&p, 1, 50) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err == 0;
}

struct step {
	struct conv *c;
	struct app *a;
	const char *release, *attempt, *name;
};

static void
tell(const struct step *s, const char *state, const char *reason)
{
	if (s->release)
		say(s->c, s->a->name, s->release, s->attempt,
			&(struct cx_event){.at = "resource", .id = s->name, .state = state, .reason = reason});
}

/* 0 when it is on its way, -1 when it cannot be made. */
static int
make(const struct step *s, const json_t *body, struct cx_err *e)
{
	CX_FREE char *name = cx_fmt("%s.%s.resource.%s", s->c->rack, s->a->name, s->name);
	int there = pull_step(s->c, cx_json_strd(body, "Image", ""), e);
	char id[65];

	if (there <= 0)
		return there;
	tell(s, "start", NULL);
	return box_create(s->c, name, body, id, e);
}

/* One that is down: started again; in a promotion the third time is the last. */
static int
revive(const struct step *s, const struct box *b, struct cx_err *e)
{
	struct memo *m = b->memo;
	int rc;

	s->c->busy = 1;
	m->healthy = 0;
	if (now_s() < m->restart_at)
		return 0;
	if (s->release && m->restarts >= 3) {
		CX_FREE char *why = diagnose_exit(s->c, b->id), *log = box_log(s->c, b->id, 5);

		m->restarts = 0;
		return cx_err_set(e, CX_NO, "it %s; its last lines: %.400s", why, log);
	}
	m->restart_at = now_s() + (double)(m->restarts < 5 ? 1U << m->restarts : 60);
	m->restarts++;
	rc = box_start(s->c, b, e);
	if (rc < 0)
		complain(s->name, e);
	return s->release ? rc : 0;
}

/* 1: runs and is ready, 0: not yet, -1: cannot be. */
static int
visit(const struct step *s, const json_t *r, struct cx_err *e)
{
	CX_JSON json_t *type = load_type(cx_json_strd(r, "type", ""), e), *body = NULL;
	struct box *b = box_find(s->c, s->a->name, "resource", s->name, NULL, 1);

	if (!type)
		return -1;
	body = body_of(s->c, s->a, s->name, r, type);
	if (!b)
		return make(s, body, e);
	if (strcmp(b->hash, cx_json_strd(json_object_get(body, "Labels"), "convox.hash", "")) != 0) {
		box_stop(s->c, b);
		return 0;
	}
	if (b->state != RUNNING)
		return revive(s, b, e);
	if (!b->memo->healthy && takes_connection(b->ip, (long)cx_json_int(type, "port", 0))) {
		b->memo->healthy = b->memo->ever = 1;
		tell(s, "done", NULL);
	}
	s->c->busy |= !b->memo->healthy;
	if (b->memo->healthy && now_s() - b->memo->running_since > 60)
		b->memo->restarts = 0;
	if (b->memo->healthy || now_s() - b->memo->running_since < READY_SECONDS || !s->release)
		return b->memo->healthy;
	return cx_err_set(e, CX_NO, "it takes no connection on port %lld after %d seconds",
		cx_json_int(type, "port", 0), READY_SECONDS);
}

static int
visit_one(const struct step *s, const json_t *r, struct cx_err *e)
{
	struct cx_err own;
	int rc;

	if (!e)
		e = &own;
	if (!s->release && now_s() < s->a->broken_until)
		return 0;
	rc = visit(s, r, e);
	if (rc >= 0)
		return rc;
	(void)cx_err_prefix(e, "resource %s (%s)", s->name, cx_json_strd(r, "type", "?"));
	complain(s->name, e);
	tell(s, "fail", e->text);
	if (!s->release)
		s->a->broken_until = now_s() + 10;
	return s->release ? -1 : 0;
}

int
resource_step(struct conv *c, struct app *a, const json_t *manifest, const char *release, const char *attempt,
	struct cx_err *e)
{
	const json_t *all = json_object_get(manifest, "resources");
	const char *name;
	json_t *r;
	int ready = 1;

	json_object_foreach ((json_t *)all, name, r) {
		struct step s = {c, a, release, attempt, name};
		int rc = visit_one(&s, r, e);

		if (rc < 0)
			return -1;
		ready = rc && ready;
	}
	/* Those that the active release no longer names stop when nothing is promoted; their volumes stay. */
	for (size_t i = 0; i < c->n && !a->roll && !release; i++)
		if (strcmp(c->boxes[i].app, a->name) == 0 && strcmp(c->boxes[i].type, "resource") == 0 &&
			!json_object_get(all, c->boxes[i].service))
			box_stop(c, &c->boxes[i]);
	return ready;
}

static int
has_address(const json_t *list, const char *address)
{
	size_t i;
	json_t *r;

	json_array_foreach ((json_t *)list, i, r)
		if (strcmp(cx_json_strd(r, "address", ""), address) == 0)
			return 1;
	return 0;
}

static int
taken(const struct conv *c, const json_t *now, const char *address)
{
	for (const struct app *a = c->apps; a; a = a->next)
		if (has_address(json_object_get(a->state, "resources"), address))
			return 1;
	return has_address(now, address);
}

/* The address that a resource has, or the first free one of .2 to .254 of the rack's network on the host. */
static char *
address_of(const struct conv *c, const struct app *a, const json_t *now, const char *name)
{
	const char *own = cx_json_strd(c->spool.rack, "address", "127.84.0.1"), *dot = strrchr(own, '.');
	size_t i;
	json_t *r;

	json_array_foreach (json_object_get(a->state, "resources"), i, r)
		if (strcmp(cx_json_strd(r, "name", ""), name) == 0 && cx_json_str(r, "address"))
			return cx_strdup(cx_json_str(r, "address"));
	for (int n = 2; dot && n < 255; n++) {
		char *address = cx_fmt("%.*s.%d", (int)(dot - own), own, n);

		if (!taken(c, now, address))
			return address;
		free(address);
	}
	return NULL;
}

json_t *
resource_routes(struct conv *c, struct app *a, const json_t *manifest)
{
	json_t *list = json_array(), *r;
	const char *name;

	json_object_foreach (json_object_get(manifest, "resources"), name, r) {
		struct cx_err e;
		CX_JSON json_t *type = load_type(cx_json_strd(r, "type", ""), &e);
		const struct box *b = box_find(c, a->name, "resource", name, NULL, 1);
		CX_FREE char *address = address_of(c, a, list, name);
		CX_FREE char *host =
			cx_fmt("%s.resource.%s.%s", name, a->name, cx_json_strd(c->spool.rack, "domain", "convox"));
		int up = b && b->state == RUNNING && b->ip[0];
		long long port = cx_json_int(type, "port", 0);
		json_t *one;

		if (!type)
			continue;
		one = json_pack("{s:s,s:s,s:s,s:I,s:s?,s:s,s:[]}", "name", name, "type", cx_json_strd(r, "type", ""),
			"host", host, "port", (json_int_t)port, "address", address, "status",
			up                       ? "running"
			: b && b->memo->restarts ? "crashed"
						 : "starting",
			"backends");
		if (up)
			(void)json_array_append_new(json_object_get(one, "backends"),
				json_pack("{s:s,s:I}", "address", b->ip, "port", (json_int_t)port));
		(void)json_array_append_new(list, one);
	}
	return list;
}
