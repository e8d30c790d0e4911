/* LINK: src/cx-dns/answer.c src/cx-dns/zone.c PKG: libknot */
/* Any bytes as a query, in both views, by UDP and by TCP: a reply within its bounds or none; and any bytes as a resolver's reply. */
#include "answer.h"
#include <cx/err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct zone zone;
static struct answerer answerer;

static const char routes[] =
	"{\"v\":1,\"app\":\"a\",\"services\":[{\"name\":\"web\",\"hosts\":[\"web.a.test\",\"www.b.c.test\"]}],"
	"\"resources\":[{\"name\":\"db\",\"host\":\"db.a.test\",\"address\":\"127.84.9.2\","
	"\"backends\":[{\"address\":\"10.184.9.7\"}]}]}";

static void
prepare(void)
{
	static const uint8_t at[VIEWS][4] = {{127, 84, 9, 1}, {10, 184, 9, 1}};
	char folder[] = "/tmp/fuzz-dns-XXXXXX";
	struct cx_err e;
	int dir, fd;

	if (!mkdtemp(folder) || (dir = open(folder, O_RDONLY | O_DIRECTORY)) < 0 ||
		(fd = openat(dir, "a.json", O_WRONLY | O_CREAT, 0644)) < 0 ||
		write(fd, routes, sizeof(routes) - 1) != (ssize_t)sizeof(routes) - 1 || close(fd) < 0)
		abort();
	if (zone_init(&zone, "test", at, &e) < 0 || answerer_init(&answerer) < 0)
		abort();
	zone_load_all(&zone, dir);
	if (zone.apps != 1 || zone.n < 6)
		abort();
	(void)unlinkat(dir, "a.json", 0);
	(void)rmdir(folder);
	close(dir);
}

static void
ask(const uint8_t *data, size_t n, enum view view, size_t max)
{
	static uint8_t out[KNOT_WIRE_MAX_PKTSIZE];
	struct query q = {0};
	size_t len = 0;
	enum verdict v = answer(&answerer, &zone, view, data, n, out, max, &len, &q);

	if (v == ANSWER_SEND) {
		if (len < KNOT_WIRE_HEADER_SIZE || len > max || memcmp(out, data, 2) != 0 || !(out[2] & 0x80))
			abort();
		if (q.limit && max == PAYLOAD && len > q.limit)
			abort();
	}
	if (v == ANSWER_FORWARD) {
		uint8_t error[512];

		if (q.limit < 512 || q.limit > PAYLOAD || KNOT_WIRE_HEADER_SIZE + (size_t)q.question > n)
			abort();
		len = answer_error(data, &q, KNOT_RCODE_SERVFAIL, 1, error);
		if (len != KNOT_WIRE_HEADER_SIZE + (size_t)q.question || len > sizeof(error) || !(error[2] & 0x80))
			abort();
		/* Its own error is a reply to it; it itself, a query, is not. */
		if (!answer_matches(data, q.question, knot_wire_get_id(data), error, len) ||
			answer_matches(data, q.question, knot_wire_get_id(data), data, n))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\001a\004test\x00\x00\x01\x00\x01";

	if (!zone.node)
		prepare();
	ask(data, n, VIEW_HOST, PAYLOAD);
	ask(data, n, VIEW_CONTAINER, KNOT_WIRE_MAX_PKTSIZE);
	if (answer_matches(query, sizeof(query) - 1 - KNOT_WIRE_HEADER_SIZE, 0x1234, data, n) &&
		(n < sizeof(query) - 1 || data[0] != 0x12 || data[1] != 0x34 || !(data[2] & 0x80)))
		abort();
	return 0;
}
