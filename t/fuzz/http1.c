/* LINK: src/cx-router/http1.c PKG: */
/* HTTP/1.1 heads and chunked bodies come in pieces: wherever they are cut, the result is that of the whole. */
#include <http1.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int (*parser)(const char *p, size_t n, struct http1 *h);

/* Exactly n bytes, so that a read beyond them is seen. */
static char *
exact(const uint8_t *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, p, n);
	return copy;
}

static void
must(int ok)
{
	if (!ok)
		abort();
}

static void
same_span(struct span a, struct span b)
{
	must(a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0));
}

static void
same_head(const struct http1 *a, const struct http1 *b)
{
	same_span(a->method, b->method);
	same_span(a->target, b->target);
	same_span(a->host, b->host);
	same_span(a->reason, b->reason);
	same_span(a->upgrade, b->upgrade);
	must(a->status == b->status && a->minor == b->minor && a->length == b->length && a->chunked == b->chunked);
	must(a->close == b->close && a->keep_alive == b->keep_alive && a->upgrades == b->upgrades);
	must(a->expect == b->expect && a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		same_span(a->fields[i].name, b->fields[i].name);
		same_span(a->fields[i].value, b->fields[i].value);
		must(a->fields[i].hop == b->fields[i].hop);
	}
}

/* What a later hop could read in another way must not be in a head that was taken. */
static void
is_strict(const struct http1 *h, const char *p, size_t n)
{
	must(!(h->chunked && h->length >= 0));
	must(!memchr(p, '\0', n));
	for (size_t i = 0; i < n; i++)
		must(p[i] == '\r' ? i + 1 < n && p[i + 1] == '\n' : p[i] != '\n' || (i && p[i - 1] == '\r'));
}

static void
one_cut(parser f, const uint8_t *data, size_t cut, int whole, const struct http1 *want)
{
	static struct http1 h;
	char *p = exact(data, cut);
	int rc = f(p, cut, &h);

	if (whole > 0 && cut >= (size_t)whole) {
		must(rc == whole);
		same_head(&h, want);
	} else if (whole >= 0) {
		must(rc == 0);
	} else {
		must(rc == 0 || rc == whole);
	}
	free(p);
}

static unsigned
next(unsigned *seed)
{
	return *seed = *seed * 1103515245U + 12345U, *seed >> 16;
}

static void
heads(parser f, const uint8_t *data, size_t n, unsigned seed)
{
	static struct http1 h;
	char *p = exact(data, n);
	int rc = f(p, n, &h);

	must(rc <= (int)n);
	if (rc > 0)
		is_strict(&h, p, (size_t)rc);
	for (size_t i = 0; i < 24 && n; i++)
		one_cut(f, data, next(&seed) % n, rc, &h);
	if (rc > 0) {
		one_cut(f, data, (size_t)rc - 1, rc, &h);
		one_cut(f, data, (size_t)rc, rc, &h);
	}
	free(p);
}

struct result {
	int rc;
	size_t used, body_n;
	char *body;
};

/* Reads data in pieces of at most `max` bytes; 0: whole. */
static struct result
read_chunks(const uint8_t *data, size_t n, size_t max, unsigned seed)
{
	struct http1_chunk c = {0};
	struct result r = {.body = exact(data, n)};

	while (r.rc == 0 && r.used < n) {
		size_t left = n - r.used, piece = max ? 1 + next(&seed) % max : left, used, body_n;
		char *p = exact(data + r.used, piece = piece < left ? piece : left);
		const char *body;

		r.rc = http1_chunk(&c, p, piece, &used, &body, &body_n);
		must(used > 0 && used <= piece && body_n <= used);
		if (body_n) {
			must(body >= p && body + body_n <= p + piece);
			memcpy(r.body + r.body_n, body, body_n);
		}
		r.body_n += body_n;
		r.used += used;
		free(p);
	}
	return r;
}

static void
chunks(const uint8_t *data, size_t n, unsigned seed)
{
	static const size_t pieces[] = {1, 3, 40};
	struct result whole = read_chunks(data, n, 0, 0);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct result cut = read_chunks(data, n, pieces[i], seed + (unsigned)i);

		must(cut.rc == whole.rc && cut.used == whole.used && cut.body_n == whole.body_n);
		must(memcmp(cut.body, whole.body, whole.body_n) == 0);
		free(cut.body);
	}
	free(whole.body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned seed = 0;

	if (n < 1)
		return 0;
	for (size_t i = 0; i < n; i++)
		seed = seed * 31 + data[i];
	/* The first byte chooses, so that a corpus holds all three kinds. */
	if (data[0] % 3 == 0)
		heads(http1_request, data + 1, n - 1, seed);
	else if (data[0] % 3 == 1)
		heads(http1_response, data + 1, n - 1, seed);
	else
		chunks(data + 1, n - 1, seed);
	return 0;
}
