/* cx-manifest: convox.yml in, normalised JSON out. */
#include "expand.h"
#include "manifest.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/yaml.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>

static const char usage[] = "usage: cx-manifest [--strict] [--expand | --env-file file] [file]\n"
			    "       cx-manifest [--strict] [--expand | --env-file file] check [file]\n"
			    "       cx-manifest [--strict] [--expand | --env-file file] get path [file]\n"
			    "       cx-manifest [--strict] --release\n";

enum verb { PRINT, CHECK, GET };

struct options {
	int strict, expand, release;
	enum verb verb;
	const char *env_file, *path, *file;
};

extern char **environ;

static json_t *
process_env(void)
{
	json_t *env = json_object();

	for (char **p = environ; *p; p++) {
		size_t n = strcspn(*p, "=");
		CX_FREE char *name = cx_strndup(*p, n);

		if ((*p)[n] && cx_utf8_valid(*p + n + 1, strlen(*p + n + 1)))
			cx_json_set(env, name, *p + n + 1);
	}
	return env;
}

/* NAME=VALUE a line; blank lines and # comments; the value as it stands, without quotes around it. */
static json_t *
file_env(const char *file, struct cx_err *e)
{
	CX_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
	CX_BUF struct cx_buf b = {0};
	CX_JSON json_t *env = json_object();
	char *save = NULL;

	if (fd < 0) {
		(void)cx_err_sys(e, "open %s", file);
		e->cls = CX_BAD;
		return NULL;
	}
	if (cx_buf_read(&b, fd, CX_YAML_MAX, file, e) < 0)
		return NULL;
	for (char *l = b.p ? strtok_r(b.p, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save)) {
		char *v = strchr(l, '='), *end = l + strlen(l);

		if (end > l && end[-1] == '\r')
			*--end = '\0';
		if (*l == '#' || !*l || !v)
			continue;
		*v++ = '\0';
		if (end - v >= 2 && (*v == '"' || *v == '\'') && end[-1] == *v) {
			end[-1] = '\0';
			v++;
		}
		if (cx_utf8_valid(v, strlen(v)))
			cx_json_set(env, strncmp(l, "export ", 7) == 0 ? l + 7 : l, v);
	}
	return cx_steal(&env);
}

static int
read_text(const char *file, struct cx_buf *b, struct cx_err *e)
{
	CX_CLOSE int fd = strcmp(file, "-") == 0 ? fcntl(0, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		int missing = errno == ENOENT;

		(void)cx_err_sys(e, "open %s", file);
		e->cls = CX_BAD;
		return missing ? cx_err_hint(
					 e, "run it in the folder of the app, or name the file (cx -C DIR does both)")
			       : -1;
	}
	if (cx_buf_read(b, fd, CX_YAML_MAX, file, e) < 0)
		return -1;
	cx_buf_add(b, "", 0);
	return 0;
}

/* What `get` prints: a text bare, anything else as JSON. */
static int
print_path(const json_t *m, const char *path, struct cx_err *e)
{
	CX_FREE char *copy = cx_strdup(path);
	char *save = NULL;

	for (char *p = strtok_r(copy, ".", &save); p; p = strtok_r(NULL, ".", &save)) {
		m = json_is_array(m) ? json_array_get(m, (size_t)strtoul(p, NULL, 10)) : json_object_get(m, p);
		if (!m) {
			(void)cx_err_set(e, CX_NO, "the manifest has no %s", path);
			return cx_err_hint(e, "cx-manifest | jq .manifest shows what it has");
		}
	}
	if (json_is_string(m))
		return puts(json_string_value(m)) < 0 ? cx_err_sys(e, "write") : 0;
	return cx_json_print(stdout, m, e);
}

static int
print(const struct options *o, const char *file, const char *text, const json_t *m, struct cx_err *e)
{
	CX_JSON json_t *doc = NULL;

	if (o->verb == CHECK)
		return cx_json_wanted() ? (fputs("{\"v\":1,\"valid\":true}\n", stdout), 0) : 0;
	if (o->verb == GET)
		return print_path(m, o->path, e);
	doc = json_pack("{s:i,s:{s:s,s:s}}", "v", 1, "manifest", "file", file, "text", text);
	if (!doc)
		return cx_err_set(e, CX_BAD, "%s is not UTF-8", file);
	(void)json_object_update(json_object_get(doc, "manifest"), (json_t *)m);
	return cx_json_print(stdout, doc, e);
}

/* Parses, expands (env not NULL), normalises and prints. The exit status, or -1 with e set. */
static int
process(const struct options *o, const char *file, const char *text, const json_t *env, struct cx_err *e)
{
	struct cx_diags *d = cx_alloc(sizeof(*d));
	CX_JSON json_t *m = NULL;
	struct cx_tree t;
	int st;

	d->file = file;
	if (cx_tree_parse(&t, text, strlen(text), d) == 0) {
		if (env)
			expand_tree(&t, env, d);
		else
			expand_check(&t, d);
		m = manifest_make(&t, !env, d);
		if (o->release && !d->errors)
			manifest_env(m, env, d);
	}
	if (o->release && !o->strict)
		d->quiet = 1; /* they were said when the app was built */
	st = cx_diag_report(d, "cx-manifest", text, strlen(text), o->strict);
	cx_tree_free(&t);
	free(d);
	return st ? st : print(o, file, text, m, e);
}

/* The whole request stands on standard input: {"text","file","env"}. */
static int
release(const struct options *o, struct cx_err *e)
{
	CX_JSON json_t *in = cx_json_read(0, "standard input", e);
	const char *text = cx_json_str(in, "text");
	const json_t *env = json_object_get(in, "env"), *v;
	const char *name;

	if (!in)
		return -1;
	if (!text || !json_is_object(env))
		return cx_err_set(e, CX_BAD, "--release needs {\"text\":...,\"env\":{...}} on standard input");
	json_object_foreach ((json_t *)env, name, v)
		if (!json_is_string(v))
			return cx_err_set(e, CX_BAD, "the value of %.80s in env is not a text", name);
	return process(o, cx_json_strd(in, "file", "convox.yml"), text, env, e);
}

static int
run(const struct options *o, struct cx_err *e)
{
	CX_BUF struct cx_buf text = {0};
	CX_JSON json_t *env = NULL;
	const char *file = o->file ? o->file : "convox.yml";

	if (o->release)
		return release(o, e);
	if (read_text(file, &text, e) < 0)
		return -1;
	if (strlen(cx_buf_str(&text)) != text.n)
		return cx_err_set(e, CX_BAD, "%s holds a NUL byte: it is no text", file);
	if (o->env_file)
		env = file_env(o->env_file, e);
	else if (o->expand)
		env = process_env();
	if (!env && (o->env_file || o->expand))
		return -1;
	return process(o, strcmp(file, "-") == 0 ? "convox.yml" : file, cx_buf_str(&text), env, e);
}

static int
parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"strict", no_argument, NULL, 's'}, {"expand", no_argument, NULL, 'e'},
		{"env-file", required_argument, NULL, 'f'}, {"release", no_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (c == 's')
			o->strict = 1;
		else if (c == 'e')
			o->expand = 1;
		else if (c == 'f')
			o->env_file = optarg;
		else if (c == 'r')
			o->release = 1;
		else
			return c == 'h' ? 1 : -1;
	}
	argv += optind;
	argc -= optind;
	if (argc && strcmp(argv[0], "check") == 0)
		o->verb = CHECK;
	else if (argc > 1 && strcmp(argv[0], "get") == 0) {
		o->verb = GET;
		o->path = *++argv;
		argc--;
	}
	if (o->verb != PRINT) {
		argv++;
		argc--;
	}
	o->file = argc ? argv[0] : NULL;
	return argc > 1 || (o->release && argc) || (o->expand && o->env_file) ? -1 : 0;
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	struct cx_err e;
	int st = cx_globals(&argc, argv, 0, &e), how;

	if (st < 0)
		return cx_err_report(&e, "cx-manifest");
	how = parse(argc, argv, &o);
	if (how) {
		(void)fputs(usage, how > 0 ? stdout : stderr);
		return how > 0 ? 0 : CX_BAD;
	}
	st = run(&o, &e);
	if (st < 0 || (st == 0 && cx_out_close(&e) < 0))
		return cx_err_report(&e, "cx-manifest");
	return st;
}
