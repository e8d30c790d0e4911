/*
 * The commands that cx knows: those that share/cx/commands describes, and any
 * program named cx-* in CX_EXEC_PATH, beside cx, or in PATH.
 */
#ifndef LIST_H
#define LIST_H

struct cx_err;

/* Prints all by group, one line each. */
int list_print(struct cx_err *e);
/* The command closest to what was typed, or NULL when none is near. Owned by the caller. */
char *list_nearest(const char *typed);
/* Path of the manual page of a command or topic ("deploy", "cx-spool", "convox.yml"), or NULL. */
char *list_manual(const char *topic);

#endif
