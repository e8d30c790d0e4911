#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>

/* Failures of its own, as docker(1) has it; other numbers may be the command's. */
#define OWN 125
#define WORDS_MAX 8

static const char usage[] = "usage: cx-run [-a APP] [--json] [--detach] [-r RELEASE] SERVICE [COMMAND ...]\n";

struct options {
	int help, detach;
	const char *release;
	char **operands;
};

/* Options end at the service: what follows belongs to the command, whatever it looks like. */
static int
parse(struct options *o, int argc, char **argv, struct cx_err *e)
{
	int i = 1;

	if (cx_globals(&argc, argv, 1, e) < 0)
		return -1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--help") == 0)
			o->help = 1;
		else if (strcmp(argv[i], "--detach") == 0 || strcmp(argv[i], "-d") == 0)
			o->detach = 1;
		else if (strncmp(argv[i], "--release=", 10) == 0)
			o->release = argv[i] + 10;
		else if ((strcmp(argv[i], "-r") == 0 || strcmp(argv[i], "--release") == 0) && i + 1 < argc) {
			int rest = argc - ++i;

			/* cx_globals took the release for the service, and stopped there. */
			o->release = argv[i];
			if (cx_globals(&rest, argv + i, 1, e) < 0)
				return -1;
			argc = rest + i;
		} else {
			return cx_err_set(e, CX_BAD, "there is no option %s", argv[i]);
		}
	}
	o->operands = argv + i;
	return 0;
}

/* Prints the ID alone, for scripts, or the provider's JSON. */
static int
run_detached(const char *const words[], struct cx_err *e)
{
	CX_BUF struct cx_buf out = {0};
	CX_JSON json_t *doc = NULL;
	int st = cx_run(words, NULL, NULL, 0, &out, CX_JSON_MAX, e);

	if (st != 0)
		return st;
	doc = cx_json_parse(cx_buf_str(&out), out.n, "the provider's answer", e);
	if (!doc)
		return -1;
	if (cx_json_wanted())
		fputs(cx_buf_str(&out), stdout);
	else
		puts(cx_json_strd(json_object_get(doc, "process"), "id", ""));
	return cx_out_close(e);
}

static int
run(const struct options *o, struct cx_err *e)
{
	const char *name = getenv("CX_PROVIDER");
	CX_FREE char *provider = cx_fmt("cx-provider-%s", name && *name ? name : "local");
	CX_FREE const char **words = NULL;
	size_t n = 0, operands = 0;

	while (o->operands[operands])
		operands++;
	words = cx_alloc((operands + WORDS_MAX) * sizeof(*words));
	words[n++] = provider;
	words[n++] = "process";
	words[n++] = "run";
	if (o->detach)
		words[n++] = "--detach";
	if (o->release) {
		words[n++] = "-r";
		words[n++] = o->release;
	}
	words[n++] = "--";
	memcpy(words + n, o->operands, operands * sizeof(*words));
	return o->detach ? run_detached(words, e) : cx_exec(words, e);
}

int
main(int argc, char **argv)
{
	struct options o = {.operands = argv + argc};
	struct cx_err e;
	int st;

	if (parse(&o, argc, argv, &e) < 0) {
		(void)cx_err_report(&e, "cx-run");
		fputs(usage, stderr);
		return CX_BAD;
	}
	if (o.help) {
		fputs(usage, stdout);
		return cx_out_close(&e) < 0 ? cx_err_report(&e, "cx-run") : 0;
	}
	if (!o.operands[0]) {
		fputs(usage, stderr);
		return CX_BAD;
	}
	st = run(&o, &e);
	if (st < 0)
		(void)cx_err_report(&e, "cx-run");
	return st < 0 ? OWN : st;
}
