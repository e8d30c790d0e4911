/* LINK: src/cx-init/[!m]*.c PKG: */
/* A Procfile, the same bytes as a Dockerfile, and as an env_file: never a crash; what is written is YAML. */
#include "procfile.h"
#include "compose.h"
#include "dockerfile.h"
#include "project.h"
#include <cx/diag.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void
check(const struct init *in)
{
	CX_FREE struct cx_diags *d = cx_alloc(sizeof(*d));
	CX_FREE char *text = write_manifest(in);
	struct cx_tree t;

	d->file = "convox.yml";
	if (cx_tree_parse(&t, text, strlen(text), d) < 0 || d->errors)
		abort();
	cx_tree_free(&t);
}

static void
as_env_file(const char *text, struct project *p)
{
	struct init in;
	struct file f = {.in = &in, .name = "app.env"};
	CX_JSON json_t *svc = json_object();

	init_open(&in, p, "compose.yaml");
	envfile_read(&(struct reader){.in = &in, .file = &f, .svc = svc, .path = "services.web.env_file"}, text,
		"app.env", 0);
	init_close(&in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CX_FREE char *text = cx_strndup((const char *)data, n);
	struct project p = {.root = -1, .app = cx_strdup(".")};
	struct init in;
	struct cx_err e;

	for (int docker = 0; docker < 2; docker++) {
		init_open(&in, &p, "x");
		if ((docker ? dockerfile_convert(&in, "Dockerfile", text, strlen(text), &e)
			    : procfile_convert(&in, "Procfile", text, &e)) == 0)
			check(&in);
		init_close(&in);
	}
	as_env_file(text, &p);
	free(p.app);
	return 0;
}
