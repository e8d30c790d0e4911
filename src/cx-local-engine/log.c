#include "log.h"
#include "process.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/table.h>
#include <string.h>
#include <time.h>

/* Seconds of 90s, 10m, 1h30m, 2d; -1 when it is none. */
static long long
duration(const char *s)
{
	static const char units[] = "smhd";
	static const long long seconds[] = {1, 60, 3600, 86400};
	long long sum = 0;

	if (!*s)
		return -1;
	while (*s) {
		char *end;
		long n = strtol(s, &end, 10);
		const char *u = *end ? strchr(units, *end) : NULL;

		if (end == s || n < 0 || n > 1000000 || !u)
			return -1;
		sum += n * seconds[u - units];
		s = end + 1;
	}
	return sum;
}

static int
parse_since(struct log *g, const char *s, struct cx_err *e)
{
	long long d = duration(s);
	double t = cx_time_parse(s);

	if (d < 0 && t < 0) {
		(void)cx_err_set(e, CX_BAD, "--since: \"%s\" is not a time", s);
		return cx_err_hint(
			e, "write how long ago, for example 10m or 1h30m, or a time such as 2026-01-02T03:04:05Z");
	}
	if (d >= 0)
		(void)snprintf(g->since, sizeof(g->since), "%lld", (long long)time(NULL) - d);
	else
		(void)snprintf(g->since, sizeof(g->since), "%.3f", t);
	return 0;
}

static int
parse_tail(struct log *g, const char *s, struct cx_err *e)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (*end || end == s || n < 0 || n > 1000000)
		return cx_err_set(e, CX_BAD, "--tail: \"%s\" is not a number of lines", s);
	g->tail = n;
	return 0;
}

static int
parse_value(struct log *g, const char *opt, const char *value, struct cx_err *e)
{
	if (strcmp(opt, "--since") == 0)
		return parse_since(g, value, e);
	if (strcmp(opt, "--tail") == 0)
		return parse_tail(g, value, e);
	if (strcmp(opt, "--filter") == 0)
		g->filter = value;
	else if (strcmp(opt, "--service") == 0)
		g->service = value;
	else
		return usage_error(e, "log takes -f, --since, --tail, --filter and --service");
	return 0;
}

static int
parse(struct log *g, int argc, char **argv, struct cx_err *e)
{
	int i = 1;

	g->tail = -1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-f") == 0 || strcmp(argv[i], "--follow") == 0) {
			g->follow = 1;
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (i + 1 >= argc)
			return usage_error(e, "an option of log needs a value");
		if (parse_value(g, argv[i], argv[i + 1], e) < 0)
			return -1;
		i++;
	}
	if (strcmp(argv[0], "logs") == 0 && i + 1 == argc)
		g->process = argv[i++];
	if (i < argc || (strcmp(argv[0], "logs") == 0 && !g->process))
		return usage_error(e, "process logs takes one process or service, log none");
	if (g->tail < 0 && !*g->since)
		g->tail = DEFAULT_TAIL;
	return 0;
}

int
log_wants(const struct log *g, const json_t *item)
{
	const char *id = cx_json_strd(item, "Id", "");

	if (g->process)
		return strcmp(process_name(item), g->process) == 0 ||
		       (strlen(g->process) >= 4 && strncmp(id, g->process, strlen(g->process)) == 0);
	if (g->service)
		return strcmp(process_name(item), g->service) == 0;
	return strcmp(process_label(item, "convox.type"), "resource") != 0;
}

struct source *
log_source(struct log *g, const json_t *item)
{
	const char *id = cx_json_strd(item, "Id", "");

	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->sources[i]->id, id) == 0)
			return g->sources[i];
	if (g->n % 64 == 0) {
		struct source **more = cx_alloc((g->n + 64) * sizeof(struct source *));

		if (g->n)
			memcpy(more, g->sources, g->n * sizeof(struct source *));
		free(g->sources);
		g->sources = more;
	}
	g->sources[g->n] = source_new(id, item);
	return g->sources[g->n++];
}

/* Text of containers may be anything; JSON is UTF-8. */
static json_t *
text_value(const char *p, size_t n)
{
	CX_BUF struct cx_buf b = {0};

	if (cx_utf8_valid(p, n))
		return json_stringn(p, n);
	for (size_t i = 0; i < n;) {
		size_t len = 1;

		while (len < 4 && i + len < n && !cx_utf8_valid(p + i, len))
			len++;
		if (cx_utf8_valid(p + i, len)) {
			cx_buf_add(&b, p + i, len);
			i += len;
		} else {
			cx_buf_adds(&b, "\xef\xbf\xbd");
			i++;
		}
	}
	return json_stringn(cx_buf_str(&b), b.n);
}

static char *
line_json(const struct log *g, const struct source *s, const struct record *r)
{
	CX_JSON json_t *j = json_object();
	CX_FREE char *id = cx_strndup(s->id, ID_SHOWN);

	cx_json_seti(j, "v", 1);
	cx_json_set(j, "time", r->time);
	cx_json_set(j, "app", g->l->app);
	cx_json_set(j, "service", s->service);
	cx_json_set(j, "process", id);
	cx_json_set(j, "release", s->release);
	cx_json_set(j, "type", s->type);
	cx_json_set(j, "stream", r->stream == 2 ? "stderr" : "stdout");
	(void)json_object_set_new(j, "text", text_value(r->text, r->text_n));
	return cx_json_text(j);
}

int
log_put(struct log *g, const struct source *s, const struct record *r, struct cx_err *e)
{
	CX_FREE char *line = NULL;

	if (g->filter && !memmem(r->text, r->text_n, g->filter, strlen(g->filter)))
		return 0;
	line = line_json(g, s, r);
	if (g->ring) {
		char **slot = &g->ring[g->ring_n++ % (size_t)g->tail];

		free(*slot);
		*slot = cx_steal(&line);
		return 0;
	}
	return puts(line) == EOF ? cx_err_sys(e, "write") : 0;
}

static int
flush_ring(struct log *g, struct cx_err *e)
{
	size_t size = (size_t)g->tail, first = g->ring_n > size ? g->ring_n - size : 0;
	int rc = 0;

	for (size_t i = first; i < g->ring_n; i++)
		if (puts(g->ring[i % size]) == EOF)
			rc = cx_err_sys(e, "write");
	for (size_t i = 0; i < size && i < g->ring_n; i++)
		free(g->ring[i]);
	free(g->ring);
	g->ring = NULL;
	return fflush(stdout) == EOF ? cx_err_sys(e, "write") : rc;
}

/* Makes the source's next line ready; 0 when its log has ended. */
static int
advance(struct source *s, struct record *r)
{
	while (!source_next(s, r))
		if (s->reader.fd < 0 || !source_fill(s))
			return 0;
	return 1;
}

/* What is there by now, merged by time: always the oldest of the first lines. */
static int
snapshot(struct log *g, struct cx_err *e)
{
	struct record *head = cx_alloc((g->n + 1) * sizeof(*head));
	char *has = cx_alloc(g->n + 1);
	int rc = 0;

	for (size_t i = 0; i < g->n; i++)
		has[i] = (char)advance(g->sources[i], &head[i]);
	while (rc == 0) {
		size_t min = g->n;

		for (size_t i = 0; i < g->n; i++)
			if (has[i] && (min == g->n || strcmp(head[i].time, head[min].time) < 0))
				min = i;
		if (min == g->n)
			break;
		rc = g->tail == 0 ? 0 : log_put(g, g->sources[min], &head[min], e);
		has[min] = (char)advance(g->sources[min], &head[min]);
	}
	free(head);
	free(has);
	return rc;
}

/* The engine can cut the tail only if nothing is filtered; a line a process is asked for at least, to know where a
 * follower begins. */
static int
attach_all(struct log *g, struct cx_err *e)
{
	CX_FREE char *tail = g->tail >= 0 && !g->filter ? cx_fmt("%ld", g->tail ? g->tail : 1) : NULL;

	for (size_t i = 0; i < g->n; i++)
		if (source_attach(g->sources[i], g->l, *g->since ? g->since : NULL, tail, 0, e) < 0)
			return -1;
	return 0;
}

static int
check_known(const struct log *g, struct cx_err *e)
{
	const char *name = g->process ? g->process : g->service;

	if (g->n || !name || (g->follow && g->service))
		return 0;
	(void)cx_err_set(e, CX_NO, "%s has no process or service \"%s\"", g->l->app, name);
	return cx_err_hint(e, "cx ps -a %s lists them", g->l->app);
}

int
verb_log(struct local *l, int argc, char **argv, struct cx_err *e)
{
	struct log g = {.l = l};
	CX_JSON json_t *all = NULL;
	json_t *item;
	size_t i;
	int rc;

	if (parse(&g, argc, argv, e) < 0)
		return -1;
	(void)snprintf(g.began, sizeof(g.began), "%lld", (long long)time(NULL));
	all = process_containers(l, e);
	if (!all)
		return -1;
	json_array_foreach (all, i, item)
		if (log_wants(&g, item))
			(void)log_source(&g, item);
	if (check_known(&g, e) < 0)
		return -1;
	if (g.tail > 0)
		g.ring = cx_alloc((size_t)g.tail * sizeof(*g.ring));
	rc = attach_all(&g, e) < 0 || snapshot(&g, e) < 0 ? -1 : 0;
	if (g.ring && flush_ring(&g, e) < 0)
		rc = -1;
	if (rc == 0 && g.follow)
		rc = log_follow(&g, e);
	for (i = 0; i < g.n; i++)
		source_free(g.sources[i]);
	free(g.sources);
	return rc;
}
