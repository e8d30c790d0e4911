/*
 * Apps, builds and releases in the spool of a Local Rack (cx-spool(7)): the
 * one module that writes app.json, build.json and release.json on behalf of
 * commands. cx-converge alone writes state.json and a release's status later.
 * Reads take no lock. Changes take apps/APP/.lock themselves, unless this
 * process holds it already (cx_store_lock), so that a caller can read, decide
 * and write under one lock.
 */
#ifndef CX_STORE_H
#define CX_STORE_H

#include <cx/json.h>
#include <cx/spool.h>

/*
 * app.json merged with what state.json says: "active", "promoting", "result", "reason", "services", "resources".
 * "status" is "deleting" while that goes on, "promoting" while a wanted promotion is not done, else "running".
 * CX_NO with suggestions when there is no such app.
 */
json_t *cx_store_app(struct cx_spool *s, const char *app, struct cx_err *e);
json_t *cx_store_apps(struct cx_spool *s, struct cx_err *e); /* by name */
/* Makes an app whole or not at all. An app that exists: CX_NO. */
int cx_store_app_create(struct cx_spool *s, const char *app, struct cx_err *e);
/* Marks the app as "deleting"; cx-converge(8) stops what runs and removes the folder. Done before: fine. */
int cx_store_app_delete(struct cx_spool *s, const char *app, struct cx_err *e);
/* counts: {"web":2,...} goes into app.json's "scale". */
int cx_store_scale(struct cx_spool *s, const char *app, const json_t *counts, struct cx_err *e);
/* Takes apps/APP/.lock, waiting 10 s at most; returns the descriptor. Refuses an app that is being deleted. */
int cx_store_lock(struct cx_spool *s, const char *app, const char *why, struct cx_err *e);

/* A new build folder; build.json {"v":1,id,app,status:"running",created,manifest,...}. id holds 12. */
int
cx_store_build_create(struct cx_spool *s, const char *app, const char *manifest_text, char id[12], struct cx_err *e);
/* Replaces build.json. */
int cx_store_build_put(struct cx_spool *s, const char *app, const char *id, const json_t *build, struct cx_err *e);
json_t *cx_store_build(struct cx_spool *s, const char *app, const char *id, struct cx_err *e);
json_t *cx_store_builds(struct cx_spool *s, const char *app, struct cx_err *e); /* newest first */
json_t *cx_store_release(struct cx_spool *s, const char *app, const char *id, struct cx_err *e);
json_t *cx_store_releases(struct cx_spool *s, const char *app, struct cx_err *e); /* newest first */
/* The ID of the newest release; 1 when there is one, 0 when there is none. */
int cx_store_newest(struct cx_spool *s, const char *app, char id[12], struct cx_err *e);
/*
 * A new release forked from the newest one (or from `from`): another build (or NULL: the parent's) and another
 * environment (an object NAME: VALUE, checked; NULL: the parent's). The environment is sealed for this release:
 * the context is "APP/RELEASE". Written whole; id holds 12.
 */
int cx_store_release_create(struct cx_spool *s, const char *app, const char *from, const char *build, const json_t *env,
	char id[12], struct cx_err *e);
/* Records the intent to promote; attempt (12 bytes) names this promotion in events and state.json. */
int cx_store_promote(struct cx_spool *s, const char *app, const char *release, char attempt[12], struct cx_err *e);
/* The environment of a release ("newest" when NULL) as an object NAME: VALUE, through cx-seal(1). */
json_t *cx_store_env(struct cx_spool *s, const char *app, const char *release, struct cx_err *e);
/* A name of a variable: [A-Za-z_][A-Za-z0-9_]*; a value: UTF-8 without NUL. CX_BAD otherwise. */
int cx_store_env_check(const char *name, const json_t *value, struct cx_err *e);

#endif
