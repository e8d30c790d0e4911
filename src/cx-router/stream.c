/* A request on its way: bytes to and from its backend, whatever its client speaks. */
#include "router.h"
#include <cx/own.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define SPARE_MAX 64

struct stream *
stream_new(struct conn *c, const struct down *down)
{
	struct router *r = c->r;
	struct stream *s = r->spare;

	if (s) {
		r->spare = s->next;
		memset(s, 0, sizeof(*s));
	} else {
		s = cx_alloc(sizeof(*s));
	}
	s->c = c;
	s->r = r;
	s->down = down;
	s->step = EXCHANGE;
	s->req_done = 1;
	s->began = r->now;
	s->deadline = r->now + BODY_SECONDS;
	return s;
}

void
stream_free(struct stream *s)
{
	if (!s->r)
		return;
	if (s->step != DONE && !s->tunnel) { /* the client's connection broke */
		s->status = 460;
		s->own = 1;
		log_request(s);
	}
	backend_release(s, 0);
	dispatch_leave(s);
	s->to_backend.n = s->back.n = 0;
	pool_give(s->r, &s->to_backend);
	pool_give(s->r, &s->back);
	s->step = DONE;
	s->next = s->r->ended;
	s->r->ended = s;
	s->r = NULL;
}

void
stream_bury(struct router *r)
{
	size_t n = 0;

	for (struct stream *s = r->spare; s && n < SPARE_MAX; s = s->next)
		n++;
	while (r->ended) {
		struct stream *s = r->ended;

		r->ended = s->next;
		if (n++ >= SPARE_MAX) {
			free(s);
			continue;
		}
		s->next = r->spare;
		r->spare = s;
	}
}

static int
write_backend(struct stream *s)
{
	struct upstream *u = s->up;
	size_t left = s->to_backend.n - s->sent;
	ssize_t n;

	if (!left || !u || !u->out)
		return 0;
	n = send(u->src.fd, s->to_backend.p + s->sent, left, MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN) {
		u->out = 0;
		return 0;
	}
	if (n < 0) {
		/* An answer may stand in the socket all the same (413 and a close): read it first. The rest of the
		 * body stays unread, so this client's connection ends behind the answer. */
		u->out = 0;
		u->in = 1;
		s->to_backend.n = s->sent = 0;
		return 1;
	}
	s->sent += (size_t)n;
	if (s->sent == s->to_backend.n && s->body_seen)
		s->to_backend.n = s->sent = 0;
	return 1;
}

static int
read_backend(struct stream *s, size_t max)
{
	struct upstream *u = s->up;
	size_t want = s->back.n < max ? max - s->back.n : 0;
	ssize_t n;

	want = want > IO_SIZE ? IO_SIZE : want;
	if (!want || !u || !u->in || s->back_eof)
		return 0;
	pool_take(s->r, &s->back);
	n = read(u->src.fd, cx_buf_room(&s->back, want), want);
	if (n > 0) {
		s->back.n += (size_t)n;
		s->back.p[s->back.n] = '\0';
		if ((size_t)n < want && !u->hup)
			u->in = 0;
		return 1;
	}
	if (n < 0 && errno == EINTR)
		return 1;
	u->in = 0;
	if (n < 0 && errno == EAGAIN)
		return 0;
	s->back_eof = 1;
	if (!s->responded && s->back.n == 0)
		backend_failed(s, "closed the connection without an answer");
	return 1;
}

static double
patience(const struct stream *s)
{
	return !s->service ? BODY_SECONDS : s->tunnel ? (double)s->service->idle : (double)s->service->timeout;
}

static int
connected(struct stream *s)
{
	int err = 0;
	socklen_t n = sizeof(err);

	if (!s->up->out && !s->up->in)
		return 0;
	(void)getsockopt(s->up->src.fd, SOL_SOCKET, SO_ERROR, &err, &n);
	if (err) {
		backend_failed(s, err == ECONNREFUSED ? "refuses connections on its port" : strerror(err));
		return 1;
	}
	s->step = EXCHANGE;
	s->deadline = s->r->now + patience(s);
	return 1;
}

static void
choose_framing(struct stream *s, const struct http1 *h)
{
	int bodyless = s->is_head || h->status == 204 || h->status == 304;

	s->res_chunked = h->chunked;
	s->until_close = !bodyless && !h->chunked && h->length < 0;
	s->res_left = h->length > 0 ? h->length : 0;
	s->res_done = bodyless || (!h->chunked && h->length == 0);
	s->back_close = h->close || (h->minor == 0 && !h->keep_alive) || s->until_close;
	/* A process that sends a body all the same must not have it read as the next answer. */
	s->back_close |= bodyless && (h->length > 0 || h->chunked);
}

void
stream_respond(struct stream *s, const struct http1 *h)
{
	s->status = h->status;
	choose_framing(s, h);
	s->responded = 1;
	s->deadline = s->r->now + patience(s);
	s->down->head(s, h);
}

static void
begin_tunnel(struct stream *s, const struct http1 *h)
{
	s->responded = s->tunnel = s->until_close = s->body_seen = 1;
	s->req_done = 0;
	s->deadline = s->r->now + patience(s);
	s->down->head(s, h);
	log_request(s);
}

static int
response_begin(struct stream *s)
{
	struct http1 h;
	int n;

	if (s->responded || !s->back.n)
		return 0;
	n = http1_response(s->back.p, s->back.n, &h);
	if (n == 0 && s->back.n <= HTTP1_RESPONSE_MAX) {
		if (s->back_eof)
			backend_failed(s, "closed the connection in the middle of its answer's head");
		return s->back_eof;
	}
	if (n == 0) {
		backend_failed(s, "sent an answer whose head is larger than 32 KiB");
		return 1;
	}
	/* A 2xx would be a tunnel to a client of HTTP/2 (RFC 8441, 5). */
	if (n > 0 && s->upgrade && s->c->h2 && h.status >= 200 && h.status < 300) {
		backend_failed(s, "did not upgrade the connection");
		return 1;
	}
	if (n < 0 || (h.status == 101 && !s->upgrade)) {
		backend_failed(s, "sent an answer that is not HTTP");
		return 1;
	}
	s->status = h.status;
	balance_worked(s->target);
	s->answered = s->r->now;
	if (h.status == 101)
		begin_tunnel(s, &h);
	else if (h.status < 200)
		s->down->head(s, &h);
	else {
		alb_answer(s, &h);
		stream_respond(s, &h);
	}
	cx_buf_eat(&s->back, (size_t)n);
	return 1;
}

static int
take_trailer(struct stream *s)
{
	struct http1 h;
	int n = http1_trailer(s->back.p, s->back.n, &h);

	if (n <= 0)
		return n < 0 || s->back_eof ? -1 : 0;
	s->res_done = 1;
	for (size_t i = 0; i < h.n && !s->trailed; i++)
		if (!h.fields[i].hop)
			s->down->trailer(s, &h);
	cx_buf_eat(&s->back, (size_t)n);
	return 0;
}

int
response_data(struct stream *s, size_t max, const char **p, size_t *n, size_t *used)
{
	int rc;

	*n = *used = 0;
	if (s->res_done)
		return 0;
	if (!s->back.n) {
		if (s->back_eof && !s->until_close)
			return -1;
		s->res_done = s->back_eof;
		return 0;
	}
	if (s->res_trailer)
		return take_trailer(s);
	max = s->back.n < max ? s->back.n : max;
	if (s->res_chunked) {
		rc = http1_chunk(&s->res_chunk, s->back.p, max, used, p, n);
		if (rc < 0)
			return -1;
		s->res_trailer = rc;
	} else {
		if (!s->until_close && (long long)max > s->res_left)
			max = (size_t)s->res_left;
		*p = s->back.p;
		*n = *used = max;
		s->res_left -= (long long)max;
		s->res_done = !s->until_close && s->res_left == 0;
	}
	s->bytes += *n;
	return 0;
}

void
response_eat(struct stream *s, size_t used)
{
	if (used)
		cx_buf_eat(&s->back, used);
}

/* The client of a tunnel sends no more, and all that it sent has been passed on: so is the end. */
static void
half_close(struct stream *s)
{
	if (s->tunnel && s->req_done == 1 && s->up && s->to_backend.n == 0) {
		(void)shutdown(s->up->src.fd, SHUT_WR);
		s->req_done = 2;
	}
}

static int
exchange(struct stream *s)
{
	int did = 0;

	if ((!s->req_done || s->credit) && s->up)
		did |= s->down->pull(s);
	if (s->step == EXCHANGE)
		did |= write_backend(s);
	if (s->step == EXCHANGE)
		did |= read_backend(s, s->responded && !s->res_trailer ? IO_SIZE : HTTP1_RESPONSE_MAX + 2);
	if (s->step == EXCHANGE)
		did |= response_begin(s);
	if (s->step == EXCHANGE)
		did |= s->down->push(s);
	if (s->step != EXCHANGE)
		return 1;
	half_close(s);
	if (did)
		s->deadline = s->r->now + patience(s);
	if (s->responded && s->res_done) {
		stream_done(s);
		return 1;
	}
	if (!s->tunnel && s->down->left(s)) {
		s->status = 460; /* as the ALB logs it */
		s->own = 1;
		s->down->abort(s);
		return 1;
	}
	return did;
}

static int
waits(struct stream *s)
{
	if (!s->down->left(s))
		return 0;
	s->status = 460;
	s->own = 1;
	s->down->abort(s);
	return 1;
}

int
stream_step(struct stream *s)
{
	return s->step == CONNECT ? connected(s) : s->step == EXCHANGE ? exchange(s) : s->step == HELD ? waits(s) : 0;
}

static int
still_routed(const struct stream *s)
{
	return s->target && !(s->target->gone > 0);
}

void
stream_done(struct stream *s)
{
	if (s->step == DONE)
		return;
	s->step = DONE;
	if (!s->tunnel)
		log_request(s);
	/* Bytes behind an answer, or a body that was not read to its end: this connection cannot serve another. */
	backend_release(s, s->req_done && s->res_done && !s->back_close && !s->back_ends && !s->back_eof &&
				   s->back.n == 0 && still_routed(s));
	s->down->finish(s);
}

void
stream_timeout(struct stream *s)
{
	if (s->step == HELD) {
		dispatch_late(s);
	} else if (s->step == CONNECT) {
		backend_failed(s, "took no connection in time");
	} else if (s->responded) {
		s->down->abort(s);
	} else if (!s->req_done && !s->upgrade) {
		page_refuse(s, 408, "the request's body stopped before its end");
	} else {
		s->acted = 1;
		backend_failed(s, "did not answer in time");
	}
}
