/* From a request's head to the backend's, and which service it is for. */
#include "router.h"
#include <cx/own.h>
#include <string.h>
#include <strings.h>

void
put_span(struct cx_buf *b, struct span s)
{
	cx_buf_add(b, s.p, s.n);
}

static void
keep(char *to, size_t size, struct span s)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	memcpy(to, s.p, n);
	to[n] = '\0';
}

/* The head that the backend gets: hop-by-hop fields gone, what the balancer says of the client added. */
static void
make_head(struct stream *s, const struct http1 *h)
{
	struct cx_buf *b = &s->to_backend;

	pool_take(s->r, b);
	put_span(b, h->method);
	cx_buf_addc(b, ' ');
	put_span(b, h->target);
	cx_buf_adds(b, " HTTP/1.1\r\n");
	alb_put(s, h, b);
	for (size_t i = 0; i < h->n; i++) {
		const struct http1_field *f = &h->fields[i];

		if (f->hop || alb_replaces(s, f->name))
			continue;
		put_span(b, f->name);
		cx_buf_adds(b, ": ");
		put_span(b, f->value);
		cx_buf_adds(b, "\r\n");
	}
	if (h->chunked)
		cx_buf_adds(b, "Transfer-Encoding: chunked\r\n");
	if (s->upgrade) {
		cx_buf_adds(b, "Connection: Upgrade\r\nUpgrade: ");
		put_span(b, h->upgrade);
		cx_buf_adds(b, "\r\n");
	}
	cx_buf_adds(b, "\r\n");
}

/* A page for who names HTML, else JSON for who names that. */
static int
accepts(const struct http1 *h)
{
	for (size_t i = 0; i < h->n; i++) {
		struct span v = h->fields[i].value;

		if (!span_is(h->fields[i].name, "accept") || !v.n)
			continue;
		return memmem(v.p, v.n, "text/html", 9) ? ACCEPTS_HTML
		       : memmem(v.p, v.n, "json", 4)    ? ACCEPTS_JSON
							: ACCEPTS_TEXT;
	}
	return ACCEPTS_TEXT;
}

void
request_begin(struct stream *s, const struct http1 *h)
{
	keep(s->method, sizeof(s->method), h->method);
	keep(s->path, sizeof(s->path), h->target);
	keep(s->host, sizeof(s->host), h->host);
	s->is_head = span_is(h->method, "head");
	s->html = accepts(h);
	/* Not to HTTP/2: requests in it would pass unread. */
	s->upgrade = h->upgrades && h->upgrade.n > 0 && h->minor == 1 && !h->chunked && h->length <= 0 &&
		     !span_is(h->upgrade, "h2c");
	if (dispatch_find(s)) {
		const char *why;
		int status = alb_refuses(s, h, &why);

		if (status) {
			s->c->close |= !s->c->h2;
			page_refuse(s, status, why);
			return;
		}
		make_head(s, h);
	}
	dispatch(s);
}

void
put_chunk(struct cx_buf *b, const char *p, size_t n)
{
	put_number(b, n, 16);
	cx_buf_adds(b, "\r\n");
	cx_buf_add(b, p, n);
	cx_buf_adds(b, "\r\n");
}

size_t
request_room(struct stream *s)
{
	s->body_seen = 1;
	if (s->sent == s->to_backend.n)
		s->to_backend.n = s->sent = 0;
	return s->to_backend.n < IO_SIZE ? IO_SIZE - s->to_backend.n : 0;
}

void
request_put(struct stream *s, const char *p, size_t n)
{
	pool_take(s->r, &s->to_backend);
	s->bytes_in += n;
	if (s->req_left < 0 && !s->tunnel)
		put_chunk(&s->to_backend, p, n);
	else
		cx_buf_add(&s->to_backend, p, n);
}

/* The last chunk, and what stands behind it; h may be NULL. */
void
put_trailer(struct cx_buf *b, const struct http1 *h)
{
	cx_buf_adds(b, "0\r\n");
	for (size_t i = 0; h && i < h->n; i++) {
		if (h->fields[i].hop)
			continue;
		put_span(b, h->fields[i].name);
		cx_buf_adds(b, ": ");
		put_span(b, h->fields[i].value);
		cx_buf_adds(b, "\r\n");
	}
	cx_buf_adds(b, "\r\n");
}

void
request_ends(struct stream *s, const struct http1 *trailer)
{
	if (s->req_left < 0 && !s->tunnel)
		put_trailer(&s->to_backend, trailer);
	s->req_done = 1;
}

int
response_passes(const struct http1 *h, size_t i)
{
	/* RFC 9110, 8.6: no length there, whatever the process says */
	return !h->fields[i].hop &&
	       !((h->status < 200 || h->status == 204) && span_is(h->fields[i].name, "content-length"));
}
