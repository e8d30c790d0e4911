#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/table.h>
#include <string.h>

static const char usage[] = "usage: cx-ps [-a APP] [--json]\n"
			    "       cx-ps info [-a APP] [--json] PROCESS\n"
			    "       cx-ps stop [-a APP] [--json] PROCESS ...\n";

static const struct cx_column columns[] = {{"ID", "id", 0}, {"SERVICE", "service", 0}, {"RELEASE", "release", 0},
	{"STATUS", "status", 0}, {"STARTED", "started", 1}, {"COMMAND", "command", 0}, {NULL, NULL, 0}};

/* The provider's answer, or NULL: *st is its exit status, -1 with e set. */
static json_t *
ask(const char *verb, const char *operand, int *st, struct cx_err *e)
{
	const char *name = getenv("CX_PROVIDER");
	CX_FREE char *provider = cx_fmt("cx-provider-%s", name && *name ? name : "local");
	const char *words[] = {provider, "process", verb, operand, NULL};
	CX_BUF struct cx_buf out = {0};
	json_t *doc;

	*st = cx_run(words, NULL, NULL, 0, &out, CX_JSON_MAX, e);
	if (*st != 0)
		return NULL;
	doc = cx_json_parse(cx_buf_str(&out), out.n, "the provider's answer", e);
	if (!doc)
		*st = -1;
	return doc;
}

static int
list(struct cx_err *e)
{
	int st;
	CX_JSON json_t *doc = ask("list", NULL, &st, e);

	if (!doc)
		return st;
	return cx_table_print("processes", json_object_get(doc, "processes"), columns, e);
}

static void
print_field(const char *name, const json_t *v)
{
	if (json_is_integer(v))
		printf("%-8s  %lld\n", name, (long long)json_integer_value(v));
	else if (json_is_string(v))
		printf("%-8s  %s\n", name, json_string_value(v));
}

static int
info(const char *process, struct cx_err *e)
{
	static const char *const fields[][2] = {{"Id", "id"}, {"App", "app"}, {"Service", "service"}, {"Release", "release"},
		{"Type", "type"}, {"Status", "status"}, {"Started", "started"}, {"Ended", "ended"}, {"Exit", "exit"},
		{"Reason", "reason"}, {"Address", "address"}, {"Image", "image"}, {"Name", "name"}, {"Command", "command"}};
	int st;
	CX_JSON json_t *doc = ask("get", process, &st, e);

	if (!doc)
		return st;
	if (cx_json_wanted())
		return cx_json_print(stdout, doc, e);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		print_field(fields[i][0], json_object_get(json_object_get(doc, "process"), fields[i][1]));
	return 0;
}

/* cx ps stop is cx stop. */
static int
stop(char **argv, struct cx_err *e)
{
	argv[1] = (char *)"cx-stop";
	return cx_exec((const char *const *)(argv + 1), e);
}

int
main(int argc, char **argv)
{
	struct cx_err e;
	int st;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-ps");
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return cx_out_close(&e) < 0 ? cx_err_report(&e, "cx-ps") : 0;
	}
	if (argc == 1) {
		st = list(&e);
	} else if (argc == 3 && strcmp(argv[1], "info") == 0 && argv[2][0] != '-') {
		st = info(argv[2], &e);
	} else if (argc > 2 && strcmp(argv[1], "stop") == 0) {
		st = stop(argv, &e);
	} else {
		fputs(usage, stderr);
		return CX_BAD;
	}
	if (st == 0 && cx_out_close(&e) < 0)
		st = -1;
	return st < 0 ? cx_err_report(&e, "cx-ps") : st;
}
