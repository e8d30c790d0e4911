/* LINK: src/cx-dns/query.c src/cx-dns/zone.c src/cx-dns/routes.c PKG: libknot */
/* Any bytes as a route file, loaded over the one before and removed: the zone is afterwards what it was. */
#include "routes.h"
#include <cx/err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static struct zone zone;
static struct routes routes = {.zone = &zone, .dir = -1, .watch = -1};

static void
prepare(void)
{
	static const struct address at[VIEWS] = {{.has4 = 1}, {.has4 = 1}};
	static const uint16_t https[VIEWS] = {0};
	static char folder[] = "/tmp/fuzz-dnsroutes-XXXXXX";
	struct cx_err e;
	int back = open(".", O_RDONLY | O_DIRECTORY); /* the corpus is found from there */

	routes.inotify = inotify_init1(IN_NONBLOCK);
	if (!mkdtemp(folder) || zone_init(&zone, "test", at, https, &e) < 0 ||
		routes_open(&routes, open(folder, O_RDONLY | O_DIRECTORY), &e) < 0 ||
		fchdir(back) < 0)
		abort();
}

static void
publish(const char *name, const void *p, size_t n)
{
	int fd = openat(routes.dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || close(fd) < 0)
		abort();
	routes_load(&routes, name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char good[] = "{\"services\":[{\"hosts\":[\"web.a.test\",\"*.a.test\"]}]}";
	int exists;
	struct query q;

	if (!zone.bucket)
		prepare();
	publish("b.json", good, sizeof(good) - 1);
	publish("a.json", data, n);
	(void)zone_name(&zone, "x.web.a.test", &q);
	(void)zone_find(&zone, &q, &exists);
	publish("a.json", data, n / 2);
	publish("b.json", data, n);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "b.json" : "a.json";

		(void)unlinkat(routes.dir, name, 0);
		routes_load(&routes, name);
	}
	if (zone.nodes != 2 || routes.names != 0 || routes.apps != 0)
		abort();
	return 0;
}
