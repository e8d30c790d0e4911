/*
 * The parent: keeps the listening sockets, the log and the workers. A worker
 * that ends is started again; SIGUSR2 runs the program anew in this process,
 * with the sockets, while the old workers serve what they have to its end.
 */
#ifndef PARENT_H
#define PARENT_H

#include "router.h"
#include <cx/net.h>
#include <cx/spool.h>
#include <sys/types.h>

#define LISTEN_MAX 16
#define METRICS_MAX 4 /* sockets */
#define WORKERS_MAX 64
#define WORKERS_DEFAULT 8 /* at most, one a processor */
#define OLD_MAX 256 /* workers of former generations */

struct bound {
	int fd;
	enum how how;
	enum group group;
};

struct worker {
	pid_t pid; /* 0: not running */
	int sock;
	double since;
};

struct tickets;
struct metrics;

struct parent {
	char **argv;
	struct cx_spool spool; /* of a rack; path empty when alone */
	const char *routes, *cert, *log_file;
	struct cx_net_gateway gateway;
	struct metrics *metrics;
	const char *metrics_at[METRICS_MAX];
	int metrics_fds[METRICS_MAX];
	size_t metrics_n;
	pid_t monitor;
	enum log_format format;
	struct tickets *tickets;
	struct bound bound[LISTEN_MAX], left[LISTEN_MAX]; /* left: by the program that ran in this process before */
	size_t n, left_n;
	struct worker workers[WORKERS_MAX];
	size_t workers_n;
	pid_t old[OLD_MAX];
	size_t old_n;
	int https_port, log, mint_sock, number, upgraded, settled;
	long uid, gid;
};

/* Before anything is bound: what the program that ran in this process before has left. */
void parent_inherit(struct parent *p);
/* A socket that is bound to this already, or a new one; it is added to p->bound. */
int parent_bind(struct parent *p, const char *address, int port, enum how how, struct cx_err *e);
/* Runs the workers, and tick each second, until all have ended: the exit status, or -1. */
int parent_run(struct parent *p, int (*work)(struct parent *p, int sock, struct cx_err *e),
	void (*tick)(struct parent *p), struct cx_err *e);
int parent_open_log(struct parent *p, struct cx_err *e);

#endif
