#include "metrics.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEADS 32768 /* power of two */

/* Slots are chained by the hash of their names, free ones in a list; index + 1 stands for a slot, so that zeroed memory
 * is empty. */
struct metrics_slots {
	pthread_mutex_t lock;
	uint32_t service_heads[HEADS], backend_heads[HEADS];
	uint32_t services_used, backends_used; /* highest so far */
	uint32_t services_free, backends_free; /* lists by `next` */
	struct metrics_service services[METRICS_SERVICES];
	struct metrics_backend backends[METRICS_BACKENDS];
};

struct metrics *
metrics_make(void)
{
	struct {
		struct metrics m;
		struct metrics_slots slots;
	} *all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_mutexattr_t a;

	if (all == MAP_FAILED) {
		(void)fprintf(stderr, "cx-router: no memory for counters: %s\n", strerror(errno));
		exit(111);
	}
	(void)pthread_mutexattr_init(&a);
	(void)pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	(void)pthread_mutex_init(&all->slots.lock, &a);
	(void)pthread_mutexattr_destroy(&a);
	all->m.slots = &all->slots;
	(void)snprintf(all->m.others.name, sizeof(all->m.others.name), "(others)");
	(void)snprintf(all->m.other.name, sizeof(all->m.other.name), "(others)");
	return &all->m;
}

/* A process that died while it held the lock left at worst a slot that is never used again. */
static void
lock(struct metrics_slots *s)
{
	if (pthread_mutex_lock(&s->lock) == EOWNERDEAD)
		(void)pthread_mutex_consistent(&s->lock);
}

static void
unlock(struct metrics_slots *s)
{
	(void)pthread_mutex_unlock(&s->lock);
}

static uint32_t
hash(const char *app, const char *name, const char *address, unsigned port)
{
	const char *parts[] = {app, name, address};
	uint32_t h = 2166136261U ^ port;

	for (size_t i = 0; i < 3; i++) {
		for (const char *p = parts[i]; *p; p++)
			h = (h ^ (unsigned char)*p) * 16777619U;
		h = (h ^ 0xff) * 16777619U;
	}
	return (h ^ h >> 16) % HEADS;
}

static uint32_t
take(uint32_t *list, uint32_t next_of_free, uint32_t *used, uint32_t max)
{
	uint32_t i = *list;

	if (i) {
		*list = next_of_free;
		return i;
	}
	return *used < max ? ++*used : 0;
}

struct metrics_service *
metrics_service(struct metrics *m, const char *app, const char *name)
{
	struct metrics_slots *t = m->slots;
	uint32_t h = hash(app, name, "", 0), i;
	struct metrics_service *s = NULL;

	lock(t);
	for (i = t->service_heads[h]; i; i = t->services[i - 1].next)
		if (strcmp(t->services[i - 1].app, app) == 0 && strcmp(t->services[i - 1].name, name) == 0)
			break;
	if (i) {
		s = &t->services[i - 1];
		s->refs++;
	} else {
		i = t->services_free;
		i = take(&t->services_free, i ? t->services[i - 1].next : 0, &t->services_used, METRICS_SERVICES);
		if (i) {
			s = &t->services[i - 1];
			memset(s, 0, sizeof(*s));
			(void)snprintf(s->app, sizeof(s->app), "%s", app);
			(void)snprintf(s->name, sizeof(s->name), "%s", name);
			s->refs = 1;
			s->next = t->service_heads[h];
			t->service_heads[h] = i;
		}
	}
	unlock(t);
	return s ? s : &m->others;
}

struct metrics_backend *
metrics_backend(struct metrics *m, const char *app, const char *name, const char *address, unsigned port)
{
	struct metrics_slots *t = m->slots;
	uint32_t h = hash(app, name, address, port), i;
	struct metrics_backend *b = NULL;

	lock(t);
	for (i = t->backend_heads[h]; i; i = t->backends[i - 1].next) {
		b = &t->backends[i - 1];
		if (b->port == port && strcmp(b->address, address) == 0 && strcmp(b->name, name) == 0 &&
			strcmp(b->app, app) == 0)
			break;
		b = NULL;
	}
	if (b) {
		b->refs++;
	} else {
		i = t->backends_free;
		i = take(&t->backends_free, i ? t->backends[i - 1].next : 0, &t->backends_used, METRICS_BACKENDS);
		if (i) {
			b = &t->backends[i - 1];
			memset(b, 0, sizeof(*b));
			(void)snprintf(b->app, sizeof(b->app), "%s", app);
			(void)snprintf(b->name, sizeof(b->name), "%s", name);
			(void)snprintf(b->address, sizeof(b->address), "%s", address);
			b->port = (uint16_t)port;
			b->refs = 1;
			b->next = t->backend_heads[h];
			t->backend_heads[h] = i;
		}
	}
	unlock(t);
	return b ? b : &m->other;
}

void
metrics_drop_service(struct metrics *m, struct metrics_service *s)
{
	struct metrics_slots *t = m->slots;
	uint32_t i = (uint32_t)(s - t->services) + 1, *p;

	if (s == &m->others || s == &m->none)
		return;
	lock(t);
	if (s->refs && --s->refs == 0) {
		p = &t->service_heads[hash(s->app, s->name, "", 0)];
		while (*p && *p != i)
			p = &t->services[*p - 1].next;
		*p = s->next;
		s->next = t->services_free;
		t->services_free = i;
	}
	unlock(t);
}

void
metrics_drop_backend(struct metrics *m, struct metrics_backend *b)
{
	struct metrics_slots *t = m->slots;
	uint32_t i = (uint32_t)(b - t->backends) + 1, *p;

	if (b == &m->other)
		return;
	lock(t);
	if (b->refs && --b->refs == 0) {
		p = &t->backend_heads[hash(b->app, b->name, b->address, b->port)];
		while (*p && *p != i)
			p = &t->backends[*p - 1].next;
		*p = b->next;
		b->next = t->backends_free;
		t->backends_free = i;
	}
	unlock(t);
}

void
metrics_services(const struct metrics *m, void (*f)(const struct metrics_service *s, void *arg), void *arg)
{
	const struct metrics_slots *t = m->slots;

	for (uint32_t i = 0; i < t->services_used; i++)
		if (t->services[i].refs)
			f(&t->services[i], arg);
	if (m->others.micros)
		f(&m->others, arg);
}

void
metrics_backends(const struct metrics *m, void (*f)(const struct metrics_backend *b, void *arg), void *arg)
{
	const struct metrics_slots *t = m->slots;

	for (uint32_t i = 0; i < t->backends_used; i++)
		if (t->backends[i].refs)
			f(&t->backends[i], arg);
}

unsigned
metrics_bucket(uint64_t micros)
{
	unsigned octave, b;

	if (micros < 64)
		return 0;
	octave = 63U - (unsigned)__builtin_clzll(micros); /* 6 and up */
	b = 1 + (octave - 6) * 4 + (unsigned)(micros >> (octave - 2) & 3);
	return b < METRICS_LATENCIES ? b : METRICS_LATENCIES - 1;
}

uint64_t
metrics_bucket_end(unsigned bucket)
{
	unsigned octave = 6 + (bucket - 1) / 4;

	if (bucket == 0)
		return 64;
	return (1ULL << octave) + ((uint64_t)((bucket - 1) % 4 + 1) << (octave - 2));
}

void
metrics_request(struct metrics *m, struct metrics_service *s, int status, int own, uint64_t micros)
{
	unsigned class = status >= 100 && status < 600 ? (unsigned)status / 100 : 0;

	metrics_add(own ? &s->own[class] : &s->status[class], 1);
	if (own && class)
		metrics_add(&m->router.own[status], 1);
	metrics_add(&s->micros, micros);
	metrics_add(&s->latency[metrics_bucket(micros)], 1);
}
