/* What can be set of a camera: one table, from which producer.conf has its section [cameras], the
 * table of cameras its columns, kafkacam-camera its options and its job. A new setting is a field
 * here, a line in settings.c, a column in conf/schema.sql and its words in the two man pages; what
 * is forgotten of these, test_settings.c names. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>
#include <stdint.h>
#include "value.h"

#define SETTINGS_PATH_MAX 500

enum settings_transport {
    SETTINGS_TCP,
    SETTINGS_UDP,
    SETTINGS_AUTO,
    SETTINGS_HTTP,
    SETTINGS_MULTICAST
};

/* The oldest version of TLS that is spoken. */
enum settings_tls { SETTINGS_TLS_1_0, SETTINGS_TLS_1_1, SETTINGS_TLS_1_2, SETTINGS_TLS_1_3 };

/* Plain: a copy is a struct copy. */
struct camera_settings {
    double fps;           /* pictures a second at most, 0: all the camera sends */
    uint32_t width;       /* pixels at most, 0: as the camera sends */
    uint32_t quality;     /* JPEG, 1 to 100, 0: 80, and MJPEG as it is */
    uint32_t small_width; /* of the second, small picture, 0: none */
    double small_fps;
    enum settings_transport transport;
    uint32_t timeout_ms;           /* without a frame for this long: connect again */
    uint32_t key_frame_timeout_ms; /* the same for a key frame, while other frames come */
    uint64_t max_frame_bytes;      /* of one JPEG */
    int tls_verify;
    enum settings_tls tls_oldest;
    char tls_ca[SETTINGS_PATH_MAX + 1]; /* file of certificates, "": the system's */
};

/* By the order in which they are printed; ended by one without a name. */
extern const struct value settings_table[];

/* Whether the table of cameras has it: the timeouts and max_frame_bytes hold for all alike. */
int settings_is_column(const struct value *setting);

void settings_preset(struct camera_settings *settings);
int settings_same(const struct camera_settings *one, const struct camera_settings *two);

#endif
