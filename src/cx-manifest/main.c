/* cx-manifest: convox.yml in, normalised JSON out. */
#include "emit.h"
#include "expand.h"
#include "explain.h"
#include "fmt.h"
#include "get.h"
#include "input.h"
#include "manifest.h"
#include "position.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/yaml.h>
#include <getopt.h>
#include <string.h>

static const char usage[] =
	"usage: cx-manifest [--strict] [--expand | --env-file file] [--format json | yaml] [--positions] [file]\n"
	"       cx-manifest check [--strict] [--expand | --env-file file] [file ...]\n"
	"       cx-manifest get [--strict] [--expand | --env-file file] [--format json | yaml] path [file]\n"
	"       cx-manifest fmt [--check | -w] [file ...]\n"
	"       cx-manifest explain [path]\n"
	"       cx-manifest --release [--strict | --quiet]\n";

enum verb { PRINT, CHECK, GET, FMT, EXPLAIN };

struct options {
	int strict, quiet, expand, release, positions, yaml;
	enum verb verb;
	enum fmt_how fmt;
	const char *env_file, *path;
	const char *const *files; /* ends with NULL */
};

static int
print_json(const struct options *o, const json_t *j, struct cx_err *e)
{
	CX_BUF struct cx_buf b = {0};

	if (!o->yaml)
		return cx_json_print(stdout, j, e);
	emit_yaml(j, &b);
	return fwrite(b.p, 1, b.n, stdout) == b.n ? 0 : cx_err_sys(e, "write");
}

/* A text bare, anything else as JSON. */
static int
print_value(const struct options *o, const json_t *m, struct cx_err *e)
{
	const json_t *v = get_path(m, o->path, e);

	if (!v)
		return -1;
	if (json_is_string(v) && !o->yaml && !cx_json_wanted())
		return puts(json_string_value(v)) < 0 ? cx_err_sys(e, "write") : 0;
	return print_json(o, v, e);
}

static int
print_document(const struct options *o, const char *file, const char *text, const json_t *m, const struct cx_tree *t,
	struct cx_err *e)
{
	CX_JSON json_t *doc = json_pack("{s:i,s:{s:s,s:s}}", "v", 1, "manifest", "file", file, "text", text);

	if (!doc)
		return cx_err_set(e, CX_BAD, "%s is not UTF-8", file);
	(void)json_object_update(json_object_get(doc, "manifest"), (json_t *)m);
	if (o->positions)
		(void)json_object_set_new(doc, "positions", position_map(m, t));
	return print_json(o, doc, e);
}

static int
print_verdict(const char *file, const struct cx_diags *d, int st, struct cx_err *e)
{
	CX_JSON json_t *j = NULL;

	if (!cx_json_wanted())
		return 0;
	j = json_pack("{s:i,s:s,s:b,s:i,s:i}", "v", 1, "file", file, "valid", st == 0, "errors", (int)d->errors,
		"warnings", (int)d->warnings);
	return cx_json_print(stdout, j, e);
}

/* Parses, expands (env not NULL), normalises and prints. The exit status, or -1 with e set. */
static int
process(const struct options *o, const char *file, const char *text, const json_t *env, struct cx_err *e)
{
	struct cx_diags *d = cx_alloc(sizeof(*d));
	CX_JSON json_t *m = NULL;
	struct cx_tree t;
	int st, rc = 0;

	d->file = file;
	if (cx_tree_parse(&t, text, strlen(text), d) == 0) {
		if (env)
			expand_tree(&t, env, d);
		else
			expand_check(&t, d);
		m = manifest_make(&t, !env, d);
		if (o->release && !d->errors)
			manifest_env(m, &t, env, d);
	}
	d->quiet = o->quiet;
	st = cx_diag_report(d, "cx-manifest", text, strlen(text), o->strict);
	if (o->verb == CHECK)
		rc = print_verdict(file, d, st, e);
	else if (st == 0)
		rc = o->verb == GET ? print_value(o, m, e) : print_document(o, file, text, m, &t, e);
	cx_tree_free(&t);
	free(d);
	return rc < 0 ? rc : st;
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
one_file(const struct options *o, const char *file, const json_t *env, struct cx_err *e)
{
	CX_BUF struct cx_buf text = {0};

	if (o->verb == FMT)
		return fmt_file(file, o->fmt, e);
	if (input_text(file, &text, e) < 0)
		return -1;
	return process(o, strcmp(file, "-") == 0 ? "convox.yml" : file, cx_buf_str(&text), env, e);
}

/* Every file has its turn; the exit status is the worst. */
static int
all_files(const struct options *o, const json_t *env, struct cx_err *e)
{
	int worst = 0;

	for (const char *const *f = o->files; *f; f++) {
		int st = one_file(o, *f, env, e);

		if (st < 0 && !o->files[1])
			return -1;
		if (st < 0)
			st = cx_err_report(e, "cx-manifest");
		worst = st > worst ? st : worst;
	}
	return worst;
}

static int
run(const struct options *o, struct cx_err *e)
{
	CX_JSON json_t *env = NULL;

	if (o->release)
		return release(o, e);
	if (o->verb == EXPLAIN)
		return explain(o->path, e);
	if (o->env_file)
		env = input_env_file(o->env_file, e);
	else if (o->expand)
		env = input_environ();
	if (!env && (o->env_file || o->expand))
		return -1;
	return all_files(o, env, e);
}

/* The verb, and for get and explain the path, in front of the files. */
static int
take_verb(struct options *o, char **argv)
{
	static const struct {
		const char *name;
		enum verb verb;
	} verbs[] = {{"check", CHECK}, {"get", GET}, {"fmt", FMT}, {"explain", EXPLAIN}};
	static const char *const standard[] = {"convox.yml", NULL};

	for (size_t i = 0; *argv && o->verb == PRINT && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(*argv, verbs[i].name) == 0)
			o->verb = verbs[i].verb;
	argv += o->verb != PRINT;
	if (o->verb == GET && !*argv)
		return -1;
	if (o->verb == GET || (o->verb == EXPLAIN && *argv))
		o->path = *argv++;
	o->files = *argv ? (const char *const *)argv : standard;
	return *argv && argv[1] && o->verb != CHECK && (o->verb != FMT || o->fmt == FMT_PRINT) ? -1 : 0;
}

/* Options that the verb has no use for are a mistake. */
static int
fits(const struct options *o, int operands)
{
	int language = o->verb == PRINT || o->verb == CHECK || o->verb == GET;

	if (!language && (o->strict || o->expand || o->env_file))
		return 0;
	if ((o->yaml && (o->verb != PRINT && o->verb != GET)) || (o->positions && o->verb != PRINT))
		return 0;
	if ((o->fmt != FMT_PRINT && o->verb != FMT) || (o->expand && o->env_file))
		return 0;
	if (o->verb == EXPLAIN)
		return operands <= 2;
	if (o->quiet && (o->strict || !o->release))
		return 0;
	return !o->release || (operands == 0 && !o->expand && !o->env_file && !o->positions && !o->yaml);
}

static int
take_option(struct options *o, int c)
{
	switch (c) {
	case 's':
		o->strict = 1;
		return 0;
	case 'e':
		o->expand = 1;
		return 0;
	case 'f':
		o->env_file = optarg;
		return 0;
	case 'r':
		o->release = 1;
		return 0;
	case 'q':
		o->quiet = 1;
		return 0;
	case 'p':
		o->positions = 1;
		return 0;
	case 'F':
		o->yaml = strcmp(optarg, "yaml") == 0;
		return o->yaml || strcmp(optarg, "json") == 0 ? 0 : -1;
	case 'c':
	case 'w':
		if (o->fmt != FMT_PRINT)
			return -1;
		o->fmt = c == 'c' ? FMT_CHECK : FMT_WRITE;
		return 0;
	default:
		return c == 'h' ? 1 : -1;
	}
}

static int
parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"strict", no_argument, NULL, 's'}, {"expand", no_argument, NULL, 'e'},
		{"env-file", required_argument, NULL, 'f'}, {"release", no_argument, NULL, 'r'},
		{"quiet", no_argument, NULL, 'q'}, {"positions", no_argument, NULL, 'p'},
		{"format", required_argument, NULL, 'F'}, {"check", no_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

	for (int c; (c = getopt_long(argc, argv, "w", longs, NULL)) != -1;) {
		int rc = take_option(o, c);

		if (rc)
			return rc;
	}
	return take_verb(o, argv + optind) < 0 || !fits(o, argc - optind) ? -1 : 0;
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
	if (st < 0 || (cx_out_close(&e) < 0 && st < (int)e.cls))
		return cx_err_report(&e, "cx-manifest");
	return st;
}
