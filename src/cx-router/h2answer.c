/* What HTTP/2 does for a stream: its body to the backend, the answer in frames. */
#include "h2.h"
#include <string.h>

void
h2_wake(struct stream *s)
{
	while (stream_step(s))
		;
	conn_again(s->c);
}

/* What went on to the backend may be sent anew by the client. */
static int
h2_pull(struct stream *s)
{
	size_t waits = s->to_backend.n - s->sent, n;

	if (s->credit <= waits)
		return 0;
	n = s->credit - waits;
	s->credit = waits;
	(void)nghttp2_session_consume(s->c->h2->ng, s->id, n);
	conn_again(s->c);
	return 0;
}

static nghttp2_nv
field(struct span name, struct span value)
{
	/* nghttp2 copies both, and puts the name in lower case. */
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n, 0};
}

static size_t
put_fields(nghttp2_nv *nv, const struct http1 *h, int status)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		if (response_passes(h, i) && !(status == 101 && span_is(h->fields[i].name, "sec-websocket-accept")))
			nv[n++] = field(h->fields[i].name, h->fields[i].value);
	return n;
}

static ssize_t
read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length, uint32_t *flags, nghttp2_data_source *source,
	void *user)
{
	struct stream *s = source->ptr;
	size_t got = 0, n, used;
	const char *p;

	(void)ng, (void)id, (void)user;
	for (;;) {
		int before = s->res_trailer;

		if (response_data(s, length - got, &p, &n, &used) < 0) {
			s->broken = 1;
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		}
		if (n)
			memcpy(buf + got, p, n);
		got += n;
		response_eat(s, used);
		if (s->res_done || got == length || (!used && s->res_trailer == before))
			break;
	}
	if (got)
		s->deadline = s->r->now + (s->tunnel ? TUNNEL_SECONDS : BODY_SECONDS);
	if (s->res_done) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | (s->trailed ? NGHTTP2_DATA_FLAG_NO_END_STREAM : 0U);
		stream_done(s);
		return (ssize_t)got;
	}
	if (s->up && s->up->in)
		s->c->h2->hungry = 1;
	if (got)
		return (ssize_t)got;
	s->deferred = 1;
	return NGHTTP2_ERR_DEFERRED;
}

static void
h2_answer(struct stream *s, const struct http1 *h)
{
	nghttp2_session *ng = s->c->h2->ng;
	nghttp2_nv nv[HTTP1_FIELDS_MAX + 1];
	nghttp2_data_provider body = {{.ptr = s}, read_body};
	int status = h->status == 101 ? 200 : h->status;
	char text[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10), 0};
	size_t n;

	nv[0] = field((struct span){":status", 7}, (struct span){text, 3});
	n = 1 + put_fields(nv + 1, h, h->status);
	if (status < 200)
		(void)nghttp2_submit_headers(ng, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n, NULL);
	else
		(void)nghttp2_submit_response(ng, s->id, nv, n, s->res_done ? NULL : &body);
	conn_again(s->c);
}

static void
h2_trailer(struct stream *s, const struct http1 *h)
{
	nghttp2_nv nv[HTTP1_FIELDS_MAX];
	size_t n = put_fields(nv, h, 0);

	s->trailed = nghttp2_submit_trailer(s->c->h2->ng, s->id, nv, n) == 0;
}

static int
h2_push(struct stream *s)
{
	if (s->deferred && (s->back.n || s->back_eof)) {
		s->deferred = 0;
		(void)nghttp2_session_resume_data(s->c->h2->ng, s->id);
		conn_again(s->c);
	}
	return 0;
}

static void
h2_finish(struct stream *s)
{
	/* It lives until nghttp2 closes it. */
	s->deferred = 0;
}

static void
h2_abort(struct stream *s)
{
	(void)nghttp2_submit_rst_stream(s->c->h2->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
	stream_done(s);
	conn_again(s->c);
}

/* A reset is told by nghttp2. */
static int
h2_left(struct stream *s)
{
	(void)s;
	return 0;
}

const struct down h2_down = {h2_pull, h2_answer, h2_push, h2_finish, h2_abort, h2_left, h2_trailer, h2_wake};
