#include "log.h"
#include "process.h"
#include <cx/err.h>
#include <cx/own.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

/* Lines of several containers wait this long for an older one of another container. */
#define WINDOW_MS 80
#define HELD_MAX 4096
/* After a reader ended: is its container running after all? And between tries to reach the engine. */
#define CHECK_MS 500
#define RETRY_MAX_MS 2000

struct held {
	char *time, *text;
	size_t text_n;
	int stream;
	const struct source *source;
	long long arrived, number;
};

struct follow {
	struct log *g;
	struct reader events;
	struct cx_buf event_in;
	struct held held[HELD_MAX];
	size_t n;
	long long number, check_at, retry_ms;
	int lost; /* the engine cannot be reached */
};

static long long
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
by_time(const void *a, const void *b)
{
	const struct held *x = a, *y = b;
	int d = strcmp(x->time, y->time);

	return d ? d : (x->number > y->number) - (x->number < y->number);
}

/* Prints what has waited long enough, and everything older than that. */
static int
release_held(struct follow *f, int all, struct cx_err *e)
{
	long long now = now_ms();
	size_t out = 0;

	if (f->n == 0)
		return 0;
	qsort(f->held, f->n, sizeof(f->held[0]), by_time);
	for (size_t i = 0; i < f->n; i++)
		if (all || f->held[i].arrived + WINDOW_MS <= now)
			out = i + 1;
	for (size_t i = 0; i < out; i++) {
		struct held *h = &f->held[i];
		struct record r = {.time = h->time, .text = h->text, .text_n = h->text_n, .stream = h->stream};

		if (log_put(f->g, h->source, &r, e) < 0)
			return -1;
		free(h->time);
		free(h->text);
	}
	f->n -= out;
	memmove(f->held, f->held + out, f->n * sizeof(f->held[0]));
	return out && fflush(stdout) == EOF ? cx_err_sys(e, "write") : 0;
}

static int
hold_lines(struct follow *f, struct source *s, struct cx_err *e)
{
	struct record r;

	while (source_next(s, &r)) {
		struct held *h;

		if (f->n == HELD_MAX && release_held(f, 1, e) < 0)
			return -1;
		h = &f->held[f->n++];
		h->time = cx_strdup(r.time);
		h->text = cx_alloc(r.text_n + 1); /* may hold NULs */
		memcpy(h->text, r.text, r.text_n);
		h->text_n = r.text_n;
		h->stream = r.stream;
		h->source = s;
		h->arrived = now_ms();
		h->number = f->number++;
	}
	return 0;
}

static int
attach(struct follow *f, struct source *s, struct cx_err *e)
{
	return source_attach(s, f->g->l, *f->g->since ? f->g->since : NULL, NULL, 1, e);
}

/* Events first, then the list: a container that starts in between is in one of them. */
static int
resync(struct follow *f, struct cx_err *e)
{
	CX_JSON json_t *all = NULL;
	json_t *item;
	size_t i;

	if (f->events.fd < 0 && reader_events(&f->events, f->g->l, f->g->began, e) < 0)
		return -1;
	all = process_containers(f->g->l, e);
	if (!all) {
		reader_end(&f->events);
		return e->cls == CX_SYS ? 1 : -1;
	}
	json_array_foreach (all, i, item) {
		struct source *s;

		if (!log_wants(f->g, item))
			continue;
		s = log_source(f->g, item);
		if (s->reader.fd < 0 && strcmp(cx_json_strd(item, "State", ""), "running") == 0 && attach(f, s, e) < 0)
			return -1;
	}
	return 0;
}

static int
try_resync(struct follow *f, struct cx_err *e)
{
	int rc = resync(f, e);

	if (rc < 0)
		return -1;
	if (rc > 0) {
		if (!f->lost)
			fputs("cx-local-engine: the container engine went away; the log goes on when it is back\n",
				stderr);
		f->lost = 1;
		f->retry_ms = f->retry_ms ? f->retry_ms * 2 : 125;
		if (f->retry_ms > RETRY_MAX_MS)
			f->retry_ms = RETRY_MAX_MS;
		f->check_at = now_ms() + f->retry_ms;
		return 0;
	}
	f->lost = 0;
	f->retry_ms = f->check_at = 0;
	return 0;
}

static int
on_event_line(struct follow *f, const char *p, size_t n, struct cx_err *e)
{
	struct cx_err ignore;
	CX_JSON json_t *ev = cx_json_parse(p, n, "an event", &ignore);
	const json_t *actor = json_object_get(ev, "Actor");
	CX_JSON json_t *item = json_object();
	struct source *s;

	if (!cx_json_str(actor, "ID"))
		return 0;
	cx_json_set(item, "Id", cx_json_str(actor, "ID"));
	(void)json_object_set(item, "Labels", json_object_get(actor, "Attributes"));
	if (!log_wants(f->g, item))
		return 0;
	s = log_source(f->g, item);
	if (s->reader.fd >= 0) {
		s->again = 1;
		return 0;
	}
	return attach(f, s, e);
}

static int
read_events(struct follow *f, struct cx_err *e)
{
	ssize_t n = read(f->events.fd, cx_buf_room(&f->event_in, 65536), 65536);
	char *nl;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0 || f->event_in.n > CX_JSON_MAX) {
		reader_end(&f->events);
		f->event_in.n = 0;
		f->check_at = now_ms();
		return 0;
	}
	f->event_in.n += (size_t)n;
	while ((nl = memchr(f->event_in.p, '\n', f->event_in.n))) {
		size_t len = (size_t)(nl - f->event_in.p);

		if (on_event_line(f, f->event_in.p, len, e) < 0)
			return -1;
		cx_buf_eat(&f->event_in, len + 1);
		if (f->event_in.n == 0)
			break;
	}
	return 0;
}

static int
read_source(struct follow *f, struct source *s, struct cx_err *e)
{
	if (source_fill(s))
		return hold_lines(f, s, e);
	if (s->again)
		return attach(f, s, e);
	if (!f->check_at)
		f->check_at = now_ms() + CHECK_MS;
	return 0;
}

static int
time_left(const struct follow *f)
{
	long long now = now_ms(), left = -1;

	if (f->n)
		left = WINDOW_MS;
	if (f->check_at && (left < 0 || f->check_at - now < left))
		left = f->check_at > now ? f->check_at - now : 0;
	return (int)left;
}

/* Whom the lines are for went away: the end, as if a line had been written. An app may print none for days. */
static int
reader_left(const struct pollfd *p)
{
	if (!(p->revents & (POLLERR | POLLHUP)))
		return 0;
	(void)signal(SIGPIPE, SIG_DFL);
	return raise(SIGPIPE) == 0;
}

static int
handle(struct follow *f, const struct pollfd *p, size_t n, struct cx_err *e)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		if (p[i].fd >= 0 && p[i].revents)
			rc = read_source(f, f->g->sources[i], e);
	if (rc == 0 && p[n].fd >= 0 && p[n].revents)
		rc = read_events(f, e);
	if (rc == 0 && f->check_at && f->check_at <= now_ms())
		rc = try_resync(f, e);
	return rc;
}

static int
turn(struct follow *f, struct cx_err *e)
{
	struct log *g = f->g;
	size_t n = g->n; /* an event may add sources */
	struct pollfd *p = cx_alloc((n + 2) * sizeof(*p));
	int rc;

	for (size_t i = 0; i < n; i++) {
		p[i].fd = g->sources[i]->reader.fd;
		p[i].events = POLLIN;
	}
	p[n].fd = f->events.fd;
	p[n].events = POLLIN;
	p[n + 1].fd = STDOUT_FILENO;
	if (poll(p, n + 2, time_left(f)) >= 0)
		rc = reader_left(&p[n + 1]) ? -1 : handle(f, p, n, e);
	else
		rc = errno == EINTR ? 0 : cx_err_sys(e, "poll");
	free(p);
	return rc < 0 ? -1 : release_held(f, 0, e);
}

int
log_follow(struct log *g, struct cx_err *e)
{
	struct follow *f = cx_alloc(sizeof(*f));
	int rc;

	f->g = g;
	f->events.fd = -1;
	/* Every log goes on from the snapshot's end, also of a container that stopped meanwhile. */
	for (size_t i = 0; i < g->n; i++)
		if (attach(f, g->sources[i], e) < 0) {
			free(f);
			return -1;
		}
	rc = try_resync(f, e);
	while (rc == 0)
		rc = turn(f, e);
	reader_end(&f->events);
	free(f);
	return rc;
}
