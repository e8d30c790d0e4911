/* HTTP/1 to clients: requests one after the other, answers in their framing. */
#include "router.h"
#include <openssl/err.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

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

/* Where the broken message ends is unknown: nothing more is read as a request. */
static void
refuse(struct conn *c, int status, const char *why)
{
	struct stream *s = stream_new(c, &h1_down);

	c->s = s;
	c->phase = BUSY;
	c->close = 1;
	s->minor = 1;
	s->html = wants_html(c);
	s->req_done = 0;
	page_refuse(s, status, why);
}

static void
begin(struct conn *c, const struct http1 *h, size_t n)
{
	struct stream *s = stream_new(c, &h1_down);

	c->s = s;
	c->phase = BUSY;
	c->close = h->close || (h->minor == 0 && !h->keep_alive) || c->r->stopping;
	s->minor = h->minor;
	s->req_left = h->chunked ? -1 : h->length > 0 ? h->length : 0;
	s->req_done = s->req_left == 0;
	if (c->how == REDIRECT) {
		char target[HTTP1_LINE_MAX + 1];

		memcpy(target, h->target.p, h->target.n);
		target[h->target.n] = '\0';
		(void)snprintf(s->host, sizeof(s->host), "%.*s", (int)h->host.n, h->host.p);
		(void)snprintf(s->method, sizeof(s->method), "%.*s", (int)h->method.n, h->method.p);
		(void)snprintf(s->path, sizeof(s->path), "%.200s", target);
		s->is_head = span_is(h->method, "head");
		cx_buf_eat(&c->in, n);
		page_redirect(s, target);
		return;
	}
	request_begin(s, h);
	cx_buf_eat(&c->in, n);
}

/* A head that stands in c->in. */
static int
parse(struct conn *c)
{
	struct http1 h;
	int n;

	/* RFC 9112, 2.2: an empty line before a request is passed over. */
	if (c->in.n >= 2 && memcmp(c->in.p, "\r\n", 2) == 0)
		cx_buf_eat(&c->in, 2);
	if (c->how == PLAIN && c->in.n >= 3 && memcmp(c->in.p, "PRI", 3) == 0) {
		size_t want = strlen(H2_PREFACE);

		if (memcmp(c->in.p, H2_PREFACE, c->in.n < want ? c->in.n : want) == 0) {
			if (c->in.n >= want)
				h2_begin(c);
			return c->in.n >= want;
		}
	}
	n = http1_request(c->in.n ? c->in.p : "", c->in.n, &h);
	if (n > 0)
		begin(c, &h, (size_t)n);
	else if (n < 0)
		refuse(c, -n,
			n == -501   ? "transfer codings other than chunked are not spoken here"
			: n == -405 ? "this method is not allowed"
			: n == -414 ? "the request line is longer than 16 KiB"
			: n == -505 ? "HTTP/1.0 and HTTP/1.1 are spoken here"
				    : "the request is malformed");
	return n != 0;
}

int
h1_head(struct conn *c)
{
	size_t before;
	int did = 0;

	/* Bytes of a pipelined request may be there already. */
	if (c->in.n && parse(c))
		return 1;
	before = c->in.n;
	did = conn_read(c, HTTP1_HEAD_MAX + 4);
	if (did && !before) /* the time for a head begins with it, not with the silence before */
		c->deadline = c->r->now + HEAD_SECONDS;
	if (c->phase != HEAD)
		return 1;
	if (c->eof) {
		conn_end(c);
		return 1;
	}
	if (!did && c->in.n == 0) {
		pool_give(c->r, &c->in);
		pool_give(c->r, &c->out);
	}
	return did;
}

void
h1_head_late(struct conn *c)
{
	refuse(c, 408, "the request's head did not arrive in time");
}

/* A tunnel has no framing; its end is the client's. */
static int
pull_raw(struct stream *s, size_t room)
{
	struct conn *c = s->c;
	size_t n = c->in.n < room ? c->in.n : room;

	if (n)
		request_put(s, c->in.p, n);
	cx_buf_eat(&c->in, n);
	if (c->eof && !c->in.n) {
		s->req_done = 1;
		return 1;
	}
	return n > 0;
}

static int
pull_trailer(struct stream *s)
{
	struct conn *c = s->c;
	struct http1 h;
	int n = http1_trailer(c->in.p, c->in.n, &h);

	if (n < 0) {
		c->close = 1;
		page_refuse(s, 400, "the trailer section is malformed");
	} else if (n > 0) {
		request_ends(s, &h);
		cx_buf_eat(&c->in, (size_t)n);
	}
	return n != 0;
}

/* Chunks are made anew, so that only one reading of them is ever passed on. */
static int
pull_chunks(struct stream *s, size_t room)
{
	struct conn *c = s->c;
	size_t used, n;
	const char *data;
	int rc;

	if (s->req_trailer)
		return pull_trailer(s);
	rc = http1_chunk(&s->req_chunk, c->in.p, c->in.n < room ? c->in.n : room, &used, &data, &n);
	if (rc < 0) {
		c->close = 1;
		page_refuse(s, 400, "the chunked body is malformed");
		return 1;
	}
	if (n)
		request_put(s, data, n);
	s->req_trailer = rc == 1;
	cx_buf_eat(&c->in, used);
	return 1;
}

static int
h1_pull(struct stream *s)
{
	struct conn *c = s->c;
	int did = conn_read(c, s->req_trailer ? HTTP1_LINE_MAX * 2 : IO_SIZE);
	size_t room, n;

	if (c->phase == DEAD)
		return 1;
	if (!c->in.n && !s->tunnel)
		return did;
	room = request_room(s);
	if (s->tunnel)
		return did | pull_raw(s, room);
	if (!room)
		return did;
	if (s->req_left < 0)
		return pull_chunks(s, room);
	n = c->in.n < room ? c->in.n : room;
	n = (long long)n < s->req_left ? n : (size_t)s->req_left;
	request_put(s, c->in.p, n);
	cx_buf_eat(&c->in, n);
	s->req_left -= (long long)n;
	if (s->req_left == 0)
		request_ends(s, NULL);
	return 1;
}

static void
h1_answer(struct stream *s, const struct http1 *h)
{
	struct conn *c = s->c;
	struct cx_buf *b = &c->out;

	if (h->status < 200 && s->minor == 0)
		return;
	if (h->status >= 200 && s->minor == 0 && s->until_close)
		c->close = 1;
	s->out_chunked = h->status >= 200 && s->minor == 1 && !s->tunnel && (s->res_chunked || s->until_close);
	/* An answer of our own after which the connection's state is in doubt, or nothing good follows. */
	if (!s->up && (!s->req_done || h->status == 400 || h->status == 408 || h->status >= 500))
		c->close = 1;
	pool_take(c->r, b);
	cx_buf_adds(b, "HTTP/1.1 ");
	put_number(b, (unsigned)h->status, 10);
	cx_buf_addc(b, ' ');
	put_span(b, h->reason);
	cx_buf_adds(b, "\r\n");
	for (size_t i = 0; i < h->n; i++) {
		if (!response_passes(h, i))
			continue;
		put_span(b, h->fields[i].name);
		cx_buf_adds(b, ": ");
		put_span(b, h->fields[i].value);
		cx_buf_adds(b, "\r\n");
	}
	if (s->out_chunked)
		cx_buf_adds(b, "Transfer-Encoding: chunked\r\n");
	if (h->status == 101) {
		cx_buf_adds(b, "Connection: Upgrade\r\nUpgrade: ");
		put_span(b, h->upgrade);
		cx_buf_adds(b, "\r\n");
	} else if (h->status >= 200 && c->close) {
		cx_buf_adds(b, "Connection: close\r\n");
	} else if (h->status >= 200 && s->minor == 0) {
		cx_buf_adds(b, "Connection: keep-alive\r\n");
	}
	cx_buf_adds(b, "\r\n");
}

static int
h1_push(struct stream *s)
{
	struct conn *c = s->c;
	size_t room = c->out.n < IO_SIZE ? IO_SIZE - c->out.n : 0, n, used;
	const char *p;

	if (!s->responded || s->res_done || !room)
		return 0;
	if (response_data(s, room, &p, &n, &used) < 0) {
		s->down->abort(s);
		return 1;
	}
	if (n)
		pool_take(c->r, &c->out);
	if (n && s->out_chunked)
		put_chunk(&c->out, p, n);
	else if (n)
		cx_buf_add(&c->out, p, n);
	response_eat(s, used);
	if (s->res_done && s->out_chunked && !s->trailed)
		put_trailer(&c->out, NULL);
	return used > 0 || s->res_done;
}

static void
h1_finish(struct stream *s)
{
	struct conn *c = s->c;

	if (!s->req_done || s->tunnel)
		c->close = 1;
	c->s = NULL;
	c->phase = FLUSH;
	c->deadline = c->r->now + BODY_SECONDS;
	stream_free(s);
}

static void
h1_abort(struct stream *s)
{
	stream_done(s);
	if (s->c->phase != DEAD)
		conn_end(s->c);
}

/* A half-closed client is not told from one that left: as the ALB, take it for gone, unless it sent another request
 * before. */
static int
h1_left(struct stream *s)
{
	struct conn *c = s->c;
	char byte;

	if (!s->req_done)
		return c->eof;
	if (!c->c_hup || c->in.n)
		return 0;
	if (!c->ssl)
		return recv(c->client.fd, &byte, 1, MSG_PEEK) <= 0;
	ERR_clear_error();
	return SSL_peek(c->ssl, &byte, 1) <= 0;
}

static void
h1_trailer(struct stream *s, const struct http1 *h)
{
	if (!s->out_chunked)
		return;
	pool_take(s->r, &s->c->out);
	put_trailer(&s->c->out, h);
	s->trailed = 1;
}

static void
h1_wake(struct stream *s)
{
	conn_run(s->c);
}

const struct down h1_down = {h1_pull, h1_answer, h1_push, h1_finish, h1_abort, h1_left, h1_trailer, h1_wake};
