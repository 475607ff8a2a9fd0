#include "settings.h"

#include <string.h>

#define AT(field) offsetof(struct camera_settings, field)

const struct value settings_table[] = {
    { "fps", VALUE_REAL, AT(fps), 0, 1000, "5", NULL,
      "Pictures a second at most. 0: all that the camera sends. This and what follows holds for\n"
      "rows of the table that have NULL in the column of the same name.",
      "pictures a second at most, 0: all" },
    { "width", VALUE_COUNT, AT(width), 0, 16384, "0", NULL,
      "Pictures wider than this are made smaller. 0: as the camera sends them.",
      "pixels at most, 0: as the camera sends" },
    { "quality", VALUE_COUNT, AT(quality), 0, 100, "0", NULL,
      "JPEG quality, 1 to 100. 0: 80, and pictures of MJPEG cameras go on as they are, which "
      "costs\n"
      "a tenth.",
      "1 to 100, 0: 80, and MJPEG cameras' pictures as they are" },
    { "small_width", VALUE_COUNT, AT(small_width), 0, 4096, "0", NULL,
      "Width of a second, small picture for walls of many cameras. 0: none.",
      "of a second, small picture, 0: none" },
    { "small_fps", VALUE_REAL, AT(small_fps), 0, 1000, "2", NULL,
      "Small pictures a second at most. 0: as many as large ones.",
      "small pictures a second at most" },
    { "transport", VALUE_CHOICE, AT(transport), 0, 0, "tcp", "tcp|udp|auto|http|multicast",
      "How RTSP carries the video: tcp, udp, auto (tcp, then udp), http (all of it through HTTP, "
      "for\n"
      "firewalls that let nothing else pass), or multicast (the camera sends once for all).",
      "tcp, udp, auto, http or multicast" },
    { "timeout", VALUE_TIME, AT(timeout_ms), 1 * VALUE_SECOND, 1 * VALUE_HOUR, "10 s", NULL,
      "A camera that sends no picture for this long is connected to again.",
      "without a picture for so long: end" },
    { "key_frame_timeout", VALUE_TIME, AT(key_frame_timeout_ms), 1 * VALUE_SECOND, 1 * VALUE_HOUR,
      "5 min", NULL,
      "A camera that sends frames, but no key frame, for this long is connected to again. Cameras\n"
      "with a smart codec send one as seldom as each minute or two.",
      "without a key frame for so long: end" },
    { "max_frame_bytes", VALUE_SIZE, AT(max_frame_bytes), 16 * VALUE_KIB, 256 * VALUE_MIB, "3M",
      NULL,
      "A picture that is larger is encoded again at a lower quality, then dropped. Less than\n"
      "kafka max_message_bytes.",
      "of one JPEG" },
    { "tls_verify", VALUE_CHOICE, AT(tls_verify), 0, 0, "yes", "no|yes",
      "Whether the certificate of an rtsps:// camera must be right.",
      "rtsps: the camera's certificate must be right" },
    { "tls_ca", VALUE_CHARS, AT(tls_ca), 0, SETTINGS_PATH_MAX, "", NULL,
      "File of certificates to trust for that. Empty: the system's.",
      "rtsps: file of certificates to trust" },
    { "tls_oldest", VALUE_CHOICE, AT(tls_oldest), 0, 0, "1.2", "1.0|1.1|1.2|1.3",
      "Oldest version of TLS that is spoken with an rtsps:// camera. Below 1.2 only for old ones.",
      "rtsps: oldest version of TLS" },
    { .name = NULL },
};

int settings_is_column(const struct value *setting)
{
    return setting->offset != AT(timeout_ms) && setting->offset != AT(key_frame_timeout_ms) &&
           setting->offset != AT(max_frame_bytes);
}

void settings_preset(struct camera_settings *settings)
{
    const struct value *value;

    memset(settings, 0, sizeof(*settings));
    for (value = settings_table; value->name; value++) {
        value_parse(value, settings, value->preset);
    }
}

int settings_same(const struct camera_settings *one, const struct camera_settings *two)
{
    const struct value *value;

    for (value = settings_table; value->name; value++) {
        if (!value_same(value, one, two)) {
            return 0;
        }
    }
    return 1;
}
