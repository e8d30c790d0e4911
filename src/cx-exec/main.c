#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>

/* Failures of its own, as docker(1) has it; other numbers may be the command's. */
#define OWN 125
#define WORDS_MAX 8

static const char usage[] = "usage: cx-exec [-a APP] PROCESS|SERVICE COMMAND ...\n";

/* Hands terminal and pipes over: the provider takes this process's place. */
static int
run(char **operands, struct cx_err *e)
{
	const char *name = getenv("CX_PROVIDER");
	CX_FREE char *provider = cx_fmt("cx-provider-%s", name && *name ? name : "local");
	CX_FREE const char **words = NULL;
	size_t n = 0;

	while (operands[n])
		n++;
	words = cx_alloc((n + WORDS_MAX) * sizeof(*words));
	memcpy(words + 4, operands, n * sizeof(*words));
	words[0] = provider;
	words[1] = "process";
	words[2] = "exec";
	words[3] = "--";
	return cx_exec(words, e);
}

int
main(int argc, char **argv)
{
	struct cx_err e;
	int i = 1;

	if (cx_globals(&argc, argv, 1, &e) < 0) {
		(void)cx_err_report(&e, "cx-exec");
		return CX_BAD;
	}
	if (i < argc && strcmp(argv[i], "--help") == 0) {
		fputs(usage, stdout);
		return cx_out_close(&e) < 0 ? cx_err_report(&e, "cx-exec") : 0;
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (argc - i < 2 || argv[i][0] == '-') {
		fputs(usage, stderr);
		return CX_BAD;
	}
	(void)run(argv + i, &e);
	(void)cx_err_report(&e, "cx-exec");
	return OWN;
}
