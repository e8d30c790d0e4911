/*
 * From a query to an answer, bytes to bytes: what the rack's domain says, and
 * the check of what a resolver said about the rest. No descriptor is touched
 * here, so that both can be fuzzed.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "zone.h"

#define PAYLOAD 1232 /* DNS flag day 2020: never fragmented */

enum verdict { ANSWER_DROP, ANSWER_SEND, ANSWER_FORWARD };

struct answerer {
	knot_pkt_t *query, *reply;
	uint8_t in[KNOT_WIRE_MAX_PKTSIZE];
};

struct query {
	uint16_t limit; /* bytes that the client takes by UDP */
	uint16_t type;
	uint16_t question; /* length of the question */
};

int answerer_init(struct answerer *a);
void answerer_free(struct answerer *a);
/*
 * Answers a query of n bytes into out, which holds max: at most PAYLOAD means UDP, where what the client takes counts
 * too. ANSWER_FORWARD: the name is not ours and *q is filled.
 */
enum verdict answer(struct answerer *a, const struct zone *z, enum view view, const uint8_t *in, size_t n, uint8_t *out,
	size_t max, size_t *len, struct query *q);
/* A header and the question of a well-formed query, with an rcode: SERVFAIL and its like. out holds n. Length. */
size_t answer_error(const uint8_t *in, const struct query *q, uint8_t rcode, int truncated, uint8_t *out);
/* True when a reply of n bytes is one to the query that was sent (RFC 5452, 9.1). */
int answer_matches(const uint8_t *query, size_t question, uint16_t id, const uint8_t *reply, size_t n);

#endif
