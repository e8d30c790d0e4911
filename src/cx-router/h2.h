/*
 * What an HTTP/2 connection has beside a connection, and its header blocks: a
 * block is gathered as nghttp2 decodes it, then read as a message under the
 * rules of HTTP/1 (http1_from_h2).
 */
#ifndef H2_H
#define H2_H

#include "router.h"
#include <nghttp2/nghttp2.h>

struct h2 {
	struct conn *c;
	nghttp2_session *ng;
	struct stream *streams;
	size_t n; /* of them */
	struct cx_buf block, cookie; /* the header block under way */
	size_t fields;
	char key[24]; /* of a WebSocket's request */
	int too_large, hungry, lost, goodbye, calm;
	unsigned odd; /* in the present second */
	size_t tiny;
	int32_t last, gap, gap_end; /* the latest stream; those between these were passed over */
	double odd_since, moved;
	unsigned long requests;
};

/* h2answer.c */
extern const struct down h2_down;
/* Moves all that can be moved, and has the session's frames sent in this turn. */
void h2_wake(struct stream *s);

/* h2block.c */
void h2_block_clear(struct h2 *m);
void h2_block_free(struct h2 *m);
void h2_block_add(struct h2 *m, const char *name, size_t name_n, const char *value, size_t value_n);
/* Spans point into the block. 0, or minus a status; an extended CONNECT becomes an upgrade (RFC 8441). */
int h2_block_request(struct h2 *m, struct http1 *h, struct stream *s);
int h2_block_trailer(struct h2 *m, struct http1 *h);

#endif
