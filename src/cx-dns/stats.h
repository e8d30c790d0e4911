/*
 * What each worker counts, in memory that all of them share and that outlives
 * them; any worker tells the sum (OpenMetrics).
 */
#ifndef STATS_H
#define STATS_H

#include <stddef.h>
#include <stdint.h>

#define WORKERS_MAX 16
#define RCODES 24

struct stats {
	uint64_t queries[2][2]; /* by view, and by UDP or TCP */
	uint64_t answers[RCODES], ignored, truncated, refused_clients;
	uint64_t hits, misses, merged, forwarded, replies, timeouts, failures, mismatched, loops, limited;
	uint64_t evicted, accepted;
	uint64_t ready; /* it has begun to answer, once */
	uint64_t names, connections, waiting, cached; /* as they are */
};

struct cx_buf;
/* The text of all workers' sums. */
void stats_text(const struct stats *all, unsigned workers, struct cx_buf *b);

#endif
