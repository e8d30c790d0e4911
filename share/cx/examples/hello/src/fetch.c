#include "fetch.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *tls;

struct url {
	char host[256], path[512];
	int port;
};

int
fetch_init(void)
{
	tls = SSL_CTX_new(TLS_client_method());
	if (!tls || SSL_CTX_set_default_verify_paths(tls) != 1)
		return -1;
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	return 0;
}

static int
parse(const char *s, struct url *u)
{
	*u = (struct url){.port = 443, .path = "/"};
	if (sscanf(s, "https://%255[a-z0-9.-]:%5d%511s", u->host, &u->port, u->path) >= 2)
		return 0;
	return sscanf(s, "https://%255[a-z0-9.-]%511s", u->host, u->path) >= 1 ? 0 : -1;
}

/* The first A record of a name. */
static int
resolve(const char *host, struct in_addr *a)
{
	struct __res_state state = {0};
	unsigned char reply[4096];
	ns_msg msg;
	ns_rr rr;
	int n;

	if (inet_pton(AF_INET, host, a) == 1)
		return 0;
	if (res_ninit(&state) < 0)
		return -1;
	state.retrans = 2;
	n = res_nquery(&state, host, ns_c_in, ns_t_a, reply, sizeof(reply));
	res_nclose(&state);
	if (n < 0 || ns_initparse(reply, n, &msg) < 0)
		return -1;
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
		if (ns_parserr(&msg, ns_s_an, i, &rr) == 0 && ns_rr_type(rr) == ns_t_a && ns_rr_rdlen(rr) == 4) {
			memcpy(a, ns_rr_rdata(rr), 4);
			return 0;
		}
	}
	return -1;
}

static int
connect_to(const struct in_addr *a, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr = *a};
	struct timeval ten = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &ten, sizeof(ten));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ten, sizeof(ten));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Sends the request and reads the reply to its end; leaves the body in text. */
static int
converse(SSL *s, const struct url *u, char *text, size_t n, char *why, size_t why_n)
{
	char out[1024], *body;
	size_t have = 0;
	int r, len, status = 0;

	len = snprintf(out, sizeof(out), "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", u->path, u->host);
	if (SSL_write(s, out, len) != len)
		return snprintf(why, why_n, "the connection broke"), -1;
	while (have < n - 1 && (r = SSL_read(s, text + have, (int)(n - 1 - have))) > 0)
		have += (size_t)r;
	text[have] = 0;
	body = strstr(text, "\r\n\r\n");
	if (!body || sscanf(text, "HTTP/1.%*d %d", &status) != 1)
		return snprintf(why, why_n, "no whole reply came"), -1;
	if (status != 200)
		return snprintf(why, why_n, "it answered %d", status), -1;
	memmove(text, body + 4, strlen(body + 4) + 1);
	return 0;
}

static int
handshake(SSL *s, int fd, const struct url *u, char *why, size_t why_n)
{
	if (SSL_set_fd(s, fd) != 1 || SSL_set_tlsext_host_name(s, u->host) != 1 || SSL_set1_host(s, u->host) != 1)
		return snprintf(why, why_n, "out of memory"), -1;
	if (SSL_connect(s) == 1)
		return 0;
	if (SSL_get_verify_result(s) != X509_V_OK)
		(void)snprintf(why, why_n, "certificate: %s", X509_verify_cert_error_string(SSL_get_verify_result(s)));
	else
		(void)snprintf(why, why_n, "TLS failed: %s", ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	return -1;
}

int
fetch(const char *url, char *text, size_t n, char *why, size_t why_n)
{
	struct in_addr a;
	struct url u;
	SSL *s;
	int fd, r = -1;

	if (parse(url, &u) < 0)
		return snprintf(why, why_n, "not a URL of https"), -1;
	if (resolve(u.host, &a) < 0)
		return snprintf(why, why_n, "the name does not resolve"), -1;
	fd = connect_to(&a, u.port);
	if (fd < 0)
		return snprintf(why, why_n, "connect: %s", strerror(errno)), -1;
	s = SSL_new(tls);
	if (s && handshake(s, fd, &u, why, why_n) == 0)
		r = converse(s, &u, text, n, why, why_n);
	SSL_free(s);
	(void)close(fd);
	return r;
}
