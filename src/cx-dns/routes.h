/*
 * The folder of route files: each one's names are put in the zone when it
 * appears, exchanged when it changes, taken out when it goes. Only the file
 * that changed is read.
 */
#ifndef ROUTES_H
#define ROUTES_H

#include "zone.h"

#define NAMES_MAX 262144 /* in all files */

struct app {
	char *file;
	struct record *records; /* by sibling */
};

struct routes {
	struct zone *zone;
	int dir, inotify, watch; /* -1: none yet */
	struct app *app; /* sorted by file */
	size_t apps, cap, names;
};

/* Takes this folder (owned from now on) for the one before it, watches it and loads all; it becomes the working
 * directory. */
int routes_open(struct routes *r, int dir, struct cx_err *e);
/* The descriptor r->inotify is readable. */
void routes_changed(struct routes *r);
/* Loads every file and forgets those that went. */
void routes_load_all(struct routes *r);
/* Loads, or forgets, the file NAME. One that cannot be read is told on stderr; what it said before stays. */
void routes_load(struct routes *r, const char *name);

#endif
