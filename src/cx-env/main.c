/* cx env: list, set, unset, edit the environment of an app. Every change is a new release. */
#include "dotenv.h"
#include "edit.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/spool.h>
#include <cx/verb.h>
#include <fcntl.h>
#include <string.h>

#define ENV_MAX ((size_t)4 << 20)

static const char usage[] = "usage: cx-env [list] [-a APP] [--reveal] [--release RELEASE]\n"
			    "       cx-env get [-a APP] NAME\n"
			    "       cx-env set [-a APP] [--replace] [--promote] [--file FILE] [NAME=VALUE ...]\n"
			    "       cx-env unset [-a APP] [--promote] NAME ...\n"
			    "       cx-env edit [-a APP] [--promote]\n";

static json_t *
ask(const char *release, struct cx_err *e)
{
	return cx_provider_ask((const char *[]){"env", "get", release, NULL}, NULL, e);
}

static void
mask_all(json_t *env)
{
	const char *name;
	json_t *v;

	json_object_foreach (env, name, v)
		(void)json_object_set_new(env, name, json_string("********"));
}

/* Sorted lines that dotenv_parse reads back. */
static void
put_all(struct cx_buf *b, const json_t *env)
{
	CX_FREE char *text = json_dumps(env, JSON_COMPACT | JSON_SORT_KEYS);
	struct cx_err ignore;
	CX_JSON json_t *sorted = text ? cx_json_parse(text, strlen(text), "the environment", &ignore) : NULL;
	const char *name;
	json_t *v;

	if (text)
		explicit_bzero(text, strlen(text));
	json_object_foreach (sorted, name, v) {
		dotenv_put(b, name, json_string_value(v) ? json_string_value(v) : "");
		cx_buf_addc(b, '\n');
	}
}

static int
list(int argc, char **argv, struct cx_err *e)
{
	int reveal = 0;
	const char *release = NULL;
	const struct cx_option options[] = {{"reveal", 0, &reveal, NULL}, {"release", 0, NULL, &release}, {0}};
	CX_BUF struct cx_buf b = {0};
	CX_JSON json_t *j = NULL;

	if (cx_options(argc, argv, options, 0, 0) < 0)
		return CX_USAGE;
	j = ask(release, e);
	if (!j)
		return -1;
	if (!reveal && isatty(1))
		mask_all(json_object_get(j, "env"));
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	put_all(&b, json_object_get(j, "env"));
	return fputs(cx_buf_str(&b), stdout) < 0 ? cx_err_sys(e, "write") : 0;
}

static int
get(int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *j = NULL;
	const char *value;

	if (cx_options(argc, argv, NULL, 1, 1) < 0)
		return CX_USAGE;
	j = ask(NULL, e);
	if (!j)
		return -1;
	value = cx_json_str(json_object_get(j, "env"), argv[optind]);
	if (!value) {
		(void)cx_err_set(e, CX_NO, "%s is not set", argv[optind]);
		return cx_err_hint(e, "cx env lists what is");
	}
	if (cx_json_wanted()) {
		CX_JSON json_t *one = json_pack("{s:i,s:O?,s:{s:s}}", "v", 1, "release", json_object_get(j, "release"),
			"env", argv[optind], value);

		return cx_json_print(stdout, one, e);
	}
	return puts(value) < 0 ? cx_err_sys(e, "write") : 0;
}

/* Sends a change, says what became of it, and promotes when that was asked. */
static int
change(const json_t *in, int promote, struct cx_err *e)
{
	CX_JSON json_t *j = cx_provider_ask((const char *[]){"env", "set", NULL}, in, e);
	const char *release = cx_json_str(j, "release");

	if (!j)
		return -1;
	if (!cx_json_true(j, "changed") && !cx_json_wanted())
		(void)fprintf(stderr, "nothing changed, so there is no new release\n");
	if (cx_json_wanted() ? cx_json_print(stdout, j, e) < 0 : release && puts(release) < 0)
		return -1;
	if (!promote || !release)
		return 0;
	/* Before the display of what follows. */
	return fflush(stdout) == 0 ? cx_provider_promote(release, NULL, e) : cx_err_sys(e, "write to standard output");
}

static int
read_file(const char *name, json_t *env, struct cx_err *e)
{
	int is_stdin = strcmp(name, "-") == 0;
	CX_CLOSE int opened = is_stdin ? -1 : open(name, O_RDONLY | O_CLOEXEC);
	const char *what = is_stdin ? "standard input" : name;
	CX_BUF struct cx_buf b = {0};
	int r;

	if (!is_stdin && opened < 0) {
		(void)cx_err_sys(e, "open %s", name);
		e->cls = CX_BAD;
		return -1;
	}
	r = cx_buf_read(&b, is_stdin ? 0 : opened, ENV_MAX, what, e);
	if (r == 0)
		r = dotenv_parse(cx_buf_str(&b), b.n, what, env, e);
	if (b.p)
		explicit_bzero(b.p, b.n);
	return r;
}

static int
read_pairs(int argc, char **argv, json_t *env, struct cx_err *e)
{
	for (int i = optind; i < argc; i++) {
		const char *eq = strchr(argv[i], '=');
		CX_FREE char *name = eq ? cx_strndup(argv[i], (size_t)(eq - argv[i])) : NULL;
		json_t *value = eq ? json_string(eq + 1) : NULL;

		if (!name) {
			(void)cx_err_set(e, CX_BAD, "\"%.80s\" is not NAME=VALUE", argv[i]);
			return cx_err_hint(e, "for example: cx env set WORD='two words'");
		}
		if (!value)
			return cx_err_set(e, CX_BAD, "the value of %.80s is not UTF-8", name);
		(void)json_object_set_new(env, name, value);
	}
	return 0;
}

/* The provider checks the names again; here the error needs no provider. */
static int
check_names(const json_t *env, struct cx_err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach ((json_t *)env, name, v) {
		if (*name && (*name < '0' || *name > '9') &&
			strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == strlen(name))
			continue;
		(void)cx_err_set(e, CX_BAD, "\"%.80s\" is not a name for a variable", name);
		return cx_err_hint(e, "a name is letters, digits and _, and does not begin with a digit");
	}
	return 0;
}

static int
set(int argc, char **argv, struct cx_err *e)
{
	int replace = 0, promote = 0;
	const char *file = NULL;
	const struct cx_option options[] = {
		{"replace", 0, &replace, NULL}, {"promote", 0, &promote, NULL}, {"file", 'f', NULL, &file}, {0}};
	CX_JSON json_t *env = json_object(), *in = NULL;

	if (cx_options(argc, argv, options, 0, 10000) < 0)
		return CX_USAGE;
	if (!file && optind == argc && isatty(0))
		return CX_USAGE;
	/* Standard input only when nothing else is named: in a script it may be anything. */
	if (!file && optind == argc)
		file = "-";
	if ((file && read_file(file, env, e) < 0) || read_pairs(argc, argv, env, e) < 0 || check_names(env, e) < 0)
		return -1;
	if (json_object_size(env) == 0) {
		(void)cx_err_set(e, CX_BAD, "nothing to set");
		return cx_err_hint(e, "cx env unset removes what is named");
	}
	in = json_pack("{s:i,s:b,s:O}", "v", 1, "replace", replace, "set", env);
	return change(in, promote, e);
}

static int
unset(int argc, char **argv, struct cx_err *e)
{
	int promote = 0;
	const struct cx_option options[] = {{"promote", 0, &promote, NULL}, {0}};
	CX_JSON json_t *names = json_array(), *in = NULL;

	if (cx_options(argc, argv, options, 1, 10000) < 0)
		return CX_USAGE;
	for (int i = optind; i < argc; i++)
		(void)json_array_append_new(names, json_string(argv[i]));
	in = json_pack("{s:i,s:O}", "v", 1, "unset", names);
	return change(in, promote, e);
}

/* Edits until it can be read, or the user gives up. */
static int
edit_until_good(struct edit *d, struct cx_buf *text, json_t *env, struct cx_err *e)
{
	for (;;) {
		char answer[16] = "";

		(void)json_object_clear(env);
		if (edit_run(d, text, ENV_MAX, e) < 0)
			return -1;
		if (dotenv_parse(cx_buf_str(text), text->n, "the edited text", env, e) == 0)
			return 0;
		if (!isatty(0) || !isatty(2))
			return -1;
		(void)cx_err_report(e, "cx-env");
		(void)fprintf(stderr, "Edit it again? [Y/n] ");
		if (!fgets(answer, sizeof(answer), stdin) || answer[0] == 'n' || answer[0] == 'N')
			return cx_err_set(e, CX_NO, "nothing is changed");
	}
}

static int
edit(int argc, char **argv, struct cx_err *e)
{
	int promote = 0, r;
	const struct cx_option options[] = {{"promote", 0, &promote, NULL}, {0}};
	CX_BUF struct cx_buf text = {0};
	CX_JSON json_t *old = NULL, *env = json_object(), *in = NULL;
	struct edit d;

	if (cx_options(argc, argv, options, 0, 0) < 0)
		return CX_USAGE;
	old = ask(NULL, e);
	if (!old)
		return -1;
	put_all(&text, json_object_get(old, "env"));
	r = edit_begin(&d, &text, e);
	if (r == 0)
		r = edit_until_good(&d, &text, env, e);
	edit_end(&d);
	if (text.p)
		explicit_bzero(text.p, text.n);
	if (r < 0)
		return -1;
	in = json_pack("{s:i,s:b,s:O,s:O}", "v", 1, "replace", 1, "set", env, "base", json_object_get(old, "release"));
	return change(in, promote, e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {
		{"list", list}, {"get", get}, {"set", set}, {"unset", unset}, {"edit", edit}, {NULL, NULL}};

	return cx_verb_main("cx-env", usage, verbs, argc, argv);
}
