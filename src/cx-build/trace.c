#include "trace.h"
#include <cx/err.h>

/* What is left of a message. */
struct cursor {
	const unsigned char *p, *end;
};

/* One field: bytes for wire type 2, else a number. */
struct field {
	uint64_t number, value;
	unsigned type;
	struct trace_str bytes;
};

static int
varint(struct cursor *c, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 64 && c->p < c->end; shift += 7) {
		unsigned char b = *c->p++;

		*v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return 0;
	}
	return -1;
}

static int
fixed(struct cursor *c, size_t n)
{
	if ((size_t)(c->end - c->p) < n)
		return -1;
	c->p += n;
	return 0;
}

/* 1: a field, 0: the end, -1: malformed. */
static int
next_field(struct cursor *c, struct field *f)
{
	uint64_t key, n;

	*f = (struct field){0};
	if (c->p == c->end)
		return 0;
	if (varint(c, &key) < 0 || key >> 3 == 0)
		return -1;
	f->number = key >> 3;
	f->type = (unsigned)(key & 7);
	switch (f->type) {
	case 0:
		return varint(c, &f->value) < 0 ? -1 : 1;
	case 1:
		return fixed(c, 8) < 0 ? -1 : 1;
	case 2:
		if (varint(c, &n) < 0 || n > (uint64_t)(c->end - c->p))
			return -1;
		f->bytes = (struct trace_str){(const char *)c->p, (size_t)n};
		c->p += n;
		return 1;
	case 5:
		return fixed(c, 4) < 0 ? -1 : 1;
	default:
		return -1;
	}
}

static struct cursor
within(const struct field *f)
{
	const unsigned char *p = (const unsigned char *)f->bytes.p;

	return (struct cursor){p, p + f->bytes.n};
}

static int
decode_vertex(struct cursor c, const struct trace_ops *ops, void *arg)
{
	struct trace_vertex v = {0};
	struct field f;
	int r;

	while ((r = next_field(&c, &f)) > 0) {
		if (f.number == 1 && f.type == 2)
			v.digest = f.bytes;
		else if (f.number == 3 && f.type == 2)
			v.name = f.bytes;
		else if (f.number == 4 && f.type == 0)
			v.cached = f.value != 0;
		else if (f.number == 5 && f.type == 2)
			v.started = 1;
		else if (f.number == 6 && f.type == 2)
			v.completed = 1;
		else if (f.number == 7 && f.type == 2 && f.bytes.n)
			v.error = f.bytes;
	}
	if (r == 0 && v.digest.p)
		ops->vertex(arg, &v);
	return r;
}

static int
decode_status(struct cursor c, const struct trace_ops *ops, void *arg)
{
	struct trace_status s = {0};
	struct field f;
	int r;

	while ((r = next_field(&c, &f)) > 0) {
		if (f.number == 1 && f.type == 2)
			s.id = f.bytes;
		else if (f.number == 2 && f.type == 2)
			s.vertex = f.bytes;
		else if (f.number == 4 && f.type == 0)
			s.current = (int64_t)f.value;
		else if (f.number == 5 && f.type == 0)
			s.total = (int64_t)f.value;
		else if (f.number == 8 && f.type == 2)
			s.completed = 1;
	}
	if (r == 0 && s.vertex.p)
		ops->status(arg, &s);
	return r;
}

static int
decode_log(struct cursor c, const struct trace_ops *ops, void *arg)
{
	struct trace_log l = {0};
	struct field f;
	int r;

	while ((r = next_field(&c, &f)) > 0) {
		if (f.number == 1 && f.type == 2)
			l.vertex = f.bytes;
		else if (f.number == 3 && f.type == 0)
			l.stream = (int64_t)f.value;
		else if (f.number == 4 && f.type == 2)
			l.text = f.bytes;
	}
	if (r == 0 && l.vertex.p && l.text.p)
		ops->log(arg, &l);
	return r;
}

int
trace_decode(const void *p, size_t n, const struct trace_ops *ops, void *arg, struct cx_err *e)
{
	struct cursor c = {p, (const unsigned char *)p + n};
	struct field f;
	int r;

	while ((r = next_field(&c, &f)) > 0) {
		if (f.type != 2)
			continue;
		if (f.number == 1)
			r = decode_vertex(within(&f), ops, arg);
		else if (f.number == 2)
			r = decode_status(within(&f), ops, arg);
		else if (f.number == 3)
			r = decode_log(within(&f), ops, arg);
		if (r < 0)
			break;
	}
	return r < 0 ? cx_err_set(e, CX_SYS, "the container engine sent a build trace that cannot be read") : 0;
}

static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long
trace_base64(char *p, size_t n)
{
	unsigned long acc = 0;
	unsigned bits = 0;
	size_t out = 0;

	while (n > 0 && p[n - 1] == '=')
		n--;
	if (n % 4 == 1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int v = sextet(p[i]);

		if (v < 0)
			return -1;
		acc = (acc << 6 | (unsigned long)v) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			p[out++] = (char)(acc >> bits & 0xff);
		}
	}
	return (long)out;
}
