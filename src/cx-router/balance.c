#include "balance.h"
#include "metrics.h"
#include <cx/buf.h>
#include <stdlib.h>
#include <string.h>

#define COOKIE "AWSALB="
#define AVOID_SECONDS 0.5 /* doubled with each failure in a row */
#define AVOID_MAX 16.0

/* of backend.c */
struct endpoint *endpoint_get(const char *address, unsigned short port);
void endpoint_unref(struct endpoint *e);
void endpoint_live(struct endpoint *e, int by);

/* A digest that names a backend in a cookie: the same after a restart and in every worker. A client can choose with it
 * among the backends of a service that it reaches anyhow, no more. */
static void
make_token(const struct service *s, const struct backend_spec *b, char token[ROUTE_TOKEN + 1])
{
	const char *const parts[] = {s->app, s->name, b->process, b->address};
	uint64_t h = 0xcbf29ce484222325ULL ^ b->port;

	for (size_t i = 0; i < 4; i++) {
		for (const char *p = parts[i]; *p; p++)
			h = (h ^ (unsigned char)*p) * 0x100000001b3ULL;
		h = (h ^ 0xff) * 0x100000001b3ULL;
	}
	for (int i = 0; i < 2; i++) {
		h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ULL;
		h = (h ^ h >> 27) * 0x94d049bb133111ebULL;
		h ^= h >> 31;
	}
	for (size_t i = 0; i < ROUTE_TOKEN; i++)
		token[i] = "0123456789abcdef"[h >> (60 - 4 * i) & 15];
	token[ROUTE_TOKEN] = '\0';
}

struct backend *
backend_new(const struct service *s, const struct backend_spec *spec, struct metrics *m, double since)
{
	struct backend *b = cx_alloc(sizeof(*b));

	memcpy(b->address, spec->address, sizeof(b->address));
	b->port = spec->port;
	b->since = since;
	b->all = m;
	b->m = metrics_backend(m, s->app, s->name, spec->address, spec->port);
	b->m->draining = 0;
	b->endpoint = endpoint_get(spec->address, spec->port);
	make_token(s, spec, b->token);
	return b;
}

static void
set_gone(struct backend *b, int gone, double now)
{
	if (!gone)
		b->gone = 0;
	else if (!(b->gone > 0))
		b->gone = now;
	if (gone == b->live)
		endpoint_live(b->endpoint, gone ? -1 : 1);
	b->live = !gone;
	b->m->draining = gone != 0;
}

void
backend_set(struct backend *b, const struct backend_spec *spec, double now)
{
	memcpy(b->process, spec->process, sizeof(b->process));
	memcpy(b->m->process, spec->process, sizeof(b->m->process));
	b->weight = spec->weight;
	set_gone(b, spec->draining, now);
}

void
backend_gone(struct backend *b, double now)
{
	set_gone(b, 1, now);
}

void
backend_unref(struct backend *b)
{
	if (--b->refs)
		return;
	endpoint_unref(b->endpoint);
	metrics_drop_backend(b->all, b->m);
	free(b);
}

unsigned
balance_weight(const struct service *s, const struct backend *b, double now)
{
	double part = s->slow_start && b->since > 0 ? (now - b->since) / (double)s->slow_start : 1;

	part = part < 0.01 ? 0.01 : part > 1 ? 1 : part;
	return (unsigned)(b->weight * 1000.0 * part);
}

enum rank { GOOD, AVOIDED, UNHEALTHY, NEVER };

static enum rank
rank_of(const struct service *s, const struct backend *b, struct backend *const *tried, size_t n, double now)
{
	if (b->gone > 0)
		return NEVER;
	for (size_t i = 0; i < n; i++)
		if (tried[i] == b)
			return NEVER;
	/* As at an ALB, a new one gets nothing before its first check. */
	if (s->health.interval && b->m != &b->all->other &&
		__atomic_load_n(&b->m->health, __ATOMIC_RELAXED) != HEALTH_GOOD)
		return UNHEALTHY;
	return now < b->avoid ? AVOIDED : GOOD;
}

/* Smooth weighted turns: each gains its weight, the richest pays the sum. */
static struct backend *
by_turn(struct service *s, enum rank rank, struct backend *const *tried, size_t n, double now)
{
	struct backend *best = NULL;
	long sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct backend *b = s->backends[i];
		long w;

		if (rank_of(s, b, tried, n, now) != rank)
			continue;
		w = (long)balance_weight(s, b, now);
		if (w == 0)
			continue;
		b->turn += w;
		sum += w;
		if (!best || b->turn > best->turn)
			best = b;
	}
	if (best)
		best->turn -= sum;
	return best;
}

/* Of equal ones the next in turn. */
static struct backend *
next_of(struct service *s, enum rank rank, struct backend *const *tried, size_t n, double now)
{
	for (size_t i = 0; i < s->n; i++) {
		struct backend *b = s->backends[s->next++ % s->n];

		if (rank_of(s, b, tried, n, now) == rank && b->weight)
			return b;
	}
	return NULL;
}

static struct backend *
least(struct service *s, enum rank rank, struct backend *const *tried, size_t n, double now)
{
	struct backend *best = NULL;
	uint64_t load = 0, w = 1;

	s->next++;
	for (size_t i = 0; i < s->n; i++) {
		struct backend *b = s->backends[(s->next + i) % s->n];
		uint64_t l, v;

		if (rank_of(s, b, tried, n, now) != rank)
			continue;
		v = balance_weight(s, b, now);
		l = (uint64_t)__atomic_load_n(&b->m->active, __ATOMIC_RELAXED) + 1;
		if (v && (!best || l * w < load * v)) {
			best = b;
			load = l;
			w = v;
		}
	}
	return best;
}

static struct backend *
stuck_to(const struct service *s, struct span cookie, struct backend *const *tried, size_t n, double now)
{
	if (cookie.n != ROUTE_TOKEN)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(s->backends[i]->token, cookie.p, ROUTE_TOKEN) == 0)
			return rank_of(s, s->backends[i], tried, n, now) == GOOD ? s->backends[i] : NULL;
	return NULL;
}

struct backend *
balance_pick(struct service *s, struct span cookie, struct backend *const *tried, size_t n, double now)
{
	struct backend *b;

	if (n >= BALANCE_TRIES)
		return NULL;
	if (s->sticky && (b = stuck_to(s, cookie, tried, n, now)) != NULL)
		return b;
	for (enum rank rank = GOOD; rank < NEVER; rank++) {
		b = s->algorithm == LEAST_OUTSTANDING ? least(s, rank, tried, n, now)
		    : s->equal                        ? next_of(s, rank, tried, n, now)
						      : by_turn(s, rank, tried, n, now);
		if (b)
			return b;
	}
	return NULL;
}

void
balance_failed(struct backend *b, double now)
{
	double wait = AVOID_SECONDS;

	for (unsigned i = 0; i < b->failures && wait < AVOID_MAX; i++)
		wait *= 2;
	b->failures++;
	b->avoid = now + wait;
	metrics_add(&b->m->failures, 1);
}

void
balance_worked(struct backend *b)
{
	b->failures = 0;
	b->avoid = 0;
}

struct span
balance_cookie(struct span field)
{
	const char *p = field.p, *end = field.p + field.n;

	while (p < end) {
		const char *semi = memchr(p, ';', (size_t)(end - p)), *stop = semi ? semi : end;

		while (p < stop && *p == ' ')
			p++;
		if ((size_t)(stop - p) > strlen(COOKIE) && memcmp(p, COOKIE, strlen(COOKIE)) == 0) {
			p += strlen(COOKIE);
			while (stop > p && stop[-1] == ' ')
				stop--;
			return (struct span){p, (size_t)(stop - p)};
		}
		p = stop + 1;
	}
	return (struct span){"", 0};
}
