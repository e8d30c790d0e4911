/* LINK: src/cx-router/route.c src/cx-router/hosts.c src/cx-router/service.c src/cx-router/balance.c src/cx-router/metrics.c src/cx-router/health.c PKG: */
/* Route files that change: what is taken can be asked and balanced, what is broken changes nothing. Then the answers that
 * health checks read. */
#include "balance.h"
#include "health.h"
#include "metrics.h"
#include "route.h"
#include <cx/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
struct endpoint *endpoint_get(const char *address, unsigned short port);
void endpoint_unref(struct endpoint *e);
void endpoint_live(struct endpoint *e, int by);

static long refs, live;

struct endpoint *
endpoint_get(const char *address, unsigned short port)
{
	(void)address, (void)port;
	refs++;
	return NULL;
}

void
endpoint_unref(struct endpoint *e)
{
	(void)e;
	refs--;
}

void
endpoint_live(struct endpoint *e, int by)
{
	(void)e;
	live += by;
}

static void
ask(struct service *s, void *arg)
{
	struct backend *tried[BALANCE_TRIES], *b;
	size_t n = 0;

	(void)arg;
	while ((b = balance_pick(s, balance_cookie((struct span){"AWSALB=0123456789abcdef", 23}), tried, n, 5)) != NULL) {
		if (b->gone > 0 || n >= BALANCE_TRIES)
			abort();
		balance_failed(b, 5);
		tried[n++] = b;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct metrics *m;
	const char *p = (const char *)data, *cut = n ? memchr(p, '\0', n) : NULL;
	size_t first = cut ? (size_t)(cut - p) : n;
	struct table *t = table_open("/nonexistent", m ? m : (m = metrics_make()));
	struct service *s;
	struct cx_err e;
	size_t before;
	int status = health_status(p, n);

	if (status < -1 || status > 999)
		abort();
	(void)table_put(t, "a.json", p, first, 1, &e);
	before = table_hosts(t);
	s = table_find(t, (struct span){"web.a.test", 10}, (struct span){"/api/x", 6});
	if (cut && table_put(t, "a.json", cut + 1, n - first - 1, 2, &e) < 0 && table_hosts(t) != before)
		abort();
	(void)table_put(t, "b.json", p, first, 3, &e);
	table_each(t, ask, NULL);
	service_unref(s);
	table_free(t);
	if (refs || live)
		abort();
	return 0;
}
