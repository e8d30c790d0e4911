/*
 * What an Application Load Balancer does to a request and an answer on their
 * way: forwarding fields, the trace, sticky cookies, HSTS, and how a request
 * is classed that two servers could read differently (doc/parity.md).
 */
#ifndef ALB_H
#define ALB_H

#include "http1.h"

struct cx_buf;
struct stream;

enum desync_class { DESYNC_COMPLIANT, DESYNC_ACCEPTABLE, DESYNC_AMBIGUOUS };

#define ALB_FORWARDED_MAX 30 /* addresses in X-Forwarded-For; more are 463 */
#define ALB_TRACE_MAX 7168 /* bytes of a trace; a longer one is begun anew */
#define ALB_FIELDS 3 /* that alb_answer() adds at most */

/* The class of a request that was parsed; *reason in the words of the ALB's log. What is severe was refused before. */
enum desync_class alb_class(const struct http1 *h, const char **reason);
/* Addresses in its X-Forwarded-For fields. */
size_t alb_forwarded(const struct http1 *h);
/* 0, or the status that this request is refused with, and why. Sets how the connections end behind it. */
int alb_refuses(struct stream *s, const struct http1 *h, const char **why);
/* Fields that the process gets, and whether a field of the client's is left out for them. */
void alb_put(struct stream *s, const struct http1 *h, struct cx_buf *b);
int alb_replaces(const struct stream *s, struct span name);
/* Adds to the answer of a process; the fields are valid until the next call. */
void alb_answer(struct stream *s, struct http1 *h);
/* The trace that a process gets for the one that came (empty: none), with this new id. */
void alb_trace(struct cx_buf *b, struct span came, const char *id);

#endif
