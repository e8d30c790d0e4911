#include "converge.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>
#include <time.h>

#define STOP_SECONDS 10
#define LOG_MAX ((size_t)1 << 20)

double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct memo *
memo_of(struct conv *c, const char *id)
{
	struct memo *m = c->memos;

	while (m && strcmp(m->id, id) != 0)
		m = m->next;
	if (!m) {
		m = cx_alloc(sizeof(*m));
		(void)snprintf(m->id, sizeof(m->id), "%s", id);
		m->next = c->memos;
		c->memos = m;
	}
	m->seen = 1;
	return m;
}

static void
drop_memos(struct conv *c)
{
	for (struct memo **p = &c->memos; *p;) {
		struct memo *m = *p;

		if (m->seen) {
			m->seen = 0;
			p = &m->next;
			continue;
		}
		health_drop(c, m);
		*p = m->next;
		free(m);
	}
}

static void
fill(struct conv *c, struct box *b, const json_t *j)
{
	const json_t *labels = json_object_get(j, "Labels");
	const json_t *nets = json_object_get(json_object_get(j, "NetworkSettings"), "Networks");
	const json_t *net = json_object_get(nets, c->network);
	const char *st = cx_json_strd(j, "State", "");

	memset(b, 0, sizeof(*b));
	(void)snprintf(b->id, sizeof(b->id), "%s", cx_json_strd(j, "Id", ""));
	b->name = json_string_value(json_array_get(json_object_get(j, "Names"), 0));
	b->name = b->name && b->name[0] == '/' ? b->name + 1 : "";
	b->app = cx_json_strd(labels, "convox.app", "");
	b->type = cx_json_strd(labels, "convox.type", "");
	b->service = cx_json_strd(labels, "convox.service", cx_json_strd(labels, "convox.name", ""));
	b->release = cx_json_strd(labels, "convox.release", "");
	b->hash = cx_json_strd(labels, "convox.hash", "");
	b->owner = cx_json_strd(labels, "convox.owner", "");
	b->index = strtol(cx_json_strd(labels, "convox.index", "0"), NULL, 10);
	b->port = strtol(cx_json_strd(labels, "convox.port", "0"), NULL, 10);
	b->drain = strtol(cx_json_strd(labels, "convox.drain", "30"), NULL, 10);
	b->state = strcmp(st, "created") == 0 ? CREATED : EXITED;
	if (strcmp(st, "running") == 0 || strcmp(st, "paused") == 0)
		b->state = RUNNING;
	(void)snprintf(b->ip, sizeof(b->ip), "%s", cx_json_strd(net, "IPAddress", ""));
	b->memo = memo_of(c, b->id);
	if (b->state != RUNNING)
		b->memo->running_since = 0;
	else if (b->memo->running_since == 0)
		b->memo->running_since = now_s();
}

int
box_list(struct conv *c, struct cx_err *e)
{
	CX_BUF struct cx_buf path = {0};
	CX_FREE char *filter = cx_fmt("{\"label\":[\"convox.rack=%s\"]}", c->rack);
	json_t *list;

	cx_buf_adds(&path, "/containers/json?all=1&filters=");
	cx_query(&path, filter);
	list = cx_engine_call(c->engine, "GET", path.p, NULL, e);
	if (!list)
		return -1;
	json_decref(c->list);
	c->list = list;
	free(c->boxes);
	c->n = json_array_size(list);
	c->boxes = cx_alloc((c->n + 1) * sizeof(*c->boxes));
	for (size_t i = 0; i < c->n; i++)
		fill(c, &c->boxes[i], json_array_get(list, i));
	drop_memos(c);
	return 0;
}

struct box *
box_find(struct conv *c, const char *app, const char *type, const char *service, const char *release, long index)
{
	for (size_t i = 0; i < c->n; i++) {
		struct box *b = &c->boxes[i];

		if (strcmp(b->app, app) == 0 && strcmp(b->type, type) == 0 && strcmp(b->service, service) == 0 &&
			(!release || strcmp(b->release, release) == 0) && b->index == index)
			return b;
	}
	return NULL;
}

void
box_hash(const json_t *body, char buf[17])
{
	CX_FREE char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	unsigned long long h = 14695981039346656037ULL; /* FNV-1a, 64 bit */

	for (const char *p = text; p && *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ULL;
	(void)snprintf(buf, 17, "%016llx", h);
}

static int
act(struct conv *c, const char *method, const char *path, const json_t *body, struct cx_err *e)
{
	CX_JSON json_t *j = cx_engine_call(c->engine, method, path, body, e);

	/* What failed is tried again later, not at once. */
	if (j)
		c->dirty = 1;
	else
		c->network_seen = 0;
	return j ? 0 : -1;
}

int
box_start(struct conv *c, const struct box *b, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("/containers/%s/start", b->id);

	return act(c, "POST", path, NULL, e);
}

int
box_create(struct conv *c, const char *name, const json_t *body, char id[65], struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("/containers/create?name=%s", name), *start = NULL;
	CX_JSON json_t *made = cx_engine_call(c->engine, "POST", path, body, e);

	if (!made) {
		c->network_seen = 0;
		return -1;
	}
	c->dirty = 1;
	(void)snprintf(id, 65, "%s", cx_json_strd(made, "Id", ""));
	start = cx_fmt("/containers/%s/start", id);
	return act(c, "POST", start, NULL, e);
}

void
box_remove(struct conv *c, const char *id)
{
	CX_FREE char *path = cx_fmt("/containers/%s?force=1&v=1", id);
	struct cx_err e;

	if (act(c, "DELETE", path, NULL, &e) < 0 && e.cls != CX_NO)
		complain("remove a container", &e);
}

static void
send_signal(struct conv *c, const struct box *b, const char *sig)
{
	CX_FREE char *path = cx_fmt("/containers/%s/kill?signal=%s", b->id, sig);
	struct cx_err e;

	if (act(c, "POST", path, NULL, &e) < 0 && e.cls != CX_NO && cx_engine_status(c->engine) != 409)
		complain("stop a container", &e);
}

void
box_stop(struct conv *c, struct box *b)
{
	double now = now_s();

	c->busy = 1;
	if (b->state != RUNNING) {
		box_remove(c, b->id);
		return;
	}
	b->memo->unhurt = 1;
	if (b->memo->term_at == 0) {
		b->memo->term_at = now;
		send_signal(c, b, "SIGTERM");
	} else if (now - b->memo->term_at > STOP_SECONDS) {
		b->memo->term_at = now;
		send_signal(c, b, "SIGKILL");
	}
}

static int
collect(void *arg, int stream, const char *p, size_t n)
{
	struct cx_buf *b = arg;

	(void)stream;
	if (b->n < LOG_MAX)
		cx_buf_add(b, p, n);
	return 0;
}

char *
box_log(struct conv *c, const char *id, int lines)
{
	CX_FREE char *path = cx_fmt("/containers/%s/logs?stdout=1&stderr=1&tail=%d", id, lines);
	struct cx_http_req r = {.method = "GET", .timeout_ms = 5000, .max = LOG_MAX};
	CX_BUF struct cx_buf text = {0};
	struct cx_demux d = {0};
	struct cx_err e;

	if (cx_engine_stream(c->engine, path, &r, &e) == 0)
		(void)cx_demux(&d, cx_buf_str(&r.reply), r.reply.n, collect, &text, &e);
	cx_buf_free(&r.reply);
	return cx_buf_take(&text);
}

static json_t *
network_body(const struct conv *c)
{
	const json_t *r = c->spool.rack;

	return json_pack("{s:s,s:s,s:b,s:{s:s},s:{s:s,s:[{s:s,s:s}]},s:{s:s}}", "Name", c->network, "Driver", "bridge",
		"CheckDuplicate", 1, "Labels", "convox.rack", c->rack, "IPAM", "Driver", "default", "Config", "Subnet",
		cx_json_strd(r, "subnet", ""), "Gateway", cx_json_strd(r, "gateway", ""), "Options",
		"com.docker.network.bridge.name", cx_json_strd(r, "bridge", ""));
}

int
box_ensure_network(struct conv *c, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("/networks/%s", c->network);
	CX_JSON json_t *net = cx_engine_call(c->engine, "GET", path, NULL, e), *body = NULL, *made = NULL;
	const char *owner = cx_json_str(json_object_get(net, "Labels"), "convox.rack");

	if (net && (!owner || strcmp(owner, c->rack) != 0))
		return cx_err_set(e, CX_SYS, "the network %s is not this rack's", c->network);
	if (net || e->cls != CX_NO)
		return net ? 0 : -1;
	body = network_body(c);
	made = cx_engine_call(c->engine, "POST", "/networks/create", body, e);
	return made ? 0 : -1;
}
