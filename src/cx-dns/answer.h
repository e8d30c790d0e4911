/*
 * Answers as bytes: what the zone says to a question that it holds, errors,
 * and the OPT record of every answer. No descriptor is touched here.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "zone.h"
#include <libknot/cookies.h>

#define TTL 5
#define OPT_MAX (11 + 4 + CLIENT_COOKIE + 16 + 6)
#define ERROR_MAX (HEADER + QUESTION_MAX + OPT_MAX)
#define IDLE_SECONDS 10 /* of a TCP connection (RFC 7828) */

struct answerer {
	uint8_t secret[KNOT_EDNS_COOKIE_SECRET_SIZE]; /* the same in all workers */
	uint32_t time; /* seconds of the epoch, for cookies */
};

/* A header alone, for what cannot be repeated: FORMERR of the unreadable, NOTIMP. out holds HEADER. */
size_t answer_bare(const uint8_t *in, uint8_t rcode, uint8_t *out);
/* Header and question, with its length; QR and RA are set. */
size_t answer_begin(const struct asker *a, const uint8_t *question, size_t n, uint8_t rcode, uint8_t *out);
/* Header, question and OPT. rcode may be an extended one. out holds ERROR_MAX. */
size_t answer_error(const struct answerer *w, const struct query *q, uint16_t rcode, uint8_t *out);
/* The same of an asker whose query is gone; its question is given. tc: truncated. */
size_t answer_empty(const struct answerer *w, const struct asker *a, const uint8_t *question, size_t n, uint16_t rcode,
	int tc, uint8_t *out);
/* Appends OPT where the asker had one: bytes written, and the count of additional records raised. */
size_t answer_opt(const struct answerer *w, const struct asker *a, uint8_t extended, uint8_t *msg, size_t at);
/* The most that the asker takes. */
size_t answer_max(const struct asker *a);
/* An rcode for what neither the zone nor a resolver is asked, or -1. */
int answer_refusal(const struct query *q);
/* The zone's answer to a question that it holds; out holds PAYLOAD. */
size_t answer_zone(const struct answerer *w, const struct zone *z, enum view view, const struct query *q, uint8_t *out);

#endif
