/* The log of an app: many sources merged by the time of their lines, one JSON object a line. */
#ifndef LOG_H
#define LOG_H

#include "source.h"

#define DEFAULT_TAIL 100

struct log {
	struct local *l;
	/* asked for */
	int follow;
	long tail; /* lines of the whole; -1: all */
	char since[40];
	const char *filter, *service, *process;
	/* state */
	char began[24]; /* seconds, before the containers were listed */
	struct source **sources;
	size_t n;
	char **ring; /* the last `tail` lines, until the snapshot is complete */
	size_t ring_n;
};

/* True when the log of this container (an item of the list) was asked for. */
int log_wants(const struct log *g, const json_t *item);
/* The source of a container, made when it is new. */
struct source *log_source(struct log *g, const json_t *item);
int log_put(struct log *g, const struct source *s, const struct record *r, struct cx_err *e);
/* Goes on for ever: containers that start later join, an engine that restarts is waited for. Returns on error only. */
int log_follow(struct log *g, struct cx_err *e);

#endif
