/*
 * The table of questions that are at the resolvers, found by question and by
 * ID; and the TCP connections to resolvers. forward.c decides, this keeps.
 */
#ifndef FLIGHT_H
#define FLIGHT_H

#include "dns.h"
#include <errno.h>
#include <stdio.h>

struct flight *flight_find(const struct dns *d, const struct key *k);
/* With an ID of its own and a question in random case; NULL: too many. */
struct flight *flight_new(struct dns *d, const struct key *k);
/* Its waiters are gone already, or are dropped with it by the caller. */
void flight_end(struct dns *d, struct flight *f);

/* It asks the next resolver at the end of the turn. */
void flight_due(struct dns *d, struct flight *f);

/* Connects to resolver i for this flight; 0, or -1. */
int stream_begin(struct dns *d, struct flight *f, size_t i);
void stream_close(struct stream *s);
/* In forward.c: the query for that resolver, with its length; and what came of it (p NULL: nothing). */
size_t stream_query(struct dns *d, struct flight *f, size_t i, uint8_t *p);
void stream_ended(struct dns *d, struct flight *f, size_t i, uint8_t *p, size_t n);

#endif
