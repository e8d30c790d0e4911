#include "list.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/near.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <dirent.h>
#include <string.h>

#define COMMANDS_MAX 512

struct command {
	char *group, *name, *text;
};

struct list {
	struct command c[COMMANDS_MAX];
	size_t n;
};

static void
list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->c[i].group);
		free(l->c[i].name);
		free(l->c[i].text);
	}
	free(l);
}

static void
add(struct list *l, const char *group, const char *name, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->c[i].name, name) == 0)
			return;
	if (l->n == COMMANDS_MAX)
		return;
	l->c[l->n++] = (struct command){cx_strdup(group), cx_strdup(name), cx_strdup(text)};
}

static void
add_described(struct list *l)
{
	char path[4096], line[512];
	struct cx_err e;
	CX_FCLOSE FILE *f = cx_share("commands", path, sizeof(path), &e) == 0 ? fopen(path, "re") : NULL;

	while (f && fgets(line, sizeof(line), f)) {
		char *save, *group = strtok_r(line, "\t\n", &save), *name = strtok_r(NULL, "\t\n", &save);
		char *text = strtok_r(NULL, "\t\n", &save), *prog, found[4096];

		if (line[0] == '#' || !text)
			continue;
		prog = cx_fmt("cx-%s", name);
		if (cx_find(prog, found, sizeof(found), &e) == 0)
			add(l, group, name, text);
		free(prog);
	}
}

static void
add_found(struct list *l, const char *dir, size_t len)
{
	CX_FREE char *path = cx_strndup(dir, len);
	DIR *d = len ? opendir(path) : NULL;

	for (struct dirent *de = d ? readdir(d) : NULL; de; de = readdir(d)) {
		CX_FREE char *full = cx_fmt("%s/%s", path, de->d_name);

		if (strncmp(de->d_name, "cx-", 3) == 0 && de->d_name[3] && access(full, X_OK) == 0)
			add(l, "Also found", de->d_name + 3, full);
	}
	if (d)
		closedir(d);
}

static struct list *
list_make(void)
{
	const char *lists[] = {getenv("CX_EXEC_PATH"), getenv("PATH")};
	struct list *l = cx_alloc(sizeof(*l));
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	add_described(l);
	if (n > 0) {
		self[n] = '\0';
		add_found(l, self, (size_t)(strrchr(self, '/') - self));
	}
	for (size_t i = 0; i < 2; i++)
		for (const char *p = lists[i]; p && *p;) {
			size_t len = strcspn(p, ":");

			add_found(l, p, len);
			p += len + (p[len] == ':');
		}
	return l;
}

static void
print_json(const struct list *l)
{
	fputs("{\"v\":1,\"commands\":[", stdout);
	for (size_t i = 0; i < l->n; i++)
		printf("%s\"%s\"", i ? "," : "", l->c[i].name);
	fputs("]}\n", stdout);
}

int
list_print(struct cx_err *e)
{
	struct list *l = list_make();
	const char *group = "";

	(void)e;
	if (cx_json_wanted())
		print_json(l);
	for (size_t i = 0; i < l->n && !cx_json_wanted(); i++) {
		if (strcmp(group, l->c[i].group) != 0)
			printf("\n%s\n", l->c[i].group);
		group = l->c[i].group;
		printf("  %-16s %s\n", l->c[i].name, l->c[i].text);
	}
	list_free(l);
	return 0;
}

char *
list_nearest(const char *typed)
{
	struct list *l = list_make();
	unsigned best = cx_near_limit(typed) + 1;
	char *name = NULL;

	for (size_t i = 0; i < l->n; i++) {
		unsigned n = cx_near_distance(typed, l->c[i].name);

		if (n >= best)
			continue;
		best = n;
		free(name);
		name = cx_strdup(l->c[i].name);
	}
	list_free(l);
	return name;
}

char *
list_manual(const char *topic)
{
	static const char *const dirs[] = {
		"../../doc", "../../../doc", "../../man/man1", "../../man/man5", "../../man/man7", "../../man/man8"};
	static const struct {
		const char *prefix, *suffix;
	} forms[] = {{"cx-", ".1"}, {"cx-", ".8"}, {"cx-", ".5"}, {"cx-", ".7"}, {"", ".1"}, {"", ".8"}, {"", ".5"},
		{"", ".7"}, {"", ""}};
	struct cx_err e;

	if (strchr(topic, '/'))
		return NULL;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
			CX_FREE char *stem = cx_fmt("%s%s%s", forms[k].prefix, topic, forms[k].suffix);
			CX_FREE char *rel = cx_fmt("%s/%s", dirs[i], stem);
			char path[4096];

			if (cx_share(rel, path, sizeof(path), &e) == 0 && access(path, R_OK) == 0)
				return cx_strdup(path);
		}
	return NULL;
}
