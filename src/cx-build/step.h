/*
 * The steps of one build and their output, whichever builder made them: turns
 * what the engine tells into events. A step has an id for people, "web 2/4";
 * what belongs to no numbered step is progress of the build itself, "web".
 */
#ifndef STEP_H
#define STEP_H

#include "talk.h"
#include <stddef.h>

struct step;
struct steps;

/* id: the service that is built. Both are borrowed. */
struct steps *steps_new(struct talk *t, const char *id);
void steps_free(struct steps *s);
/* The step with this key (any bytes); made when it is new. NULL when there are too many. */
struct step *steps_get(struct steps *s, const char *key, size_t n);
/* Names it, BuildKit's way: "[2/4] RUN make"; without numbers it is no step of its own. */
void step_name(struct steps *s, struct step *st, const char *name, size_t n);
void step_start(struct steps *s, struct step *st);
/* Output; lines are kept together over calls, terminal codes are taken out. */
void step_output(struct steps *s, struct step *st, const char *p, size_t n);
/* Takes terminal codes (ECMA-48, 5.4) and what a carriage return overwrites out of a line, in place; the new length. */
size_t step_plain(char *p, size_t n);
/* Progress of a transfer, at most five a second; NULL st: of the build itself. */
void step_progress(struct steps *s, struct step *st, const char *text, long long current, long long total);
void step_done(struct steps *s, struct step *st, int cached);
/* Ends it as failed; the first such step is the cause. */
void step_fail(struct steps *s, struct step *st);
/* Ends steps that are still open, and tells the cause: the command of the failed step and its last lines, or NULL. */
void steps_cause(struct steps *s, const char **command, const char **log);

#endif
