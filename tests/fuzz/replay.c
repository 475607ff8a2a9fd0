#include "replay.h"

#include <stdio.h>
#include <stdlib.h>

/* An exact copy, so that the sanitizers see a read behind its end. */
static int replay(const char *path)
{
    static uint8_t buffer[1 << 20];
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    size_t size;

    if (!file) {
        perror(path);
        return -1;
    }
    size = fread(buffer, 1, sizeof(buffer), file);
    fclose(file);
    data = malloc(size ? size : 1);
    if (!data) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        data[i] = buffer[i];
    }
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        fprintf(stderr, "%s\n", argv[i]);
        if (replay(argv[i])) {
            return 1;
        }
    }
    return 0;
}
