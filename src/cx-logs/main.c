#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>

#define WORDS_MAX 8

static const char usage[] =
	"usage: cx-logs [-a APP] [--json] [-f] [--since TIME] [--tail LINES] [--filter TEXT] [--service NAME]\n"
	"               [PROCESS|SERVICE]\n";

/* Number of words of an option, 0 when it is none. */
static int
option_words(const char *w)
{
	static const char *const valued[] = {"--since", "--tail", "--filter", "--service"};

	if (strcmp(w, "-f") == 0 || strcmp(w, "--follow") == 0)
		return 1;
	for (size_t i = 0; i < sizeof(valued) / sizeof(valued[0]); i++)
		if (strcmp(w, valued[i]) == 0)
			return 2;
	return 0;
}

/* The provider's words: options first, then at most one process. NULL: wrong usage. */
static const char **
provider_words(const char *provider, int argc, char **argv)
{
	const char **words = cx_alloc(((size_t)argc + WORDS_MAX) * sizeof(*words));
	const char *process = NULL;
	size_t n = 3;

	for (int i = 1; i < argc;) {
		int take = option_words(argv[i]);

		if (take == 0 && argv[i][0] != '-' && !process) {
			process = argv[i++];
			continue;
		}
		if (take == 0 || i + take > argc) {
			free(words);
			return NULL;
		}
		for (; take; take--)
			words[n++] = argv[i++];
	}
	words[0] = provider;
	words[1] = process ? "process" : "log";
	if (process) {
		words[2] = "logs";
		words[n] = process;
	} else {
		memmove(words + 2, words + 3, (n - 3) * sizeof(*words));
		words[n - 1] = NULL;
	}
	return words;
}

/* A colour for each service, the same every time. */
static int
colour(const char *service)
{
	static const int codes[] = {36, 33, 32, 35, 34, 96, 93, 92, 95, 94};
	unsigned h = 5381;

	for (; *service; service++)
		h = h * 33 + (unsigned char)*service;
	return codes[h % (sizeof(codes) / sizeof(codes[0]))];
}

static void
put_line(const json_t *j, int coloured)
{
	const char *time = cx_json_strd(j, "time", ""), *service = cx_json_strd(j, "service", "");
	const json_t *text = json_object_get(j, "text");
	int ms = strlen(time) > 23 && time[19] == '.'; /* milliseconds are enough for people */

	printf("%.*s%s ", ms ? 23 : 40, time, ms ? "Z" : "");
	if (coloured)
		printf("\033[%dm%s/%s\033[0m ", colour(service), service, cx_json_strd(j, "process", ""));
	else
		printf("%s/%s ", service, cx_json_strd(j, "process", ""));
	(void)fwrite(json_string_value(text), 1, json_string_length(text), stdout);
	putchar('\n');
}

static int
show(FILE *in, struct cx_err *e)
{
	const char *plain = getenv("NO_COLOR");
	int coloured = isatty(1) && !(plain && *plain);
	CX_FREE char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	while ((n = getline(&line, &cap, in)) > 0) {
		CX_JSON json_t *j = cx_json_parse(line, (size_t)n, "a line of the provider", e);

		if (!j)
			return -1;
		put_line(j, coloured);
		if (ferror(stdout))
			return cx_out_close(e);
	}
	return 0;
}

static int
run(const char *const words[], struct cx_err *e)
{
	struct cx_child c = {.in = -1, .out = CX_PIPE, .err = 2, .pass = -1};
	CX_FCLOSE FILE *in = NULL;
	int rc, st;

	if (cx_json_wanted())
		return cx_exec(words, e);
	if (cx_spawn(&c, words, NULL, e) < 0)
		return -1;
	in = fdopen(c.out, "r");
	if (!in)
		return cx_err_sys(e, "fdopen");
	c.out = -1;
	rc = show(in, e);
	if (rc < 0) /* the provider ends at its next line */
		return -1;
	st = cx_wait(&c);
	return st;
}

int
main(int argc, char **argv)
{
	const char *name = getenv("CX_PROVIDER");
	CX_FREE char *provider = cx_fmt("cx-provider-%s", name && *name ? name : "local");
	CX_FREE const char **words = NULL;
	struct cx_err e;
	int st;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-logs");
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return cx_out_close(&e) < 0 ? cx_err_report(&e, "cx-logs") : 0;
	}
	words = provider_words(provider, argc, argv);
	if (!words) {
		fputs(usage, stderr);
		return CX_BAD;
	}
	st = run(words, &e);
	if (st == 0 && cx_out_close(&e) < 0)
		st = -1;
	return st < 0 ? cx_err_report(&e, "cx-logs") : st;
}
