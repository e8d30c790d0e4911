/* Reading one service, and the nouns within it that have a file of their own. */
#ifndef SERVICE_H
#define SERVICE_H

#include "key.h"

/* The service at n, normalised. */
json_t *service_read(struct manifest *m, const struct cx_node *n, const char *path);

/* Entries of an environment, into the object out: name to default, null for a required one. */
void environment_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out);
/* Such entries as the list [{"name","default"}] that programs read. */
json_t *environment_list(json_t *entries);

key_reader port_read; /* {"port","scheme"} */
key_reader ports_read; /* [{"port","protocol","scheme"}] */
key_reader nlb_read;
extern const char *const port_schemes[];

key_reader scale_read; /* into the defaults that out[row->name] holds */
key_reader scale_memory_read;

key_reader health_read, probe_read;
key_reader build_read; /* {"path","manifest","args","target"} */
json_t *build_default(void);
key_reader volumes_read;
key_reader domain_read;

#endif
