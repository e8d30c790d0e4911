#include "same.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static int
same_text(const yaml_char_t *a, const yaml_char_t *b)
{
	return a && b ? strcmp((const char *)a, (const char *)b) == 0 : a == b;
}

static int
same_scalar(const yaml_event_t *a, const yaml_event_t *b)
{
	return a->data.scalar.length == b->data.scalar.length &&
	       memcmp(a->data.scalar.value, b->data.scalar.value, a->data.scalar.length) == 0 &&
	       a->data.scalar.style == b->data.scalar.style && same_text(a->data.scalar.tag, b->data.scalar.tag) &&
	       same_text(a->data.scalar.anchor, b->data.scalar.anchor);
}

static int
same_event(const yaml_event_t *a, const yaml_event_t *b)
{
	if (a->type != b->type)
		return 0;
	switch (a->type) {
	case YAML_SCALAR_EVENT:
		return same_scalar(a, b);
	case YAML_ALIAS_EVENT:
		return same_text(a->data.alias.anchor, b->data.alias.anchor);
	case YAML_SEQUENCE_START_EVENT:
		return a->data.sequence_start.style == b->data.sequence_start.style &&
		       same_text(a->data.sequence_start.tag, b->data.sequence_start.tag) &&
		       same_text(a->data.sequence_start.anchor, b->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return a->data.mapping_start.style == b->data.mapping_start.style &&
		       same_text(a->data.mapping_start.tag, b->data.mapping_start.tag) &&
		       same_text(a->data.mapping_start.anchor, b->data.mapping_start.anchor);
	default:
		return 1;
	}
}

static void
start(yaml_parser_t *p, const char *text, size_t n)
{
	if (!yaml_parser_initialize(p))
		abort();
	yaml_parser_set_encoding(p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(p, (const unsigned char *)text, n);
}

int
same_yaml(const char *a, size_t an, const char *b, size_t bn)
{
	yaml_parser_t p, q;
	int same = 1, done = 0;

	start(&p, a, an);
	start(&q, b, bn);
	while (same && !done) {
		yaml_event_t x, y;

		if (!yaml_parser_parse(&p, &x)) {
			same = 0;
			break;
		}
		if (!yaml_parser_parse(&q, &y)) {
			yaml_event_delete(&x);
			same = 0;
			break;
		}
		same = same_event(&x, &y);
		done = x.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&x);
		yaml_event_delete(&y);
	}
	yaml_parser_delete(&p);
	yaml_parser_delete(&q);
	return same;
}
