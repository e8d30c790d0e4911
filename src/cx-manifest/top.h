/* The keys beside services, a noun a file. Each is a key_reader of the top level. */
#ifndef TOP_H
#define TOP_H

#include "key.h"

struct cx_node;

key_reader resources_top; /* {"db":{"type","options","image"}} */
key_reader timers_top; /* {"name":{"schedule","command","service","concurrency","timezone","parallelCount"}} */
key_reader balancers_top; /* {"name":{"service","listeners":[{"port","protocol","target"|"redirect","code"}]}} */
key_reader queues_top, tables_top, keys_top, caches_top, buckets_top; /* {"name":{...}} */
key_reader workflows_top; /* {"change":{"create":[{"step","target"}]},"merge":{...}} */
key_reader budget_top;

/* Reads each entry of a map of names by `one` into a new object out[row->name]; what: "timer". */
void top_names(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row,
	const char *what, json_t *(*one)(struct manifest *, const struct cx_node *, const char *, const struct key *));

/* What is wrong with a schedule of five or six fields, owned by the caller; NULL when it is right. */
char *cron_check(const char *schedule);

#endif
