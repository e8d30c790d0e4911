/* LINK: src/cx-build/dockerfile.c PKG: */
/* A Dockerfile: never a crash; the cut lies within the text, at the start of a line. */
#include "dockerfile.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <stdint.h>
#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CX_FREE char *text = cx_strndup((const char *)data, n);
	struct dockerfile d;

	n = strlen(text);
	dockerfile_scan(&d, text, n);
	if (d.cut > n || (d.cut > 0 && d.cut < n && text[d.cut - 1] != '\n'))
		abort();
	(void)dockerfile_has_stage(&d, "development");
	dockerfile_free(&d);
	return 0;
}
