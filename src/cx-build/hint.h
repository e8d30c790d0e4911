/* What to do about the failures that the engine tells, by words in them. */
#ifndef HINT_H
#define HINT_H

/* The engine's message without the noise around its cause; owned by the caller. */
char *hint_reason(const char *message);
/* A hint, or NULL. */
const char *hint_find(const char *message);

#endif
