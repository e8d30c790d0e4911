/*
 * Near names, for "did you mean": how many edits (insert, delete, replace,
 * swap of neighbours) make one name into another.
 */
#ifndef CX_NEAR_H
#define CX_NEAR_H

/* Edits between a and b; 32 when either is longer than 32 bytes. */
unsigned cx_near_distance(const char *a, const char *b);
/* The most edits that still count as a slip of the fingers for a name as long as this one. */
unsigned cx_near_limit(const char *typed);

#endif
