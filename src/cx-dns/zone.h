/*
 * The names of the rack, as a table that changes record by record: what
 * routes.c adds and takes away is answered at once, whatever else there is.
 * Names are lower-case wire format; nothing is allocated to find one.
 */
#ifndef ZONE_H
#define ZONE_H

#include "query.h"

struct cx_err;

enum view { VIEW_HOST, VIEW_CONTAINER, VIEWS };

struct address {
	uint8_t has4, has6;
	uint8_t v4[4], v6[16];
};

/* One name of one route file. Several may have the same; the first file by name is answered. */
struct record {
	struct record *next; /* of the same name */
	struct record *sibling; /* of the same file */
	struct node *node;
	const char *file; /* borrowed; "" comes first */
	uint8_t service; /* has the zone's addresses, and HTTPS */
	uint8_t below; /* names below it answer the same */
	struct address at[VIEWS];
};

struct node {
	struct node *chain, *star; /* star: the node of "*." before this name */
	struct record *records; /* none: an empty non-terminal */
	uint32_t hash, refs; /* refs: records here and below */
	uint8_t len, name[];
};

struct zone {
	uint8_t apex[KNOT_DNAME_MAXLEN];
	uint8_t apex_len, apex_labels;
	uint32_t apex_hash, seed, serial;
	struct address at[VIEWS]; /* of services */
	uint16_t https[VIEWS]; /* port of the router, or 0: no HTTPS records */
	struct node **bucket;
	size_t buckets, nodes;
	struct record self, ns;
};

/* domain as text. */
int zone_init(struct zone *z, const char *domain, const struct address at[VIEWS], const uint16_t https[VIEWS],
	struct cx_err *e);
/* Reads a host as text into q->name; false when it is none of the domain. */
int zone_name(const struct zone *z, const char *host, struct query *q);
/* Makes a record live; q holds its name. The zone borrows it until zone_remove, which does not free it. */
void zone_add(struct zone *z, const struct query *q, struct record *r);
void zone_remove(struct zone *z, struct record *r);
int zone_holds(const struct zone *z, const struct query *q);
/* The node that the name's data come from (itself, or by RFC 4592), or NULL. *exists tells NODATA from NXDOMAIN. */
const struct node *zone_find(const struct zone *z, const struct query *q, int *exists);
const struct address *zone_address(const struct zone *z, const struct node *n, enum view view);
uint32_t zone_hash(uint32_t h, const uint8_t *p, size_t n);

#endif
