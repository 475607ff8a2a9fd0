/* producer.conf with any content: read whole, or refused with words. */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int quiet;
    struct conf *conf;
    FILE *stream;

    if (size == 0 || memmem(data, size, "password_file", 13)) {
        return 0; /* would open files by random names */
    }
    if (!quiet++) {
        log_open("fuzz_conf", LOG_LEVEL_ERROR, 0);
    }
    stream = fmemopen((void *)(uintptr_t)data, size, "r");
    if (!stream) {
        abort();
    }
    if (!conf_read_stream(&conf, stream, "fuzz")) {
        if (conf->producer.max_cameras < 1 || conf->producer.max_cameras > KC_WIRE_CAM_MAX ||
            conf->cameras.max_frame_bytes >= conf->kafka.max_message_bytes || !*conf->kafka.topic) {
            abort();
        }
        conf_free(conf);
    }
    fclose(stream);
    return 0;
}
