/* LINK: src/cx-router/route.c src/cx-router/hosts.c src/cx-router/service.c src/cx-router/balance.c src/cx-router/metrics.c */
/* The table of routes and the choice of a backend, as functions of the text of route files. */
#include "route.h"
#include "balance.h"
#include "metrics.h"
#include "tap.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>

struct endpoint *endpoint_get(const char *address, unsigned short port);
void endpoint_unref(struct endpoint *e);
void endpoint_live(struct endpoint *e, int by);

struct endpoint *
endpoint_get(const char *address, unsigned short port)
{
	(void)address, (void)port;
	return NULL;
}

void
endpoint_unref(struct endpoint *e)
{
	(void)e;
}

void
endpoint_live(struct endpoint *e, int by)
{
	(void)e, (void)by;
}

static struct metrics *m;
static struct table *t;
static struct cx_err err;

static int
put(const char *name, const char *services, double now)
{
	CX_FREE char *text =
		services ? cx_fmt("{\"v\":1,\"app\":\"a\",\"services\":[%s],\"resources\":[]}", services) : NULL;

	return table_put(t, name, text, text ? strlen(text) : 0, now, &err);
}

/* Name of the service that answers, "" for none. */
static const char *
who(const char *host, const char *path)
{
	static char name[64];
	struct service *s = table_find(t, (struct span){host, strlen(host)}, (struct span){path, strlen(path)});

	(void)snprintf(name, sizeof(name), "%s", s ? s->name : "");
	service_unref(s);
	return name;
}

static int
is(const char *host, const char *path, const char *want)
{
	if (strcmp(who(host, path), want) == 0)
		return 1;
	printf("# %s%s went to \"%s\", not \"%s\"\n", host, path, who(host, path), want);
	return 0;
}

static struct service *
service(const char *host)
{
	struct service *s = table_find(t, (struct span){host, strlen(host)}, (struct span){"/", 1});

	if (!s)
		exit(1);
	s->refs--; /* the table has it */
	return s;
}

#define SVC(name, host, more) "{\"name\":\"" name "\",\"hosts\":[" host "]" more "}"

static void
hosts(void)
{
	ok(put("a.json",
		   SVC("web", "\"web.a.test\"", "") "," SVC("wild", "\"*.b.test\"", "") "," SVC("b", "\"b.test\"", ""),
		   1) == 0,
		"a file is taken");
	ok(is("web.a.test", "/", "web") && is("WEB.a.Test", "/", "web") && is("x.y.web.a.test", "/", "web") &&
			is("a.test", "/", "") && is("xweb.a.test", "/", ""),
		"a host is found whatever its case, and for names below it");
	ok(is("b.test", "/", "b") && is("x.b.test", "/", "wild") && is("x.y.b.test", "/", "wild"),
		"*.NAME is for all below NAME, not for NAME, and goes before NAME itself there");
	ok(put("c.json", SVC("all", "\"*\"", "") "," SVC("deep", "\"x.b.test\"", ""), 1) == 0 &&
			is("10.0.0.1", "/", "all") && is("x.b.test", "/", "deep") && is("z.x.b.test", "/", "deep") &&
			is("web.a.test", "/", "web"),
		"* takes what no other host takes, and the longest name wins");
	ok(put("c.json", NULL, 1) == 0 && is("10.0.0.1", "/", "") && is("x.b.test", "/", "wild"),
		"a file that goes takes its hosts along");
}

static void
paths(void)
{
	ok(put("p.json",
		   SVC("root", "\"p.test\"", "") "," SVC("api", "\"p.test\"", ",\"path\":\"/api\"") "," SVC("v2",
			   "\"p.test\"", ",\"path\":\"/api/v2/\"") "," SVC("only", "\"q.test\"", ",\"path\":\"/only\""),
		   1) == 0 &&
			is("p.test", "/", "root") && is("p.test", "/api", "api") && is("p.test", "/api?x", "api") &&
			is("p.test", "/api/x", "api") && is("p.test", "/apix", "root") &&
			is("p.test", "/api/v2", "v2") && is("p.test", "/api/v2/x", "v2") &&
			is("p.test", "/API", "root"),
		"the longest prefix of the path wins, whole segments, case counts");
	ok(is("q.test", "/only/1", "only") && is("q.test", "/other", ""),
		"a host without a service for the path has none");
}

static void
order(void)
{
	ok(put("y.json", SVC("late", "\"dup.test\"", ""), 1) == 0 &&
			put("x.json", SVC("early", "\"dup.test\"", ""), 1) == 0 && is("dup.test", "/", "early") &&
			put("x.json", NULL, 1) == 0 && is("dup.test", "/", "late"),
		"of two files with one host the first by name has it, in whatever order they came");
}

static void
broken(void)
{
	static const char *const bad[][2] = {{SVC("w", "\"a..b\"", ""), "hosts[0]"},
		{SVC("w", "\"*x.test\"", ""), "hosts[0]"}, {SVC("w", "3", ""), "hosts[0]"},
		{SVC("w", "", ",\"algorithm\":\"random\""), "algorithm"}, {SVC("w", "", ",\"timeout\":0"), "timeout"},
		{SVC("w", "", ",\"timeout\":\"5\""), "timeout"}, {SVC("w", "", ",\"path\":\"api\""), "path"},
		{SVC("w", "", ",\"sticky\":-1"), "sticky"},
		{SVC("w", "", ",\"backends\":[{\"address\":\"::1\",\"port\":1}]"), "backends[0]: address"},
		{SVC("w", "", ",\"backends\":[{\"address\":\"127.0.0.1\"}]"), "backends[0]: there is no port"},
		{SVC("w", "", ",\"backends\":[{\"address\":\"127.0.0.1\",\"port\":1,\"weight\":1001}]"), "weight"},
		{SVC("w", "", ",\"health\":{\"path\":\"x\"}"), "health: path"},
		{SVC("w", "", ",\"health\":{\"matcher\":\"200-\"}"), "health: matcher"},
		{SVC("w", "", ",\"paused\":1"), "paused"}, {SVC("w", "", ",\"scheme\":\"gopher\""), "scheme"}};
	int all = 1;

	(void)put("z.json", SVC("good", "\"z.test\"", ""), 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (put("z.json", bad[i][0], 1) == 0 || !strstr(err.text, bad[i][1]) ||
			!strstr(err.text, "services.w: ") || !is("z.test", "/", "good")) {
			printf("# %s: %s\n", bad[i][0], err.text);
			all = 0;
		}
	ok(all, "what is wrong in a file is named, and its former routes stay");
}

#define BACKENDS(list) SVC("lb", "\"lb.test\"", ",\"backends\":[" list "]")
#define B(port, more) "{\"address\":\"127.0.0.1\",\"port\":" port more "}"

static unsigned
pick(struct service *s, double now)
{
	struct backend *b = balance_pick(s, (struct span){"", 0}, NULL, 0, now);

	return b ? b->port : 0;
}

static void
turns(void)
{
	unsigned got[4] = {0};
	struct service *s;

	(void)put("lb.json", BACKENDS(B("1", "") "," B("2", "") "," B("3", "")), 1);
	s = service("lb.test");
	for (int i = 0; i < 9; i++)
		got[pick(s, 2)]++;
	ok(got[1] == 3 && got[2] == 3 && got[3] == 3, "equal backends take turns");
	(void)put("lb.json", BACKENDS(B("1", ",\"weight\":3") "," B("2", "") "," B("3", ",\"weight\":0")), 1);
	s = service("lb.test");
	memset(got, 0, sizeof(got));
	for (int i = 0; i < 40; i++)
		got[pick(s, 2)]++;
	ok(got[1] == 30 && got[2] == 10 && got[3] == 0, "weights are shares, 0 is none");
}

static void
outstanding(void)
{
	struct service *s;
	unsigned got[3] = {0};

	(void)put("lb.json",
		SVC("lb", "\"lb.test\"",
			",\"algorithm\":\"least_outstanding_requests\",\"backends\":[" B("1", "") "," B("2", "") "]"),
		1);
	s = service("lb.test");
	s->backends[0]->m->active = 3;
	ok(pick(s, 1) == 2 && pick(s, 1) == 2, "the one with fewer requests under way is chosen");
	s->backends[1]->m->active = 5;
	ok(pick(s, 1) == 1 && pick(s, 1) == 1, "and the other when it has fewer");
	s->backends[0]->m->active = s->backends[1]->m->active = 0;
	for (int i = 0; i < 10; i++)
		got[pick(s, 1)]++;
	ok(got[1] == 5 && got[2] == 5, "equals take turns");
	(void)put("lb.json",
		SVC("lb", "\"lb.test\"",
			",\"algorithm\":\"least_outstanding_requests\",\"backends\":[" B("1", ",\"weight\":4") "," B(
				"2", "") "]"),
		1);
	s = service("lb.test");
	s->backends[0]->m->active = 3;
	s->backends[1]->m->active = 1;
	ok(pick(s, 1) == 1, "weights count there too");
	s->backends[0]->m->active = s->backends[1]->m->active = 0;
}

static void
failures(void)
{
	struct backend *tried[BALANCE_TRIES], *b;
	struct service *s;
	int i;

	(void)put("lb.json", BACKENDS(B("1", "") "," B("2", "")), 1);
	s = service("lb.test");
	balance_failed(s->backends[0], 10);
	for (i = 0; i < 4 && pick(s, 10.1) == 2; i++)
		;
	ok(i == 4, "one that took no connection is not asked for a while");
	balance_failed(s->backends[1], 10);
	ok(pick(s, 10.1) != 0, "unless no other is left");
	balance_worked(s->backends[1]);
	ok(pick(s, 10.6) != pick(s, 10.6), "after the while it is");
	(void)put("lb.json", SVC("lb", "\"lb.test\"", ",\"health\":{},\"backends\":[" B("1", "") "," B("2", "") "]"), 1);
	s = service("lb.test");
	s->backends[1]->m->health = HEALTH_GOOD;
	for (i = 0; i < 4 && pick(s, 20) == 2; i++)
		;
	ok(i == 4, "one that was not checked yet gets nothing");
	s->backends[0]->m->health = HEALTH_BAD;
	for (i = 0; i < 4 && pick(s, 20) == 2; i++)
		;
	ok(i == 4, "an unhealthy one gets nothing");
	s->backends[1]->m->health = HEALTH_BAD;
	ok(pick(s, 20) != pick(s, 20), "when all are unhealthy, all get requests");
	s->backends[0]->m->health = s->backends[1]->m->health = 0;
	tried[0] = balance_pick(s, (struct span){"", 0}, NULL, 0, 20);
	b = balance_pick(s, (struct span){"", 0}, tried, 1, 20);
	ok(tried[0] && b && b != tried[0], "another try goes to another");
	tried[1] = b;
	ok(!balance_pick(s, (struct span){"", 0}, tried, 2, 20), "and there is no third of two");
}

static void
sticky(void)
{
	struct service *s;
	struct span cookie;
	char token[17];
	int i;

	(void)put(
		"lb.json", SVC("lb", "\"lb.test\"", ",\"sticky\":60,\"health\":{},\"backends\":[" B("1", "") "," B("2", "") "]"), 1);
	s = service("lb.test");
	s->backends[0]->m->health = s->backends[1]->m->health = HEALTH_GOOD;
	(void)snprintf(token, sizeof(token), "%s", s->backends[1]->token);
	cookie = balance_cookie((struct span){"a=b; AWSALB=0123456789abcdef; c=d", 32});
	ok(cookie.n == 16 && memcmp(cookie.p, "0123456789abcdef", 16) == 0, "the cookie is found among others");
	ok(balance_cookie((struct span){"XAWSALB=1; AWSALBCORS=2", 23}).n == 0, "and not in others");
	cookie = (struct span){token, 16};
	for (i = 0; i < 5 && balance_pick(s, cookie, NULL, 0, 1)->port == 2; i++)
		;
	ok(i == 5, "a cookie leads to its backend");
	ok(strcmp(s->backends[0]->token, s->backends[1]->token) != 0, "each has its own");
	s->backends[1]->m->health = HEALTH_BAD;
	ok(balance_pick(s, cookie, NULL, 0, 1)->port == 1, "not while it is unhealthy");
	s->backends[1]->m->health = HEALTH_GOOD;
	(void)put("lb.json",
		SVC("lb", "\"lb.test\"",
			",\"sticky\":60,\"health\":{},\"backends\":[" B("1", "") "," B("2", ",\"draining\":true") "]"),
		5);
	s = service("lb.test");
	ok(balance_pick(s, cookie, NULL, 0, 1)->port == 1 && s->backends[1]->gone > 0, "nor while it drains");
	(void)put(
		"lb.json", SVC("lb", "\"lb.test\"", ",\"sticky\":60,\"health\":{},\"backends\":[" B("1", "") "," B("2", "") "]"), 6);
	s = service("lb.test");
	ok(balance_pick(s, cookie, NULL, 0, 1)->port == 2, "a drain that is called off ends");
}

static void
slow(void)
{
	struct service *s;
	unsigned got[3] = {0};

#define SLOW(list) SVC("lb", "\"lb.test\"", ",\"slow_start\":100,\"backends\":[" list "]")
	(void)put("lb.json", SLOW(B("1", "")), 0);
	table_scan(t, 0); /* an empty folder: what was put is gone, what comes now is new */
	(void)put("lb.json", SLOW(B("1", "")), 1000);
	(void)put("lb.json", SLOW(B("1", "") "," B("2", "")), 2000);
	s = service("lb.test");
	ok(balance_weight(s, s->backends[0], 2000) == 1000, "a backend keeps its age over a change of its file");
	ok(balance_weight(s, s->backends[1], 2000) == 10 && balance_weight(s, s->backends[1], 2050) == 500 &&
			balance_weight(s, s->backends[1], 2100) == 1000,
		"a new one starts slowly and grows evenly");
	for (int i = 0; i < 150; i++)
		got[pick(s, 2050)]++;
	ok(got[1] == 100 && got[2] == 50, "half way it gets half");
}

static void
life(void)
{
	struct service *old, *now;
	struct backend *b;

	(void)put("lb.json", BACKENDS(B("1", "") "," B("2", "")), 3000);
	old = service("lb.test");
	old->refs++; /* a request */
	b = old->backends[1];
	(void)put("lb.json", BACKENDS(B("1", "")), 3001);
	now = service("lb.test");
	ok(old->retired && !now->retired && now->backends[0] == old->backends[0], "a backend lives on in the new file");
	ok(b->gone == 3001 && !(now->backends[0]->gone > 0) && old->m == now->m, "one that left it is gone since then");
	service_unref(old);
	(void)put("lb.json", NULL, 3002);
	ok(is("lb.test", "/", ""), "a file that goes leaves nothing");
}

static void
count(const struct metrics_service *s, void *arg)
{
	(void)s;
	++*(int *)arg;
}

static void
counters(void)
{
	struct metrics_service *a, *b;
	int n = 0, before = 0, all = 1;
	char name[16];

	metrics_services(m, count, &before);
	a = metrics_service(m, "x", "web");
	b = metrics_service(m, "x", "web");
	ok(a == b, "one name has one slot");
	metrics_request(m, a, 200, 0, 1500);
	metrics_drop_service(m, b);
	ok(metrics_service(m, "x", "web") == a && a->status[2] == 1, "it lives while one holds it");
	metrics_drop_service(m, a);
	metrics_drop_service(m, a);
	for (int i = 0; i < METRICS_SERVICES + 10; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		a = metrics_service(m, "many", name);
		all &= i < METRICS_SERVICES - before || a == &m->others;
	}
	ok(all, "names beyond the space share one slot");
	for (int i = 0; i < METRICS_SERVICES + 10; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		a = metrics_service(m, "many", name);
		metrics_drop_service(m, a);
		metrics_drop_service(m, a);
	}
	metrics_services(m, count, &n);
	ok(n == before, "and slots that were given back are free");
	for (uint64_t us = 0; us < 1000000000; us = us * 5 / 4 + 1) {
		unsigned i = metrics_bucket(us);

		all &= i < METRICS_LATENCIES && (i == METRICS_LATENCIES - 1 || us < metrics_bucket_end(i)) &&
		       (i == 0 || us >= metrics_bucket_end(i - 1));
	}
	ok(all, "a time is within its bucket");
}

int
main(void)
{
	char dir[] = "/tmp/cx-route.XXXXXX";

	m = metrics_make();
	if (!mkdtemp(dir))
		return 1;
	t = table_open(dir, m);
	hosts();
	paths();
	order();
	broken();
	turns();
	outstanding();
	failures();
	sticky();
	slow();
	life();
	counters();
	table_free(t);
	(void)rmdir(dir);
	return done();
}
