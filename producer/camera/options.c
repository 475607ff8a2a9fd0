#include "config.h"
#include "options.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "mem.h"

static const char help[] =
    "usage: kafkacam-camera --brokers HOST:PORT --cam N [OPTION]... < FILE-WITH-URL\n"
    "       kafkacam-camera [--syslog]          the job is in descriptor 3 (kafkacam-producer)\n"
    "\n"
    "Reads one camera over RTSP and writes its pictures to Kafka as JPEGs. The URL is read from\n"
    "standard input, never from the command line, which everybody on the machine can see.\n"
    "\n"
    "  --brokers HOST:PORT[,...]  Kafka\n"
    "  --kafka NAME=VALUE         any property of librdkafka; may be given again\n"
    "  --topic TOPIC              default " KC_WIRE_TOPIC "\n"
    "  --cam N                    the camera's number: partition and record key\n"
    "  --fps F                    pictures a second at most, default all\n"
    "  --width PIXELS             at most, default as the camera sends\n"
    "  --quality 1..100           default 80, and MJPEG cameras' pictures as they are\n"
    "  --small-width PIXELS       a second, small picture as well\n"
    "  --small-fps F              default 1\n"
    "  --small-topic TOPIC        default " KC_WIRE_SMALL_TOPIC "\n"
    "  --transport tcp|udp|auto   default tcp\n"
    "  --timeout SECONDS          without a picture for so long: end, default 10\n"
    "  --max-frame-bytes N        of one JPEG, default 4000000\n"
    "  --tls-verify               rtsps: check the camera's certificate\n"
    "  --tls-ca FILE              rtsps: against these certificates\n"
    "  --report SECONDS           between lines about rate and cost, default 10\n"
    "  --log-level LEVEL          error, warning, info, debug, trace; default info\n"
    "  --syslog                   log there\n"
    "  --version, --help\n"
    "\n"
    "Ends with 0 when told to stop, 1 when the camera failed, 2 when it cannot work at all.\n";

enum {
    OPTION_BROKERS = 256,
    OPTION_KAFKA,
    OPTION_TOPIC,
    OPTION_CAM,
    OPTION_FPS,
    OPTION_WIDTH,
    OPTION_QUALITY,
    OPTION_SMALL_WIDTH,
    OPTION_SMALL_FPS,
    OPTION_SMALL_TOPIC,
    OPTION_TRANSPORT,
    OPTION_TIMEOUT,
    OPTION_MAX_FRAME_BYTES,
    OPTION_TLS_VERIFY,
    OPTION_TLS_CA,
    OPTION_REPORT,
    OPTION_LOG_LEVEL,
    OPTION_SYSLOG,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option options[] = {
    { "brokers", required_argument, NULL, OPTION_BROKERS },
    { "kafka", required_argument, NULL, OPTION_KAFKA },
    { "topic", required_argument, NULL, OPTION_TOPIC },
    { "cam", required_argument, NULL, OPTION_CAM },
    { "fps", required_argument, NULL, OPTION_FPS },
    { "width", required_argument, NULL, OPTION_WIDTH },
    { "quality", required_argument, NULL, OPTION_QUALITY },
    { "small-width", required_argument, NULL, OPTION_SMALL_WIDTH },
    { "small-fps", required_argument, NULL, OPTION_SMALL_FPS },
    { "small-topic", required_argument, NULL, OPTION_SMALL_TOPIC },
    { "transport", required_argument, NULL, OPTION_TRANSPORT },
    { "timeout", required_argument, NULL, OPTION_TIMEOUT },
    { "max-frame-bytes", required_argument, NULL, OPTION_MAX_FRAME_BYTES },
    { "tls-verify", no_argument, NULL, OPTION_TLS_VERIFY },
    { "tls-ca", required_argument, NULL, OPTION_TLS_CA },
    { "report", required_argument, NULL, OPTION_REPORT },
    { "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
    { "syslog", no_argument, NULL, OPTION_SYSLOG },
    { "version", no_argument, NULL, OPTION_VERSION },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 }
};

static void set_text(char **to, const char *text)
{
    free(*to);
    *to = mem_text(text);
}

static void add_kafka(struct job *job, const char *name, size_t name_size, const char *value)
{
    struct job_setting *setting;

    job->kafka = mem_resize(job->kafka, job->kafka_count + 1, sizeof(*job->kafka));
    setting = &job->kafka[job->kafka_count++];
    setting->name = mem_print("%.*s", (int)name_size, name);
    setting->value = mem_text(value);
}

static int take_kafka(struct job *job, const char *text)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text) {
        return -1;
    }
    add_kafka(job, text, (size_t)(equals - text), equals + 1);
    return 0;
}

static int take_number(uint32_t *to, const char *text, uint64_t min, uint64_t max)
{
    uint64_t number;

    if (kc_wire_number_parse(&number, text, strlen(text), max) || number < min) {
        return -1;
    }
    *to = (uint32_t)number;
    return 0;
}

static int take_decimal(double *to, const char *text, double max)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end || !(number >= 0 && number <= max)) {
        return -1;
    }
    *to = number;
    return 0;
}

static int take_seconds(uint32_t *to_ms, const char *text)
{
    double seconds;

    if (take_decimal(&seconds, text, 3600) || seconds < 0.1) {
        return -1;
    }
    *to_ms = (uint32_t)lround(seconds * 1000);
    return 0;
}

static int take_transport(enum job_transport *to, const char *text)
{
    static const char *const names[] = {
        [JOB_TCP] = "tcp", [JOB_UDP] = "udp", [JOB_AUTO] = "auto"
    };
    int i;

    for (i = 0; i < 3; i++) {
        if (!strcmp(text, names[i])) {
            *to = (enum job_transport)i;
            return 0;
        }
    }
    return -1;
}

static int take_bytes(size_t *to, const char *text)
{
    uint32_t number;

    if (take_number(&number, text, 1000, 100000000)) {
        return -1;
    }
    *to = number;
    return 0;
}

/* 0, or -1: the value is none for this option. */
static int take(struct job *job, int *to_syslog, int option, const char *value)
{
    switch (option) {
    case OPTION_BROKERS:
        add_kafka(job, "bootstrap.servers", 17, value);
        return 0;
    case OPTION_KAFKA:
        return take_kafka(job, value);
    case OPTION_TOPIC:
        set_text(&job->topic, value);
        return 0;
    case OPTION_SMALL_TOPIC:
        set_text(&job->small_topic, value);
        return 0;
    case OPTION_CAM:
        return take_number(&job->cam, value, 0, KC_WIRE_CAM_MAX);
    case OPTION_FPS:
        return take_decimal(&job->fps, value, 1000);
    case OPTION_WIDTH:
        return take_number(&job->width, value, 16, 65535);
    case OPTION_QUALITY:
        return take_number(&job->quality, value, 1, 100);
    case OPTION_SMALL_WIDTH:
        return take_number(&job->small_width, value, 16, 65535);
    case OPTION_SMALL_FPS:
        return take_decimal(&job->small_fps, value, 1000);
    case OPTION_TRANSPORT:
        return take_transport(&job->transport, value);
    case OPTION_TIMEOUT:
        return take_seconds(&job->timeout_ms, value);
    case OPTION_REPORT:
        return take_seconds(&job->report_interval_ms, value);
    case OPTION_MAX_FRAME_BYTES:
        return take_bytes(&job->max_frame_bytes, value);
    case OPTION_TLS_VERIFY:
        job->tls_verify = 1;
        return 0;
    case OPTION_TLS_CA:
        set_text(&job->tls_ca, value);
        return 0;
    case OPTION_LOG_LEVEL:
        return log_level_parse(&job->log_level, value);
    case OPTION_SYSLOG:
        *to_syslog = 1;
        return 0;
    default:
        return -1;
    }
}

static void set_defaults(struct job *job)
{
    struct timespec now;

    memset(job, 0, sizeof(*job));
    job->small_fps = 1;
    job->timeout_ms = 10000;
    job->report_interval_ms = 10000;
    job->max_frame_bytes = 4000000;
    job->log_level = LOG_LEVEL_INFO;
    job->topic = mem_text(KC_WIRE_TOPIC);
    job->small_topic = mem_text(KC_WIRE_SMALL_TOPIC);
    clock_gettime(CLOCK_REALTIME, &now);
    job->epoch_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static enum options_result wrong(const char *what)
{
    fprintf(stderr, "kafkacam-camera: %s; see kafkacam-camera --help\n", what);
    return OPTIONS_WRONG;
}

enum options_result options_parse(struct job *job, int *to_syslog, int argc, char **argv)
{
    int cam_given = 0;
    int by_hand = 0;
    int option, index;
    char text[128];

    set_defaults(job);
    *to_syslog = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == OPTION_HELP) {
            fputs(help, stdout);
            return OPTIONS_DONE;
        }
        if (option == OPTION_VERSION) {
            puts("kafkacam-camera " PACKAGE_VERSION);
            return OPTIONS_DONE;
        }
        if (option == '?') {
            return OPTIONS_WRONG;
        }
        if (take(job, to_syslog, option, optarg)) {
            snprintf(text, sizeof(text), "%.40s is no value for --%s", optarg, options[index].name);
            return wrong(text);
        }
        cam_given |= option == OPTION_CAM;
        by_hand |= option != OPTION_SYSLOG;
    }
    if (optind < argc) {
        return wrong("there are no arguments but options; the URL comes from standard input");
    }
    if (!by_hand) {
        return OPTIONS_JOB_FD;
    }
    if (!cam_given || !job->kafka_count) {
        return wrong("--brokers and --cam are needed");
    }
    return OPTIONS_BY_HAND;
}

int options_read_url(struct job *job)
{
    char line[4096];

    if (isatty(0)) {
        fputs("URL of the camera: ", stderr);
    }
    if (!fgets(line, sizeof(line), stdin)) {
        log_error(1500, "no URL on standard input");
        return -1;
    }
    line[strcspn(line, "\r\n")] = '\0';
    set_text(&job->url, line);
    explicit_bzero(line, sizeof(line));
    return 0;
}
