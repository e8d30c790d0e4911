/* LINK: src/cx-router/http1.c src/cx-router/chunk.c PKG: */
/* Heads of requests and responses, and chunked bodies: bounds hold, what was accepted is unambiguous, and where the
 * bytes are cut changes nothing. */
#include "http1.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
inside(const char *p, size_t n, struct span s)
{
	check(s.n == 0 || (s.p >= p && s.p + s.n <= p + n));
}

static void
check_fields(const char *p, size_t n, const struct http1 *h)
{
	int lengths = 0, codings = 0;

	for (size_t i = 0; i < h->n; i++) {
		inside(p, n, h->fields[i].name);
		inside(p, n, h->fields[i].value);
		check(h->fields[i].name.n > 0);
		check(!memchr(h->fields[i].value.p, '\n', h->fields[i].value.n));
		check(!memchr(h->fields[i].value.p, '\r', h->fields[i].value.n));
		check(!memchr(h->fields[i].value.p, '\0', h->fields[i].value.n));
		lengths += span_is(h->fields[i].name, "content-length");
		codings += span_is(h->fields[i].name, "transfer-encoding");
	}
	check(lengths + codings <= 1);
	check(h->length >= -1 && (h->length >= 0) == lengths && h->chunked == codings);
}

/* No prefix of a head that is accepted is refused or accepted itself: tried at three places. */
static void
check_prefixes(int (*parse)(const char *p, size_t n, struct http1 *h), const char *p, int whole, unsigned at)
{
	static struct http1 h;

	for (unsigned i = 1; i <= 3; i++)
		check(parse(p, (size_t)whole * (at % 97 + i) / 101 % (size_t)whole, &h) == 0);
}

static void
heads(const char *p, size_t n, unsigned at)
{
	static struct http1 h;
	int r = http1_request(p, n, &h);

	if (r > 0) {
		check((size_t)r <= n && r >= 4 && memcmp(p + r - 4, "\r\n\r\n", 4) == 0);
		inside(p, (size_t)r, h.method);
		inside(p, (size_t)r, h.host);
		inside(p, (size_t)r, h.upgrade);
		check(h.host.n > 0 && h.host.n < 256 && h.target.n > 0);
		check_fields(p, (size_t)r, &h);
		check_prefixes(http1_request, p, r, at);
	} else {
		check(r == 0 || r == -400 || r == -405 || r == -414 || r == -501 || r == -505);
	}
	r = http1_response(p, n, &h);
	if (r > 0) {
		check((size_t)r <= n && h.status >= 100 && h.status <= 999);
		inside(p, (size_t)r, h.reason);
		check_fields(p, (size_t)r, &h);
		check_prefixes(http1_response, p, r, at);
	} else {
		check(r == 0 || r == -502);
	}
}

static void
trailer(const char *p, size_t n)
{
	static struct http1 h;
	int r = http1_trailer(p, n, &h);

	check(r >= -400 && (r <= 0 || ((size_t)r <= n && r >= 2 && memcmp(p + r - 2, "\r\n", 2) == 0)));
	for (size_t i = 0; r > 0 && i < h.n; i++) {
		inside(p, (size_t)r, h.fields[i].name);
		inside(p, (size_t)r, h.fields[i].value);
		check(h.fields[i].hop || !span_is(h.fields[i].name, "content-length"));
	}
}

/* Reads a chunked body in pieces of at most `step`: bytes of it, where it ended, how. */
static int
body(const char *p, size_t n, size_t step, size_t *size, size_t *end)
{
	struct http1_chunk c = {0};
	size_t at = 0;

	*size = 0;
	while (at < n) {
		size_t take = n - at < step ? n - at : step, used, len;
		const char *run = NULL;
		int rc = http1_chunk(&c, p + at, take, &used, &run, &len);

		check(used <= take && (used > 0 || rc < 0));
		check(len == 0 || (run >= p + at && run + len <= p + at + used));
		at += used;
		*size += len;
		*end = at;
		if (rc)
			return rc;
	}
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t size1, size2, end1 = 0, end2 = 0;
	const char *p;
	char *copy;
	int r;

	if (n < 2)
		return 0;
	/* A copy of exactly this size, so that a read beyond it is seen. */
	copy = malloc(n - 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, n - 1);
	p = copy;
	n--;
	heads(p, n, data[0]);
	trailer(p, n);
	r = body(p, n, n, &size1, &end1);
	check(body(p, n, data[0] % 7 + 1, &size2, &end2) == r && (r < 0 || (size1 == size2 && end1 == end2)));
	free(copy);
	return 0;
}
