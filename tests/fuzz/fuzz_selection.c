/* A wall's selection from any text: it is refused, or it chooses each camera once at most, only
 * cameras that exist, and no more than was asked for. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "kc_selection.h"

#define KNOWN 300

static int every_third_is_forbidden(void *baton, apr_uint32_t cam)
{
    ++*(unsigned *)baton;
    return cam % 3 != 0;
}

static void check(int right)
{
    if (!right) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_uint32_t known[KNOWN], chosen[KNOWN + 1];
    char taken[KNOWN] = { 0 }, seen[10 * KNOWN] = { 0 };
    kc_selection_t selection;
    unsigned asked = 0;
    apr_size_t count, i;

    if (size > 4096 || kc_selection_parse(&selection, (const char *)data, size)) {
        return 0;
    }
    for (i = 0; i < KNOWN; i++) {
        known[i] = (apr_uint32_t)(i * 7);
    }
    count = kc_selection_choose(&selection, known, KNOWN, every_third_is_forbidden, &asked, taken,
                                chosen);
    check(count <= KNOWN && asked <= KNOWN);
    check(selection.kind != KC_SELECTION_COUNT || count <= selection.count);
    for (i = 0; i < count; i++) {
        check(chosen[i] % 7 == 0 && chosen[i] % 3 != 0 && chosen[i] < sizeof(seen));
        check(!seen[chosen[i]]);
        seen[chosen[i]] = 1;
    }
    return 0;
}
