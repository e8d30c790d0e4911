#include "service.h"
#include "balance.h"
#include "metrics.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <string.h>

#define TEXT_MAX 1024 /* reason, hint, a line of a log, maintenance */
#define HOSTS_MAX 100
#define NAME_MAX 43

void
service_unref(struct service *s)
{
	if (!s || --s->refs)
		return;
	for (size_t i = 0; s->backends && i < s->n; i++)
		backend_unref(s->backends[i]);
	if (s->m)
		metrics_drop_service(s->all, s->m);
	free(s->app);
	free(s->name);
	free(s->state);
	free(s->reason);
	free(s->hint);
	free(s->line);
	free(s->path);
	free(s->maintenance);
	free(s->health.path);
	free(s->backends);
	free(s->specs);
	free(s);
}

/* A string of bounded length without control characters, or null; *to stays NULL for that. */
static int
text(const json_t *j, const char *key, size_t max, char **to, struct cx_err *e)
{
	const json_t *v = json_object_get(j, key);
	const char *s = json_string_value(v);

	if (!v || json_is_null(v))
		return 0;
	if (!s || strlen(s) > max)
		return cx_err_set(e, CX_BAD, "%s is no string of at most %zu bytes", key, max);
	*to = cx_strdup(s);
	for (char *p = *to; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return 0;
}

/* What pages say of it: however long, it is no reason to refuse a route. */
static char *
note(const json_t *j, const char *key)
{
	const char *s = cx_json_str(j, key);
	size_t n = s ? strlen(s) : 0;
	char *to;

	if (!s)
		return NULL;
	if (n > TEXT_MAX)
		for (n = TEXT_MAX; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
			;
	to = cx_strndup(s, n);
	for (char *p = to; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return to;
}

static int
number(const json_t *j, const char *key, long min, long max, long *to, struct cx_err *e)
{
	const json_t *v = json_object_get(j, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
		return cx_err_set(e, CX_BAD, "%s is no number of %ld to %ld", key, min, max);
	*to = (long)json_integer_value(v);
	return 0;
}

static int
word(const json_t *j, const char *key, const char *const words[], int *to, struct cx_err *e)
{
	const json_t *v = json_object_get(j, key);
	const char *s = json_string_value(v);
	CX_BUF struct cx_buf all = {0};

	if (!v || json_is_null(v))
		return 0;
	for (int i = 0; words[i]; i++) {
		if (s && strcmp(s, words[i]) == 0) {
			*to = i;
			return 0;
		}
		cx_buf_addf(&all, "%s%s", i ? ", " : "", words[i]);
	}
	return cx_err_set(e, CX_BAD, "%s is none of %s", key, all.p);
}

static int
flag(const json_t *j, const char *key, int *to, struct cx_err *e)
{
	const json_t *v = json_object_get(j, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_boolean(v))
		return cx_err_set(e, CX_BAD, "%s is neither true nor false", key);
	*to = json_is_true(v);
	return 0;
}

/* "200", "200-399" */
static int
matcher(const json_t *j, struct health_check *h, struct cx_err *e)
{
	const char *s = cx_json_strd(j, "matcher", "200-399");
	char *end;
	unsigned long from = strtoul(s, &end, 10), to = from;

	if (*end == '-')
		to = strtoul(end + 1, &end, 10);
	if (*end || s[0] < '0' || s[0] > '9' || from < 100 || to < from || to > 599)
		return cx_err_set(e, CX_BAD, "matcher is no status or range of them, as 200 or 200-399");
	h->from = (unsigned)from;
	h->to = (unsigned)to;
	return 0;
}

static int
health(const json_t *j, struct health_check *h, struct cx_err *e)
{
	long interval = 30, timeout = 5, good = 5, bad = 2;

	if (!j || json_is_null(j))
		return 0;
	if (!json_is_object(j))
		return cx_err_set(e, CX_BAD, "health is no object");
	if (text(j, "path", ROUTE_PATH_MAX, &h->path, e) < 0 || number(j, "interval", 1, 300, &interval, e) < 0 ||
		number(j, "timeout", 1, 120, &timeout, e) < 0 || number(j, "healthy", 1, 10, &good, e) < 0 ||
		number(j, "unhealthy", 1, 10, &bad, e) < 0 || matcher(j, h, e) < 0)
		return cx_err_prefix(e, "health");
	if (!h->path)
		h->path = cx_strdup("/");
	if (h->path[0] != '/' || strchr(h->path, ' '))
		return cx_err_set(e, CX_BAD, "health: path does not begin with a slash, or has a blank");
	h->interval = (unsigned)interval;
	h->timeout = (unsigned)timeout;
	h->healthy = (unsigned)good;
	h->unhealthy = (unsigned)bad;
	return 0;
}

static int
path_of(struct service *s, const json_t *j, struct cx_err *e)
{
	size_t n;

	if (text(j, "path", ROUTE_PATH_MAX, &s->path, e) < 0)
		return -1;
	if (!s->path)
		return 0;
	if (s->path[0] != '/' || strpbrk(s->path, " ?#*"))
		return cx_err_set(e, CX_BAD, "path is no prefix of a path, as /api");
	n = strlen(s->path);
	if (s->path[n - 1] == '/') /* "/api/" and "/api" are one prefix; "/" is none */
		s->path[n - 1] = '\0';
	if (!s->path[0]) {
		free(s->path);
		s->path = NULL;
	}
	return 0;
}

static int
settings(struct service *s, const json_t *j, struct cx_err *e)
{
	static const char *const schemes[] = {"http", "https", "grpc", "tcp", "secure-grpc", "tls", NULL};
	static const char *const algorithms[] = {"round_robin", "least_outstanding_requests", NULL};
	static const char *const modes[] = {"defensive", "strictest", NULL};
	static const char *const forwardeds[] = {"append", "preserve", "remove", NULL};
	int scheme = 0, algorithm = 0, desync = 0, forwarded = 0;

	s->state = note(j, "state");
	s->reason = note(j, "reason");
	s->hint = note(j, "hint");
	s->line = note(j, "line");
	if (text(j, "maintenance", TEXT_MAX, &s->maintenance, e) < 0 || path_of(s, j, e) < 0)
		return -1;
	if (word(j, "scheme", schemes, &scheme, e) < 0 || word(j, "algorithm", algorithms, &algorithm, e) < 0 ||
		word(j, "desync", modes, &desync, e) < 0 || word(j, "forwarded_for", forwardeds, &forwarded, e) < 0)
		return -1;
	s->scheme = (enum scheme)scheme;
	s->algorithm = (enum algorithm)algorithm;
	s->desync = (enum desync)desync;
	s->forwarded = (enum forwarded)forwarded;
	s->https = s->scheme == SCHEME_HTTPS;
	s->timeout = 60;
	s->idle = 3600;
	s->drain = 300;
	if (number(j, "timeout", 1, 4000, &s->timeout, e) < 0 || number(j, "idle", 1, 86400, &s->idle, e) < 0 ||
		number(j, "hold", 0, 300, &s->hold, e) < 0 || number(j, "drain", 0, 3600, &s->drain, e) < 0 ||
		number(j, "sticky", 0, 604800, &s->sticky, e) < 0 ||
		number(j, "slow_start", 0, 900, &s->slow_start, e) < 0 ||
		number(j, "hsts", 0, 63072000, &s->hsts, e) < 0)
		return -1;
	if (flag(j, "paused", &s->paused, e) < 0 || flag(j, "client_port", &s->client_port, e) < 0)
		return -1;
	if (s->paused && !s->hold)
		s->hold = 30;
	return health(json_object_get(j, "health"), &s->health, e);
}

static int
backend_of(struct service *s, const json_t *j, struct cx_err *e)
{
	struct backend_spec *b = &s->specs[s->n];
	const char *address = cx_json_str(j, "address");
	long port = 0, weight = 1;
	struct in_addr in;

	if (!address || inet_pton(AF_INET, address, &in) != 1)
		return cx_err_set(e, CX_BAD, "address is no IPv4 address");
	if (number(j, "port", 1, 65535, &port, e) < 0 || number(j, "weight", 0, 1000, &weight, e) < 0 ||
		flag(j, "draining", &b->draining, e) < 0)
		return -1;
	if (port == 0)
		return cx_err_set(e, CX_BAD, "there is no port");
	(void)snprintf(b->address, sizeof(b->address), "%s", address);
	(void)snprintf(b->process, sizeof(b->process), "%s", cx_json_strd(j, "process", ""));
	b->port = (unsigned short)port;
	b->weight = (unsigned)weight;
	s->equal &= weight == 1 && !b->draining;
	s->n++;
	return 0;
}

static int
backends(struct service *s, const json_t *j, struct cx_err *e)
{
	const json_t *list = json_object_get(j, "backends"), *b;
	size_t i;

	if (list && !json_is_array(list))
		return cx_err_set(e, CX_BAD, "backends is no list");
	if (json_array_size(list) > ROUTE_BACKENDS_MAX)
		return cx_err_set(e, CX_BAD, "there are more than %d backends", ROUTE_BACKENDS_MAX);
	s->specs = cx_alloc((json_array_size(list) + 1) * sizeof(*s->specs));
	s->equal = s->slow_start == 0;
	json_array_foreach ((json_t *)list, i, b)
		if (backend_of(s, b, e) < 0)
			return cx_err_prefix(e, "backends[%zu]", i);
	return 0;
}

static int
bad_label(const char *p, size_t n)
{
	if (n == 0 || n > 63)
		return 1;
	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_'))
			return 1;
	}
	return 0;
}

int
service_host_ok(const char *host)
{
	if (strcmp(host, "*") == 0)
		return 1;
	if (strlen(host) > 253)
		return 0;
	if (strncmp(host, "*.", 2) == 0)
		host += 2;
	for (;;) {
		size_t n = strcspn(host, ".");

		if (bad_label(host, n))
			return 0;
		if (!host[n])
			return 1;
		host += n + 1;
	}
}

static int
hosts(const json_t *j, struct cx_err *e)
{
	const json_t *list = json_object_get(j, "hosts"), *h;
	size_t i;

	if (list && !json_is_array(list))
		return cx_err_set(e, CX_BAD, "hosts is no list");
	if (json_array_size(list) > HOSTS_MAX)
		return cx_err_set(e, CX_BAD, "there are more than %d hosts", HOSTS_MAX);
	json_array_foreach ((json_t *)list, i, h)
		if (!json_is_string(h) || !service_host_ok(json_string_value(h)))
			return cx_err_set(e, CX_BAD, "hosts[%zu] is no host name, *.NAME or *", i);
	return 0;
}

struct service *
service_make(const char *app, const json_t *j, struct cx_err *e)
{
	struct service *s = cx_alloc(sizeof(*s));
	const char *name = cx_json_strd(j, "name", "?");

	s->refs = 1;
	s->app = cx_strndup(app, strnlen(app, NAME_MAX));
	s->name = cx_strndup(name, strnlen(name, NAME_MAX));
	if (settings(s, j, e) == 0 && hosts(j, e) == 0 && backends(s, j, e) == 0)
		return s;
	service_unref(s);
	return NULL;
}

static struct backend *
former(const struct service *s, const struct backend_spec *b, struct service **old, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(old[i]->name, s->name) != 0 ||
			strcmp(old[i]->path ? old[i]->path : "", s->path ? s->path : "") != 0)
			continue;
		for (size_t k = 0; k < old[i]->n; k++)
			if (old[i]->backends[k]->port == b->port &&
				strcmp(old[i]->backends[k]->address, b->address) == 0)
				return old[i]->backends[k];
	}
	return NULL;
}

void
service_adopt(struct service *s, struct service **old, size_t n, struct metrics *m, double now, double since)
{
	s->all = m;
	s->m = metrics_service(m, s->app, s->name);
	s->backends = cx_alloc((s->n + 1) * sizeof(struct backend *));
	for (size_t i = 0; i < s->n; i++) {
		struct backend *b = former(s, &s->specs[i], old, n);

		s->backends[i] = b ? b : backend_new(s, &s->specs[i], m, since);
		s->backends[i]->refs++;
		backend_set(s->backends[i], &s->specs[i], now);
	}
	free(s->specs);
	s->specs = NULL;
}
