/* jfif_check() with any bytes, and the picture with its tables put in where they are missing. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "jfif.h"

static void check(int right)
{
    if (!right) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Memory of exactly that size, so that a sanitizer sees each byte read behind it. */
    uint8_t *exact = malloc(size ? size : 1);
    uint8_t *whole;
    size_t whole_size;
    struct jfif jfif, again;

    memcpy(exact, data, size);
    if (jfif_check(&jfif, exact, size) == 0) {
        check(jfif.size <= size && jfif.tables_at < jfif.size && jfif.width && jfif.height);
        if (jfif.tables_at) {
            whole = malloc(jfif.size + JFIF_TABLES_SIZE);
            whole_size = jfif_insert_tables(whole, &jfif, exact);
            check(whole_size == jfif.size + JFIF_TABLES_SIZE);
            check(jfif_check(&again, whole, whole_size) == 0 && !again.tables_at);
            check(again.width == jfif.width && again.height == jfif.height);
            free(whole);
        }
    }
    free(exact);
    return 0;
}
