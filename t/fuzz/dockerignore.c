/* LINK: src/cx-build/ignore.c src/cx-build/glob.c PKG: */
/* A .dockerignore and a path, divided by a NUL: never a crash, never slow; what is kept last is kept. */
#include "ignore.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *nul = memchr(data, '\0', n);
	size_t head = nul ? (size_t)(nul - data) : n;
	CX_FREE char *path = nul ? cx_strndup((const char *)nul + 1, n - head - 1) : cx_strdup("a/b");
	struct cx_err e;
	struct ignore *ig = ignore_parse((const char *)data, head, ".dockerignore", &e);

	if (!ig)
		return 0;
	(void)ignore_path(ig, path);
	(void)ignore_descend(ig, path);
	ignore_keep(ig, path);
	if (ignore_path(ig, path))
		abort();
	ignore_drop(ig, path);
	if (!ignore_path(ig, path))
		abort();
	ignore_free(ig);
	return 0;
}
