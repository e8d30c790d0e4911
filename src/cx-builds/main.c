/* cx builds: list builds, show their logs. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/table.h>
#include <cx/verb.h>
#include <string.h>
#include <time.h>

static const char usage[] = "usage: cx-builds [list] [-a APP]\n"
			    "       cx-builds info [-a APP] BUILD\n"
			    "       cx-builds logs [-a APP] [-f] BUILD\n";

/* How long it took, or takes: "1m12s". */
static void
add_elapsed(json_t *build)
{
	double from = cx_time_parse(cx_json_str(build, "created")), to = cx_time_parse(cx_json_str(build, "ended"));
	char buf[32];
	long s;

	if (from < 0)
		return;
	if (to < 0 && strcmp(cx_json_strd(build, "status", ""), "running") != 0)
		return;
	s = (long)((to < 0 ? (double)time(NULL) : to) - from);
	s = s < 0 ? 0 : s;
	if (s < 60)
		(void)snprintf(buf, sizeof(buf), "%lds", s);
	else if (s < 3600)
		(void)snprintf(buf, sizeof(buf), "%ldm%02lds", s / 60, s % 60);
	else
		(void)snprintf(buf, sizeof(buf), "%ldh%02ldm", s / 3600, s / 60 % 60);
	cx_json_set(build, "elapsed", buf);
}

static int
list(int argc, char **argv, struct cx_err *e)
{
	static const struct cx_column columns[] = {{"ID", "id", 0}, {"STATUS", "status", 0}, {"CREATED", "created", 1},
		{"ELAPSED", "elapsed", 0}, {"REASON", "reason", 0}, {0}};
	CX_JSON json_t *j = NULL;
	json_t *b;
	size_t i;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	j = cx_provider_ask((const char *[]){"build", "list", NULL}, NULL, e);
	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	json_array_foreach (json_object_get(j, "builds"), i, b) {
		add_elapsed(b);
	}
	return cx_table_print("builds", json_object_get(j, "builds"), columns, e);
}

static int
info(int argc, char **argv, struct cx_err *e)
{
	static const struct cx_column columns[] = {{"Id", "id", 0}, {"App", "app", 0}, {"Status", "status", 0},
		{"Reason", "reason", 0}, {"Created", "created", 1}, {"Elapsed", "elapsed", 0}, {"Digest", "digest", 0},
		{0}};
	CX_JSON json_t *j = NULL;
	const char *name;
	json_t *b, *image;

	if (cx_options(argc, argv, NULL, 1, 1) < 0)
		return CX_USAGE;
	j = cx_provider_ask((const char *[]){"build", "get", argv[optind], NULL}, NULL, e);
	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	b = json_object_get(j, "build");
	add_elapsed(b);
	cx_table_record(b, columns);
	json_object_foreach (json_object_get(b, "images"), name, image) {
		printf("Image    %s: %s\n", name, json_string_value(image) ? json_string_value(image) : "?");
	}
	return 0;
}

static void
put_clean(const char *s)
{
	for (; *s; s++)
		putchar(((unsigned char)*s < 0x20 && *s != '\t' && *s != '\n') || *s == 0x7f ? ' ' : *s);
}

/* What the steps print goes out as it is; the steps themselves are lines with their state. */
static void
put_event(void *arg, const json_t *ev)
{
	static const char *const details[] = {"reason", "hint"};
	const char *state = cx_json_strd(ev, "state", ""), *id = cx_json_strd(ev, "id", "");
	const json_t *line;
	size_t i;

	(void)arg;
	if (strcmp(state, "progress") == 0) {
		if (cx_json_int(ev, "total", 0) > 0)
			return;
		put_clean(cx_json_strd(ev, "text", ""));
		putchar('\n');
		(void)fflush(stdout);
		return;
	}
	printf("%-5s  ", state);
	put_clean(id);
	printf("%s", *id ? "  " : "");
	put_clean(cx_json_strd(ev, "text", ""));
	putchar('\n');
	json_array_foreach (json_object_get(ev, "log"), i, line) {
		printf("       | ");
		put_clean(json_string_value(line) ? json_string_value(line) : "");
		putchar('\n');
	}
	for (i = 0; i < 2; i++) {
		if (!cx_json_str(ev, details[i]))
			continue;
		printf("       %s: ", details[i]);
		put_clean(cx_json_str(ev, details[i]));
		putchar('\n');
	}
	(void)fflush(stdout);
}

static int
logs(int argc, char **argv, struct cx_err *e)
{
	int follow = 0;
	const struct cx_option options[] = {{"follow", 'f', &follow, NULL}, {0}};
	const char *args[] = {"build", "log", NULL, NULL, NULL};

	if (cx_options(argc, argv, options, 1, 1) < 0)
		return CX_USAGE;
	args[2] = argv[optind];
	args[3] = follow ? "--follow" : NULL;
	return cx_json_wanted() ? cx_provider_exec(args, e) : cx_provider_events(args, put_event, NULL, e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"list", list}, {"info", info}, {"logs", logs}, {NULL, NULL}};

	return cx_verb_main("cx-builds", usage, verbs, argc, argv);
}
