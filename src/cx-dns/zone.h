/*
 * The names of the rack: what routes/APP.json say, as one table from name to
 * the address in each view. Owned by the worker alone, changed app by app;
 * names are lower-case wire format, answers are found without allocation.
 */
#ifndef ZONE_H
#define ZONE_H

#include <libknot/libknot.h>
#include <stddef.h>
#include <stdint.h>

struct cx_err;

enum view { VIEW_HOST, VIEW_CONTAINER, VIEWS };

struct node {
	knot_dname_t *name; /* NULL: free slot */
	uint32_t hash;
	uint8_t has[VIEWS]; /* an address in that view; none in all: an empty non-terminal */
	uint8_t below; /* names below it answer the same */
	uint8_t address[VIEWS][4];
};

struct app;

struct zone {
	knot_dname_storage_t apex, ns;
	size_t apex_labels;
	uint8_t answer[VIEWS][4]; /* where services are */
	struct node *node;
	size_t cap, n;
	struct app *app;
	size_t apps;
	uint32_t serial;
	uint8_t soa[2 * KNOT_DNAME_MAXLEN + 20], nsdata[KNOT_DNAME_MAXLEN];
	uint16_t soa_len, ns_len;
};

/* domain as text; addresses in network order. */
int zone_init(struct zone *z, const char *domain, const uint8_t answer[VIEWS][4], struct cx_err *e);
void zone_free(struct zone *z);
/* Loads every app of the folder of routes. A file that cannot be read is told on stderr; what it said before stays. */
void zone_load_all(struct zone *z, int dir);
/* Loads, or forgets, the file NAME of the folder; zone_build makes it live. */
void zone_load(struct zone *z, int dir, const char *name);
void zone_build(struct zone *z);
/*
 * The node that answers for a name in the zone: itself, or the service above it. *exists tells NODATA (1) from
 * NXDOMAIN (0) when that is NULL.
 */
const struct node *zone_find(const struct zone *z, const knot_dname_t *name, int *exists);
int zone_holds(const struct zone *z, const knot_dname_t *name);

#endif
