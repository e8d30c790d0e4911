/*
 * HTTP/1.1 messages as pure functions of bytes (RFC 9110, RFC 9112). Strict:
 * what two parsers could read differently is refused, never repaired: bare CR
 * or LF, obs-fold, space before a colon, both or repeated length fields, a
 * transfer coding other than chunked, more or less than one Host.
 */
#ifndef HTTP1_H
#define HTTP1_H

#include <stddef.h>

#define HTTP1_HEAD_MAX 65536 /* whole head, bytes (the ALB's limit) */
#define HTTP1_LINE_MAX 16384 /* request line, or one field line */
#define HTTP1_RESPONSE_MAX 32768 /* whole head of a response */
#define HTTP1_FIELDS_MAX 200

struct span {
	const char *p;
	size_t n;
};

struct http1_field {
	struct span name, value;
	int hop; /* of this connection only (RFC 9110, 7.6.1) */
};

struct http1 {
	struct span method, target, host; /* of a request; host without port, as sent */
	struct span reason, upgrade;
	int status; /* of a response */
	int minor; /* HTTP/1.minor */
	long long length; /* Content-Length; -1: none */
	int chunked, close, keep_alive, upgrades, expect;
	size_t n;
	struct http1_field fields[HTTP1_FIELDS_MAX + 4]; /* room for what an answer gets of us */
};

/*
 * Parses a head at p. Returns its length in bytes; 0 when it is not all there
 * yet; or minus the status to refuse it with (-400, -405, -414, -501, -505; -502 for
 * responses). Spans point into p.
 */
int http1_request(const char *p, size_t n, struct http1 *h);
int http1_response(const char *p, size_t n, struct http1 *h);
/*
 * The same rules for a head that came as HTTP/2 (RFC 9113, 8.2, 8.3): h->fields[0..n) are filled, host is what
 * :authority said (p NULL: nothing). 0 or minus a status.
 */
int http1_from_h2(struct http1 *h, struct span authority);
/* The same for a trailer section, whose fields that may not stand there are marked as of this hop. */
int http1_h2_trailer(struct http1 *h);
/* The trailer section at p, up to its empty line: as above; fields that may not stand there are marked as of this hop.
 */
int http1_trailer(const char *p, size_t n, struct http1 *h);
/* Whether a name may stand in a trailer section (RFC 9110, 6.5.1). */
int http1_may_trail(struct span name);

/* Reader of a chunked body; zero-initialised. */
struct http1_chunk {
	int state;
	unsigned digits;
	size_t line; /* bytes of the present line */
	unsigned long long left;
};
/*
 * Reads at most n bytes: *used of them, and *data and *data_n are a run of body
 * among them (data_n 0: none). 1 when the body has ended and its trailer section
 * is next, 0 to go on, -1 when the coding is broken.
 */
int http1_chunk(struct http1_chunk *c, const char *p, size_t n, size_t *used, const char **data, size_t *data_n);

/* tchar of RFC 9110, 5.6.2 */
int http1_is_token(unsigned char c);
int span_is(struct span s, const char *lower);

#endif
