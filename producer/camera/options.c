#include "config.h"
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "mem.h"

static const char help_head[] =
    "usage: kafkacam-camera --brokers HOST:PORT --cam N [OPTION]... < FILE-WITH-URL\n"
    "       kafkacam-camera [--syslog]          the job is in descriptor 3 (kafkacam-producer)\n"
    "\n"
    "Reads one camera over RTSP and writes its pictures to Kafka as JPEGs. The URL is read from\n"
    "standard input, never from the command line, which everybody on the machine can see.\n"
    "\n"
    "  --brokers HOST:PORT[,...]  Kafka\n"
    "  --kafka NAME=VALUE         any property of librdkafka; may be given again\n"
    "  --topic TOPIC              default " KC_WIRE_TOPIC "\n"
    "  --small-topic TOPIC        default " KC_WIRE_SMALL_TOPIC "\n"
    "  --cam N                    the camera's number: partition and record key\n";

static const char help_tail[] =
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
    OPTION_SMALL_TOPIC,
    OPTION_CAM,
    OPTION_REPORT,
    OPTION_LOG_LEVEL,
    OPTION_SYSLOG,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_SETTING /* and what follows: by its place in settings_table */
};

static const struct option own_options[] = {
    { "brokers", required_argument, NULL, OPTION_BROKERS },
    { "kafka", required_argument, NULL, OPTION_KAFKA },
    { "topic", required_argument, NULL, OPTION_TOPIC },
    { "small-topic", required_argument, NULL, OPTION_SMALL_TOPIC },
    { "cam", required_argument, NULL, OPTION_CAM },
    { "report", required_argument, NULL, OPTION_REPORT },
    { "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
    { "syslog", no_argument, NULL, OPTION_SYSLOG },
    { "version", no_argument, NULL, OPTION_VERSION },
    { "help", no_argument, NULL, OPTION_HELP },
};

#define OWN_OPTIONS (sizeof(own_options) / sizeof(*own_options))
#define OPTIONS_MAX 64

/* What getopt_long() takes; the names of settings as options, "small-width", are text's. */
struct option_list {
    struct option options[OPTIONS_MAX];
    char text[OPTIONS_MAX][40];
};

static int is_flag(const struct value *value)
{
    return value->kind == VALUE_CHOICE && !strcmp(value->choices, "no|yes");
}

static void list_options(struct option_list *list)
{
    const struct value *value;
    struct option *option = list->options;
    char *name = list->text[0];
    char *p;

    memset(list, 0, sizeof(*list));
    memcpy(option, own_options, sizeof(own_options));
    option += OWN_OPTIONS;
    for (value = settings_table; value->name && option < list->options + OPTIONS_MAX - 1; value++) {
        snprintf(name, sizeof(list->text[0]), "%s", value->name);
        for (p = name; (p = strchr(p, '_')) != NULL;) {
            *p = '-';
        }
        *option++ = (struct option){ name, is_flag(value) ? optional_argument : required_argument,
                                     NULL, OPTION_SETTING + (int)(value - settings_table) };
        name += sizeof(list->text[0]);
    }
}

static void print_help(const struct option_list *list)
{
    const struct option *option = list->options + OWN_OPTIONS;
    const struct value *value;
    char text[80];

    fputs(help_head, stdout);
    for (value = settings_table; value->name; value++, option++) {
        snprintf(text, sizeof(text), "--%s%s", option->name,
                 is_flag(value)                ? "[=no|yes]"
                 : value->kind == VALUE_TIME   ? " SECONDS"
                 : value->kind == VALUE_SIZE   ? " BYTES"
                 : value->kind == VALUE_CHARS  ? " FILE"
                 : value->kind == VALUE_CHOICE ? " WORD"
                                               : " N");
        printf("  %-26s %s%s%s\n", text, value->option, *value->preset ? ", default " : "",
               value->preset);
    }
    fputs(help_tail, stdout);
}

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

/* A time is seconds where it says no unit. */
static int take_value(const struct value *value, void *base, const char *text)
{
    char *seconds = value->kind == VALUE_TIME ? mem_print("%s s", text) : NULL;
    int rc = -1;

    if (!text) {
        text = "yes"; /* a flag without an argument */
    }
    if (!seconds || (rc = value_parse(value, base, seconds))) {
        rc = value_parse(value, base, text);
    }
    free(seconds);
    return rc;
}

/* 0, or -1: the value is none for this option. */
static int take(struct job *job, int *to_syslog, int option, const char *value)
{
    static const struct value cam = { "cam", VALUE_COUNT, offsetof(struct job, cam), 0,
                                      KC_WIRE_CAM_MAX };
    static const struct value report = { "report", VALUE_TIME,
                                         offsetof(struct job, report_interval_ms), 100,
                                         VALUE_HOUR };

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
        return value_parse(&cam, job, value);
    case OPTION_REPORT:
        return take_value(&report, job, value);
    case OPTION_LOG_LEVEL:
        return log_level_parse(&job->log_level, value);
    case OPTION_SYSLOG:
        *to_syslog = 1;
        return 0;
    default:
        return take_value(&settings_table[option - OPTION_SETTING], &job->settings, value);
    }
}

static void set_defaults(struct job *job)
{
    memset(job, 0, sizeof(*job));
    settings_preset(&job->settings);
    job->report_interval_ms = 10000;
    job->log_level = LOG_LEVEL_INFO;
    job->topic = mem_text(KC_WIRE_TOPIC);
    job->small_topic = mem_text(KC_WIRE_SMALL_TOPIC);
    job->epoch_ms = clock_wall_ms();
}

static enum options_result wrong(const char *what)
{
    fprintf(stderr, "kafkacam-camera: %s; see kafkacam-camera --help\n", what);
    return OPTIONS_WRONG;
}

enum options_result options_parse(struct job *job, int *to_syslog, int argc, char **argv)
{
    struct option_list list;
    int cam_given = 0;
    int by_hand = 0;
    int option, index;
    char text[128];

    list_options(&list);
    set_defaults(job);
    *to_syslog = 0;
    while ((option = getopt_long(argc, argv, "", list.options, &index)) != -1) {
        if (option == OPTION_HELP) {
            print_help(&list);
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
            snprintf(text, sizeof(text), "%.40s is no value for --%s", optarg ? optarg : "nothing",
                     list.options[index].name);
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
