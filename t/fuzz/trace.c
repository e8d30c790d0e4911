/* LINK: src/cx-build/trace.c PKG: */
/* BuildKit's trace, bare and in base64: never a crash, and no string points outside of the message. */
#include "trace.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

static void
inside(const struct span *m, struct trace_str s)
{
	if (s.p && (s.p < m->p || s.n > (size_t)(m->p + m->n - s.p)))
		abort();
}

static void
on_vertex(void *arg, const struct trace_vertex *v)
{
	inside(arg, v->digest);
	inside(arg, v->name);
	inside(arg, v->error);
}

static void
on_status(void *arg, const struct trace_status *s)
{
	inside(arg, s->vertex);
	inside(arg, s->id);
}

static void
on_log(void *arg, const struct trace_log *l)
{
	inside(arg, l->vertex);
	inside(arg, l->text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct trace_ops ops = {on_vertex, on_status, on_log};
	struct span m = {(const char *)data, n};
	struct cx_err e;
	char *copy = cx_alloc(n + 1);
	long got;

	(void)trace_decode(data, n, &ops, &m, &e);
	memcpy(copy, data, n);
	got = trace_base64(copy, n);
	if (got > (long)n)
		abort();
	if (got >= 0) {
		m = (struct span){copy, (size_t)got};
		(void)trace_decode(copy, (size_t)got, &ops, &m, &e);
	}
	free(copy);
	return 0;
}
