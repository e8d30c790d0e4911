/*
 * Compose files, first step: every service as one JSON object in which
 * extends, include, env_file and the short and long forms are resolved. Each
 * part remembers where it stands ("at"). emit.h makes convox.yml of them.
 *
 * A raw service: {"name","at", "build":{"context","dockerfile","target","args":{}},
 * "image","command","entrypoint","environment":{N:{"value","at"}},"ports":[{"target",
 * "published","protocol","app","at"}],"depends":{N:CONDITION},"volumes":[…],"labels":{…},
 * "health":{…},"text":{KEY:{"value","at"}} for scalars,"other":{KEY:AT}}
 */
#ifndef COMPOSE_H
#define COMPOSE_H

#include "init.h"

struct cx_err;
struct cx_tree;

/* A parsed file; its folder is relative to the project. */
struct file {
	struct init *in;
	const char *name;
	char *folder;
	struct cx_tree *tree;
	int format1; /* services stand at the top */
	int depth; /* of includes and extends */
	const struct file *parent; /* that includes it */
};

/* Where the reading of one service is. */
struct reader {
	struct init *in;
	struct file *file;
	json_t *svc;
	const char *path; /* "services.web.build" */
};

/* Reads all services of a compose file into in->raw: 0; or the exit status (findings are printed), or -1 with e set. */
int compose_read(struct init *in, const char *name, const char *text, size_t n, struct cx_err *e);

/* --- what the readers of keys share --- */
json_t *at_node(const struct file *f, const struct cx_node *n);
/* Counts a node; 0 when the bound is reached. */
int visit(const struct reader *r, const struct cx_node *n);
/* The text of a scalar with its variables as ours, "" for null; owned by the caller. NULL (reported) when it is none.
 */
char *value_of(const struct reader *r, const struct cx_node *v);
/* The member of an object, made when it is not there. */
json_t *child_object(json_t *o, const char *key);
json_t *child_array(json_t *o, const char *key);
/* Calls each(r, name, value, node) for NAME=value lists and for maps; value NULL when there is none. */
void read_pairs(const struct reader *r, const struct cx_node *v,
	void (*each)(const struct reader *, const char *name, const char *value, const struct cx_node *at));
/* Reports that v is not what compose wants here; null is nothing. */
void wrong_kind(const struct reader *r, const struct cx_node *v, const char *want);
/* Lists of texts, or one text. */
void read_list(const struct reader *r, const struct cx_node *v,
	void (*each)(const struct reader *, const char *text, const struct cx_node *at));

/* --- readers of keys, in files of their own --- */
typedef void read_key(const struct reader *r, const struct cx_node *v);
read_key read_build, read_command, read_entrypoint, read_environment, read_env_file, read_ports, read_expose,
	read_depends, read_links, read_volumes, read_health, read_deploy, read_labels;

/* NAME=VALUE lines into the environment of the service, as files of env_file have them. */
void envfile_read(const struct reader *r, const char *text, const char *file, int names_only);

/* What a key that is not read means: verdict, text and hint; NULL for a key that compose does not know. */
struct other {
	const char *key;
	enum verdict verdict;
	const char *text, *hint;
};
const struct other *other_find(const char *key);
/* The nearest known key, or NULL. */
const char *other_near(const char *key);

#endif
