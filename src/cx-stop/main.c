#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>

#define WORDS_MAX 8

static const char usage[] = "usage: cx-stop [-a APP] [--json] [--timeout SECONDS] PROCESS|SERVICE ...\n";

static int
print_stopped(const json_t *doc)
{
	json_t *p;
	size_t i;

	json_array_foreach (json_object_get(doc, "stopped"), i, p)
		printf("stopped %s/%s\n", cx_json_strd(p, "service", ""), cx_json_strd(p, "id", ""));
	return 0;
}

static int
run(const char *timeout, char **operands, struct cx_err *e)
{
	const char *name = getenv("CX_PROVIDER");
	CX_FREE char *provider = cx_fmt("cx-provider-%s", name && *name ? name : "local");
	CX_FREE const char **words = NULL;
	CX_BUF struct cx_buf out = {0};
	CX_JSON json_t *doc = NULL;
	size_t count = 0, n = 0;
	int st;

	while (operands[count])
		count++;
	words = cx_alloc((count + WORDS_MAX) * sizeof(*words));
	words[n++] = provider;
	words[n++] = "process";
	words[n++] = "stop";
	if (timeout) {
		words[n++] = "--timeout";
		words[n++] = timeout;
	}
	words[n++] = "--";
	memcpy(words + n, operands, count * sizeof(*words));
	st = cx_run(words, NULL, NULL, 0, &out, CX_JSON_MAX, e);
	if (st != 0)
		return st;
	doc = cx_json_parse(cx_buf_str(&out), out.n, "the provider's answer", e);
	if (!doc)
		return -1;
	return cx_json_wanted() ? cx_json_print(stdout, doc, e) : print_stopped(doc);
}

int
main(int argc, char **argv)
{
	const char *timeout = NULL;
	struct cx_err e;
	int i = 1, st;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-stop");
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return cx_out_close(&e) < 0 ? cx_err_report(&e, "cx-stop") : 0;
	}
	if (argc > 2 && strcmp(argv[1], "--timeout") == 0) {
		timeout = argv[2];
		i = 3;
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i >= argc || argv[i][0] == '-') {
		fputs(usage, stderr);
		return CX_BAD;
	}
	st = run(timeout, argv + i, &e);
	if (st == 0 && cx_out_close(&e) < 0)
		st = -1;
	return st < 0 ? cx_err_report(&e, "cx-stop") : st;
}
