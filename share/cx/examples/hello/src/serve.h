/*
 * A small HTTP/1.1 server: a thread a connection, keep-alive, no bodies.
 * On SIGTERM it takes no more requests, ends those in work, and returns.
 */
#ifndef SERVE_H
#define SERVE_H

#include <stddef.h>

#define REPLY_MAX 4096

/* Fills text (at most REPLY_MAX bytes, NUL-terminated) for a path; returns the HTTP status. */
typedef int answer(const char *path, char *text);

int serve(unsigned short port, answer *a);
/* The container's host name: the process's id in `cx ps`. */
const char *process_id(void);

#endif
