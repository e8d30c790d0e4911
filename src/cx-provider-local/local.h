/*
 * The verbs of cx-provider(7) for a Local Rack: each reads or changes the spool
 * through cx/store.h and prints JSON. A verb returns an exit status, -1 with e
 * set, or CX_USAGE; argv[0] is the program's name.
 */
#ifndef LOCAL_H
#define LOCAL_H

#include <cx/store.h>
#include <cx/verb.h>

struct local {
	struct cx_spool spool;
	char app[64]; /* the app that -a, CX_APP or the folder names */
};

typedef int verb_fn(struct local *l, int argc, char **argv, struct cx_err *e);

verb_fn app_create, app_list, app_get, app_delete;
verb_fn build_create, build_list, build_get, build_log;
verb_fn release_create, release_list, release_get, release_promote, release_events;
verb_fn env_get, env_set;
verb_fn service_list, service_scale, resource_list;

/* Prints {"v":1,NAME:value}; takes the reference. */
int print_as(const char *name, json_t *value, struct cx_err *e);
/* Follows files of the spool until these say that it is over; prints each line. `follow` 0: what there is. */
int print_lines(struct local *l, const char *folder, const char *file, int follow,
	int (*idle)(void *arg, double quiet, struct cx_err *e), void *arg, struct cx_err *e);

#endif
