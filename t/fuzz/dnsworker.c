/* LINK: src/cx-dns/worker.c src/cx-dns/outbox.c src/cx-dns/client.c src/cx-dns/forward.c src/cx-dns/flight.c src/cx-dns/resolver.c src/cx-dns/metrics.c src/cx-dns/stats.c src/cx-dns/routes.c src/cx-dns/query.c src/cx-dns/answer.c src/cx-dns/zone.c src/cx-dns/reply.c src/cx-dns/cache.c PKG: libknot */
/*
 * A whole worker between a client and a resolver that are both the input: it says what the client sends by UDP and by TCP, what
 * the resolver answers by either, when connections end and time passes. Whatever comes to the client by UDP is an answer to it.
 */
#include "flight.h"
#include <arpa/inet.h>
#include <cx/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS 64

static struct dns *d;
static struct stats stats;
static json_t *resolvers;
static int udp_client, tcp_client = -1, udp_resolver, tcp_resolver, tcp_stream = -1;
static struct sockaddr_in server_udp, server_tcp, asked_from;
static uint8_t asked[2048];
static size_t asked_n;

static int
bound(int type, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (type == SOCK_STREAM) /* an old connection may have the port */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)at, len) < 0 || getsockname(fd, (struct sockaddr *)at, &len) < 0 ||
		(type == SOCK_STREAM && listen(fd, 16) < 0))
		abort();
	return fd;
}

static void
prepare(void)
{
	static const struct address at[VIEWS] = {{.has4 = 1, .v4 = {127, 84, 9, 1}}, {.has4 = 1}};
	static const uint16_t https[VIEWS] = {443, 443};
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, up = any;
	struct cx_err e;
	char text[64];

	d = cx_alloc(sizeof(*d));
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->stats = &stats;
	d->all = &stats;
	d->workers = 1;
	if (zone_init(&d->zone, "test", at, https, &e) < 0)
		abort();
	worker_init(d);
	udp_resolver = bound(SOCK_DGRAM, &up);
	tcp_resolver = bound(SOCK_STREAM, &up);
	(void)snprintf(text, sizeof(text), "127.0.0.1@%d", ntohs(up.sin_port));
	resolvers = json_pack("[s]", text);
	worker_resolvers(d, resolvers);
	if (d->n_resolvers != 1)
		abort();
	server_udp = server_tcp = any;
	worker_add(d, bound(SOCK_DGRAM, &server_udp), 0, VIEW_HOST);
	worker_add(d, bound(SOCK_STREAM, &server_tcp), 1, VIEW_HOST);
	udp_client = bound(SOCK_DGRAM, &any);
}

static void
turns(void)
{
	sigset_t none;
	uint8_t got[65536];
	socklen_t len = sizeof(asked_from);
	ssize_t n;

	(void)sigemptyset(&none);
	for (int i = 0; i < 8 && worker_turn(d, 0, &none) > 0; i++)
		;
	while ((n = recv(udp_client, got, sizeof(got), 0)) >= 0)
		if (n < HEADER || n > PAYLOAD || !(got[2] & 0x80))
			abort();
	n = recvfrom(udp_resolver, asked, sizeof(asked), 0, (struct sockaddr *)&asked_from, &len);
	if (n > 0) {
		asked_n = (size_t)n;
		if (n < HEADER + 5 || (asked[2] & 0x80) || asked[5] != 1)
			abort(); /* what we ask is a query */
	}
	n = tcp_client >= 0 ? recv(tcp_client, got, sizeof(got), MSG_DONTWAIT) : -1;
	if (n == 0) {
		close(tcp_client);
		tcp_client = -1;
	}
	if (tcp_stream < 0)
		tcp_stream = accept4(tcp_resolver, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* A query for one of a few names, of other domains and ours. */
static size_t
query_of(uint8_t choice, const uint8_t *p, size_t n, uint8_t *out)
{
	static const uint8_t names[4][14] = {"\1a\7example", "\1B\7examPLE", "\1c\1d\5other", "\3web\1a\4test"};
	size_t len = strlen((const char *)names[choice & 3]) + 1;

	memset(out, 0, HEADER);
	out[0] = choice;
	out[2] = choice >> 2 & 1;
	out[3] = choice & 0x10;
	out[5] = 1;
	memcpy(out + HEADER, names[choice & 3], len);
	memcpy(out + HEADER + len, "\0\1\0\1", 4);
	len += HEADER + 4;
	out[11] = choice >> 6 & 1;
	if (out[11]) {
		memcpy(out + len, "\0\0\x29\4\xd0\0\0\x80\0\0", 10);
		out[len + 10] = (uint8_t)n;
		len += 11;
	}
	if (n > 0)
		memcpy(out + len, p, n);
	return len + n;
}

/* A reply to what was asked last, whose counts, flags and records are the input's. */
static size_t
reply_of(const uint8_t *p, size_t n, uint8_t *out)
{
	size_t q = HEADER;
	struct query read;

	if (asked_n < HEADER + 5 || n < 5)
		return 0;
	q += query_name(&read, asked + HEADER, asked_n - HEADER) + 4;
	memcpy(out, asked, q);
	out[2] |= 0x80 | (p[0] & 2);
	out[3] = p[1];
	memset(out + 6, 0, 6);
	out[7] = p[2] & 3;
	out[9] = p[3] & 3;
	out[11] = p[4] & 3;
	if (p[0] & 1)
		out[13 + (p[0] >> 2) % 3] ^= 0x20;
	memcpy(out + q, p + 5, n - 5);
	return q + n - 5;
}

static void
pass_time(uint64_t us)
{
	d->now += us;
	forward_sweep(d);
	client_sweep(d);
	forward_due(d);
	outbox_flush(d, &d->down);
}

static void
stream_say(const uint8_t *p, size_t n, int framed)
{
	uint8_t out[1024];
	size_t len = framed ? reply_of(p, n, out + 2) : n;

	if (tcp_stream < 0)
		return;
	if (framed)
		query_put16(out, (uint16_t)len);
	else if (n > 0)
		memcpy(out, p, n);
	(void)send(tcp_stream, out, len + (framed ? 2 : 0), MSG_NOSIGNAL);
	if (!framed && n == 0) {
		close(tcp_stream);
		tcp_stream = -1;
	}
}

static void
tcp_say(uint8_t choice, const uint8_t *p, size_t n, int framed)
{
	uint8_t out[1024];
	size_t len = n;

	if (tcp_client < 0) {
		/* Without TIME_WAIT, which would use up the ports. */
		static const struct linger now = {1, 0};

		tcp_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		(void)setsockopt(tcp_client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		if (connect(tcp_client, (struct sockaddr *)&server_tcp, sizeof(server_tcp)) < 0) {
			close(tcp_client);
			tcp_client = -1;
			return;
		}
	}
	if (framed) {
		len = query_of(choice, p, n, out + 2);
		query_put16(out, (uint16_t)len);
		len += 2;
	} else if (n > 0)
		memcpy(out, p, n);
	if (len > 0)
		(void)send(tcp_client, out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		(void)shutdown(tcp_client, SHUT_WR);
}

static void
step(uint8_t op, uint8_t choice, const uint8_t *p, size_t n)
{
	uint8_t out[1024];
	size_t len;

	switch (op & 7) {
	case 0:
		len = query_of(choice, p, n, out);
		(void)sendto(udp_client, out, len, 0, (struct sockaddr *)&server_udp, sizeof(server_udp));
		break;
	case 1:
		len = reply_of(p, n, out);
		if (len > 0)
			(void)sendto(udp_resolver, out, len, 0, (struct sockaddr *)&asked_from, sizeof(asked_from));
		break;
	case 2:
		tcp_say(choice, p, n, choice & 0x80);
		break;
	case 3:
		stream_say(p, n, choice & 1);
		break;
	case 4:
		pass_time(choice * 20000ULL);
		break;
	case 5:
		if (asked_from.sin_port)
			(void)sendto(udp_resolver, p, n, 0, (struct sockaddr *)&asked_from, sizeof(asked_from));
		break;
	case 6:
		if (choice & 1)
			cache_clear(&d->cache);
		else
			worker_resolvers(d, resolvers);
		break;
	default:
		(void)sendto(udp_client, p, n, 0, (struct sockaddr *)&server_udp, sizeof(server_udp));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (!d)
		prepare();
	for (int i = 0; i < STEPS && n >= 3; i++) {
		size_t len = data[2] < n - 3 ? data[2] : n - 3;

		step(data[0], data[1], data + 3, len);
		turns();
		data += 3 + len;
		n -= 3 + len;
	}
	/* All that waited is told so; what is left afterwards would be a leak. */
	if (tcp_client >= 0)
		close(tcp_client);
	if (tcp_stream >= 0)
		close(tcp_stream);
	tcp_client = tcp_stream = -1;
	turns();
	for (int i = 0; i < 3; i++)
		pass_time(20000000);
	turns();
	if (d->flights > 0 || d->waiting > 0)
		abort();
	for (size_t i = 0; i < PORTS_MAX; i++)
		if (d->port[i].src.kind == PORT && d->port[i].refs > 0)
			abort();
	cache_clear(&d->cache);
	return 0;
}
