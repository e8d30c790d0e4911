/*
 * Load that wrk and h2load do not make. `openssl s_time` is slower than the proxies that it measures (about 500 handshakes
 * a second), and none of them opens idle connections or speaks WebSocket. Prints one line of JSON.
 *   load hs PORT HOST SECONDS THREADS [reuse]   a TLS 1.3 connection for each request, X25519; reuse: the last one's session
 *   load idle PORT HOST N                       N TLS connections with one request each, held until stdin ends
 *   load ws PORT HOST CONNS SECONDS             a WebSocket each, one message of 64 bytes under way
 *   load echo PORT                              the backend of ws: 101, then what came comes back
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME 70 /* 2 of header, 4 of mask, 64 of text */
#define CONNS 4096

static int port, reuse;
static const char *host = "";
static double until;

struct tally {
	unsigned long done, failed, resumed;
};

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct sockaddr_in
address(void)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int
dial(void)
{
	struct sockaddr_in sa = address();
	struct timeval limit = {5, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
keep_session(SSL *ssl, SSL_SESSION *s)
{
	SSL_SESSION **kept = SSL_get_app_data(ssl);

	if (!kept || !reuse)
		return 0;
	SSL_SESSION_free(*kept);
	*kept = s;
	return 1;
}

/* A connection with one request answered, or NULL. */
static SSL *
tls_request(SSL_CTX *ctx, SSL_SESSION **kept, int keep)
{
	char buf[4096];
	SSL *ssl = SSL_new(ctx);
	int fd = dial(), n = snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n", host,
				  keep ? "" : "Connection: close\r\n");

	if (fd >= 0 && ssl && SSL_set_fd(ssl, fd) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1) {
		(void)SSL_set_app_data(ssl, kept);
		if (kept && *kept)
			(void)SSL_set_session(ssl, *kept);
		if (SSL_connect(ssl) == 1 && SSL_write(ssl, buf, n) == n && (n = SSL_read(ssl, buf, sizeof(buf))) > 12 &&
			strncmp(buf, "HTTP/1.1 200", 12) == 0)
			return ssl;
	}
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static SSL_CTX *
context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	(void)SSL_CTX_set1_groups_list(ctx, "X25519");
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	return ctx;
}

static void *
shake(void *arg)
{
	struct tally *t = arg;
	SSL_SESSION *kept = NULL;
	SSL_CTX *ctx = context();

	while (now() < until) {
		SSL *ssl = tls_request(ctx, &kept, 0);
		char rest[4096];

		if (!ssl) {
			t->failed++;
			continue;
		}
		while (SSL_read(ssl, rest, sizeof(rest)) > 0)
			;
		t->done++;
		t->resumed += (unsigned long)SSL_session_reused(ssl);
		(void)SSL_set_quiet_shutdown(ssl, 1); /* else OpenSSL drops a session that saw no close_notify */
		(void)SSL_shutdown(ssl);
		close(SSL_get_fd(ssl));
		SSL_free(ssl);
	}
	SSL_SESSION_free(kept);
	SSL_CTX_free(ctx);
	return NULL;
}

static int
handshakes(double seconds, int threads)
{
	pthread_t id[64];
	struct tally t[64] = {0}, sum = {0};

	until = now() + seconds;
	for (int i = 0; i < threads && i < 64; i++)
		(void)pthread_create(&id[i], NULL, shake, &t[i]);
	for (int i = 0; i < threads && i < 64; i++) {
		(void)pthread_join(id[i], NULL);
		sum.done += t[i].done;
		sum.failed += t[i].failed;
		sum.resumed += t[i].resumed;
	}
	return printf("{\"done\":%lu,\"failed\":%lu,\"resumed\":%lu}\n", sum.done, sum.failed, sum.resumed) < 0;
}

static int
idle(int n)
{
	SSL_CTX *ctx = context();
	int open = 0;
	char byte;

	for (int i = 0; i < n; i++)
		open += tls_request(ctx, NULL, 1) != NULL;
	(void)printf("{\"open\":%d}\n", open);
	(void)fflush(stdout);
	return read(0, &byte, 1) < 0;
}

/* RFC 6455, 4.2.2 */
static void
accept_key(const char *head, char out[32])
{
	const char *at = strcasestr(head, "sec-websocket-key: ");
	unsigned char hash[EVP_MAX_MD_SIZE];
	char text[64];
	int n = snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", at ? at + 19 : "");

	(void)EVP_Digest(text, (size_t)n, hash, NULL, EVP_sha1(), NULL);
	(void)EVP_EncodeBlock((unsigned char *)out, hash, 20);
}

static void
echo_one(int fd, unsigned char *tunnel)
{
	char buf[16384], key[32], reply[256];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	int len;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close(fd);
		return;
	}
	if (*tunnel) {
		(void)!send(fd, buf, (size_t)n, MSG_NOSIGNAL);
		return;
	}
	buf[n] = '\0'; /* a head comes in one piece here: a proxy on loopback sent it */
	accept_key(buf, key);
	len = snprintf(reply, sizeof(reply), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", key);
	(void)!send(fd, reply, (size_t)len, MSG_NOSIGNAL);
	*tunnel = 1;
}

static int
echo(void)
{
	static unsigned char tunnel[65536];
	struct sockaddr_in sa = address();
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev[64], want = {.events = EPOLLIN, .data.fd = l};

	(void)setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(l, 512) < 0)
		return 1;
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, l, &want);
	for (;;) {
		int n = epoll_wait(ep, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd != l) {
				echo_one(ev[i].data.fd, &tunnel[ev[i].data.fd]);
				continue;
			}
			want.data.fd = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (want.data.fd < 0 || want.data.fd >= (int)sizeof(tunnel))
				continue;
			(void)setsockopt(want.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			tunnel[want.data.fd] = 0;
			(void)epoll_ctl(ep, EPOLL_CTL_ADD, want.data.fd, &want);
		}
	}
}

static int
ws_open(int ep, uint32_t i)
{
	struct epoll_event want = {.events = EPOLLIN, .data.u64 = 0};
	char buf[2048];
	int fd = dial(), n = snprintf(buf, sizeof(buf),
		"GET /ws HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host);

	if (fd < 0 || send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n || (n = (int)read(fd, buf, sizeof(buf) - 1)) < 12 ||
		strncmp(buf, "HTTP/1.1 101", 12) != 0)
		return -1;
	want.data.u64 = (uint64_t)i << 32 | (uint32_t)fd;
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &want);
	return fd;
}

static int
websockets(int conns, double seconds)
{
	static size_t got[CONNS];
	static const char frame[FRAME] = "\x81\xc0" "mask0123456789012345678901234567890123456789012345678901234567890123";
	struct epoll_event ev[64];
	struct tally t = {0};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	char buf[FRAME * 4];

	for (int i = 0; i < conns && i < CONNS; i++) {
		int fd = ws_open(ep, (uint32_t)i);

		t.failed += fd < 0;
		if (fd >= 0)
			(void)!send(fd, frame, FRAME, MSG_NOSIGNAL);
	}
	until = now() + seconds;
	while (now() < until) {
		int n = epoll_wait(ep, ev, 64, 100);

		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)ev[i].data.u64;
			size_t *have = &got[ev[i].data.u64 >> 32];
			ssize_t len = read(fd, buf, FRAME - *have);

			if (len <= 0 || memcmp(buf, frame + *have, (size_t)len) != 0) {
				t.failed++;
				close(fd);
				continue;
			}
			if ((*have += (size_t)len) < FRAME)
				continue;
			*have = 0;
			t.done++;
			(void)!send(fd, frame, FRAME, MSG_NOSIGNAL);
		}
	}
	return printf("{\"done\":%lu,\"failed\":%lu}\n", t.done, t.failed) < 0;
}

int
main(int argc, char **argv)
{
	struct rlimit files = {20000, 20000};
	const char *mode = argc > 2 ? argv[1] : "";

	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)signal(SIGPIPE, SIG_IGN);
	port = argc > 2 ? atoi(argv[2]) : 0;
	host = argc > 3 ? argv[3] : "";
	reuse = argc > 6;
	if (strcmp(mode, "hs") == 0 && argc > 5)
		return handshakes(atof(argv[4]), atoi(argv[5]));
	if (strcmp(mode, "idle") == 0 && argc > 4)
		return idle(atoi(argv[4]));
	if (strcmp(mode, "ws") == 0 && argc > 5)
		return websockets(atoi(argv[4]), atof(argv[5]));
	if (strcmp(mode, "echo") == 0)
		return echo();
	(void)fputs("usage: load hs|idle|ws|echo PORT ...\n", stderr);
	return 100;
}
