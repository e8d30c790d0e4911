/* The rack's sealing key: SPOOL/key, 32 random bytes, 0600. */
#ifndef KEY_H
#define KEY_H

#include "seal.h"

/* Makes the key unless there is one. */
int key_make(int spool, struct cx_err *e);
/* Refuses a key of the wrong size, and one that others may read. */
int key_load(int spool, unsigned char key[SEAL_KEY], struct cx_err *e);

#endif
