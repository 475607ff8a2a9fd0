#include "conf.h"

#include <config.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "mem.h"

#define LINE_MAX_BYTES 16384
#define KAFKA_PREFIX   "kafka."

/* What a value is. Ranges are in the base unit: ms, bytes. */
enum kind { TEXT, SECRET_FILE, COUNT, SIZE, TIME, REAL, CHOICE };

struct key {
    const char *section;
    const char *name;
    enum kind kind;
    size_t offset;
    double min, max;
    const char *preset;  /* as it would stand in the file */
    const char *choices; /* of CHOICE: words by their number; of TEXT: what it must look like */
    const char *help;
};

#define AT(field)   offsetof(struct conf, field)
#define MS          1.0
#define SECONDS     1000.0
#define MINUTES     (60 * SECONDS)
#define HOURS       (60 * MINUTES)
#define DAYS        (24 * HOURS)
#define KIB         1024.0
#define MIB         (1024 * KIB)
#define GIB         (1024 * MIB)
#define TABLE_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$."

static const struct key keys[] = {
    { "database", "host", TEXT, AT(database.host), 0, 255, "localhost", NULL,
      "Host of the MariaDB or MySQL server that has the table of cameras.\n"
      "localhost means its Unix socket." },
    { "database", "port", COUNT, AT(database.port), 1, 65535, "3306", NULL,
      "TCP port of that host." },
    { "database", "socket", TEXT, AT(database.socket), 0, 107, "", NULL,
      "Path of the Unix socket, where it is not the client library's default." },
    { "database", "user", TEXT, AT(database.user), 0, 128, "kafkacam", NULL,
      "Database user. SELECT on the table is all it needs." },
    { "database", "password", TEXT, AT(database.password), 0, 1024, "", NULL,
      "Its password; empty for unix_socket authentication. Better in a file of its own." },
    { "database", "password_file", SECRET_FILE, AT(database.password), 0, 1024, "", NULL,
      "A file whose first line is the password. Readable for kafkacam-producer alone, it lets\n"
      "this file be readable for everybody." },
    { "database", "name", TEXT, AT(database.name), 1, 64, "kafkacam", NULL,
      "Name of the database." },
    { "database", "table", TEXT, AT(database.table), 1, 129, "cameras", TABLE_CHARS,
      "Name of the table (schema.sql makes it)." },
    { "database", "tls", CHOICE, AT(database.tls), 0, 0, "no", "no|yes|verify",
      "Encrypt the connection: no, yes (without looking at the server's certificate), or verify." },
    { "database", "tls_ca", TEXT, AT(database.tls_ca), 0, 4096, "", NULL,
      "File of certificates that verify trusts." },
    { "database", "timeout", TIME, AT(database.timeout_ms), 1 * SECONDS, 1 * HOURS, "5 s", NULL,
      "How long to wait for the server's connection or answer." },

    { "kafka", "brokers", TEXT, AT(kafka.brokers), 1, 8000, "localhost:9092", NULL,
      "Kafka brokers to begin with, HOST:PORT, separated by commas." },
    { "kafka", "topic", TEXT, AT(kafka.topic), 1, KC_WIRE_TOPIC_MAX, KC_WIRE_TOPIC,
      KC_WIRE_TOPIC_CHARS, "Topic of the pictures. Camera 3 writes to its partition 3." },
    { "kafka", "status_topic", TEXT, AT(kafka.status_topic), 0, KC_WIRE_ANY_TOPIC_MAX, "",
      KC_WIRE_TOPIC_CHARS,
      "Topic of the cameras' states (compacted). Empty: topic with .status behind it." },
    { "kafka", "small_topic", TEXT, AT(kafka.small_topic), 0, KC_WIRE_ANY_TOPIC_MAX, "",
      KC_WIRE_TOPIC_CHARS,
      "Topic of the small pictures, made when a camera wants them. Empty: topic with .small\n"
      "behind it." },
    { "kafka", "replication", COUNT, AT(kafka.replication), 0, 100, "0", NULL,
      "Replicas of a topic made by kafkacam-producer. 0: what the broker has as default." },
    { "kafka", "retention_time", TIME, AT(kafka.retention_ms), 1 * SECONDS, 3650 * DAYS, "1 h",
      NULL,
      "For topics made by kafkacam-producer: how long pictures are kept. What is set in\n"
      "an existing topic stays as it is." },
    { "kafka", "retention_bytes", SIZE, AT(kafka.retention_bytes), 1 * MIB, 1048576 * GIB, "512M",
      NULL,
      "How much of one camera's pictures is kept, whichever comes first. Disk per camera and\n"
      "replica: at most retention_bytes + segment_bytes, so 100 cameras need up to 60 GB as set\n"
      "here. At 5 pictures of 100 kB a second 512M are 18 minutes." },
    { "kafka", "segment_bytes", SIZE, AT(kafka.segment_bytes), 1 * MIB, 1 * GIB, "64M", NULL,
      "Size of one file of a camera's log: the step in which Kafka deletes. Must hold the\n"
      "largest message." },
    { "kafka", "max_message_bytes", SIZE, AT(kafka.max_message_bytes), 64 * KIB, 256 * MIB, "4M",
      NULL,
      "Largest message of the topic, cameras use it as well. Kafka's own default, 1M, is less "
      "than\n"
      "a sharp 4K picture. The broker's replica.fetch.max.bytes should be no less." },

    { "cameras", "fps", REAL, AT(cameras.fps), 0, 1000, "5", NULL,
      "Pictures a second at most. 0: all that the camera sends. This and what follows holds for\n"
      "rows of the table that have NULL in the column of the same name." },
    { "cameras", "width", COUNT, AT(cameras.width), 0, 16384, "0", NULL,
      "Pictures wider than this are made smaller. 0: as the camera sends them." },
    { "cameras", "quality", COUNT, AT(cameras.quality), 0, 100, "0", NULL,
      "JPEG quality, 1 to 100. 0: 80, and pictures of MJPEG cameras go on as they are, which "
      "costs\n"
      "a tenth." },
    { "cameras", "small_width", COUNT, AT(cameras.small_width), 0, 4096, "0", NULL,
      "Width of a second, small picture for walls of many cameras. 0: none." },
    { "cameras", "small_fps", REAL, AT(cameras.small_fps), 0, 1000, "2", NULL,
      "Small pictures a second at most. 0: as many as large ones." },
    { "cameras", "transport", CHOICE, AT(cameras.transport), 0, 0, "tcp", "tcp|udp|auto",
      "How RTSP carries the video: tcp, udp, or auto (tcp, then udp)." },
    { "cameras", "timeout", TIME, AT(cameras.timeout_ms), 1 * SECONDS, 1 * HOURS, "10 s", NULL,
      "A camera that sends no picture for this long is connected to again." },
    { "cameras", "max_frame_bytes", SIZE, AT(cameras.max_frame_bytes), 16 * KIB, 256 * MIB, "3M",
      NULL,
      "A picture that is larger is encoded again at a lower quality, then dropped. Less than\n"
      "kafka max_message_bytes." },
    { "cameras", "tls_verify", CHOICE, AT(cameras.tls_verify), 0, 0, "yes", "no|yes",
      "Whether the certificate of an rtsps:// camera must be right." },
    { "cameras", "tls_ca", TEXT, AT(cameras.tls_ca), 0, 4096, "", NULL,
      "File of certificates to trust for that. Empty: the system's." },

    { "producer", "log_level", CHOICE, AT(producer.log_level), 0, 0, "info",
      "error|warning|info|debug|trace", "What is logged: error, warning, info, debug or trace." },
    { "producer", "max_cameras", COUNT, AT(producer.max_cameras), 1, KC_WIRE_CAM_MAX, "1000", NULL,
      "Highest camera number. The topic gets as many partitions as the highest id asks for; this\n"
      "keeps a slip of the finger from asking the broker for thousands." },
    { "producer", "catalog_interval", TIME, AT(producer.catalog_interval_ms), 1 * SECONDS, 1 * DAYS,
      "30 s", NULL, "How often the table is read. SIGHUP reads it at once." },
    { "producer", "report_interval", TIME, AT(producer.report_interval_ms), 200 * MS, 1 * MINUTES,
      "5 s", NULL,
      "How often a camera's process reports. One that is silent for three of these is killed and\n"
      "started again." },
    { "producer", "status_interval", TIME, AT(producer.status_interval_ms), 1 * SECONDS, 1 * HOURS,
      "30 s", NULL,
      "How often a camera's state is written to the status topic when it does not change." },
    { "producer", "start_interval", TIME, AT(producer.start_interval_ms), 0, 1 * MINUTES, "100 ms",
      NULL, "Time between the starts of two cameras, so that hundreds do not start at once." },
    { "producer", "camera_program", TEXT, AT(producer.camera_program), 1, 4095,
      LIBEXECDIR "/kafkacam-camera", NULL, "Program that serves one camera." },
    { "producer", "host", TEXT, AT(producer.host), 0, 255, "", NULL,
      "Name of this host in the cameras' status. Empty: the system's host name." },
    { "producer", "user", TEXT, AT(producer.user), 0, 255, "", NULL,
      "User to become when started as root. Empty: none; the service files start it as kafkacam." },
};

#define KEY_COUNT (sizeof(keys) / sizeof(*keys))

/* While a file is read. */
struct reading {
    struct conf *conf;
    FILE *stream;
    int line;            /* that the reader gave last */
    int set[KEY_COUNT];  /* line of each key, 0: not set */
    char *password_file; /* to be read when all lines are known */
    int errors;
};

/* ---- values ------------------------------------------------------------------------------- */

struct unit {
    const char *name;
    double factor;
};

static const struct unit time_units[] = { { "ms", MS },   { "s", SECONDS }, { "min", MINUTES },
                                          { "h", HOURS }, { "d", DAYS },    { NULL, 0 } };
static const struct unit size_units[] = {
    { "", 1 }, { "k", KIB }, { "M", MIB }, { "G", GIB }, { NULL, 0 }
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(enum kind kind)
{
    return kind == TIME ? time_units : kind == SIZE ? size_units : no_units;
}

/* number in the largest unit that leaves no fraction. */
static void format_number(char text[32], enum kind kind, double number)
{
    const struct unit *unit = units_of(kind);
    const struct unit *best = unit;

    for (; unit->name; unit++) {
        if (number >= unit->factor && fmod(number, unit->factor) == 0) {
            best = unit;
        }
    }
    snprintf(text, 32, "%.15g%s%s", number / best->factor, kind == TIME ? " " : "", best->name);
}

/* What a right value looks like, for messages and for the printed file. */
static void format_expected(char *text, size_t size, const struct key *key)
{
    char min[32], max[32];

    format_number(min, key->kind, key->min);
    format_number(max, key->kind, key->max);
    switch (key->kind) {
    case CHOICE:
        snprintf(text, size, "one of %s", key->choices);
        break;
    case COUNT:
        snprintf(text, size, "a whole number from %s to %s", min, max);
        break;
    case REAL:
        snprintf(text, size, "a number from %s to %s", min, max);
        break;
    case SIZE:
        snprintf(text, size, "a size such as 500k, 64M or 1G from %s to %s", min, max);
        break;
    case TIME:
        snprintf(text, size, "a time such as 500 ms, 10 s, 5 min or 1 h from %s to %s", min, max);
        break;
    default:
        snprintf(text, size, "%s%s to %s characters%s%s", key->choices ? "a name of " : "text of ",
                 min, max, key->choices ? " out of " : "", key->choices ? key->choices : "");
        break;
    }
}

/* "10", "10 s", "64M": a plain decimal number, perhaps a blank, a unit out of the list. */
static int parse_number(double *number, enum kind kind, const char *text)
{
    const struct unit *unit;
    char *end;

    /* strtod() alone would take "inf", "nan", "0x10" and a sign. */
    if (!isdigit((unsigned char)*text) || strspn(text, "0123456789.") > 15) {
        return -1;
    }
    *number = strtod(text, &end);
    if (end != text + strspn(text, "0123456789.")) {
        return -1;
    }
    while (*end == ' ' || *end == '\t') {
        end++;
    }
    for (unit = units_of(kind); unit->name; unit++) {
        if (!strcmp(end, unit->name)) {
            *number *= unit->factor;
            return (kind != REAL && *number != floor(*number)) ? -1 : 0;
        }
    }
    return -1;
}

static int parse_choice(int *number, const char *choices, const char *text)
{
    size_t length = strlen(text);
    int i;

    for (i = 0; *choices; i++) {
        size_t word = strcspn(choices, "|");

        if (word == length && !strncmp(choices, text, length)) {
            *number = i;
            return 0;
        }
        choices += word + (choices[word] == '|');
    }
    return -1;
}

static void wipe(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static void set_text(char **at, const char *text)
{
    wipe(*at);
    *at = mem_text(text);
}

/* Put text into the field of key. -1: it is no such value. */
static int set_value(struct conf *conf, const struct key *key, const char *text)
{
    void *at = (char *)conf + key->offset;
    size_t length = strlen(text);
    double number = 0;

    if (key->kind == CHOICE) {
        return parse_choice(at, key->choices, text);
    }
    if (key->kind == TEXT) {
        if (length < key->min || length > key->max ||
            (key->choices && text[strspn(text, key->choices)])) {
            return -1;
        }
        set_text(at, text);
        return 0;
    }
    if (parse_number(&number, key->kind, text) || number < key->min || number > key->max) {
        return -1;
    }
    if (key->kind == REAL) {
        *(double *)at = number;
    }
    else if (key->kind == SIZE || key->offset == AT(kafka.retention_ms)) {
        *(uint64_t *)at = (uint64_t)number;
    }
    else {
        *(uint32_t *)at = (uint32_t)number;
    }
    return 0;
}

/* ---- lines -------------------------------------------------------------------------------- */

static void complain(struct reading *reading, int line, const char *what)
{
    log_error(1001, "%s:%d: %s", reading->conf->path, line, what);
    reading->errors++;
}

static void complain_unknown(struct reading *reading, const char *section, const char *name)
{
    char text[2000];
    size_t used, i;
    int known = 0;

    for (i = 0; i < KEY_COUNT; i++) {
        known |= !strcmp(keys[i].section, section);
    }
    if (!known) {
        snprintf(text, sizeof(text),
                 "no section [%s]; there are [database], [kafka], [cameras] and [producer]",
                 section);
        complain(reading, reading->line, text);
        return;
    }
    used = (size_t)snprintf(text, sizeof(text), "no key \"%s\" in [%s]; there are", name, section);
    for (i = 0; i < KEY_COUNT && used < sizeof(text); i++) {
        if (!strcmp(keys[i].section, section)) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", keys[i].name);
        }
    }
    if (!strcmp(section, "kafka") && used < sizeof(text)) {
        snprintf(text + used, sizeof(text) - used, " and kafka.PROPERTY for those of librdkafka");
    }
    complain(reading, reading->line, text);
}

static void take_property(struct reading *reading, const char *name, const char *value)
{
    struct conf *conf = reading->conf;
    struct conf_property *property;
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
    conf->kafka.properties = mem_resize(conf->kafka.properties, conf->kafka.property_count + 1,
                                        sizeof(*conf->kafka.properties));
    property = &conf->kafka.properties[conf->kafka.property_count++];
    property->name = mem_text(name);
    property->value = mem_text(value);
    property->line = reading->line;
}

static void take_key(struct reading *reading, size_t number, const char *value)
{
    const struct key *key = &keys[number];
    char expected[300], text[1000];

    if (reading->set[number]) {
        snprintf(text, sizeof(text), "[%s] %s was set in line %d before", key->section, key->name,
                 reading->set[number]);
        complain(reading, reading->line, text);
        return;
    }
    reading->set[number] = reading->line;
    if (key->kind == SECRET_FILE) {
        set_text(&reading->password_file, value);
    }
    else if (set_value(reading->conf, key, value)) {
        format_expected(expected, sizeof(expected), key);
        snprintf(text, sizeof(text), "[%s] %s = %.200s: must be %s", key->section, key->name,
                 key->offset == AT(database.password) ? "***" : value, expected);
        complain(reading, reading->line, text);
    }
}

/* inih's handler: one "name = value". Always 1, so that inih's own result is about its syntax. */
static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    size_t i;

    if (!strcmp(section, "kafka") && !strncmp(name, KAFKA_PREFIX, strlen(KAFKA_PREFIX))) {
        take_property(reading, name + strlen(KAFKA_PREFIX), value);
        return 1;
    }
    for (i = 0; i < KEY_COUNT; i++) {
        if (!strcmp(keys[i].section, section) && !strcmp(keys[i].name, name)) {
            take_key(reading, i, value);
            return 1;
        }
    }
    complain_unknown(reading, section, name);
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

    if (!file || !fgets(text, sizeof(text), file)) {
        snprintf(why, sizeof(why), "[database] password_file = %.1000s: %s", reading->password_file,
                 file ? "is empty or cannot be read" : strerror(errno));
        complain(reading, line, why);
    }
    else {
        text[strcspn(text, "\r\n")] = '\0';
        set_text(&reading->conf->database.password, text);
    }
    explicit_bzero(text, sizeof(text));
    if (file) {
        fclose(file);
    }
}

static int line_of(const struct reading *reading, const char *section, const char *name)
{
    size_t i;

    for (i = 0; i < KEY_COUNT; i++) {
        if (!strcmp(keys[i].section, section) && !strcmp(keys[i].name, name)) {
            return reading->set[i];
        }
    }
    return 0;
}

static void set_presets(struct conf *conf)
{
    size_t i;

    for (i = 0; i < KEY_COUNT; i++) {
        if (keys[i].kind != SECRET_FILE && set_value(conf, &keys[i], keys[i].preset)) {
            /* A mistake in the table; the unit test finds it. */
            log_error(1002, "[%s] %s: bad default", keys[i].section, keys[i].name);
            abort();
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
        set_text(&conf->producer.host, host);
    }
}

/* Passwords in a file that all may read: worth a word, not a refusal. */
static void check_mode(const struct reading *reading)
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
    size_t i;

    if (!conf) {
        return;
    }
    for (i = 0; i < KEY_COUNT; i++) {
        if (keys[i].kind == TEXT) {
            wipe(*(char **)((char *)conf + keys[i].offset));
        }
    }
    for (i = 0; i < conf->kafka.property_count; i++) {
        free(conf->kafka.properties[i].name);
        wipe(conf->kafka.properties[i].value);
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

void conf_print_defaults(FILE *out)
{
    const char *section = "";
    char min[32], max[32];
    size_t i;

    fputs("# Settings of kafkacam-producer, see producer.conf(5). What stands here behind a # is "
          "the\n"
          "# default. \"kafkacam-producer --check\" says whether all is right.\n",
          out);
    for (i = 0; i < KEY_COUNT; i++) {
        if (strcmp(section, keys[i].section)) {
            section = keys[i].section;
            fprintf(out, "\n[%s]\n", section);
        }
        fputc('\n', out);
        print_comment(out, keys[i].help);
        if (keys[i].kind != TEXT && keys[i].kind != SECRET_FILE && keys[i].kind != CHOICE) {
            format_number(min, keys[i].kind, keys[i].min);
            format_number(max, keys[i].kind, keys[i].max);
            fprintf(out, "# From %s to %s.\n", min, max);
        }
        fprintf(out, "#%s =%s%s\n", keys[i].name, *keys[i].preset ? " " : "", keys[i].preset);
        if (!strcmp(section, "kafka") &&
            (i + 1 == KEY_COUNT || strcmp(keys[i + 1].section, section))) {
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
