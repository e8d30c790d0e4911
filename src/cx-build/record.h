/* Records of builds in the spool, through the store. */
#ifndef RECORD_H
#define RECORD_H

#include <cx/engine.h>
#include <cx/json.h>
#include <cx/spool.h>

/* Marks as failed what builders that are gone left "running". */
int record_sweep(struct cx_spool *s, const char *app, struct cx_err *e);
/* A complete build with this digest whose images the engine still has: *found is it, or NULL. */
int record_reuse(struct cx_spool *s, const char *app, const char *digest, struct cx_engine *en, json_t **found,
	struct cx_err *e);
/* Makes the record; images tells REPO:TAG by service without the tag's build ID, which is added. New reference. */
json_t *record_begin(struct cx_spool *s, const char *app, const char *manifest, const json_t *repos, int development,
	struct cx_err *e);
/* Ends it: "complete" or "failed" with the reason; digest NULL: not to be reused. */
int record_end(struct cx_spool *s, json_t *record, const char *status, const char *reason, const char *digest,
	struct cx_err *e);

#endif
