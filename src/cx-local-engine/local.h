/* What the verbs share: the rack, the app, one connection to the engine. Everything is owned by main(). */
#ifndef LOCAL_H
#define LOCAL_H

#include <cx/engine.h>
#include <cx/json.h>
#include <cx/spool.h>

struct cx_err;

struct local {
	struct cx_spool spool;
	struct cx_engine *en;
	json_t *app_record; /* app.json with state, as cx_store_app gives it */
	char app[64];
	int status; /* exit status of a failure; 0: the error's class */
};

/* One verb: argv[0] is its last word. Returns the exit status, or -1 with e set. */
int verb_list(struct local *l, int argc, char **argv, struct cx_err *e);
int verb_get(struct local *l, int argc, char **argv, struct cx_err *e);
int verb_run(struct local *l, int argc, char **argv, struct cx_err *e);
int verb_exec(struct local *l, int argc, char **argv, struct cx_err *e);
int verb_stop(struct local *l, int argc, char **argv, struct cx_err *e);
int verb_log(struct local *l, int argc, char **argv, struct cx_err *e);
/* Wrong usage: CX_BAD, and usage on stderr by main(). Returns -1. */
int usage_error(struct cx_err *e, const char *what);
/* The words of a command: one word with blanks is a shell's business, anything else is passed as given. */
json_t *command_words(char **argv);

#endif
