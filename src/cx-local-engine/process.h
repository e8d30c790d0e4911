/* Processes: the containers of an app, by their labels. */
#ifndef PROCESS_H
#define PROCESS_H

#include "local.h"

/* Length of the IDs that people see and type. */
#define ID_SHOWN 12

/* GET /containers/json of the app's containers, whatever their state: new array, or NULL. */
json_t *process_containers(struct local *l, struct cx_err *e);
/* A label of an item of that list, or "". */
const char *process_label(const json_t *item, const char *label);
/* The name that people know: of the service, or of the resource. */
const char *process_name(const json_t *item);
/* The items that a word means: all of a service, or one by the beginning of its ID; CX_NO when there is none. */
json_t *process_find(struct local *l, const char *word, int running, struct cx_err *e);
/* One process in full, from the engine's inspection. NULL with CX_NO when it went away. */
json_t *process_describe(struct local *l, const char *id, struct cx_err *e);

#endif
