/* LINK: PKG: */
/* The engine's multiplexed stream, cut in two at every place that the first byte names: never a crash, never more out than in. */
#include <cx/engine.h>
#include <cx/err.h>
#include <stdint.h>
#include <stdlib.h>

static int
count(void *arg, int stream, const char *p, size_t n)
{
	(void)p;
	if (stream < 0 || stream > 2)
		abort();
	*(size_t *)arg += n;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cx_demux d = {0};
	struct cx_err e;
	size_t out = 0, cut;

	if (n < 1)
		return 0;
	cut = data[0] % n;
	if (cx_demux(&d, (const char *)data + 1, cut ? cut - 1 : 0, count, &out, &e) == 0)
		(void)cx_demux(&d, (const char *)data + (cut ? cut : 1), n - (cut ? cut : 1), count, &out, &e);
	if (out > n)
		abort();
	return 0;
}
