/*
 * Counters in memory that all processes of the router share, made before they
 * fork. Names are bounded: a service or backend beyond the space counts in the
 * slot of all the others. Counting is an atomic addition, no more; slots are
 * taken and given back under a lock, when routes change.
 *
 * A slot lives while any process holds it; counters of a service survive a
 * change of its routes.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_SERVICES 16384
#define METRICS_BACKENDS 32768
#define METRICS_CODES 600
#define METRICS_LATENCIES 80 /* four to an octave, from 64 us */

typedef uint64_t metrics_count;

enum health_state { HEALTH_UNKNOWN, HEALTH_GOOD, HEALTH_BAD };

struct metrics_service {
	char app[44], name[44];
	uint32_t refs, next; /* of its chain; under the lock */
	metrics_count status[6], own[6]; /* answers of processes, and of our own, by the first digit */
	metrics_count in, out; /* bytes of bodies */
	metrics_count micros, latency[METRICS_LATENCIES];
	metrics_count retries, refused, held, cut; /* cut: ended by the drain's limit */
	uint32_t active, waiting;
};

struct metrics_backend {
	char app[44], name[44], address[46], process[16];
	uint16_t port;
	uint32_t refs, next;
	metrics_count requests, failures;
	uint32_t active;
	uint8_t health, draining, slow;
	char why[64]; /* the last check's finding */
};

struct metrics_router {
	metrics_count accepted, refused, handshakes, own[METRICS_CODES]; /* own: answers of our own, by code */
	metrics_count log_dropped, route_changes, route_errors, route_micros;
	uint32_t connections, routes, workers;
};

struct metrics {
	struct metrics_router router;
	struct metrics_service none, others; /* requests that reached no service; services beyond the space */
	struct metrics_backend other;
	/* the rest is metrics.c's own */
	struct metrics_slots *slots;
};

/* Anonymous shared memory; ends the program when there is none. */
struct metrics *metrics_make(void);
/* Takes the slot of this name; a new one is zero. */
struct metrics_service *metrics_service(struct metrics *m, const char *app, const char *name);
struct metrics_backend *
metrics_backend(struct metrics *m, const char *app, const char *name, const char *address, unsigned port);
void metrics_drop_service(struct metrics *m, struct metrics_service *s);
void metrics_drop_backend(struct metrics *m, struct metrics_backend *b);
/* Calls f for each slot in use, in no order. Fields may change while it looks. */
void metrics_services(const struct metrics *m, void (*f)(const struct metrics_service *s, void *arg), void *arg);
void metrics_backends(const struct metrics *m, void (*f)(const struct metrics_backend *b, void *arg), void *arg);

static inline void
metrics_add(metrics_count *c, uint64_t n)
{
	(void)__atomic_fetch_add(c, n, __ATOMIC_RELAXED);
}
static inline uint64_t
metrics_get(const metrics_count *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}
static inline void
metrics_gauge(uint32_t *g, int by)
{
	(void)__atomic_fetch_add(g, (uint32_t)by, __ATOMIC_RELAXED);
}
/* The bucket of a time, and the first microsecond that is beyond a bucket. */
unsigned metrics_bucket(uint64_t micros);
uint64_t metrics_bucket_end(unsigned bucket);
/* A request has ended: one of a process, or with an answer of our own. */
void metrics_request(struct metrics *m, struct metrics_service *s, int status, int own, uint64_t micros);

#endif
