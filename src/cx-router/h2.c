/* HTTP/2 to clients (RFC 9113), framed by nghttp2: each of its streams is one of ours. */
#include "h2.h"
#include "router.h"
#include <cx/err.h>
#include <cx/own.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

#define OUT_MAX 32768 /* bytes framed ahead of the client's reading */
#define ODD_MAX 500 /* frames in a second that move nothing: settings, pings, resets, empty data */
#define RESET_BURST 256
#define RESET_RATE 33 /* a second */

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

/* Frames that cost us and move nothing: an honest client sends few. */
static void
count_odd(struct h2 *m)
{
	if (m->c->r->now - m->odd_since >= 1) {
		m->odd_since = m->c->r->now;
		m->odd = 0;
	}
	if (++m->odd > ODD_MAX && !m->calm) {
		m->calm = 1;
		(void)nghttp2_session_terminate_session(m->ng, NGHTTP2_ENHANCE_YOUR_CALM);
	}
}

static void
unlink_stream(struct stream *s)
{
	if (!s->sibp)
		return;
	*s->sibp = s->sib;
	if (s->sib)
		s->sib->sibp = s->sibp;
	s->sibp = NULL;
	s->c->h2->n--;
}

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct h2 *m = user;
	struct stream *s;

	h2_block_clear(m);
	if (f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	m->gap = f->hd.stream_id > m->last + 2 ? m->last : m->gap;
	m->gap_end = f->hd.stream_id > m->last + 2 ? f->hd.stream_id : m->gap_end;
	m->last = f->hd.stream_id;
	s = stream_new(m->c, &h2_down);
	s->id = f->hd.stream_id;
	s->minor = 1;
	s->req_done = 0;
	s->sib = m->streams;
	s->sibp = &m->streams;
	if (m->streams)
		m->streams->sibp = &s->sib;
	m->streams = s;
	m->n++;
	(void)nghttp2_session_set_stream_user_data(ng, s->id, s);
	return 0;
}

/* RFC 9113, 5.1.1: one that was passed over cannot be opened. nghttp2 knows it no more from one that was closed. */
static int
on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
	struct h2 *m = user;

	if (hd->type == NGHTTP2_HEADERS && hd->stream_id > m->gap && hd->stream_id < m->gap_end)
		(void)nghttp2_session_terminate_session(ng, NGHTTP2_PROTOCOL_ERROR);
	if (hd->type != NGHTTP2_HEADERS && hd->type != NGHTTP2_DATA && hd->type != NGHTTP2_WINDOW_UPDATE)
		count_odd(m);
	return 0;
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name, size_t name_n, const uint8_t *value,
	size_t value_n, uint8_t flags, void *user)
{
	(void)ng, (void)f, (void)flags;
	h2_block_add(user, (const char *)name, name_n, (const char *)value, value_n);
	return 0;
}

static void
begin(struct h2 *m, struct stream *s, int ended)
{
	struct http1 h;
	int rc = h2_block_request(m, &h, s);

	s->req_done = ended;
	if (++m->requests == H2_REQUESTS)
		(void)nghttp2_submit_shutdown_notice(m->ng);
	if (rc < 0) {
		page_refuse(s, -rc,
			rc == -501   ? "no such protocol is spoken here"
			: rc == -405 ? "this method is not allowed"
				     : "the request is malformed");
		h2_wake(s);
		return;
	}
	if (ended && h.length > 0) { /* RFC 9113, 8.1.1; nghttp2 looks at DATA only */
		(void)nghttp2_submit_rst_stream(m->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	if (ended && h.length < 0 &&
		(span_is(h.method, "post") || span_is(h.method, "put") || span_is(h.method, "patch")) &&
		h.n < HTTP1_FIELDS_MAX) /* RFC 9110, 8.6: a body of none is said to be none */
		h.fields[h.n++] = (struct http1_field){{"content-length", 14}, {"0", 1}, 0};
	h.chunked = !ended && h.length < 0 && !s->tunnel && !h.upgrades;
	s->req_left = ended ? 0 : h.length >= 0 ? h.length : -1;
	request_begin(s, &h);
	h2_wake(s);
}

static void
ends(struct h2 *m, struct stream *s, const struct http1 *trailer)
{
	(void)m;
	if (s->step == DONE || s->req_done)
		return;
	(void)request_room(s);
	request_ends(s, trailer);
	h2_wake(s);
}

static void
on_headers(struct h2 *m, struct stream *s, const nghttp2_frame *f)
{
	int ended = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct http1 h;

	if (f->headers.cat == NGHTTP2_HCAT_REQUEST) {
		begin(m, s, ended);
	} else if (ended && h2_block_trailer(m, &h) == 0) {
		ends(m, s, &h);
	} else {
		(void)nghttp2_submit_rst_stream(m->ng, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
	}
	h2_block_free(m);
}

static int
on_frame_recv(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct h2 *m = user;
	struct stream *s = f->hd.stream_id ? nghttp2_session_get_stream_user_data(ng, f->hd.stream_id) : NULL;

	switch (f->hd.type) {
	case NGHTTP2_HEADERS:
		if (s)
			on_headers(m, s, f);
		break;
	case NGHTTP2_DATA:
		if (s && f->hd.flags & NGHTTP2_FLAG_END_STREAM)
			ends(m, s, NULL);
		else if (f->hd.length == f->data.padlen)
			count_odd(m);
		break;
	default:
		break;
	}
	return 0;
}

static int
on_bad_frame(nghttp2_session *ng, const nghttp2_frame *f, int code, void *user)
{
	(void)ng, (void)f, (void)code;
	count_odd(user);
	return 0;
}

static int
on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
	struct h2 *m = user;
	struct stream *s = nghttp2_session_get_stream_user_data(ng, id);

	(void)flags;
	if (!s || s->step == DONE || s->req_done || (s->responded && !s->up)) {
		(void)nghttp2_session_consume(m->ng, id, n);
		return 0;
	}
	if (s->upgrade && !s->tunnel) {
		/* Whether these are bytes of a tunnel nobody knows yet. */
		(void)nghttp2_session_consume(m->ng, id, n);
		(void)nghttp2_submit_rst_stream(m->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
		return 0;
	}
	if (n < 64 && n < m->tiny && !s->tunnel) /* many tiny frames in a row */
		count_odd(m);
	m->tiny = n < 64 ? 64 : 0;
	(void)request_room(s);
	request_put(s, (const char *)p, n);
	s->credit += n;
	h2_wake(s);
	return 0;
}

static int
on_frame_send(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct stream *s;

	(void)user;
	if ((f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS) || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	s = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
	/* The answer is whole, the rest of the request is of no use (RFC 9113, 8.1). A reset at once, in the packet of
	 * the answer, makes clients such as curl throw the answer away: it comes when they had time to read. */
	if (s && !s->req_done)
		s->deadline = s->r->now + LINGER_SECONDS;
	return 0;
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
	struct h2 *m = user;
	struct stream *s = nghttp2_session_get_stream_user_data(ng, id);

	if (!s)
		return 0;
	(void)nghttp2_session_set_stream_user_data(ng, id, NULL);
	if (s->credit)
		(void)nghttp2_session_consume_connection(ng, s->credit);
	s->credit = 0;
	if (s->step != DONE) {
		if (!s->service)
			s->status = 400;
		else if (!s->broken && code != NGHTTP2_INTERNAL_ERROR)
			s->status = 460; /* the client reset it */
		stream_done(s);
	}
	unlink_stream(s);
	stream_free(s);
	m->c->deadline = m->c->r->now + HEAD_SECONDS;
	return 0;
}

int
h2_open(struct router *r, struct cx_err *e)
{
	(void)r;
	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&options) != 0)
		return cx_err_set(e, CX_SYS, "nghttp2 does not start");
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_bad_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_no_auto_window_update(options, 1);
	nghttp2_option_set_max_outbound_ack(options, 100);
	nghttp2_option_set_stream_reset_rate_limit(options, RESET_BURST, RESET_RATE);
	return 0;
}

void
h2_begin(struct conn *c)
{
	static const nghttp2_settings_entry mine[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP1_HEAD_MAX}, {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}};
	struct h2 *m = cx_alloc(sizeof(*m));

	m->c = c;
	c->h2 = m;
	c->phase = H2;
	c->deadline = c->r->now + HEAD_SECONDS;
	if (nghttp2_session_server_new2(&m->ng, callbacks, m, options) != 0 ||
		nghttp2_submit_settings(m->ng, NGHTTP2_FLAG_NONE, mine, sizeof(mine) / sizeof(mine[0])) != 0 ||
		nghttp2_session_set_local_window_size(m->ng, NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW) != 0)
		conn_end(c);
}

void
h2_end(struct conn *c)
{
	struct h2 *m = c->h2;

	if (!m)
		return;
	while (m->streams) {
		struct stream *s = m->streams;

		if (s->step != DONE)
			s->status = 460;
		stream_done(s);
		unlink_stream(s);
		stream_free(s);
	}
	nghttp2_session_del(m->ng);
	h2_block_free(m);
	free(m);
	c->h2 = NULL;
}

/* Streams whose answer was taken, and whose backend has more of it. */
static void
feed(struct h2 *m)
{
	m->hungry = 0;
	for (struct stream *s = m->streams, *next; s; s = next) {
		next = s->sib;
		if (s->step == EXCHANGE && s->up && s->up->in)
			while (stream_step(s))
				;
	}
}

/* Frames into c->out. True when there were any, -1 when the session is lost. */
static int
frames(struct conn *c)
{
	struct h2 *m = c->h2;
	const uint8_t *p;
	ssize_t n = 0;
	int did = 0;

	while (c->out.n - c->sent < OUT_MAX && (n = nghttp2_session_mem_send(m->ng, &p)) > 0) {
		pool_take(c->r, &c->out);
		cx_buf_add(&c->out, p, (size_t)n);
		did = 1;
	}
	return n < 0 ? -1 : did;
}

static int
take_input(struct conn *c)
{
	int did = conn_read(c, IO_SIZE);

	if (c->phase == DEAD || !c->in.n)
		return did;
	if (nghttp2_session_mem_recv(c->h2->ng, (const uint8_t *)c->in.p, c->in.n) < 0)
		c->h2->lost = 1;
	c->in.n = 0;
	return 1;
}

int
h2_run(struct conn *c)
{
	struct h2 *m = c->h2;
	int did = take_input(c), rc;

	if (c->phase == DEAD)
		return 1;
	rc = frames(c);
	did |= rc;
	if (m->hungry)
		feed(m);
	if (did && c->out.n)
		m->moved = c->r->now;
	if (c->eof || rc < 0 || (m->lost && !c->out.n)) {
		conn_end(c);
		return 1;
	}
	if (!c->out.n && !nghttp2_session_want_read(m->ng) && !nghttp2_session_want_write(m->ng)) {
		h2_end(c);
		c->close = 1;
		c->phase = FLUSH;
		return 1;
	}
	if (!did && m->n == 0) {
		pool_give(c->r, &c->in);
		if (!c->out.n)
			pool_give(c->r, &c->out);
	}
	return did;
}

/* Asked to go: a notice first, so that requests under way are not lost, then what was the last one. */
static void
say_goodbye(struct h2 *m)
{
	if (m->goodbye++ == 0)
		(void)nghttp2_submit_shutdown_notice(m->ng);
	else if (m->goodbye == 2)
		(void)nghttp2_submit_goaway(m->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(m->ng),
			NGHTTP2_NO_ERROR, NULL, 0);
}

void
h2_tick(struct conn *c)
{
	struct h2 *m = c->h2;
	double now = c->r->now;

	for (struct stream *s = m->streams, *next; s; s = next) {
		next = s->sib;
		if (s->step == DONE && !s->req_done && now > s->deadline)
			(void)nghttp2_submit_rst_stream(m->ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
		if (s->step != DONE && s->service)
			dispatch_cut(s);
		if (s->r && s->step != DONE && now > s->deadline && s->service)
			stream_timeout(s);
	}
	if (m->n == 0 && now > c->deadline)
		(void)nghttp2_session_terminate_session(m->ng, NGHTTP2_NO_ERROR);
	else if ((c->r->stopping || m->requests >= H2_REQUESTS) && m->goodbye < 2)
		say_goodbye(m);
	/* Nobody reads what was said, not even a goodbye. */
	if ((c->out.n && now > m->moved + BODY_SECONDS) ||
		now > c->deadline + BODY_SECONDS + (m->n ? TUNNEL_SECONDS : 0)) {
		conn_end(c);
		return;
	}
	conn_run(c);
}
