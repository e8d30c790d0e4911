#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>
#include <yaml.h>

struct anchor {
	char *name;
	struct cx_node *node;
};

struct builder {
	struct cx_tree *t;
	struct cx_diags *d;
	yaml_parser_t parser;
	struct anchor *anchors;
	size_t n, cap;
	size_t work;
	int dead; /* an error that ends parsing was reported */
};

static void *
grow(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? *cap * 2 : 8;
	p = realloc(p, *cap * size);
	if (!p)
		abort();
	return p;
}

static void
stop(struct builder *b, const yaml_mark_t *m, const char *text)
{
	if (!b->dead)
		cx_diag_add(b->d, (unsigned)m->line + 1, (unsigned)m->column + 1, "", "%s", text);
	b->dead = 1;
}

static struct cx_node *
new_node(struct builder *b, enum cx_kind kind, const yaml_mark_t *m)
{
	struct cx_tree *t = b->t;
	struct cx_node *n;

	if (t->n >= CX_YAML_NODE_MAX) {
		stop(b, m, "the file has too many values");
		return NULL;
	}
	n = cx_alloc(sizeof(*n));
	n->kind = kind;
	n->line = (unsigned)m->line + 1;
	n->column = (unsigned)m->column + 1;
	t->all = grow(t->all, t->n, &t->cap, sizeof(*t->all));
	t->all[t->n++] = n;
	return n;
}

static void
set_anchor(struct builder *b, const yaml_char_t *name, struct cx_node *n)
{
	if (!name || !n)
		return;
	b->anchors = grow(b->anchors, b->n, &b->cap, sizeof(*b->anchors));
	b->anchors[b->n++] = (struct anchor){cx_strdup((const char *)name), n};
}

/* Counts comparisons, so that a hostile file costs a bounded time. */
static int
afford(struct builder *b, const yaml_mark_t *m, size_t n)
{
	b->work += n;
	if (b->work > CX_YAML_WORK_MAX)
		stop(b, m, "the file has too many aliases, merges or keys");
	return !b->dead;
}

static struct cx_node *
find_anchor(struct builder *b, const yaml_event_t *ev)
{
	const char *name = (const char *)ev->data.alias.anchor;

	/* The latest of a name counts (YAML 1.2.2, 7.1). */
	for (size_t i = b->n; i-- > 0 && afford(b, &ev->start_mark, 1);)
		if (strcmp(b->anchors[i].name, name) == 0)
			return b->anchors[i].node;
	stop(b, &ev->start_mark, "an alias names no anchor before it");
	return NULL;
}

struct cx_node *
cx_node_get(const struct cx_node *map, const char *key)
{
	for (size_t i = 0; map && map->kind == CX_MAP && i < map->n; i++)
		if (map->pairs[i].key->kind == CX_SCALAR && strcmp(map->pairs[i].key->value, key) == 0)
			return map->pairs[i].value;
	return NULL;
}

int
cx_node_null(const struct cx_node *n)
{
	return n->kind == CX_SCALAR && n->plain &&
	       (!*n->value || strcmp(n->value, "~") == 0 || strcasecmp(n->value, "null") == 0);
}

static void
add_pair(struct cx_node *map, struct cx_node *key, struct cx_node *value, int merged)
{
	map->pairs = grow(map->pairs, map->n, &map->cap, sizeof(*map->pairs));
	map->pairs[map->n++] = (struct cx_pair){key, value, merged};
}

static void
merge(struct builder *b, struct cx_node *map, const struct cx_node *key, const struct cx_node *from)
{
	yaml_mark_t m = {.line = key->line - 1, .column = key->column - 1};

	if (from->kind == CX_SEQ) {
		for (size_t i = 0; i < from->n; i++)
			merge(b, map, key, from->items[i]);
		return;
	}
	if (from->kind != CX_MAP) {
		cx_diag_add(b->d, key->line, key->column, "<<", "only maps can be merged");
		return;
	}
	for (size_t i = 0; i < from->n && afford(b, &m, map->n + 1); i++)
		if (from->pairs[i].key->kind == CX_SCALAR && !cx_node_get(map, from->pairs[i].key->value))
			add_pair(map, from->pairs[i].key, from->pairs[i].value, 1);
}

/* Takes "<<" out of a finished map and merges what it names behind the map's own keys. */
static void
merge_keys(struct builder *b, struct cx_node *map)
{
	struct cx_pair merges[16]; /* duplicates were reported already */
	size_t n = 0, out = 0;

	for (size_t i = 0; i < map->n; i++) {
		struct cx_pair *p = &map->pairs[i];

		if (p->key->kind == CX_SCALAR && strcmp(p->key->value, "<<") == 0 && n < 16)
			merges[n++] = *p;
		else
			map->pairs[out++] = *p;
	}
	map->n = out;
	for (size_t i = 0; i < n && !b->dead; i++)
		merge(b, map, merges[i].key, merges[i].value);
}

static size_t
hash(const char *p)
{
	size_t h = 5381;

	for (; *p; p++)
		h = h * 33 + (unsigned char)*p;
	return h;
}

static void
check_key(struct builder *b, const struct cx_node *k, const struct cx_node **seen, size_t mask)
{
	yaml_mark_t m = {.line = k->line - 1, .column = k->column - 1};
	size_t h;

	if (k->kind != CX_SCALAR) {
		cx_diag_add(b->d, k->line, k->column, "", "a key must be a word, not a list or map");
		return;
	}
	for (h = hash(k->value) & mask; seen[h] && strcmp(seen[h]->value, k->value) != 0; h = (h + 1) & mask)
		if (!afford(b, &m, 1))
			return;
	if (seen[h]) {
		cx_diag_add(b->d, k->line, k->column, "", "the key \"%.80s\" stands twice in one map", k->value);
		cx_diag_hint(b->d, "its first place is line %u", seen[h]->line);
	}
	seen[h] = k;
}

static void
check_duplicates(struct builder *b, const struct cx_node *map)
{
	CX_FREE const struct cx_node **seen = NULL;
	size_t size = 4;

	while (size < map->n * 2)
		size *= 2;
	seen = cx_alloc(size * sizeof(*seen));
	for (size_t i = 0; i < map->n && !b->dead; i++)
		check_key(b, map->pairs[i].key, seen, size - 1);
}

static int
next(struct builder *b, yaml_event_t *ev)
{
	const yaml_parser_t *p = &b->parser;
	yaml_mark_t m;

	if (yaml_parser_parse(&b->parser, ev))
		return 0;
	m = p->problem_mark;
	if (p->error == YAML_READER_ERROR || p->error == YAML_MEMORY_ERROR) {
		memset(&m, 0, sizeof(m));
		stop(b, &m, p->problem ? p->problem : "the file cannot be read as UTF-8");
		return -1;
	}
	stop(b, &m, p->problem ? p->problem : "this is not YAML");
	if (p->problem && strstr(p->problem, "cannot start any token")) {
		cx_diag_hint(b->d, "indent with blanks, not tabs, and quote a value that begins with @ ` or %%");
		return -1;
	}
	if (p->context)
		cx_diag_hint(b->d, "%s that begins at line %zu, column %zu", p->context, p->context_mark.line + 1,
			p->context_mark.column + 1);
	return -1;
}

static struct cx_node *build(struct builder *b, yaml_event_t *ev, int depth);

static struct cx_node *
build_next(struct builder *b, int depth)
{
	yaml_event_t ev;
	struct cx_node *n;

	if (b->dead || next(b, &ev) < 0)
		return NULL;
	n = build(b, &ev, depth);
	yaml_event_delete(&ev);
	return n;
}

static struct cx_node *
build_scalar(struct builder *b, const yaml_event_t *ev)
{
	const char *v = (const char *)ev->data.scalar.value;
	struct cx_node *n = new_node(b, CX_SCALAR, &ev->start_mark);

	if (!n)
		return NULL;
	if (memchr(v, 0, ev->data.scalar.length))
		cx_diag_add(b->d, n->line, n->column, "", "a value must not hold a NUL byte");
	n->value = cx_strndup(v, ev->data.scalar.length);
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	set_anchor(b, ev->data.scalar.anchor, n);
	return n;
}

static void
add_item(struct cx_node *seq, struct cx_node *item)
{
	seq->items = grow(seq->items, seq->n, &seq->cap, sizeof(struct cx_node *));
	seq->items[seq->n++] = item;
}

/* An alias brings its levels along: without this, a chain of them is as deep as the file is long. */
static void
rise(struct cx_node *n, const struct cx_node *child)
{
	if (child && child->height >= n->height)
		n->height = child->height + 1;
}

/* The children of a collection up to its end event. */
static struct cx_node *
build_collection(struct builder *b, const yaml_event_t *ev, int depth)
{
	int map = ev->type == YAML_MAPPING_START_EVENT;
	struct cx_node *n = new_node(b, map ? CX_MAP : CX_SEQ, &ev->start_mark);

	if (!n)
		return NULL;
	while (!b->dead) {
		yaml_event_t child;
		struct cx_node *c, *v = NULL;

		if (next(b, &child) < 0)
			return NULL;
		if (child.type == YAML_MAPPING_END_EVENT || child.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&child);
			break;
		}
		c = build(b, &child, depth + 1);
		yaml_event_delete(&child);
		if (map && c)
			v = build_next(b, depth + 1);
		if (!c || (map && !v))
			return NULL;
		if (map)
			add_pair(n, c, v, 0);
		else
			add_item(n, c);
		rise(n, c);
		rise(n, v);
		if ((unsigned)depth + n->height > CX_YAML_DEPTH_MAX)
			stop(b, &ev->start_mark, "the file is nested too deeply");
	}
	/* An anchor counts from the end of its node: an alias inside itself finds none. */
	set_anchor(b, map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor, n);
	if (map && !b->dead) {
		check_duplicates(b, n);
		merge_keys(b, n);
	}
	return n;
}

static struct cx_node *
build(struct builder *b, yaml_event_t *ev, int depth)
{
	if (depth > CX_YAML_DEPTH_MAX) {
		stop(b, &ev->start_mark, "the file is nested too deeply");
		return NULL;
	}
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return build_scalar(b, ev);
	case YAML_ALIAS_EVENT:
		return find_anchor(b, ev);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return build_collection(b, ev, depth);
	default:
		stop(b, &ev->start_mark, "this is not YAML");
		return NULL;
	}
}

static void
build_stream(struct builder *b)
{
	int documents = 0;

	while (!b->dead) {
		yaml_event_t ev;
		yaml_event_type_t type;
		yaml_mark_t m;

		if (next(b, &ev) < 0)
			return;
		type = ev.type;
		m = ev.start_mark;
		yaml_event_delete(&ev);
		if (type == YAML_STREAM_END_EVENT)
			return;
		if (type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (documents++) {
			stop(b, &m, "the file must be one YAML document, and a second one begins here");
			return;
		}
		b->t->root = build_next(b, 0);
	}
}

int
cx_tree_parse(struct cx_tree *t, const char *text, size_t n, struct cx_diags *d)
{
	struct builder b = {.t = t, .d = d};

	memset(t, 0, sizeof(*t));
	if (n > CX_YAML_MAX) {
		cx_diag_add(d, 0, 0, "", "the file is larger than %zu bytes", CX_YAML_MAX);
		return -1;
	}
	if (!yaml_parser_initialize(&b.parser))
		abort();
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, n);
	build_stream(&b);
	yaml_parser_delete(&b.parser);
	for (size_t i = 0; i < b.n; i++)
		free(b.anchors[i].name);
	free(b.anchors);
	return b.dead ? -1 : 0;
}

void
cx_tree_free(struct cx_tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->all[i]->value);
		free(t->all[i]->items);
		free(t->all[i]->pairs);
		free(t->all[i]);
	}
	free(t->all);
	memset(t, 0, sizeof(*t));
}
