/*
 * The monitor: a process beside the workers that runs the health checks and
 * answers on the metrics sockets: GET /metrics (OpenMetrics) and GET /status
 * (JSON, for `cx router top`). Whatever happens here, requests do not wait.
 */
#ifndef ADMIN_H
#define ADMIN_H

#include <stddef.h>

struct cx_buf;
struct cx_err;
struct metrics;

/* A listener at a path (it has a slash), or at an address of loopback and a port. The descriptor, or -1. */
int admin_listen(const char *where, struct cx_err *e);
/* Serves these listeners; the working directory is the folder of the routes. Returns only on failure. */
int admin_run(struct metrics *m, const int *fds, size_t n, struct cx_err *e);

/* top.c: `cx router top`; its arguments, the first is "top". Returns the exit status. */
int top_main(int argc, char **argv, const char *usage);

/* render.c */
void render_metrics(struct metrics *m, struct cx_buf *b);
void render_status(struct metrics *m, struct cx_buf *b);

#endif
