#include <cx/buf.h>
#include <cx/err.h>
#include <cx/proc.h>
#include <cx/verb.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 12

int
cx_options(int argc, char **argv, const struct cx_option *options, int min, int max)
{
	struct option longs[OPTIONS_MAX + 1] = {0};
	char shorts[2 * OPTIONS_MAX + 1] = "";
	size_t n = 0, s = 0;
	int c;

	for (; options && options[n].name && n < OPTIONS_MAX; n++) {
		longs[n] = (struct option){
			options[n].name, options[n].value ? required_argument : no_argument, NULL, 256 + (int)n};
		if (!options[n].letter)
			continue;
		shorts[s++] = options[n].letter;
		if (options[n].value)
			shorts[s++] = ':';
	}
	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		size_t i = 0;

		if (c == '?')
			return CX_USAGE;
		for (; i < n && c != 256 + (int)i && c != options[i].letter; i++)
			;
		if (i == n)
			return CX_USAGE;
		if (options[i].value)
			*options[i].value = optarg;
		else
			*options[i].flag = 1;
	}
	return argc - optind < min || argc - optind > max ? CX_USAGE : 0;
}

static const struct cx_verb *
find(const struct cx_verb *verbs, const char *word)
{
	for (; verbs->name; verbs++)
		if (verbs->name[0] == '\0' || strcmp(verbs->name, word) == 0)
			return verbs;
	return NULL;
}

static int
report(const struct cx_err *e, const char *prog)
{
	return e->text[0] ? cx_err_report(e, prog) : (int)e->cls;
}

static int
dispatch(const char *prog, const struct cx_verb *verbs, int argc, char **argv, struct cx_err *e)
{
	const struct cx_verb *v = verbs;
	int skip = 0;

	if (argc > 1 && argv[1][0] != '-') {
		v = find(verbs, argv[1]);
		skip = v && v->name[0] != '\0';
	}
	if (!v) {
		(void)fprintf(stderr, "%s: \"%s\" is not one of its commands\n", prog, argv[1]);
		return CX_USAGE;
	}
	argv[skip] = (char *)prog;
	return v->run(argc - skip, argv + skip, e);
}

int
cx_verb_main(const char *prog, const char *usage, const struct cx_verb *verbs, int argc, char **argv)
{
	struct cx_err e = {0};
	int st;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, prog);
	if ((argc > 1 && strcmp(argv[1], "--help") == 0) || (argc > 2 && strcmp(argv[2], "--help") == 0)) {
		fputs(usage, stdout);
		st = 0;
	} else {
		st = dispatch(prog, verbs, argc, argv, &e);
	}
	if (st == CX_USAGE) {
		fputs(usage, stderr);
		return CX_BAD;
	}
	if (st < 0)
		st = report(&e, prog);
	if (cx_out_close(&e) < 0)
		return cx_err_report(&e, prog);
	return st;
}
