#include "job.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "mem.h"

#define PACKET_MAX 200000

#define NUMBER_MAX 9e15 /* exact in a double and in JSON readers that know nothing else */

/* Both kinds of packet are tables of values; a job has those of settings.c as well. The first
 * REQUIRED of each must be there. Times have "_ms" behind their name. */
#define JOB(field)      offsetof(struct job, field)
#define REPORT(field)   offsetof(struct job_report, field)
#define JOB_REQUIRED    5
#define REPORT_REQUIRED 2

static const struct value job_fields[] = {
    { "cam", VALUE_COUNT, JOB(cam), 0, KC_WIRE_CAM_MAX },
    { "name", VALUE_TEXT, JOB(name), 0, PACKET_MAX },
    { "url", VALUE_TEXT, JOB(url), 0, PACKET_MAX },
    { "epoch_ms", VALUE_SIZE, JOB(epoch_ms), 0, NUMBER_MAX },
    { "topic", VALUE_TEXT, JOB(topic), 0, PACKET_MAX },
    { "small_topic", VALUE_TEXT, JOB(small_topic), 0, PACKET_MAX },
    { "report_interval", VALUE_TIME, JOB(report_interval_ms), 0, UINT32_MAX },
    { "log_level", VALUE_CHOICE, JOB(log_level), 0, LOG_LEVEL_TRACE },
    { .name = NULL },
};

static const struct value report_fields[] = {
    { "state", VALUE_CHOICE, REPORT(state), 0, KC_WIRE_STATES - 1 },
    { "why", VALUE_CHARS, REPORT(why), 0, sizeof(((struct job_report *)0)->why) - 1 },
    { "fps_in", VALUE_REAL, REPORT(fps_in), 0, NUMBER_MAX },
    { "fps_out", VALUE_REAL, REPORT(fps_out), 0, NUMBER_MAX },
    { "width", VALUE_COUNT, REPORT(width), 0, 65535 },
    { "height", VALUE_COUNT, REPORT(height), 0, 65535 },
    { "bytes_per_s", VALUE_SIZE, REPORT(bytes_per_s), 0, NUMBER_MAX },
    { "frames", VALUE_SIZE, REPORT(frames), 0, NUMBER_MAX },
    { "dropped", VALUE_SIZE, REPORT(dropped), 0, NUMBER_MAX },
    { "decode_ms", VALUE_REAL, REPORT(decode_ms), 0, NUMBER_MAX },
    { "encode_ms", VALUE_REAL, REPORT(encode_ms), 0, NUMBER_MAX },
    { .name = NULL },
};

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

static json_t *pack_value(const struct value *value, const void *base)
{
    const void *at = (const char *)base + value->offset;
    const char *text;

    switch (value->kind) {
    case VALUE_CHARS:
        return text_value(at);
    case VALUE_COUNT:
    case VALUE_TIME:
        return json_integer(*(const uint32_t *)at);
    case VALUE_SIZE:
    case VALUE_AGE:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case VALUE_CHOICE:
        return json_integer(*(const int *)at);
    case VALUE_REAL:
        /* Neither NaN nor infinity can be said in JSON. */
        return json_real(isfinite(*(const double *)at) ? *(const double *)at : 0);
    default:
        text = *(char *const *)at;
        return text ? text_value(text) : json_null();
    }
}

static const char *key_of(char key[64], const struct value *value)
{
    snprintf(key, 64, "%s%s", value->name, value->kind == VALUE_TIME ? "_ms" : "");
    return key;
}

static void pack(json_t *object, const struct value *values, const void *base)
{
    char key[64];

    for (; values->name; values++) {
        json_object_set_new(object, key_of(key, values), pack_value(values, base));
    }
}

static int unpack_text(const struct value *value, void *at, const json_t *json)
{
    const char *text = json_string_value(json);
    size_t length = json_string_length(json);

    /* jansson lets a \u0000 through; text that ends early would be another text. */
    if (!text || strlen(text) != length || (double)length > value->max) {
        return json_is_null(json) ? 0 : -1;
    }
    if (value->kind == VALUE_CHARS) {
        memcpy(at, text, length + 1);
    }
    else {
        *(char **)at = mem_text(text);
    }
    return 0;
}

static int unpack_value(const struct value *value, void *base, const json_t *json)
{
    /* Of choices the table has the words; the last number is one less. */
    double max = value->choices ? value_choices(value) - 1 : value->max;
    void *at = (char *)base + value->offset;
    double number;

    if (value->kind == VALUE_TEXT || value->kind == VALUE_CHARS) {
        return unpack_text(value, at, json);
    }
    number = json_number_value(json);
    if ((value->kind == VALUE_REAL ? !json_is_number(json) : !json_is_integer(json)) ||
        !(number >= 0 && number <= max)) {
        return -1;
    }
    if (value->kind == VALUE_REAL) {
        *(double *)at = number;
    }
    else if (value->kind == VALUE_SIZE || value->kind == VALUE_AGE) {
        *(uint64_t *)at = (uint64_t)json_integer_value(json);
    }
    else {
        *(uint32_t *)at = (uint32_t)json_integer_value(json);
    }
    return 0;
}

static int unpack(const json_t *object, const struct value *values, int required, void *base)
{
    char key[64];

    for (; values->name; values++, required--) {
        const json_t *json = json_object_get(object, key_of(key, values));

        if (json ? unpack_value(values, base, json) : required > 0) {
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
    static const struct value text = { "text", VALUE_TEXT, 0, 0, PACKET_MAX };
    size_t i;

    if (!json_is_array(settings)) {
        return -1;
    }
    job->kafka = mem_zeroed(json_array_size(settings), sizeof(*job->kafka));
    for (i = 0; i < json_array_size(settings); i++) {
        const json_t *pair = json_array_get(settings, i);

        job->kafka_count = i + 1;
        if (unpack_text(&text, &job->kafka[i].name, json_array_get(pair, 0)) ||
            unpack_text(&text, &job->kafka[i].value, json_array_get(pair, 1)) ||
            !job->kafka[i].name || !job->kafka[i].value) {
            return -1;
        }
    }
    return 0;
}

/* Takes over object. The text is wiped: it holds passwords, and freed memory lands in core
 * files. */
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
    json_t *object = json_object();

    pack(object, job_fields, job);
    pack(object, settings_table, &job->settings);
    json_object_set_new(object, "kafka", pack_settings(job));
    return send_packet(fd, object, MSG_DONTWAIT);
}

static int unpack_job(struct job *job, const json_t *object)
{
    settings_preset(&job->settings);
    job->report_interval_ms = JOB_REPORT_INTERVAL_MS;
    job->log_level = LOG_LEVEL_INFO;
    if (unpack(object, job_fields, JOB_REQUIRED, job) ||
        unpack(object, settings_table, 0, &job->settings) ||
        unpack_settings(job, json_object_get(object, "kafka"))) {
        return -1;
    }
    return job->name && job->url && job->topic ? 0 : -1;
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
    rc = unpack_job(job, object);
    json_decref(object);
    if (rc) {
        job_clear(job);
        errno = EBADMSG;
    }
    return rc;
}

void job_clear(struct job *job)
{
    size_t i;

    free(job->name);
    mem_wipe(job->url);
    free(job->topic);
    free(job->small_topic);
    for (i = 0; i < job->kafka_count; i++) {
        free(job->kafka[i].name);
        mem_wipe(job->kafka[i].value);
    }
    free(job->kafka);
    memset(job, 0, sizeof(*job));
}

int job_report_send(int fd, const struct job_report *report)
{
    json_t *object = json_object();

    pack(object, report_fields, report);
    return send_packet(fd, object, MSG_DONTWAIT);
}

int job_report_receive(int fd, struct job_report *report)
{
    json_t *object = receive_packet(fd);
    struct job_report fresh = { 0 };
    int rc;

    if (!object) {
        return -1;
    }
    rc = unpack(object, report_fields, REPORT_REQUIRED, &fresh);
    json_decref(object);
    if (rc) {
        errno = EBADMSG;
        return -1;
    }
    *report = fresh;
    return 0;
}
