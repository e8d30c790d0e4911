/*
 * The process that may: it binds, and starts the workers that answer as an
 * unprivileged user, again when one dies; it waits for the rack's bridge, and
 * tells them when rack.json or the folder of routes is another one.
 */
#ifndef PARENT_H
#define PARENT_H

#include "dns.h"
#include <cx/net.h>
#include <cx/spool.h>
#include <sys/stat.h>

struct parent {
	/* What main says. */
	struct cx_spool spool; /* rack NULL: there is none */
	const char *routes, *domain, *metrics;
	struct address answer[VIEWS];
	uint16_t https[VIEWS];
	struct network allowed[VIEWS];
	const char *resolvers[RESOLVERS_MAX];
	size_t n_resolvers;
	char address[46];
	int port, workers;
	long uid, gid;
	struct cx_net_gateway gateway;
	/* What it does. */
	int udp[WORKERS_MAX], tcp, metrics_fd, sock[WORKERS_MAX], starting;
	pid_t pid[WORKERS_MAX];
	time_t started[WORKERS_MAX];
	struct stats *stats; /* shared */
	uint8_t secret[KNOT_EDNS_COOKIE_SECRET_SIZE];
	struct stat routes_seen, rack_seen;
};

/* Runs until SIGTERM or SIGINT: the exit status, or -1. */
int parent_run(struct parent *p, struct cx_err *e);

#endif
