/*
 * Apps, builds and releases in the spool of a Local Rack (cx-spool(7)): the
 * one module that writes app.json, build.json and release.json on behalf of
 * commands. cx-converge alone writes state.json and a release's status later.
 * Reads take no lock; changes hold apps/APP/.lock.
 */
#ifndef CX_STORE_H
#define CX_STORE_H

#include <cx/json.h>
#include <cx/spool.h>

/* app.json merged with "active" and "status" of state.json; CX_NO with suggestions when there is none. */
json_t *cx_store_app(struct cx_spool *s, const char *app, struct cx_err *e);
json_t *cx_store_apps(struct cx_spool *s, struct cx_err *e);
/* Makes an app whole or not at all. An app that exists: CX_NO. */
int cx_store_app_create(struct cx_spool *s, const char *app, struct cx_err *e);
/* Takes apps/APP/.lock, waiting 10 s at most; returns the descriptor. */
int cx_store_lock(struct cx_spool *s, const char *app, const char *why, struct cx_err *e);

/* A new build folder; build.json {"v":1,id,app,status:"running",created,manifest,...}. id holds 12. */
int cx_store_build_create(struct cx_spool *s, const char *app, const char *manifest_text, char id[12], struct cx_err *e);
/* Replaces build.json. */
int cx_store_build_put(struct cx_spool *s, const char *app, const char *id, const json_t *build, struct cx_err *e);
json_t *cx_store_build(struct cx_spool *s, const char *app, const char *id, struct cx_err *e);
json_t *cx_store_builds(struct cx_spool *s, const char *app, struct cx_err *e);   /* newest first */
json_t *cx_store_release(struct cx_spool *s, const char *app, const char *id, struct cx_err *e);
json_t *cx_store_releases(struct cx_spool *s, const char *app, struct cx_err *e); /* newest first */
/*
 * A new release forked from the newest one (or from `from`): another build (or NULL: the parent's) and another
 * sealed environment (NULL: the parent's file is copied). Written whole; id holds 12.
 */
int cx_store_release_create(struct cx_spool *s, const char *app, const char *from, const char *build, const void *sealed,
	size_t sealed_n, char id[12], struct cx_err *e);
/* Records the intent to promote; attempt (12 bytes) names this promotion in events and state.json. */
int cx_store_promote(struct cx_spool *s, const char *app, const char *release, char attempt[12], struct cx_err *e);
/* The environment of a release ("newest" when NULL) as an object NAME: VALUE, through cx-seal(1). */
json_t *cx_store_env(struct cx_spool *s, const char *app, const char *release, struct cx_err *e);

#endif
