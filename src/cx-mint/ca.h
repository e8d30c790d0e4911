/*
 * The rack's certificate authority: one ECDSA P-256 key, path length 0, server
 * authentication only, name-constrained (RFC 5280, 4.2.1.10) to the rack's
 * domain, with all IP addresses, e-mail and URI names excluded. Leaves are for
 * HOST and *.HOST, valid LEAF_DAYS at most.
 */
#ifndef CA_H
#define CA_H

#include <cx/buf.h>
#include <cx/spool.h>

struct ca;

#define CA_DAYS 3650
#define LEAF_DAYS 397

/* Makes ca/ca.key, ca/ca.crt and ca/bundle.pem once; one that is there is kept. */
int ca_init(struct cx_spool *s, struct cx_err *e);
struct ca *ca_open(struct cx_spool *s, struct cx_err *e);
void ca_free(struct ca *ca);
/* Appends the key and the certificate of a leaf, PEM. A name outside the domain is CX_BAD. */
int ca_leaf(struct ca *ca, const char *host, struct cx_buf *pem, struct cx_err *e);

#endif
