#include "job.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "mem.h"

#define PACKET_MAX 200000

/* Both kinds of packet are one table each: what a field is called, where it is, what it may be. */
enum kind { TEXT, TEXT_OR_NULL, CHARS, U32, U64, SIZE, REAL, INT };

struct field {
    const char *name;
    enum kind kind;
    size_t offset;
    double max; /* of numbers (the least is 0), bytes of CHARS */
};

#define NUMBER_MAX 9e15 /* exact in a double and in JSON readers that know nothing else */

static const struct field job_fields[] = {
    { "cam", U32, offsetof(struct job, cam), KC_WIRE_CAM_MAX },
    { "name", TEXT, offsetof(struct job, name), 0 },
    { "url", TEXT, offsetof(struct job, url), 0 },
    { "transport", INT, offsetof(struct job, transport), JOB_AUTO },
    { "fps", REAL, offsetof(struct job, fps), 1000 },
    { "width", U32, offsetof(struct job, width), 65535 },
    { "quality", U32, offsetof(struct job, quality), 100 },
    { "small_width", U32, offsetof(struct job, small_width), 65535 },
    { "small_fps", REAL, offsetof(struct job, small_fps), 1000 },
    { "timeout_ms", U32, offsetof(struct job, timeout_ms), UINT32_MAX },
    { "report_interval_ms", U32, offsetof(struct job, report_interval_ms), UINT32_MAX },
    { "epoch_ms", U64, offsetof(struct job, epoch_ms), NUMBER_MAX },
    { "max_frame_bytes", SIZE, offsetof(struct job, max_frame_bytes), UINT32_MAX },
    { "tls_verify", INT, offsetof(struct job, tls_verify), 1 },
    { "tls_ca", TEXT_OR_NULL, offsetof(struct job, tls_ca), 0 },
    { "topic", TEXT, offsetof(struct job, topic), 0 },
    { "small_topic", TEXT_OR_NULL, offsetof(struct job, small_topic), 0 },
    { "log_level", INT, offsetof(struct job, log_level), LOG_LEVEL_TRACE },
    { NULL, 0, 0, 0 },
};

static const struct field report_fields[] = {
    { "state", INT, offsetof(struct job_report, state), KC_WIRE_STATES - 1 },
    { "why", CHARS, offsetof(struct job_report, why), sizeof(((struct job_report *)0)->why) },
    { "fps_in", REAL, offsetof(struct job_report, fps_in), NUMBER_MAX },
    { "fps_out", REAL, offsetof(struct job_report, fps_out), NUMBER_MAX },
    { "width", U32, offsetof(struct job_report, width), 65535 },
    { "height", U32, offsetof(struct job_report, height), 65535 },
    { "bytes_per_s", U64, offsetof(struct job_report, bytes_per_s), NUMBER_MAX },
    { "frames", U64, offsetof(struct job_report, frames), NUMBER_MAX },
    { "dropped", U64, offsetof(struct job_report, dropped), NUMBER_MAX },
    { "decode_ms", REAL, offsetof(struct job_report, decode_ms), NUMBER_MAX },
    { "encode_ms", REAL, offsetof(struct job_report, encode_ms), NUMBER_MAX },
    { NULL, 0, 0, 0 },
};

/* Enums are packed as int. */
_Static_assert(sizeof(enum job_transport) == sizeof(int) && sizeof(enum log_level) == sizeof(int) &&
                   sizeof(enum kc_wire_state) == sizeof(int),
               "enums have the size of int");

/* text as JSON; bytes that are no UTF-8, from a table in another encoding or a camera's own words,
 * become '?' so that one of them does not cost the whole packet. */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    char *copy;
    char *p;

    if (!value) {
        copy = mem_text(text);
        for (p = copy; *p; p++) {
            *p = (*p & 0x80) ? '?' : *p;
        }
        value = json_string(copy);
        free(copy);
    }
    return value;
}

static json_t *pack_field(const struct field *field, const char *base)
{
    const void *at = base + field->offset;
    char *const *text = at;

    switch (field->kind) {
    case TEXT:
    case TEXT_OR_NULL:
        return *text ? text_value(*text) : json_null();
    case CHARS:
        return text_value(at);
    case U32:
        return json_integer(*(const uint32_t *)at);
    case U64:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case SIZE:
        return json_integer((json_int_t) * (const size_t *)at);
    case INT:
        return json_integer(*(const int *)at);
    case REAL:
        /* Neither NaN nor infinity can be said in JSON. */
        return json_real(isfinite(*(const double *)at) ? *(const double *)at : 0);
    }
    return NULL;
}

static json_t *pack(const struct field *fields, const void *base)
{
    json_t *object = json_object();

    for (; fields->name; fields++) {
        json_object_set_new(object, fields->name, pack_field(fields, base));
    }
    return object;
}

static int unpack_text(const struct field *field, void *at, const json_t *value)
{
    char **text = at;

    if (json_is_null(value) && field->kind == TEXT_OR_NULL) {
        return 0;
    }
    /* jansson lets a \u0000 through; text that ends early would be another text. */
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        return -1;
    }
    if (field->kind == CHARS) {
        size_t length = strlen(json_string_value(value));

        if (length >= (size_t)field->max) {
            return -1;
        }
        memcpy(at, json_string_value(value), length + 1);
        return 0;
    }
    *text = mem_text(json_string_value(value));
    return 0;
}

static int unpack_field(const struct field *field, char *base, const json_t *value)
{
    void *at = base + field->offset;
    double number;

    if (field->kind == TEXT || field->kind == TEXT_OR_NULL || field->kind == CHARS) {
        return unpack_text(field, at, value);
    }
    if (field->kind == REAL ? !json_is_number(value) : !json_is_integer(value)) {
        return -1;
    }
    number = json_number_value(value);
    if (!(number >= 0 && number <= field->max)) {
        return -1;
    }
    switch (field->kind) {
    case U32:
        *(uint32_t *)at = (uint32_t)json_integer_value(value);
        break;
    case U64:
        *(uint64_t *)at = (uint64_t)json_integer_value(value);
        break;
    case SIZE:
        *(size_t *)at = (size_t)json_integer_value(value);
        break;
    case INT:
        *(int *)at = (int)json_integer_value(value);
        break;
    default:
        *(double *)at = number;
        break;
    }
    return 0;
}

static int unpack(const struct field *fields, void *base, const json_t *object)
{
    for (; fields->name; fields++) {
        const json_t *value = json_object_get(object, fields->name);

        if (!value || unpack_field(fields, base, value)) {
            return -1;
        }
    }
    return 0;
}

static json_t *pack_settings(const struct job *job)
{
    json_t *settings = json_array();
    size_t i;

    for (i = 0; i < job->kafka_count; i++) {
        json_t *pair = json_array();

        json_array_append_new(pair, text_value(job->kafka[i].name));
        json_array_append_new(pair, text_value(job->kafka[i].value));
        json_array_append_new(settings, pair);
    }
    return settings;
}

static int unpack_settings(struct job *job, const json_t *settings)
{
    static const struct field name = { "name", TEXT, 0, 0 };
    size_t i;

    if (!json_is_array(settings)) {
        return -1;
    }
    job->kafka = mem_zeroed(json_array_size(settings), sizeof(*job->kafka));
    for (i = 0; i < json_array_size(settings); i++) {
        const json_t *pair = json_array_get(settings, i);

        job->kafka_count = i + 1;
        if (unpack_text(&name, &job->kafka[i].name, json_array_get(pair, 0)) ||
            unpack_text(&name, &job->kafka[i].value, json_array_get(pair, 1))) {
            return -1;
        }
    }
    return 0;
}

/* Takes over object. The text is wiped: it holds passwords, and freed memory lands in core files. */
static int send_packet(int fd, json_t *object, int flags)
{
    char *text = json_dumps(object, JSON_COMPACT);
    size_t size;
    int rc = -1;

    json_decref(object);
    if (!text) {
        errno = EBADMSG;
        return -1;
    }
    size = strlen(text);
    if (size > PACKET_MAX) {
        errno = EMSGSIZE;
    }
    else if (send(fd, text, size, flags | MSG_NOSIGNAL) == (ssize_t)size) {
        rc = 0;
    }
    else if (errno == ECONNRESET || errno == ENOTCONN) {
        errno = EPIPE;
    }
    explicit_bzero(text, size);
    free(text);
    return rc;
}

/* One packet as a JSON object, the caller's; NULL with errno. Does not wait. */
static json_t *receive_packet(int fd)
{
    static const int rules = JSON_REJECT_DUPLICATES;
    char *packet = mem_zeroed(PACKET_MAX, 1);
    ssize_t size = recv(fd, packet, PACKET_MAX, MSG_DONTWAIT | MSG_TRUNC);
    json_t *object = NULL;

    if (size == 0 || (size < 0 && errno == ECONNRESET)) {
        errno = EPIPE;
    }
    else if (size > 0) {
        if (size <= PACKET_MAX) {
            object = json_loadb(packet, (size_t)size, rules, NULL);
        }
        if (!json_is_object(object)) {
            json_decref(object);
            object = NULL;
            errno = EBADMSG;
        }
    }
    explicit_bzero(packet, PACKET_MAX);
    free(packet);
    return object;
}

int job_send(int fd, const struct job *job)
{
    json_t *object = pack(job_fields, job);

    json_object_set_new(object, "kafka", pack_settings(job));
    return send_packet(fd, object, MSG_DONTWAIT);
}

int job_receive(int fd, struct job *job, int timeout_ms)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    json_t *object;
    int ready;
    int rc;

    memset(job, 0, sizeof(*job));
    do {
        ready = poll(&wait, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        errno = ready ? errno : ETIMEDOUT;
        return -1;
    }
    object = receive_packet(fd);
    if (!object) {
        return -1;
    }
    rc = unpack(job_fields, job, object);
    rc = rc ? rc : unpack_settings(job, json_object_get(object, "kafka"));
    json_decref(object);
    if (rc) {
        job_clear(job);
        errno = EBADMSG;
    }
    return rc;
}

static void wipe(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void job_clear(struct job *job)
{
    size_t i;

    free(job->name);
    wipe(job->url);
    free(job->tls_ca);
    free(job->topic);
    free(job->small_topic);
    for (i = 0; i < job->kafka_count; i++) {
        free(job->kafka[i].name);
        wipe(job->kafka[i].value);
    }
    free(job->kafka);
    memset(job, 0, sizeof(*job));
}

int job_report_send(int fd, const struct job_report *report)
{
    return send_packet(fd, pack(report_fields, report), MSG_DONTWAIT);
}

int job_report_receive(int fd, struct job_report *report)
{
    json_t *object = receive_packet(fd);
    struct job_report fresh = { 0 };
    int rc;

    if (!object) {
        return -1;
    }
    rc = unpack(report_fields, &fresh, object);
    json_decref(object);
    if (rc) {
        errno = EBADMSG;
        return -1;
    }
    *report = fresh;
    return 0;
}
