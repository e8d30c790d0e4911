/* A client's connection: bytes in, bytes out, and the phase that it is in. Edge-triggered: c_in, c_out, b_in, b_out say
 * what may be tried. */
#include "router.h"
#include <arpa/inet.h>
#include <cx/own.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

void
conn_accept(struct router *r, struct listener *l, int fd, const struct sockaddr_in *peer)
{
	struct conn *c = cx_alloc(sizeof(*c));
	struct sockaddr_in local = {0};
	socklen_t len = sizeof(local);
	int one = 1;

	c->r = r;
	c->how = l->how;
	c->https_port = l->group == GATEWAY ? 443 : r->https_port;
	c->client = (struct source){CLIENT, fd};
	(void)inet_ntop(AF_INET, &peer->sin_addr, c->peer, sizeof(c->peer));
	if (getsockname(fd, (struct sockaddr *)&local, &len) == 0)
		(void)snprintf(c->local_port, sizeof(c->local_port), "%u", ntohs(local.sin_port));
	c->deadline = r->now + HEAD_SECONDS;
	c->c_out = c->req_done = 1;
	c->next = r->conns;
	c->prev = &r->conns;
	if (r->conns)
		r->conns->prev = &c->next;
	r->conns = c;
	r->n++;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	worker_watch(r, &c->client, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	c->phase = HEAD;
	if (l->how == TLS) {
		c->phase = HANDSHAKE;
		c->ssl = tls_accept(r, c, fd);
		if (!c->ssl)
			conn_end(c);
	} else if (l->how == TCP) {
		c->service = l->tcp.service;
		c->service->refs++;
		c->began = r->now;
		if (backend_connect(c) < 0)
			conn_end(c);
	}
}

void
conn_end(struct conn *c)
{
	if (c->phase == DEAD)
		return;
	backend_release(c, 0);
	c->target = NULL;
	if (c->ssl && c->phase != HANDSHAKE && !c->client_eof)
		(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->client.fd);
	c->client.fd = -1;
	c->phase = DEAD;
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->next = c->r->grave;
	c->r->grave = c;
	c->r->n--;
}

void
conn_free(struct conn *c)
{
	service_unref(c->service);
	cx_buf_free(&c->in);
	cx_buf_free(&c->to_client);
	cx_buf_free(&c->to_backend);
	cx_buf_free(&c->back);
	cx_buf_free(&c->head);
	free(c);
}

/* What OpenSSL's result means for the flags: 1 went on, 0 would block, -1 is over. */
static int
ssl_result(struct conn *c, int rc)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_NONE:
		return 1;
	case SSL_ERROR_WANT_READ:
		c->c_in = 0;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		c->c_out = 0;
		return 0;
	case SSL_ERROR_WANT_X509_LOOKUP:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		c->client_eof = 1;
		return 0;
	default:
		ERR_clear_error();
		return -1;
	}
}

static int
handshake(struct conn *c)
{
	int rc;

	if (c->phase != HANDSHAKE || c->waits_for_cert)
		return 0;
	ERR_clear_error();
	rc = ssl_result(c, SSL_accept(c->ssl));
	if (rc < 0)
		conn_end(c);
	else if (rc > 0)
		c->phase = HEAD;
	return rc != 0;
}

/* Reads from the client up to `max` bytes in the buffer. True when something came. */
static int
read_client(struct conn *c, size_t max)
{
	size_t want = c->in.n < max ? max - c->in.n : 0;
	ssize_t n;

	want = want > IO_SIZE ? IO_SIZE : want;
	if (!want || c->client_eof || (!c->c_in && !(c->ssl && SSL_has_pending(c->ssl))))
		return 0;
	if (c->ssl) {
		int rc, got;

		ERR_clear_error();
		got = SSL_read(c->ssl, cx_buf_room(&c->in, want), (int)want);
		if (got <= 0) {
			rc = ssl_result(c, got);
			if (rc < 0)
				conn_end(c);
			return rc < 0 || c->client_eof;
		}
		n = got;
	} else {
		n = read(c->client.fd, cx_buf_room(&c->in, want), want);
		if (n < 0 && errno == EAGAIN)
			c->c_in = 0;
		else if (n < 0 && errno != EINTR)
			conn_end(c);
		else if (n == 0)
			c->client_eof = 1;
		if (n <= 0)
			return c->phase == DEAD || c->client_eof;
		/* A short read has drained the socket (epoll(7)), and new data is a new edge; an end is not. */
		if ((size_t)n < want && !c->c_hup)
			c->c_in = 0;
	}
	c->in.n += (size_t)n;
	c->in.p[c->in.n] = '\0';
	return 1;
}

static int
write_client(struct conn *c)
{
	size_t left = c->to_client.n - c->out_at;
	ssize_t n;

	if (!left || !c->c_out)
		return 0;
	if (c->ssl) {
		int rc;

		ERR_clear_error();
		n = SSL_write(c->ssl, c->to_client.p + c->out_at, (int)left);
		if (n <= 0) {
			rc = ssl_result(c, (int)n);
			if (rc < 0 || c->client_eof)
				conn_end(c);
			return rc < 0;
		}
	} else {
		n = send(c->client.fd, c->to_client.p + c->out_at, left, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			c->c_out = 0;
		else if (n < 0 && errno != EINTR)
			conn_end(c);
		if (n < 0)
			return c->phase == DEAD;
	}
	c->out_at += (size_t)n;
	if (c->out_at == c->to_client.n)
		c->to_client.n = c->out_at = 0;
	return 1;
}

static int
write_backend(struct conn *c)
{
	size_t left = c->to_backend.n - c->back_at;
	ssize_t n;

	if (!left || !c->b_out || !c->up || c->phase == CONNECT)
		return 0;
	n = send(c->up->src.fd, c->to_backend.p + c->back_at, left, MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN) {
		c->b_out = 0;
		return 0;
	}
	if (n < 0) {
		/* An answer may stand in the socket all the same (413 and a close): read it first. The rest of the
		 * body stays unread, so this client's connection ends behind the answer. */
		c->b_out = 0;
		c->b_in = 1;
		c->to_backend.n = c->back_at = 0;
		return 1;
	}
	c->back_at += (size_t)n;
	if (c->back_at == c->to_backend.n)
		c->to_backend.n = c->back_at = 0;
	return 1;
}

static int
read_backend(struct conn *c, size_t max)
{
	size_t want = c->back.n < max ? max - c->back.n : 0;
	ssize_t n;

	want = want > IO_SIZE ? IO_SIZE : want;
	if (!want || !c->b_in || c->backend_eof || !c->up)
		return 0;
	n = read(c->up->src.fd, cx_buf_room(&c->back, want), want);
	if (n > 0) {
		c->back.n += (size_t)n;
		c->back.p[c->back.n] = '\0';
		if ((size_t)n < want && !c->b_hup)
			c->b_in = 0;
		return 1;
	}
	if (n < 0 && errno == EINTR)
		return 1;
	c->b_in = 0;
	if (n < 0 && errno == EAGAIN)
		return 0;
	c->backend_eof = 1;
	if (c->phase == EXCHANGE && !c->responded && c->back.n == 0)
		backend_failed(c, "closed the connection without an answer");
	return 1;
}

static int
connected(struct conn *c)
{
	int err = 0;
	socklen_t n = sizeof(err);

	if (!c->b_out && !c->b_in)
		return 0;
	(void)getsockopt(c->up->src.fd, SOL_SOCKET, SO_ERROR, &err, &n);
	if (err) {
		backend_failed(c, err == ECONNREFUSED ? "refuses connections on its port" : strerror(err));
		return 1;
	}
	c->phase = c->how == TCP ? TUNNEL : EXCHANGE;
	c->deadline = c->r->now + (c->how == TCP ? TUNNEL_SECONDS : (double)c->service->timeout);
	return 1;
}

/* Nobody waits for the answer any more. A half-closed client is not told from one that left: as the ALB, take it for
 * gone, unless it sent another request before. */
static int
client_left(struct conn *c)
{
	char byte;

	if (!c->req_done)
		return c->client_eof;
	if (!c->c_hup || c->in.n)
		return 0;
	if (!c->ssl)
		return recv(c->client.fd, &byte, 1, MSG_PEEK) <= 0;
	ERR_clear_error();
	return SSL_peek(c->ssl, &byte, 1) <= 0;
}

static int
exchange(struct conn *c)
{
	int did = 0;

	if (!c->req_done && c->phase == EXCHANGE)
		did |= read_client(c, IO_SIZE);
	if (c->phase == EXCHANGE)
		did |= request_body(c);
	if (c->phase == EXCHANGE)
		did |= write_backend(c);
	if (c->phase == EXCHANGE)
		did |= read_backend(c, c->responded ? IO_SIZE : HTTP1_RESPONSE_MAX + 2);
	if (c->phase == EXCHANGE)
		did |= response_begin(c);
	if (c->phase == EXCHANGE && !c->responded && c->backend_eof && !did) {
		backend_failed(c, "closed the connection in the middle of its answer's head");
		return 1;
	}
	if (c->phase == EXCHANGE)
		did |= response_body(c);
	if (c->phase == EXCHANGE && did)
		c->deadline = c->r->now + (c->responded ? BODY_SECONDS : (double)c->service->timeout);
	if (c->phase == EXCHANGE && c->res_done) {
		request_end(c);
		return 1;
	}
	if (c->phase == EXCHANGE && client_left(c)) {
		c->status = 460; /* as the ALB logs it */
		log_request(c);
		conn_end(c);
		return 1;
	}
	return did;
}

static int
tunnel(struct conn *c)
{
	int did = read_client(c, IO_SIZE);

	if (c->phase != TUNNEL)
		return 1;
	if (c->in.n && c->to_backend.n < IO_SIZE) {
		cx_buf_add(&c->to_backend, c->in.p, c->in.n);
		c->in.n = 0;
		did = 1;
	}
	did |= write_backend(c);
	did |= read_backend(c, IO_SIZE);
	if (c->back.n && c->to_client.n < IO_SIZE) {
		c->bytes += c->back.n;
		cx_buf_add(&c->to_client, c->back.p, c->back.n);
		c->back.n = 0;
		did = 1;
	}
	if (did)
		c->deadline = c->r->now + TUNNEL_SECONDS;
	/* One side is done and all that it sent has been passed on: pass the end on as well. */
	if (c->client_eof == 1 && !c->in.n && !c->to_backend.n) {
		(void)shutdown(c->up->src.fd, SHUT_WR);
		c->client_eof = 2;
	}
	if (c->backend_eof && !c->back.n && !c->to_client.n) {
		conn_end(c);
		return 1;
	}
	return did;
}

/* All of the answer was sent: the next request, or the end. */
static int
flushed(struct conn *c)
{
	if (c->to_client.n)
		return 0;
	if (!c->client_close && !c->r->stopping) {
		c->phase = HEAD;
		c->deadline = c->r->now + HEAD_SECONDS;
		return 1;
	}
	/* A close with unread bytes would reset the connection and may lose the answer (RFC 9112, 9.6): linger. */
	c->phase = LINGER;
	c->deadline = c->r->now + LINGER_SECONDS;
	if (c->ssl)
		(void)SSL_shutdown(c->ssl);
	(void)shutdown(c->client.fd, SHUT_WR);
	return 1;
}

static int
linger(struct conn *c)
{
	char waste[4096];
	ssize_t n = read(c->client.fd, waste, sizeof(waste));

	if (n > 0)
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		c->c_in = 0;
		return 0;
	}
	conn_end(c);
	return 1;
}

static int
head(struct conn *c)
{
	size_t before;
	int did = 0;

	/* Bytes of a pipelined request may be there already. */
	if (c->in.n && request_begin(c))
		return 1;
	before = c->in.n;
	did = read_client(c, HTTP1_HEAD_MAX + 4);
	if (did && !before) /* the time for a head begins with it, not with the silence before */
		c->deadline = c->r->now + HEAD_SECONDS;
	if (c->phase != HEAD)
		return 1;
	if (c->client_eof) {
		conn_end(c);
		return 1;
	}
	if (!did && c->in.n == 0) {
		cx_buf_free(&c->in);
		cx_buf_free(&c->back);
		cx_buf_free(&c->to_backend);
		cx_buf_free(&c->to_client);
	}
	return did;
}

void
conn_run(struct conn *c)
{
	int did;

	do {
		did = handshake(c);
		if (c->phase != DEAD && c->phase != HANDSHAKE)
			did |= write_client(c);
		switch (c->phase) {
		case HEAD:
			did |= head(c);
			break;
		case CONNECT:
			did |= connected(c);
			break;
		case EXCHANGE:
			did |= exchange(c);
			break;
		case TUNNEL:
			did |= tunnel(c);
			break;
		case FLUSH:
			did |= flushed(c);
			break;
		case LINGER:
			did |= linger(c);
			break;
		default:
			break;
		}
	} while (did && c->phase != DEAD);
}

void
conn_timeout(struct conn *c)
{
	switch (c->phase) {
	case HEAD:
		if (c->in.n == 0) {
			conn_end(c);
			return;
		}
		c->client_close = 1;
		c->req_done = 0;
		c->responded = 0;
		page_refuse(c, 408, "the request's head did not arrive in time");
		break;
	case CONNECT:
		backend_failed(c, "took no connection in time");
		break;
	case EXCHANGE:
		if (c->responded) {
			conn_end(c);
			return;
		}
		if (!c->req_done) {
			c->client_close = 1;
			page_refuse(c, 408, "the request's body stopped before its end");
			break;
		}
		c->reused = 0; /* it may have been acted on: no other try */
		backend_failed(c, "did not answer in time");
		break;
	default:
		conn_end(c);
		return;
	}
	if (c->phase != DEAD)
		conn_run(c);
}
