#include "source.h"
#include "process.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/table.h>
#include <errno.h>
#include <string.h>
#include <time.h>

/* Two writers of one container may be stamped in the other order than they are kept; this much is read again. */
#define OVERLAP_NS 2000000L
#define INVERSION_NS 10000L

struct source *
source_new(const char *id, const json_t *item)
{
	struct source *s = cx_alloc(sizeof(*s));

	memset(s, 0, sizeof(*s));
	(void)snprintf(s->id, sizeof(s->id), "%s", id);
	s->service = cx_strdup(process_name(item));
	s->release = cx_strdup(process_label(item, "convox.release"));
	s->type = cx_strdup(process_label(item, "convox.type"));
	s->reader.fd = -1;
	s->seen = cx_alloc(SEEN * sizeof(*s->seen));
	return s;
}

void
source_free(struct source *s)
{
	reader_end(&s->reader);
	cx_buf_free(&s->in);
	free(s->service);
	free(s->release);
	free(s->type);
	free(s->seen);
	free(s);
}

/* RFC 3339 with nanoseconds as the engine's SECONDS.NANOSECONDS, a little earlier; no floating point, it has not the
 * digits. */
static void
query_time(const char *rfc3339, long earlier_ns, char buf[40])
{
	struct tm tm = {0};
	const char *rest = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm);
	long long sec = rest ? (long long)timegm(&tm) : 0;
	long ns = 0, unit = 100000000;

	if (rest && *rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			ns += (*rest - '0') * unit;
	ns -= earlier_ns;
	sec += ns < 0 ? -1 : ns / 1000000000L;
	ns = ns < 0 ? ns + 1000000000L : ns % 1000000000L;
	(void)snprintf(buf, 40, "%lld.%09ld", sec, ns);
}

int
source_attach(struct source *s, struct local *l, const char *since, const char *tail, int follow, struct cx_err *e)
{
	const struct seen *oldest = &s->seen[s->seen_n % SEEN];
	char from[40], bound[40];

	s->again = 0;
	s->in.n = s->pos = 0;
	memcpy(s->mark, s->last, sizeof(s->mark));
	if (!*s->last)
		return reader_log(&s->reader, l, s->id, since, tail, follow, e);
	query_time(s->last, OVERLAP_NS, from);
	if (s->seen_n > SEEN && *oldest->time) {
		/* Never further back than what is remembered, or it would be repeated. */
		query_time(oldest->time, -INVERSION_NS, bound);
		if (strcmp(bound, from) > 0)
			memcpy(from, bound, sizeof(from));
	}
	return reader_log(&s->reader, l, s->id, from, NULL, follow, e);
}

int
source_fill(struct source *s)
{
	ssize_t n;

	cx_buf_eat(&s->in, s->pos);
	s->pos = 0;
	do
		n = read(s->reader.fd, cx_buf_room(&s->in, 65536), 65536);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		reader_end(&s->reader);
		return 0;
	}
	s->in.n += (size_t)n;
	return 1;
}

/* FNV-1a, 64 bits: only to tell lines of one nanosecond apart. */
static uint64_t
hash(int stream, const char *p, size_t n)
{
	uint64_t h = 14695981039346656037U ^ (uint64_t)stream;

	for (; n; n--)
		h = (h ^ (unsigned char)*p++) * 1099511628211U;
	return h;
}

/* Catching up: was this line read before? Each remembered line answers once. */
static int
was_seen(struct source *s, const char *when, uint64_t h)
{
	if (!*s->mark || strcmp(when, s->mark) > 0)
		return 0;
	for (size_t i = 0; i < SEEN && i < s->seen_n; i++) {
		struct seen *v = &s->seen[i];

		if (v->hash == h && strcmp(v->time, when) == 0) {
			v->time[0] = '\0';
			return 1;
		}
	}
	return 0;
}

static void
remember(struct source *s, const char *when, uint64_t h)
{
	struct seen *v = &s->seen[s->seen_n++ % SEEN];

	(void)snprintf(v->time, sizeof(v->time), "%s", when);
	v->hash = h;
	if (strcmp(when, s->last) > 0)
		(void)snprintf(s->last, sizeof(s->last), "%s", when);
}

int
source_next(struct source *s, struct record *r)
{
	while (s->pos < s->in.n) {
		char *p = s->in.p + s->pos, *nl = memchr(p, '\n', s->in.n - s->pos);
		uint64_t h;

		if (!nl)
			return 0;
		s->pos += (size_t)(nl - p) + 1;
		if (!record_cut(p, (size_t)(nl - p), r))
			continue;
		h = hash(r->stream, r->text, r->text_n);
		if (was_seen(s, r->time, h)) {
			remember(s, r->time, h);
			continue;
		}
		remember(s, r->time, h);
		return 1;
	}
	return 0;
}
