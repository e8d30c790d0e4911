/* From a request's head to the backend, and the answer back: heads rewritten, bodies streamed in their own framing. */
#include "router.h"
#include <cx/own.h>
#include <string.h>
#include <strings.h>

static void
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

static int
is_forwarding(struct span name)
{
	return span_is(name, "x-forwarded-proto") || span_is(name, "x-forwarded-port");
}

/* The head that the backend gets: hop-by-hop fields gone, X-Forwarded-For appended, -Proto and -Port set. */
static void
make_head(struct conn *c, const struct http1 *h)
{
	struct cx_buf *b = &c->head;

	b->n = 0;
	put_span(b, h->method);
	cx_buf_addc(b, ' ');
	put_span(b, h->target);
	cx_buf_adds(b, " HTTP/1.1\r\n");
	cx_buf_adds(b, "X-Forwarded-For: ");
	for (size_t i = 0; i < h->n; i++)
		if (span_is(h->fields[i].name, "x-forwarded-for") && h->fields[i].value.n) {
			put_span(b, h->fields[i].value);
			cx_buf_adds(b, ", ");
		}
	cx_buf_adds(b, c->peer);
	cx_buf_adds(b, c->ssl ? "\r\nX-Forwarded-Proto: https" : "\r\nX-Forwarded-Proto: http");
	cx_buf_adds(b, "\r\nX-Forwarded-Port: ");
	cx_buf_adds(b, c->local_port);
	cx_buf_adds(b, "\r\n");
	for (size_t i = 0; i < h->n; i++) {
		const struct http1_field *f = &h->fields[i];

		if (f->hop || is_forwarding(f->name) || span_is(f->name, "x-forwarded-for"))
			continue;
		put_span(b, f->name);
		cx_buf_adds(b, ": ");
		put_span(b, f->value);
		cx_buf_adds(b, "\r\n");
	}
	if (h->chunked)
		cx_buf_adds(b, "Transfer-Encoding: chunked\r\n");
	if (c->upgrade) {
		cx_buf_adds(b, "Connection: Upgrade\r\nUpgrade: ");
		put_span(b, h->upgrade);
		cx_buf_adds(b, "\r\n");
	}
	cx_buf_adds(b, "\r\n");
}

/* Accept of a head that may be broken, for the kind of page. */
static int
wants_html(const struct conn *c)
{
	const char *p = c->in.p, *end = p ? p + c->in.n : NULL;

	for (; p && p + 8 < end; p++)
		if ((*p | 32) == 'a' && strncasecmp(p, "accept:", 7) == 0) {
			const char *lf = memchr(p, '\n', (size_t)(end - p));

			return lf && memmem(p, (size_t)(lf - p), "text/html", 9) != NULL;
		}
	return 0;
}

static void
reset(struct conn *c)
{
	service_unref(c->service);
	c->service = NULL;
	c->target = NULL;
	c->tries = 0;
	c->bytes = 0;
	c->responded = c->res_done = c->res_chunked = c->until_close = c->out_chunked = c->back_close = c->status = 0;
	c->body_seen = c->upgrade = c->head_request = c->html = 0;
	c->req_done = 1;
	memset(&c->req_chunk, 0, sizeof(c->req_chunk));
	memset(&c->res_chunk, 0, sizeof(c->res_chunk));
	c->method[0] = c->path[0] = c->host[0] = '\0';
	c->head.n = 0;
}

static void
take(struct conn *c, const struct http1 *h)
{
	keep(c->method, sizeof(c->method), h->method);
	keep(c->path, sizeof(c->path), h->target);
	keep(c->host, sizeof(c->host), h->host);
	c->minor = h->minor;
	c->client_close = h->close || (h->minor == 0 && !h->keep_alive) || c->r->stopping;
	c->head_request = span_is(h->method, "head");
	/* Not to HTTP/2: requests in it would pass unread. */
	c->upgrade = h->upgrades && h->upgrade.n > 0 && h->minor == 1 && !h->chunked && h->length <= 0 &&
		     !span_is(h->upgrade, "h2c");
	c->req_left = h->chunked ? -1 : h->length > 0 ? h->length : 0;
	c->req_done = c->req_left == 0;
}

static void
dispatch(struct conn *c, struct span host)
{
	c->service = table_find(c->r->table, host);
	if (!c->service)
		page_refuse(c, 404, "");
	else if (c->service->https)
		page_refuse(c, 502,
			"its port speaks https, which this balancer does not speak to processes yet: use http:PORT");
	else if (c->service->n == 0)
		page_refuse(c, 503,
			!c->service->state || strcmp(c->service->state, "stopped") == 0 ? "it is scaled to no process"
			: strcmp(c->service->state, "crashed") == 0                     ? "its process crashed"
											: "it is starting");
	else if (backend_connect(c) < 0)
		page_refuse(c, 502, "no process takes a connection");
}

int
request_begin(struct conn *c)
{
	struct http1 h;
	struct span host;
	int n;

	/* RFC 9112, 2.2: an empty line before a request is passed over. */
	if (c->in.n >= 2 && memcmp(c->in.p, "\r\n", 2) == 0)
		cx_buf_eat(&c->in, 2);
	n = http1_request(c->in.n ? c->in.p : "", c->in.n, &h);
	if (n == 0)
		return 0;
	reset(c);
	c->began = worker_clock();
	c->html = wants_html(c);
	if (n < 0) {
		/* Where the broken message ends is unknown: nothing more is read as a request. */
		c->client_close = 1;
		c->req_done = 0;
		page_refuse(c, -n,
			n == -501   ? "transfer codings other than chunked are not spoken here"
			: n == -405 ? "this method is not allowed"
			: n == -505 ? "HTTP/1.0 and HTTP/1.1 are spoken here"
				    : "the request is malformed");
		return 1;
	}
	take(c, &h);
	if (c->how == REDIRECT)
		cx_buf_add(&c->head, h.target.p, h.target.n);
	else
		make_head(c, &h);
	host = (struct span){c->host, strlen(c->host)};
	cx_buf_eat(&c->in, (size_t)n);
	if (c->how == REDIRECT)
		page_redirect(c);
	else
		dispatch(c, host);
	return 1;
}

static void
put_chunk(struct cx_buf *b, const char *p, size_t n)
{
	put_number(b, n, 16);
	cx_buf_adds(b, "\r\n");
	cx_buf_add(b, p, n);
	cx_buf_adds(b, "\r\n");
}

/* Moves body from the client to the backend, in the framing of its head; chunks are made anew, so that only one reading
 * of them is ever passed on. */
int
request_body(struct conn *c)
{
	size_t room = c->to_backend.n < IO_SIZE ? IO_SIZE - c->to_backend.n : 0, used = 0;

	if (c->req_done || !c->in.n || !room)
		return 0;
	c->body_seen = 1;
	if (c->req_left > 0) {
		used = c->in.n < room ? c->in.n : room;
		used = (long long)used < c->req_left ? used : (size_t)c->req_left;
		cx_buf_add(&c->to_backend, c->in.p, used);
		c->req_left -= (long long)used;
		c->req_done = c->req_left == 0;
	} else {
		const char *data;
		size_t n;
		int rc = http1_chunk(&c->req_chunk, c->in.p, c->in.n < room ? c->in.n : room, &used, &data, &n);

		if (rc < 0) {
			c->client_close = 1;
			page_refuse(c, 400, "the chunked body is malformed");
			return 1;
		}
		if (n)
			put_chunk(&c->to_backend, data, n);
		if (rc == 1) {
			cx_buf_adds(&c->to_backend, "0\r\n\r\n");
			c->req_done = 1;
		}
	}
	cx_buf_eat(&c->in, used);
	return 1;
}

static void
choose_framing(struct conn *c, const struct http1 *h)
{
	int bodyless = c->head_request || h->status == 204 || h->status == 304;

	c->res_chunked = h->chunked;
	c->until_close = !bodyless && !h->chunked && h->length < 0;
	c->res_left = h->length > 0 ? h->length : 0;
	c->res_done = bodyless || (!h->chunked && h->length == 0);
	c->out_chunked = !bodyless && c->minor == 1 && (h->chunked || c->until_close);
	if (!bodyless && c->minor == 0 && (h->chunked || c->until_close))
		c->client_close = 1;
	c->back_close = h->close || (h->minor == 0 && !h->keep_alive) || c->until_close;
	/* A process that sends a body all the same must not have it read as the next answer. */
	c->back_close |= bodyless && (h->length > 0 || h->chunked);
}

static void
put_response(struct conn *c, const struct http1 *h)
{
	struct cx_buf *b = &c->to_client;

	cx_buf_adds(b, "HTTP/1.1 ");
	put_number(b, (unsigned)h->status, 10);
	cx_buf_addc(b, ' ');
	put_span(b, h->reason);
	cx_buf_adds(b, "\r\n");
	for (size_t i = 0; i < h->n; i++) {
		/* RFC 9110, 8.6: no length there, whatever the process says */
		if (h->fields[i].hop ||
			((h->status < 200 || h->status == 204) && span_is(h->fields[i].name, "content-length")))
			continue;
		put_span(b, h->fields[i].name);
		cx_buf_adds(b, ": ");
		put_span(b, h->fields[i].value);
		cx_buf_adds(b, "\r\n");
	}
	if (c->out_chunked)
		cx_buf_adds(b, "Transfer-Encoding: chunked\r\n");
	if (h->status == 101) {
		cx_buf_adds(b, "Connection: Upgrade\r\nUpgrade: ");
		put_span(b, h->upgrade);
		cx_buf_adds(b, "\r\n");
	} else if (h->status >= 200 && c->client_close) {
		cx_buf_adds(b, "Connection: close\r\n");
	} else if (h->status >= 200 && c->minor == 0) {
		cx_buf_adds(b, "Connection: keep-alive\r\n");
	}
	cx_buf_adds(b, "\r\n");
}

static void
begin_tunnel(struct conn *c)
{
	c->responded = 1;
	c->phase = TUNNEL;
	c->deadline = c->r->now + TUNNEL_SECONDS;
	cx_buf_add(&c->to_client, c->back.p, c->back.n);
	c->back.n = 0;
	cx_buf_add(&c->to_backend, c->in.n ? c->in.p : "", c->in.n);
	c->in.n = 0;
	log_request(c);
}

int
response_begin(struct conn *c)
{
	struct http1 h;
	int n;

	if (c->responded || !c->back.n)
		return 0;
	n = http1_response(c->back.p, c->back.n, &h);
	if (n == 0 && c->back.n <= HTTP1_RESPONSE_MAX)
		return 0;
	if (n == 0) {
		backend_failed(c, "sent an answer whose head is larger than 32 KiB");
		return 1;
	}
	if (n < 0 || (h.status == 101 && !c->upgrade)) {
		backend_failed(c, "sent an answer that is not HTTP");
		return 1;
	}
	c->status = h.status;
	if (h.status < 200) {
		if (c->minor == 1)
			put_response(c, &h);
		cx_buf_eat(&c->back, (size_t)n);
		if (h.status == 101)
			begin_tunnel(c);
		return 1;
	}
	choose_framing(c, &h);
	put_response(c, &h);
	c->responded = 1;
	c->head.n = 0;
	cx_buf_eat(&c->back, (size_t)n);
	c->deadline = c->r->now + BODY_SECONDS;
	return 1;
}

static void
put_body(struct conn *c, const char *p, size_t n)
{
	c->bytes += n;
	if (c->out_chunked)
		put_chunk(&c->to_client, p, n);
	else
		cx_buf_add(&c->to_client, p, n);
}

static void
body_ends(struct conn *c)
{
	if (c->out_chunked)
		cx_buf_adds(&c->to_client, "0\r\n\r\n");
	c->res_done = 1;
}

int
response_body(struct conn *c)
{
	size_t room = c->to_client.n < IO_SIZE ? IO_SIZE - c->to_client.n : 0, used = 0;

	if (!c->responded || c->res_done || !room)
		return 0;
	if (!c->back.n) {
		if (!c->backend_eof)
			return 0;
		if (c->until_close)
			body_ends(c);
		else {
			/* Cut short: the client must not take it for whole. */
			log_request(c);
			conn_end(c);
		}
		return 1;
	}
	if (c->res_chunked) {
		const char *data;
		size_t n;
		int rc = http1_chunk(&c->res_chunk, c->back.p, c->back.n < room ? c->back.n : room, &used, &data, &n);

		if (rc < 0) {
			conn_end(c);
			return 1;
		}
		if (n)
			put_body(c, data, n);
		if (rc == 1)
			body_ends(c);
	} else {
		used = c->back.n < room ? c->back.n : room;
		if (!c->until_close && (long long)used > c->res_left)
			used = (size_t)c->res_left;
		put_body(c, c->back.p, used);
		c->res_left -= (long long)used;
		c->res_done = !c->until_close && c->res_left == 0;
	}
	cx_buf_eat(&c->back, used);
	return 1;
}

static int
still_routed(const struct conn *c)
{
	return c->service && c->target &&
	       (!c->service->retired || table_has(c->r->table, c->target->address, c->target->port));
}

void
request_end(struct conn *c)
{
	if (c->service && c->target)
		log_request(c);
	/* Bytes behind an answer, or a body that was not read to its end: this connection cannot serve another. */
	backend_release(c, c->req_done && !c->back_close && !c->backend_eof && c->back.n == 0 && still_routed(c));
	c->target = NULL;
	c->phase = FLUSH;
	c->deadline = c->r->now + BODY_SECONDS;
	if (!c->req_done)
		c->client_close = 1;
}
