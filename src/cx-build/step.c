#include "step.h"
#include <ctype.h>
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>
#include <time.h>

#define STEPS_MAX 10000
#define LINE_MAX_BYTES 8192
#define TAIL_LINES 20

struct step {
	char *key;
	size_t key_n;
	char *id; /* NULL: no numbered step */
	char *text; /* the command */
	int started, ended;
	struct cx_buf line; /* a line whose end has not come */
	struct cx_buf tail; /* the last lines */
	unsigned tail_lines;
};

struct steps {
	struct talk *t;
	const char *id;
	struct step **v;
	size_t n, cap;
	struct step *cause;
	double last;
};

static double
seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct steps *
steps_new(struct talk *t, const char *id)
{
	struct steps *s = cx_alloc(sizeof(*s));

	s->t = t;
	s->id = id;
	s->last = seconds(); /* what takes no time shows no progress */
	return s;
}

static void
step_free(struct step *st)
{
	free(st->key);
	free(st->id);
	free(st->text);
	cx_buf_free(&st->line);
	cx_buf_free(&st->tail);
	free(st);
}

void
steps_free(struct steps *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		step_free(s->v[i]);
	free(s->v);
	free(s);
}

struct step *
steps_get(struct steps *s, const char *key, size_t n)
{
	struct step *st;

	for (size_t i = s->n; i > 0; i--)
		if (s->v[i - 1]->key_n == n && memcmp(s->v[i - 1]->key, key, n) == 0)
			return s->v[i - 1];
	if (s->n >= STEPS_MAX)
		return NULL;
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 32;
		struct step **v = cx_alloc(cap * sizeof(struct step *));

		if (s->n)
			memcpy(v, s->v, s->n * sizeof(struct step *));
		free(s->v);
		s->v = v;
		s->cap = cap;
	}
	st = cx_alloc(sizeof(*st));
	st->key = cx_alloc(n + 1);
	memcpy(st->key, key, n);
	st->key_n = n;
	return s->v[s->n++] = st;
}

/* True for "2/4" at the end of what the brackets hold: "2/4", "build 2/4". */
static int
numbered(const char *p, size_t n)
{
	size_t i = n;

	while (i > 0 && isdigit((unsigned char)p[i - 1]))
		i--;
	return i > 1 && i < n && p[i - 1] == '/' && isdigit((unsigned char)p[i - 2]);
}

void
step_name(struct steps *s, struct step *st, const char *name, size_t n)
{
	const char *close = n && name[0] == '[' ? memchr(name, ']', n) : NULL;
	size_t in = close ? (size_t)(close - name) - 1 : 0, skip = close ? in + 2 : 0;

	if (st->text || n == 0)
		return;
	if (close && numbered(name + 1, in))
		st->id = cx_fmt("%s %.*s", s->id, (int)(in < 100 ? in : 100), name + 1);
	while (skip < n && isspace((unsigned char)name[skip]))
		skip++;
	st->text = cx_strndup(name + skip, n - skip < LINE_MAX_BYTES ? n - skip : LINE_MAX_BYTES);
}

void
step_start(struct steps *s, struct step *st)
{
	if (st->started || !st->text)
		return;
	st->started = 1;
	talk_say(s->t, st->id ? st->id : s->id, st->id ? "start" : "progress", "%s", st->text);
}

size_t
step_plain(char *p, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\033' && i + 1 < n && p[i + 1] == '[') {
			for (i += 2; i < n && (unsigned char)(p[i] - 0x20) < 0x20;)
				i++;
		} else if (p[i] == '\r') {
			if (i + 1 < n)
				out = 0;
		} else if (p[i] != '\0') {
			p[out++] = p[i];
		}
	}
	p[out] = '\0';
	return out;
}

static void
end_line(struct steps *s, struct step *st)
{
	size_t n = st->line.p ? step_plain(st->line.p, st->line.n) : 0;

	if (n) {
		talk_say(s->t, st->id ? st->id : s->id, "progress", "%s", st->line.p);
		cx_buf_addf(&st->tail, "%s\n", st->line.p);
		if (++st->tail_lines > TAIL_LINES) {
			cx_buf_eat(&st->tail, (size_t)(strchr(st->tail.p, '\n') - st->tail.p) + 1);
			st->tail_lines--;
		}
	}
	st->line.n = 0;
}

void
step_output(struct steps *s, struct step *st, const char *p, size_t n)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t len = end ? (size_t)(end - p) : n;

		if (st->line.n + len <= LINE_MAX_BYTES)
			cx_buf_add(&st->line, p, len);
		if (end)
			end_line(s, st);
		p += len + (end != NULL);
		n -= len + (end != NULL);
	}
}

void
step_progress(struct steps *s, struct step *st, const char *text, long long current, long long total)
{
	double now = seconds();

	if (now - s->last < 0.2)
		return;
	s->last = now;
	talk_event(s->t, (struct cx_event){.id = st && st->id ? st->id : s->id,
				 .state = "progress",
				 .text = text,
				 .current = current,
				 .total = total});
}

void
step_done(struct steps *s, struct step *st, int cached)
{
	if (st->ended)
		return;
	end_line(s, st);
	st->ended = 1;
	if (st->id)
		talk_say(s->t, st->id, cached ? "skip" : "done", "%s", st->text ? st->text : "");
}

void
step_fail(struct steps *s, struct step *st)
{
	if (st->ended)
		return;
	end_line(s, st);
	st->ended = 1;
	if (!s->cause)
		s->cause = st;
	if (st->id)
		talk_say(s->t, st->id, "fail", "%s", st->text ? st->text : "");
}

void
steps_cause(struct steps *s, const char **command, const char **log)
{
	for (size_t i = 0; i < s->n; i++) {
		struct step *st = s->v[i];

		if (st->started && !st->ended && st->id)
			talk_say(s->t, st->id, "warn", "%s (stopped)", st->text);
		st->ended = 1;
	}
	*command = s->cause ? s->cause->text : NULL;
	*log = s->cause && s->cause->tail.n ? s->cause->tail.p : NULL;
}
