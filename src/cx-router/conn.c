/* A client's connection: bytes in, bytes out, and the phase that it is in. Edge-triggered: c_in and c_out say what may
 * be tried. */
#include "metrics.h"
#include "router.h"
#include <arpa/inet.h>
#include <cx/own.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TURNS 64 /* of one connection before the others have theirs */

static void
link_in(struct router *r, struct conn *c)
{
	c->next = r->conns;
	c->prev = &r->conns;
	if (r->conns)
		r->conns->prev = &c->next;
	r->conns = c;
	r->n++;
}

void
conn_accept(struct router *r, struct listener *l, int fd, const struct sockaddr_in *peer)
{
	struct conn *c = cx_alloc(sizeof(*c));
	struct sockaddr_in local = {0};
	socklen_t len = sizeof(local);
	int one = 1;

	c->r = r;
	metrics_add(&r->metrics->router.accepted, 1);
	metrics_gauge(&r->metrics->router.connections, 1);
	c->how = l->how;
	c->https_port = l->group == GATEWAY ? 443 : r->https_port;
	c->client = (struct source){CLIENT, fd};
	(void)inet_ntop(AF_INET, &peer->sin_addr, c->peer, sizeof(c->peer));
	c->peer_port = ntohs(peer->sin_port);
	if (getsockname(fd, (struct sockaddr *)&local, &len) == 0)
		(void)snprintf(c->local_port, sizeof(c->local_port), "%u", ntohs(local.sin_port));
	c->deadline = r->now + HEAD_SECONDS;
	c->c_out = 1;
	link_in(r, c);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	worker_watch(r, &c->client, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	c->phase = HEAD;
	if (l->how == TLS) {
		c->phase = HANDSHAKE;
		c->ssl = tls_accept(r, c);
		if (!c->ssl)
			conn_end(c);
	} else if (l->how == TCP) {
		tcp_begin(c, l->tcp.service);
	}
}

void
conn_end(struct conn *c)
{
	if (c->phase == DEAD)
		return;
	if (c->ssl && c->phase != HANDSHAKE && !c->eof)
		(void)SSL_shutdown(c->ssl);
	metrics_gauge(&c->r->metrics->router.connections, -1);
	c->phase = DEAD;
	if (c->s)
		stream_free(c->s);
	c->s = NULL;
	h2_end(c);
	ERR_clear_error();
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->client.fd);
	c->client.fd = -1;
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
	c->in.n = c->out.n = 0;
	pool_give(c->r, &c->in);
	pool_give(c->r, &c->out);
	free(c);
}

void
conn_again(struct conn *c)
{
	if (c->again)
		return;
	c->again = 1;
	c->later = c->r->later;
	c->r->later = c;
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
		c->eof = 1;
		return 0;
	default:
		ERR_clear_error();
		return -1;
	}
}

/* What ALPN chose. */
static void
speak(struct conn *c)
{
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(c->ssl, &p, &n);
	if (n == 2 && memcmp(p, "h2", 2) == 0)
		h2_begin(c);
	else
		c->phase = HEAD;
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
		speak(c);
	return rc != 0;
}

static ssize_t
read_tls(struct conn *c, size_t want)
{
	int got, rc;

	ERR_clear_error();
	got = SSL_read(c->ssl, c->in.p + c->in.n, (int)want);
	if (got > 0)
		return got;
	rc = ssl_result(c, got);
	if (rc < 0)
		conn_end(c);
	return 0;
}

static ssize_t
read_plain(struct conn *c, size_t want)
{
	ssize_t n = read(c->client.fd, c->in.p + c->in.n, want);

	if (n < 0 && errno == EAGAIN)
		c->c_in = 0;
	else if (n < 0 && errno != EINTR)
		conn_end(c);
	else if (n == 0)
		c->eof = 1;
	/* A short read has drained the socket (epoll(7)), and new data is a new edge; an end is not. */
	else if (n > 0 && (size_t)n < want && !c->c_hup)
		c->c_in = 0;
	return n;
}

int
conn_read(struct conn *c, size_t max)
{
	size_t want = c->in.n < max ? max - c->in.n : 0;
	ssize_t n;

	want = want > IO_SIZE ? IO_SIZE : want;
	if (!want || c->eof || (!c->c_in && !(c->ssl && SSL_has_pending(c->ssl))))
		return 0;
	pool_take(c->r, &c->in);
	(void)cx_buf_room(&c->in, want);
	n = c->ssl ? read_tls(c, want) : read_plain(c, want);
	if (n <= 0)
		return c->phase == DEAD || c->eof;
	c->in.n += (size_t)n;
	c->in.p[c->in.n] = '\0';
	return 1;
}

static ssize_t
write_tls(struct conn *c, size_t left)
{
	int rc, n;

	ERR_clear_error();
	n = SSL_write(c->ssl, c->out.p + c->sent, (int)left);
	if (n > 0)
		return n;
	rc = ssl_result(c, n);
	if (rc < 0 || c->eof)
		conn_end(c);
	return 0;
}

int
conn_write(struct conn *c)
{
	size_t left = c->out.n - c->sent;
	ssize_t n;

	if (!left || !c->c_out)
		return 0;
	if (c->ssl) {
		n = write_tls(c, left);
	} else {
		n = send(c->client.fd, c->out.p + c->sent, left, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			c->c_out = 0;
		else if (n < 0 && errno != EINTR)
			conn_end(c);
	}
	if (n <= 0)
		return c->phase == DEAD;
	c->sent += (size_t)n;
	if (c->sent == c->out.n)
		c->out.n = c->sent = 0;
	return 1;
}

/* All of the answer was sent: the next request, or the end. */
static int
flushed(struct conn *c)
{
	if (c->out.n)
		return 0;
	if (!c->close && !c->r->stopping) {
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

void
conn_run(struct conn *c)
{
	int did, turns = 0;

	do {
		did = handshake(c);
		if (c->phase != DEAD && c->phase != HANDSHAKE)
			did |= conn_write(c);
		switch (c->phase) {
		case HEAD:
			did |= h1_head(c);
			break;
		case H2:
			did |= h2_run(c);
			break;
		case BUSY:
			did |= stream_step(c->s);
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
		if (++turns == TURNS && did && c->phase != DEAD) {
			conn_again(c);
			return;
		}
	} while (did && c->phase != DEAD);
}

void
conn_timeout(struct conn *c)
{
	if (c->phase == BUSY)
		stream_timeout(c->s);
	else if (c->phase == HEAD && c->in.n)
		h1_head_late(c);
	else
		conn_end(c);
	if (c->phase != DEAD)
		conn_run(c);
}
