/* TLS to clients: a leaf per name, minted by cx-mint in another process while the handshake waits. */
#include "router.h"
#include "ticket.h"
#include <cx/err.h>
#include <cx/own.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define CERTS_MAX 1024
#define RENEW_SECONDS (30L * 86400)
#define REFUSED_SECONDS 60

struct cert {
	struct cert *next;
	char name[256];
	X509 *x;
	EVP_PKEY *key;
	time_t until; /* renew after; of a refusal: ask again after */
	int asked, refused;
};

struct certs {
	struct cert *list;
	size_t n;
	struct cx_buf out, in; /* to and from the mint */
	struct cert *asking;
	int fixed; /* one certificate for all, from a file */
};

static struct cert *
find(struct certs *k, const char *name)
{
	for (struct cert **p = &k->list; *p; p = &(*p)->next)
		if (strcmp((*p)->name, name) == 0) {
			struct cert *c = *p;

			/* To the front: the last of the list is the one that was not used for longest. */
			*p = c->next;
			c->next = k->list;
			k->list = c;
			return c;
		}
	return NULL;
}

static void
drop_last(struct certs *k)
{
	struct cert **p = &k->list;

	while (*p && (*p)->next)
		p = &(*p)->next;
	if (!*p || (*p)->asked)
		return;
	X509_free((*p)->x);
	EVP_PKEY_free((*p)->key);
	free(*p);
	*p = NULL;
	k->n--;
}

static void
ask_next(struct router *r)
{
	struct certs *k = r->certs;

	if (k->asking || r->mint.fd < 0)
		return;
	for (struct cert *c = k->list; c; c = c->next) {
		CX_FREE char *line = NULL;

		if (!c->asked)
			continue;
		line = cx_fmt("%s\n", c->name);
		/* A request is shorter than any socket buffer, and there is one at a time. */
		if (write(r->mint.fd, line, strlen(line)) == (ssize_t)strlen(line))
			k->asking = c;
		return;
	}
}

static int
refuse(const struct cert *c)
{
	return c->refused && time(NULL) < c->until;
}

/* 1: use it; 0: refuse the handshake; -1: wait for the mint. */
static int
on_cert(SSL *ssl, void *arg)
{
	struct router *r = arg;
	struct conn *conn = SSL_get_app_data(ssl);
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char name[256], lower[256];
	struct cert *c;
	size_t n = sni ? strlen(sni) : 0;

	if (r->certs->fixed)
		return 1;
	if (n >= sizeof(lower))
		return 0;
	for (size_t i = 0; i < n; i++)
		lower[i] = sni[i] >= 'A' && sni[i] <= 'Z' ? (char)(sni[i] | 32) : sni[i];
	lower[n] = '\0';
	if (n == 0) /* a client that names nobody gets the domain's */
		(void)snprintf(name, sizeof(name), "%s", r->domain);
	else
		table_cert_name(r->table, lower, name, sizeof(name));
	c = find(r->certs, name);
	if (!c) {
		if (r->certs->n >= CERTS_MAX)
			drop_last(r->certs);
		c = cx_alloc(sizeof(*c));
		(void)snprintf(c->name, sizeof(c->name), "%s", name);
		c->next = r->certs->list;
		r->certs->list = c;
		r->certs->n++;
	}
	if (refuse(c))
		return 0;
	if ((!c->x || time(NULL) >= c->until) && !c->asked) {
		c->asked = 1;
		ask_next(r);
	}
	if (c->x) /* an old one serves while its successor is made */
		return SSL_use_certificate(ssl, c->x) == 1 && SSL_use_PrivateKey(ssl, c->key) == 1;
	if (r->mint.fd < 0)
		return 0;
	conn->waits_for_cert = 1;
	return -1;
}

static void
settle(struct router *r, struct cert *c, const char *pem, size_t n)
{
	BIO *b = BIO_new_mem_buf(pem, (int)n);
	EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
	X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
	struct tm tm;

	(void)r;
	BIO_free(b);
	c->asked = 0;
	if (!key || !x || ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1) {
		X509_free(x);
		EVP_PKEY_free(key);
		c->refused = 1;
		c->until = time(NULL) + REFUSED_SECONDS;
		return;
	}
	X509_free(c->x);
	EVP_PKEY_free(c->key);
	c->x = x;
	c->key = key;
	c->refused = 0;
	c->until = timegm(&tm) - RENEW_SECONDS;
}

/* A whole answer in k->in: takes it out. */
static int
take_answer(struct router *r)
{
	struct certs *k = r->certs;
	char *lf = k->in.n ? memchr(k->in.p, '\n', k->in.n) : NULL;
	size_t head, n;

	if (!lf || !k->asking)
		return 0;
	head = (size_t)(lf - k->in.p) + 1;
	if (k->in.p[0] == '!') {
		settle(r, k->asking, "", 0);
		cx_buf_eat(&k->in, head);
	} else {
		n = strtoul(k->in.p, NULL, 10);
		if (k->in.n < head + n)
			return 0;
		settle(r, k->asking, k->in.p + head, n);
		cx_buf_eat(&k->in, head + n);
	}
	k->asking = NULL;
	return 1;
}

void
tls_mint_ready(struct router *r)
{
	struct certs *k = r->certs;
	ssize_t n;

	while ((n = read(r->mint.fd, cx_buf_room(&k->in, 8192), 8192)) > 0 && k->in.n < 65536)
		k->in.n += (size_t)n;
	while (take_answer(r))
		ask_next(r);
	if (n == 0) {
		(void)fputs("cx-router: cx-mint is gone\n", stderr);
		close(r->mint.fd);
		r->mint.fd = -1;
		r->stopping = 2; /* the supervisor starts both again */
	}
	for (struct conn *c = r->conns, *next; c; c = next) {
		next = c->next;
		if (c->waits_for_cert) {
			c->waits_for_cert = 0;
			conn_run(c);
		}
	}
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen, void *arg)
{
	static const unsigned char protos[] = "\x02h2\x08http/1.1\x08http/1.0";

	(void)ssl, (void)arg;
	if (SSL_select_next_proto((unsigned char **)out, outlen, protos, sizeof(protos) - 1, in, inlen) ==
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301, 3.2: no_application_protocol */
}

/*
 * The socket under OpenSSL: it says what a read that was short means, and what epoll has not announced is not tried; a
 * system call costs more than a record's decryption.
 */
static int
bio_read(BIO *b, char *p, int n)
{
	struct conn *c = BIO_get_data(b);
	ssize_t got;

	BIO_clear_retry_flags(b);
	if (!c->c_in) {
		BIO_set_retry_read(b);
		return -1;
	}
	got = recv(c->client.fd, p, (size_t)n, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		c->c_in = errno == EINTR;
		BIO_set_retry_read(b);
	} else if (got == 0) {
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	} else if (got < n && !c->c_hup) {
		c->c_in = 0;
	}
	return (int)got;
}

static int
bio_write(BIO *b, const char *p, int n)
{
	struct conn *c = BIO_get_data(b);
	ssize_t put = send(c->client.fd, p, (size_t)n, MSG_NOSIGNAL);

	BIO_clear_retry_flags(b);
	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	return (int)put;
}

static long
bio_ctrl(BIO *b, int what, long n, void *p)
{
	(void)n, (void)p;
	return what == BIO_CTRL_FLUSH ? 1 : what == BIO_CTRL_EOF ? BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0 : 0;
}

static BIO_METHOD *
bio_make(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cx");

	if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) && BIO_meth_set_ctrl(m, bio_ctrl))
		return m;
	return NULL;
}

int
tls_open(struct router *r, const char *cert_file, struct cx_err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	r->certs = cx_alloc(sizeof(*r->certs));
	r->ctx = ctx;
	r->bio = bio_make();
	if (!ctx || !r->bio || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
		return cx_err_set(e, CX_SYS, "OpenSSL does not start");
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					       SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_mode(
		ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	(void)SSL_CTX_set_read_ahead(ctx, 1); /* header and body of a record, and the next ones, at once */
	(void)SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"cx", 2);
	/* Tickets, whose keys the workers share; a cache would only be of this one. */
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!tickets_use(ctx, r->tickets))
		return cx_err_set(e, CX_SYS, "OpenSSL takes no ticket keys");
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_cert_cb(ctx, on_cert, r);
	if (!cert_file)
		return 0;
	r->certs->fixed = 1;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1 ||
		SSL_CTX_use_PrivateKey_file(ctx, cert_file, SSL_FILETYPE_PEM) != 1)
		return cx_err_set(e, CX_BAD, "%s does not hold a certificate chain and its key, PEM", cert_file);
	return 0;
}

SSL *
tls_accept(struct router *r, struct conn *c)
{
	SSL *ssl = SSL_new(r->ctx);
	BIO *b = ssl ? BIO_new(r->bio) : NULL;

	if (!b) {
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	SSL_set_bio(ssl, b, b);
	(void)SSL_set_app_data(ssl, c);
	SSL_set_accept_state(ssl);
	return ssl;
}
