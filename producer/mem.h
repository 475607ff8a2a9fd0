/* Memory of the producer's programs. Running out of it ends the program with a message, so nobody
 * checks the result. Each result is the caller's, ended with free(). */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>
#include <stdint.h>

void *mem_zeroed(size_t count, size_t size);
void *mem_resize(void *block, size_t count, size_t size); /* what is new in it is not zeroed */
char *mem_text(const char *text);                         /* a copy, NULL of NULL */
char *mem_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

void mem_wipe(char *text); /* overwrite what may be secret, then free(); NULL is fine */

/* A number for a text, never 0: to remember what was said without keeping it. */
uint64_t mem_hash(const char *text);

#endif
