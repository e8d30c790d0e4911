/* LINK: src/cx-init/[!m]*.c PKG: */
/* A compose file: never a crash; what is written is YAML, and cx-init's own report is JSON. */
#include "compose.h"
#include "emit.h"
#include "project.h"
#include <cx/diag.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What YAML made of the text must have each service and resource that was meant. */
static void
check(const struct init *in)
{
	CX_FREE struct cx_diags *d = cx_alloc(sizeof(*d));
	CX_FREE char *text = write_manifest(in);
	struct cx_tree t;
	const char *name;
	json_t *v;

	d->file = "convox.yml";
	if (cx_tree_parse(&t, text, strlen(text), d) < 0 || d->errors)
		abort();
	json_object_foreach (json_object_get(in->out, "services"), name, v)
		if (!cx_node_get(cx_node_get(t.root, "services"), name))
			abort();
	json_object_foreach (json_object_get(in->out, "resources"), name, v)
		if (!cx_node_get(cx_node_get(t.root, "resources"), name))
			abort();
	cx_tree_free(&t);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	return setenv("CX_SHARE", "share/cx", 0);
}

/* Findings of broken YAML would be printed; t/fuzz/yaml.c has them. */
static int
broken(const char *text)
{
	CX_FREE struct cx_diags *d = cx_alloc(sizeof(*d));
	struct cx_tree t;
	int rc;

	d->file = "compose.yaml";
	rc = cx_tree_parse(&t, text, strlen(text), d) < 0 || d->errors;
	cx_tree_free(&t);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CX_FREE char *text = cx_strndup((const char *)data, n);
	struct project p = {.root = -1, .app = cx_strdup(".")};
	struct init in;
	struct cx_err e;

	init_open(&in, &p, "compose.yaml");
	if (!broken(text) && compose_read(&in, "compose.yaml", text, strlen(text), &e) == 0) {
		emit_all(&in);
		check(&in);
	}
	init_close(&in);
	free(p.app);
	return 0;
}
