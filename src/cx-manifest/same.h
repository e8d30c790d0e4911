/* Whether two YAML texts say the same. */
#ifndef SAME_H
#define SAME_H

#include <stddef.h>

/* True when both have the same values, in the same styles, with the same anchors and tags, in the same order. */
int same_yaml(const char *a, size_t an, const char *b, size_t bn);

#endif
