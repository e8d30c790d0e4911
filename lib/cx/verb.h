/*
 * Programs whose first operand is a verb: `cx-apps create NAME`. A program is
 * its table, and main() is one call.
 *
 *	static const struct cx_verb verbs[] = {{"list", list}, {"create", create}, {NULL, NULL}};
 *	return cx_verb_main("cx-apps", usage, verbs, argc, argv);
 */
#ifndef CX_VERB_H
#define CX_VERB_H

#include <getopt.h>

struct cx_err;

/* What run() returns when the words make no sense: the usage is printed on stderr, and the status is 100. */
#define CX_USAGE (-2)

struct cx_verb {
	const char *name; /* NULL ends the table; "" takes a first word that is no verb */
	/* argv[0] is the program's name, operands and options follow. An exit status, -1 with e set, or CX_USAGE. */
	int (*run)(int argc, char **argv, struct cx_err *e);
};

/*
 * Global options, --help, the verb (the first row without one), errors, and stdout checked at the end. An error whose
 * text is empty was reported by a child already: only its class counts. Returns the exit status.
 */
int cx_verb_main(const char *prog, const char *usage, const struct cx_verb *verbs, int argc, char **argv);
/*
 * Reads options with getopt_long(3), in any order with operands, which are left in argv from optind on. Each option
 * stores into what its row names. 0, or CX_USAGE when one is unknown or the operands are fewer or more than these.
 */
struct cx_option {
	const char *name; /* "force"; NULL ends the table */
	char letter; /* or 0 */
	int *flag; /* set to 1, or */
	const char **value; /* gets the argument */
};
int cx_options(int argc, char **argv, const struct cx_option *options, int min, int max);

#endif
