#include "conf.h"

#include <config.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "mem.h"

#define LINE_MAX_BYTES 16384
#define KAFKA_PREFIX   "kafka."

#define AT(field)   offsetof(struct conf, field)
#define TABLE_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$."

static const struct value database_values[] = {
    { "host", VALUE_TEXT, AT(database.host), 0, 255, "localhost", NULL,
      "Host of the MariaDB or MySQL server that has the table of cameras.\n"
      "localhost means its Unix socket." },
    { "port", VALUE_COUNT, AT(database.port), 1, 65535, "3306", NULL, "TCP port of that host." },
    { "socket", VALUE_TEXT, AT(database.socket), 0, 107, "", NULL,
      "Path of the Unix socket, where it is not the client library's default." },
    { "user", VALUE_TEXT, AT(database.user), 0, 128, "kafkacam", NULL,
      "Database user. SELECT on the table is all it needs." },
    { "password", VALUE_TEXT, AT(database.password), 0, 1024, "", NULL,
      "Its password; empty for unix_socket authentication. Better in a file of its own." },
    { "password_file", VALUE_FILE, AT(database.password), 0, 1024, "", NULL,
      "A file whose first line is the password. Readable for kafkacam-producer alone, it lets\n"
      "this file be readable for everybody." },
    { "name", VALUE_TEXT, AT(database.name), 1, 64, "kafkacam", NULL, "Name of the database." },
    { "table", VALUE_TEXT, AT(database.table), 1, 129, "cameras", TABLE_CHARS,
      "Name of the table (schema.sql makes it)." },
    { "tls", VALUE_CHOICE, AT(database.tls), 0, 0, "no", "no|yes|verify",
      "Encrypt the connection: no, yes (without looking at the server's certificate), or verify." },
    { "tls_ca", VALUE_TEXT, AT(database.tls_ca), 0, 4096, "", NULL,
      "File of certificates that verify trusts." },
    { "timeout", VALUE_TIME, AT(database.timeout_ms), 1 * VALUE_SECOND, 1 * VALUE_HOUR, "5 s", NULL,
      "How long to wait for the server's connection or answer." },
    { .name = NULL },
};

static const struct value kafka_values[] = {
    { "brokers", VALUE_TEXT, AT(kafka.brokers), 1, 8000, "localhost:9092", NULL,
      "Kafka brokers to begin with, HOST:PORT, separated by commas." },
    { "topic", VALUE_TEXT, AT(kafka.topic), 1, KC_WIRE_TOPIC_MAX, KC_WIRE_TOPIC,
      KC_WIRE_TOPIC_CHARS, "Topic of the pictures. Camera 3 writes to its partition 3." },
    { "status_topic", VALUE_TEXT, AT(kafka.status_topic), 0, KC_WIRE_ANY_TOPIC_MAX, "",
      KC_WIRE_TOPIC_CHARS,
      "Topic of the cameras' states (compacted). Empty: topic with .status behind it." },
    { "small_topic", VALUE_TEXT, AT(kafka.small_topic), 0, KC_WIRE_ANY_TOPIC_MAX, "",
      KC_WIRE_TOPIC_CHARS,
      "Topic of the small pictures, made when a camera wants them. Empty: topic with .small\n"
      "behind it." },
    { "replication", VALUE_COUNT, AT(kafka.replication), 0, 100, "0", NULL,
      "Replicas of a topic made by kafkacam-producer. 0: what the broker has as default." },
    { "retention_time", VALUE_AGE, AT(kafka.retention_ms), 1 * VALUE_SECOND, 3650 * VALUE_DAY,
      "1 h", NULL,
      "For topics made by kafkacam-producer: how long pictures are kept. What is set in\n"
      "an existing topic stays as it is." },
    { "retention_bytes", VALUE_SIZE, AT(kafka.retention_bytes), 1 * VALUE_MIB, 1048576 * VALUE_GIB,
      "512M", NULL,
      "How much of one camera's pictures is kept, whichever comes first. Disk per camera and\n"
      "replica: at most retention_bytes + segment_bytes, so 100 cameras need up to 60 GB as set\n"
      "here. At 5 pictures of 100 kB a second 512M are 18 minutes." },
    { "segment_bytes", VALUE_SIZE, AT(kafka.segment_bytes), 1 * VALUE_MIB, 1 * VALUE_GIB, "64M",
      NULL,
      "Size of one file of a camera's log: the step in which Kafka deletes. Must hold the\n"
      "largest message." },
    { "max_message_bytes", VALUE_SIZE, AT(kafka.max_message_bytes), 64 * VALUE_KIB, 256 * VALUE_MIB,
      "4M", NULL,
      "Largest message of the topic, cameras use it as well. Kafka's own default, 1M, is less "
      "than\n"
      "a sharp 4K picture. The broker's replica.fetch.max.bytes should be no less." },
    { .name = NULL },
};

static const struct value producer_values[] = {
    { "log_level", VALUE_CHOICE, AT(producer.log_level), 0, 0, "info",
      "error|warning|info|debug|trace", "What is logged: error, warning, info, debug or trace." },
    { "max_cameras", VALUE_COUNT, AT(producer.max_cameras), 1, KC_WIRE_CAM_MAX, "1000", NULL,
      "Highest camera number. The topic gets as many partitions as the highest id asks for; this\n"
      "keeps a slip of the finger from asking the broker for thousands." },
    { "catalog_interval", VALUE_TIME, AT(producer.catalog_interval_ms), 1 * VALUE_SECOND,
      1 * VALUE_DAY, "30 s", NULL, "How often the table is read. SIGHUP reads it at once." },
    { "report_interval", VALUE_TIME, AT(producer.report_interval_ms), 200, 1 * VALUE_MINUTE, "5 s",
      NULL,
      "How often a camera's process reports. One that is silent for three of these is killed and\n"
      "started again." },
    { "status_interval", VALUE_TIME, AT(producer.status_interval_ms), 1 * VALUE_SECOND,
      1 * VALUE_HOUR, "30 s", NULL,
      "How often a camera's state is written to the status topic when it does not change." },
    { "start_interval", VALUE_TIME, AT(producer.start_interval_ms), 0, 1 * VALUE_MINUTE, "100 ms",
      NULL, "Time between the starts of two cameras, so that hundreds do not start at once." },
    { "camera_program", VALUE_TEXT, AT(producer.camera_program), 1, 4095,
      LIBEXECDIR "/kafkacam-camera", NULL, "Program that serves one camera." },
    { "host", VALUE_TEXT, AT(producer.host), 0, 255, "", NULL,
      "Name of this host in the cameras' status. Empty: the system's host name." },
    { "user", VALUE_TEXT, AT(producer.user), 0, 255, "", NULL,
      "User to become when started as root. Empty: none; the service files start it as kafkacam." },
    { .name = NULL },
};

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* By the order of the file; offsets of the values are from base. */
static const struct section {
    const char *name;
    const struct value *values; /* ended by one without a name */
    size_t base;
} sections[] = {
    { "database", database_values, 0 },
    { "kafka", kafka_values, 0 },
    { "cameras", settings_table, AT(cameras) },
    { "producer", producer_values, 0 },
};

#define SECTIONS   COUNT(sections)
#define VALUES_MAX 30 /* of a section */

_Static_assert(COUNT(database_values) <= VALUES_MAX && COUNT(kafka_values) <= VALUES_MAX &&
                   COUNT(producer_values) <= VALUES_MAX,
               "VALUES_MAX is too small");

/* One key of the file. */
struct key {
    const struct section *section;
    const struct value *value;
};

/* While a file is read. */
struct reading {
    struct conf *conf;
    FILE *stream;
    int line;                      /* that the reader gave last */
    int set[SECTIONS][VALUES_MAX]; /* line of each key, 0: not set */
    char *password_file;           /* to be read when all lines are known */
    int errors;
};

/* 1 and *key, or 0: there is none of that name. */
static int find_key(struct key *key, const char *section, const char *name)
{
    for (key->section = sections; key->section < sections + SECTIONS; key->section++) {
        for (key->value = key->section->values; key->value->name; key->value++) {
            if (!strcmp(key->section->name, section) && !strcmp(key->value->name, name)) {
                return 1;
            }
        }
    }
    return 0;
}

static int *line_at(struct reading *reading, const struct key *key)
{
    return &reading->set[key->section - sections][key->value - key->section->values];
}

static void *base_of(struct conf *conf, const struct section *section)
{
    return (char *)conf + section->base;
}

/* ---- lines -------------------------------------------------------------------------------- */

static void complain(struct reading *reading, int line, const char *what)
{
    log_error(1001, "%s:%d: %s", reading->conf->path, line, what);
    reading->errors++;
}

static void complain_unknown(struct reading *reading, const char *name, const char *word)
{
    const struct section *section = sections;
    const struct value *value;
    char text[2000];
    size_t used;

    while (section < sections + SECTIONS && strcmp(section->name, name)) {
        section++;
    }
    if (section == sections + SECTIONS) {
        snprintf(text, sizeof(text),
                 "no section [%s]; there are [database], [kafka], [cameras] and [producer]", name);
        complain(reading, reading->line, text);
        return;
    }
    used = (size_t)snprintf(text, sizeof(text), "no key \"%s\" in [%s]; there are", word, name);
    for (value = section->values; value->name && used < sizeof(text); value++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", value->name);
    }
    if (!strcmp(name, "kafka") && used < sizeof(text)) {
        snprintf(text + used, sizeof(text) - used, " and kafka.PROPERTY for those of librdkafka");
    }
    complain(reading, reading->line, text);
}

static void add_property(struct conf *conf, const char *name, const char *value, int line)
{
    struct job_setting *property;

    conf->kafka.properties = mem_resize(conf->kafka.properties, conf->kafka.property_count + 1,
                                        sizeof(*conf->kafka.properties));
    property = &conf->kafka.properties[conf->kafka.property_count++];
    property->name = mem_text(name);
    property->value = mem_text(value);
    property->line = line;
}

static void take_property(struct reading *reading, const char *name, const char *value)
{
    struct conf *conf = reading->conf;
    size_t i;

    if (!strcmp(name, "bootstrap.servers") || !strcmp(name, "metadata.broker.list")) {
        complain(reading, reading->line, "the brokers are given as brokers = HOST:PORT,...");
        return;
    }
    for (i = 0; i < conf->kafka.property_count; i++) {
        if (!strcmp(conf->kafka.properties[i].name, name)) {
            complain(reading, reading->line, "this property was set before");
            return;
        }
    }
    add_property(conf, name, value, reading->line);
}

static void take_key(struct reading *reading, const struct key *key, const char *text)
{
    const struct value *value = key->value;
    int *line = line_at(reading, key);
    char expected[300], why[1000];

    if (*line) {
        snprintf(why, sizeof(why), "[%s] %s was set in line %d before", key->section->name,
                 value->name, *line);
        complain(reading, reading->line, why);
        return;
    }
    *line = reading->line;
    if (value->kind == VALUE_FILE) {
        mem_wipe(reading->password_file);
        reading->password_file = mem_text(text);
    }
    else if (value_parse(value, base_of(reading->conf, key->section), text)) {
        value_expected(expected, sizeof(expected), value);
        snprintf(why, sizeof(why), "[%s] %s = %.200s: must be %s", key->section->name, value->name,
                 value->offset == AT(database.password) ? "***" : text, expected);
        complain(reading, reading->line, why);
    }
}

/* inih's handler: one "name = value". Always 1, so that inih's own result is about its syntax. */
static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct key key;

    if (!strcmp(section, "kafka") && !strncmp(name, KAFKA_PREFIX, strlen(KAFKA_PREFIX))) {
        take_property(reading, name + strlen(KAFKA_PREFIX), value);
    }
    else if (find_key(&key, section, name)) {
        take_key(reading, &key, value);
    }
    else {
        complain_unknown(reading, section, name);
    }
    return 1;
}

/* inih's reader. Counts lines, for messages; takes the blanks from a line's beginning, which inih
 * would read as "this belongs to the line above"; and says so when inih's buffer is too short,
 * where inih would take the rest for a line of its own. */
static char *give_line(char *text, int size, void *user)
{
    struct reading *reading = user;
    size_t length;

    if (!fgets(text, size, reading->stream)) {
        return NULL;
    }
    reading->line++;
    length = strlen(text);
    if (length + 1 >= (size_t)size && text[length - 1] != '\n') {
        int c;

        snprintf(text, (size_t)size, "\n");
        complain(reading, reading->line, "this line is too long");
        while ((c = getc(reading->stream)) != EOF && c != '\n') {
        }
        return text;
    }
    memmove(text, text + strspn(text, " \t"), length + 1 - strspn(text, " \t"));
    return text;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void read_password(struct reading *reading, int line)
{
    char text[1026], why[1500];
    FILE *file = fopen(reading->password_file, "re");

    if (!file || !fgets(text, sizeof(text), file) || strcspn(text, "\r\n") == 0) {
        snprintf(why, sizeof(why), "[database] password_file = %.1000s: %s", reading->password_file,
                 file ? "is empty or cannot be read" : strerror(errno));
        complain(reading, line, why);
    }
    else {
        text[strcspn(text, "\r\n")] = '\0';
        mem_wipe(reading->conf->database.password);
        reading->conf->database.password = mem_text(text);
    }
    explicit_bzero(text, sizeof(text));
    if (file) {
        fclose(file);
    }
}

static int line_of(struct reading *reading, const char *section, const char *name)
{
    struct key key;

    return find_key(&key, section, name) ? *line_at(reading, &key) : 0;
}

static void set_presets(struct conf *conf)
{
    const struct section *section;
    const struct value *value;

    for (section = sections; section < sections + SECTIONS; section++) {
        for (value = section->values; value->name; value++) {
            if (value->kind != VALUE_FILE &&
                value_parse(value, base_of(conf, section), value->preset)) {
                /* A mistake in the table; the unit test finds it. */
                log_error(1002, "[%s] %s: bad default", section->name, value->name);
                abort();
            }
        }
    }
}

/* What depends on more than one key. */
static void check_whole(struct reading *reading)
{
    struct conf *conf = reading->conf;
    int line = line_of(reading, "database", "password_file");
    char host[256] = "localhost";
    char *topic = conf->kafka.topic;

    if (reading->password_file && *reading->password_file) {
        if (line_of(reading, "database", "password")) {
            complain(reading, line, "[database] has password as well as password_file");
        }
        read_password(reading, line);
    }
    if (conf->cameras.max_frame_bytes + 4096 > conf->kafka.max_message_bytes) {
        line = line_of(reading, "cameras", "max_frame_bytes");
        complain(reading, line ? line : line_of(reading, "kafka", "max_message_bytes"),
                 "[cameras] max_frame_bytes must be 4k less than [kafka] max_message_bytes");
    }
    if (conf->kafka.max_message_bytes > conf->kafka.segment_bytes) {
        line = line_of(reading, "kafka", "segment_bytes");
        complain(reading, line ? line : line_of(reading, "kafka", "max_message_bytes"),
                 "[kafka] segment_bytes must be no less than max_message_bytes");
    }
    if (!*conf->kafka.status_topic) {
        free(conf->kafka.status_topic);
        conf->kafka.status_topic = mem_print("%s" KC_WIRE_STATUS_SUFFIX, topic);
    }
    if (!*conf->kafka.small_topic) {
        free(conf->kafka.small_topic);
        conf->kafka.small_topic = mem_print("%s" KC_WIRE_SMALL_SUFFIX, topic);
    }
    if (!strcmp(topic, conf->kafka.status_topic) || !strcmp(topic, conf->kafka.small_topic) ||
        !strcmp(conf->kafka.small_topic, conf->kafka.status_topic)) {
        complain(reading, line_of(reading, "kafka", "topic"),
                 "[kafka] topic, status_topic and small_topic must differ");
    }
    if (!*conf->producer.host) {
        gethostname(host, sizeof(host) - 1);
        free(conf->producer.host);
        conf->producer.host = mem_text(host);
    }
}

/* Passwords in a file that all may read: worth a word, not a refusal. */
static void check_mode(struct reading *reading)
{
    const struct conf *conf = reading->conf;
    int secret = line_of(reading, "database", "password");
    struct stat st;
    size_t i;

    for (i = 0; i < conf->kafka.property_count; i++) {
        if (strstr(conf->kafka.properties[i].name, "password")) {
            secret = conf->kafka.properties[i].line;
        }
    }
    if (secret && !fstat(fileno(reading->stream), &st) && (st.st_mode & S_IROTH)) {
        log_warning(1003,
                    "%s:%d: there is a password in a file that everybody on this host may read; "
                    "chmod o-r, or use password_file",
                    conf->path, secret);
    }
}

int conf_read_stream(struct conf **result, FILE *stream, const char *path)
{
    struct reading reading = { .stream = stream };
    int wrong;

    reading.conf = mem_zeroed(1, sizeof(*reading.conf));
    reading.conf->path = mem_text(path);
    set_presets(reading.conf);
#if HAVE_DECL_INI_USE_STACK
    /* Else a line ends after 199 characters. */
    ini_use_stack = 0;
    ini_initial_alloc = LINE_MAX_BYTES;
    ini_max_line = LINE_MAX_BYTES;
#endif
    wrong = ini_parse_stream(give_line, &reading, take_line, &reading);
    if (wrong > 0) {
        complain(&reading, wrong, "neither [section] nor key = value nor # comment");
    }
    else if (wrong < 0 || ferror(stream)) {
        complain(&reading, reading.line, "cannot be read");
    }
    add_property(reading.conf, "bootstrap.servers", reading.conf->kafka.brokers,
                 line_of(&reading, "kafka", "brokers"));
    check_whole(&reading);
    check_mode(&reading);
    free(reading.password_file);
    if (reading.errors) {
        conf_free(reading.conf);
        return -1;
    }
    *result = reading.conf;
    return 0;
}

int conf_read(struct conf **conf, const char *path)
{
    FILE *stream = fopen(path, "re");
    int rc;

    if (!stream) {
        log_error(1000, "%s: %s", path, strerror(errno));
        return -1;
    }
    rc = conf_read_stream(conf, stream, path);
    fclose(stream);
    return rc;
}

void conf_free(struct conf *conf)
{
    const struct section *section;
    const struct value *value;
    size_t i;

    if (!conf) {
        return;
    }
    for (section = sections; section < sections + SECTIONS; section++) {
        for (value = section->values; value->name; value++) {
            value_clear(value, base_of(conf, section));
        }
    }
    for (i = 0; i < conf->kafka.property_count; i++) {
        free(conf->kafka.properties[i].name);
        mem_wipe(conf->kafka.properties[i].value);
    }
    free(conf->kafka.properties);
    free(conf->path);
    free(conf);
}

static void print_comment(FILE *out, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");

        fprintf(out, "# %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_value(FILE *out, const struct value *value)
{
    char range[80];

    fputc('\n', out);
    print_comment(out, value->help);
    value_range(range, sizeof(range), value);
    if (*range) {
        print_comment(out, range);
    }
    fprintf(out, "#%s =%s%s\n", value->name, *value->preset ? " " : "", value->preset);
}

void conf_print_defaults(FILE *out)
{
    const struct section *section;
    const struct value *value;

    fputs("# Settings of kafkacam-producer, see producer.conf(5). What stands here behind a # is "
          "the\n"
          "# default. \"kafkacam-producer --check\" says whether all is right.\n",
          out);
    for (section = sections; section < sections + SECTIONS; section++) {
        fprintf(out, "\n[%s]\n", section->name);
        for (value = section->values; value->name; value++) {
            print_value(out, value);
        }
        if (section->values == kafka_values) {
            fputc('\n', out);
            print_comment(out, "Any property of librdkafka, for the supervisor and the cameras, "
                               "with kafka. before\n"
                               "its name.");
            fputs(
                "#kafka.security.protocol = SSL\n#kafka.ssl.ca.location = /etc/ssl/kafka-ca.pem\n",
                out);
        }
    }
}
