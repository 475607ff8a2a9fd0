/* jpeg_is_sound() with what jfif_check() lets through, as the camera's process does. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "jfif.h"
#include "jpeg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jpeg *jpeg;
    uint8_t *exact = malloc(size ? size : 1);
    struct jfif jfif;

    if (!jpeg && jpeg_open(&jpeg)) {
        abort();
    }
    memcpy(exact, data, size);
    if (jfif_check(&jfif, exact, size) == 0) {
        jpeg_is_sound(jpeg, exact, jfif.size);
    }
    free(exact);
    return 0;
}
