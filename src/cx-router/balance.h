/*
 * Which backend gets a request: pure decisions on what is known of each.
 *
 * Drained ones never; then, of those that are healthy and took connections
 * lately, by the service's algorithm; then those that did not; when all are
 * unhealthy, all of them (an ALB fails open as well).
 */
#ifndef BALANCE_H
#define BALANCE_H

#include "route.h"

#define BALANCE_TRIES 8 /* backends that a request is offered to */

struct backend_spec;

struct backend *backend_new(const struct service *s, const struct backend_spec *b, struct metrics *m, double since);
void backend_unref(struct backend *b);
/* What the route file says of it now. */
void backend_set(struct backend *b, const struct backend_spec *spec, double now);
/* It stands in no route any more. */
void backend_gone(struct backend *b, double now);

/* The backend for a request that was offered to these (tried of them) before. cookie: the value of the sticky cookie,
 * or empty. NULL: none is left. */
struct backend *balance_pick(struct service *s, struct span cookie, struct backend *const *tried, size_t n, double now);
/* Its weight at this moment: slow start counts it as a part of itself. Thousandths. */
unsigned balance_weight(const struct service *s, const struct backend *b, double now);
/* It took no connection, or ended one without a byte; it answered. */
void balance_failed(struct backend *b, double now);
void balance_worked(struct backend *b);
/* The value of the sticky cookie in the value of a Cookie field, or an empty span. */
struct span balance_cookie(struct span field);

#endif
