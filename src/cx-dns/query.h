/*
 * A query as bytes, read once: its question in lower case, what EDNS says, and
 * what an answer to it needs. Nothing is allocated, nothing points into the
 * packet but `wire`.
 *
 *	int rcode = query_read(&q, in, n);	(-1: say nothing; 0: go on; else a header with that rcode)
 */
#ifndef QUERY_H
#define QUERY_H

#include <libknot/libknot.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define HEADER KNOT_WIRE_HEADER_SIZE
#define PAYLOAD 1232 /* DNS flag day 2020: never fragmented */
#define QUERY_MAX 4096 /* longer ones are no queries */
#define QUESTION_MAX (KNOT_DNAME_MAXLEN + 4)
#define CLIENT_COOKIE 8
#define TYPE_ANY 255
#define CLASS_NONE 254

/* What is kept of a query for as long as its answer takes. */
struct asker {
	struct sockaddr_in from;
	uint16_t id;
	uint16_t limit; /* bytes that the client takes; by TCP all */
	uint8_t tcp;
	uint8_t rd, cd, ad, dnssec; /* bits of the query */
	uint8_t edns, has_cookie, keepalive;
	uint8_t cookie[CLIENT_COOKIE];
};

struct query {
	const uint8_t *wire;
	uint16_t question; /* bytes of name, type and class, at wire + HEADER */
	uint16_t type, qclass;
	uint8_t version; /* of EDNS */
	uint8_t labels, name_len; /* the root's byte is counted in name_len */
	uint8_t label[KNOT_DNAME_MAXLABELS + 1]; /* where each begins, the last is the root */
	uint8_t name[KNOT_DNAME_MAXLEN + 1];
	struct asker a;
};

/* a.from and a.tcp are the caller's. */
int query_read(struct query *q, const uint8_t *in, size_t n);
/* Reads an uncompressed name: its bytes in lower case, its labels. Length, or 0 when it is none. */
size_t query_name(struct query *q, const uint8_t *p, size_t n);
/* The end of a possibly compressed name at `at`, or 0. */
size_t query_skip_name(const uint8_t *p, size_t n, size_t at);
uint16_t query_u16(const uint8_t *p);
uint32_t query_u32(const uint8_t *p);
void query_put16(uint8_t *p, uint16_t v);
void query_put32(uint8_t *p, uint32_t v);

#endif
