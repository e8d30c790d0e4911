/* The service that `web` calls. */
#include "serve.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static int
say(const char *path, char *text)
{
	static atomic_ulong served;

	if (strcmp(path, "/health") == 0)
		return snprintf(text, REPLY_MAX, "ok\n"), 200;
	if (strcmp(path, "/") != 0)
		return snprintf(text, REPLY_MAX, "no such path\n"), 404;
	(void)snprintf(text, REPLY_MAX, "request %lu served by api process %s\n", atomic_fetch_add(&served, 1) + 1,
		process_id());
	return 200;
}

int
main(void)
{
	return serve(4000, say);
}
