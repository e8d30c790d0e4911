/* LINK: src/cx-local-engine/decode.c PKG: */
/* The engine's log, framed or of a terminal, cut in two at a place that the first byte names: every line that comes out
 * is a record. */
#include "decode.h"
#include <cx/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void
feed(struct decoder *d, int terminal, const char *p, size_t n)
{
	struct cx_err e;

	if (terminal)
		decode_terminal(d, p, n);
	else
		(void)decode_framed(d, p, n, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct decoder d = {0};
	const char *p = (const char *)data + 1;
	size_t cut, pos = 0;

	if (n < 2)
		return 0;
	n--;
	cut = data[0] / 2 % n;
	feed(&d, data[0] & 1, p, cut);
	feed(&d, data[0] & 1, p + cut, n - cut);
	decode_end(&d);
	while (pos < d.out.n) {
		char *line = d.out.p + pos, *nl = memchr(line, '\n', d.out.n - pos);
		struct record r;

		if (!nl || !record_cut(line, (size_t)(nl - line), &r) || strlen(r.time) >= TIME_MAX)
			abort();
		pos += (size_t)(nl - line) + 1;
	}
	decode_free(&d);
	return 0;
}
