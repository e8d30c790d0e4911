/* The contracts of libcx's headers, one promise a line. */
#include "tap.h"
#include <cx/buf.h>
#include <cx/engine.h>
#include <cx/err.h>
#include <cx/event.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <cx/table.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static struct cx_err e;

static json_t *
parse(const char *s)
{
	return cx_json_parse(s, strlen(s), "t", &e);
}

static void
test_json(void)
{
	CX_JSON json_t *good = parse("{\"a\":1,\"b\":\"x\"}"), *twice = parse("{\"a\":1,\"a\":2}");
	CX_JSON json_t *tail = parse("{} x"), *deep = NULL;
	CX_BUF struct cx_buf b = {0};

	ok(cx_json_int(good, "a", 0) == 1 && strcmp(cx_json_str(good, "b"), "x") == 0, "json: reads numbers and strings");
	ok(!twice && e.cls == CX_BAD, "json: refuses a key that stands twice");
	ok(!tail, "json: refuses what follows the document");
	for (int i = 0; i < 100000; i++)
		cx_buf_addc(&b, '[');
	deep = cx_json_parse(b.p, b.n, "t", &e);
	ok(!deep, "json: refuses a nesting bomb");
	ok(!parse("{\"a\":99999999999999999999}"), "json: refuses an integer out of range");
}

static void
test_utf8(void)
{
	ok(cx_utf8_valid("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", 11), "utf8: takes well-formed text");
	ok(!cx_utf8_valid("\xc0\xaf", 2), "utf8: refuses an overlong form");
	ok(!cx_utf8_valid("\xed\xa0\x80", 3), "utf8: refuses a surrogate");
	ok(!cx_utf8_valid("a\0b", 3), "utf8: refuses NUL");
	ok(!cx_utf8_valid("\xf4\x90\x80\x80", 4), "utf8: refuses what is above U+10FFFF");
	ok(!cx_utf8_valid("\xe2\x82", 2), "utf8: refuses a cut sequence");
}

static void
test_names(void)
{
	ok(cx_name_valid("web") && cx_name_valid("a1-b"), "name: takes DNS labels");
	ok(!cx_name_valid("Web") && !cx_name_valid("1a") && !cx_name_valid("a-") && !cx_name_valid("") && !cx_name_valid("a.b") &&
			!cx_name_valid("../x"),
		"name: refuses capitals, digits first, a dash last, nothing, dots and paths");
	ok(!cx_name_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "name: refuses 41 bytes");
}

static int
collect(void *arg, int stream, const char *p, size_t n)
{
	cx_buf_addf(arg, "%d:%.*s;", stream, (int)n, p);
	return 0;
}

static void
test_demux(void)
{
	static const char in[] = "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\2de";
	int same = 1;

	for (size_t cut = 0; cut < sizeof(in) - 1; cut++) {
		CX_BUF struct cx_buf b = {0};
		struct cx_demux d = {0};

		if (cx_demux(&d, in, cut, collect, &b, &e) < 0 || cx_demux(&d, in + cut, sizeof(in) - 1 - cut, collect, &b, &e) < 0)
			same = 0;
		same = same && (strstr(b.p, "1:abc;") || strstr(b.p, "1:a;1:bc;") || strstr(b.p, "1:ab;1:c;"));
	}
	ok(same, "demux: gives the same bytes however the stream is cut");
	struct cx_demux d = {0};
	ok(cx_demux(&d, "HTTP/1.1 200", 12, collect, NULL, &e) == -1 && e.cls == CX_SYS, "demux: refuses what is no frame");
}

static void
test_lock(int dir)
{
	int fd = cx_lock(dir, "l", 0, "unit test", &e), st, other;
	pid_t pid;

	ok(fd >= 0, "lock: is taken");
	other = cx_lock(dir, "l", 0, "again", &e);
	ok(other < 0 && e.cls == CX_SYS && strstr(e.text, "unit test"), "lock: a second one is refused (111) and names the owner");
	close(fd);
	pid = fork();
	if (pid == 0) {
		(void)cx_lock(dir, "l", 0, "child", &e);
		(void)kill(getpid(), SIGKILL);
	}
	(void)waitpid(pid, &st, 0);
	fd = cx_lock(dir, "l", 0, "after", &e);
	ok(fd >= 0, "lock: dies with its owner");
	close(fd);
}

static void
test_run(void)
{
	static char big[1 << 20];
	const char *cat[] = {"cat", NULL}, *no[] = {"cx-no-such-program", NULL}, *bad[] = {"/dev/null", NULL};
	CX_BUF struct cx_buf out = {0}, few = {0};

	memset(big, 'x', sizeof(big));
	ok(cx_run(cat, NULL, big, sizeof(big), &out, sizeof(big), &e) == 0 && out.n == sizeof(big), "run: feeds and drains a megabyte without a deadlock");
	ok(cx_run(cat, NULL, big, sizeof(big), &few, 1000, &e) < 0 && e.cls == CX_BAD, "run: bounds what a program prints");
	ok(cx_run(no, NULL, NULL, 0, &few, 10, &e) < 0 && e.cls == CX_BAD, "run: a program that is not there is said (100)");
	ok(cx_run(bad, NULL, NULL, 0, &few, 10, &e) < 0 && e.cls == CX_SYS, "run: a program that cannot be executed is said (111)");
}

static void
test_misc(void)
{
	CX_BUF struct cx_buf q = {0};
	struct cx_event ev = {.app = "a", .at = "build", .state = "done", .log = "one\ntwo\xff\n", .text = "x"};
	CX_JSON json_t *j = cx_event_json(&ev, NULL);
	char ago[32];

	cx_query(&q, "a b&c=\xc3\xbc/~");
	ok(strcmp(q.p, "a%20b%26c%3D%C3%BC%2F~") == 0, "query: percent-encodes");
	ok(json_array_size(json_object_get(j, "log")) == 2, "event: a binary log line does not lose the event");
	ok(cx_time_parse("2026-01-02T03:04:05.500Z") > 1767323045.4, "time: parses RFC 3339");
	cx_time_ago("nonsense", ago);
	ok(strcmp(ago, "-") == 0, "time: nonsense is a dash");
}

int
main(void)
{
	char path[] = "/tmp/cx-unit-XXXXXX";
	int dir = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	test_json();
	test_utf8();
	test_names();
	test_demux();
	test_lock(dir);
	test_run();
	test_misc();
	(void)cx_spool_remove(AT_FDCWD, path, &e);
	return done();
}
