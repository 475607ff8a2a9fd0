#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "conf.h"

static struct conf *conf;
static char said[8000]; /* what the last read() logged */

/* conf_read() of a file that holds text. */
static int read_conf(const char *text)
{
    int before = dup(STDERR_FILENO);
    FILE *log = tmpfile();
    FILE *file = tmpfile();
    int rc;

    assert_non_null(log);
    assert_non_null(file);
    fputs(text, file);
    rewind(file);
    fchmod(fileno(file), 0600);
    dup2(fileno(log), STDERR_FILENO);
    rc = conf_read_stream(&conf, file, "p.conf");
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(log);
    memset(said, 0, sizeof(said));
    assert_true(fread(said, 1, sizeof(said) - 1, log) < sizeof(said));
    fclose(log);
    fclose(file);
    return rc;
}

static int forget(void **state)
{
    conf_free(conf);
    conf = NULL;
    return 0;
}

static void an_empty_file_gives_the_defaults(void **state)
{
    assert_int_equal(read_conf(""), 0);
    assert_string_equal(said, "");
    assert_string_equal(conf->kafka.topic, "video");
    assert_string_equal(conf->kafka.status_topic, "video.status");
    assert_string_equal(conf->kafka.small_topic, "video.small");
    assert_int_equal(conf->kafka.max_message_bytes, 4 << 20);
    assert_int_equal(conf->kafka.retention_ms, 3600 * 1000);
    assert_true(conf->cameras.fps == 5);
    assert_int_equal(conf->cameras.transport, SETTINGS_TCP);
    assert_int_equal(conf->cameras.tls_verify, 1);
    assert_int_equal(conf->producer.max_cameras, 1000);
    assert_int_equal(conf->producer.log_level, LOG_LEVEL_INFO);
    assert_true(*conf->producer.host);
}

static void values_have_units(void **state)
{
    assert_int_equal(read_conf("[kafka]\n"
                               "topic = cams\n"
                               "  retention_time = 2 d\n"
                               "segment_bytes=128M # not a comment for inih, so wrong\n"),
                     -1);
    assert_non_null(strstr(said, "p.conf:4: [kafka] segment_bytes = 128M # not"));
    assert_int_equal(read_conf("; a comment\n"
                               "[kafka]\n"
                               "topic = cams\n"
                               "  retention_time = 2 d\n"
                               "segment_bytes=128M ; a comment\n"
                               "[producer]\n"
                               "report_interval: 500ms\n"
                               "log_level = debug\n"
                               "[cameras]\n"
                               "fps = 12.5\n"),
                     0);
    assert_string_equal(conf->kafka.status_topic, "cams.status");
    assert_int_equal(conf->kafka.retention_ms, 2 * 86400 * 1000);
    assert_int_equal(conf->kafka.segment_bytes, 128 << 20);
    assert_int_equal(conf->producer.report_interval_ms, 500);
    assert_int_equal(conf->producer.log_level, LOG_LEVEL_DEBUG);
    assert_true(conf->cameras.fps == 12.5);
}

static void a_wrong_value_is_named_with_its_line_and_what_is_right(void **state)
{
    static const char *const wrong[][2] = {
        { "[producer]\nmax_cameras = 0\n",
          "p.conf:2: [producer] max_cameras = 0: must be a whole" },
        { "[producer]\n\nmax_cameras = many\n", "p.conf:3: " },
        { "[producer]\nmax_cameras = 1.5\n", "a whole number from 1 to 99999" },
        { "[producer]\nmax_cameras = -1\n", "p.conf:2: " },
        { "[producer]\nmax_cameras = 0x10\n", "p.conf:2: " },
        { "[producer]\nmax_cameras = 100000\n", "p.conf:2: " },
        { "[producer]\nmax_cameras = 99999999999999999999\n", "p.conf:2: " },
        { "[producer]\nmax_cameras =\n", "p.conf:2: " },
        { "[cameras]\ntimeout = 10\n",
          "a time such as 500 ms, 10 s, 5 min or 1 h from 1 s to 1 h" },
        { "[cameras]\ntimeout = 10 weeks\n", "p.conf:2: " },
        { "[cameras]\nfps = inf\n", "p.conf:2: " },
        { "[cameras]\nfps = 1.2.3\n", "p.conf:2: " },
        { "[cameras]\ntransport = TCP\n", "must be one of tcp|udp|auto" },
        { "[cameras]\ntransport = \n", "must be one of tcp|udp|auto" },
        { "[cameras]\ntransport = tcp|udp\n", "must be one of tcp|udp|auto" },
        { "[kafka]\ntopic = my topic\n", "a name of 1 to 242 characters" },
        { "[kafka]\nretention_bytes = 1T\n", "a size such as 500k, 64M or 1G from 1M to" },
        { "[kafka]\nbroker = x\n",
          "p.conf:2: no key \"broker\" in [kafka]; there are brokers topic" },
        { "[kafka]\nbootstrap.servers = x\n", "and kafka.PROPERTY for those of librdkafka" },
        { "[kafka]\nkafka.bootstrap.servers = x\n", "the brokers are given as brokers" },
        { "[kafka]\nkafka.acks=1\nkafka.acks=0\n", "p.conf:3: this property was set before" },
        { "[camera]\nfps = 1\n", "no section [camera]; there are [database]" },
        { "fps = 1\n", "p.conf:1: no section []" },
        { "[cameras]\nfps = 1\nfps = 2\n", "p.conf:3: [cameras] fps was set in line 2 before" },
        { "[cameras\nfps = 1\n", "p.conf:1: neither [section] nor key = value" },
        { "[cameras]\nnonsense\n", "p.conf:2: neither [section] nor key = value" },
        { "[kafka]\ntopic = a\nsmall_topic = a\n", "p.conf:2: [kafka] topic, status_topic and" },
        { "[cameras]\nmax_frame_bytes = 4M\n", "p.conf:2: [cameras] max_frame_bytes must be 4k" },
        { "[kafka]\nsegment_bytes = 1M\n", "p.conf:2: [kafka] segment_bytes must be no less" },
        { "[database]\npassword_file = /nonexistent/x\n",
          "p.conf:2: [database] password_file = /non" },
    };
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(read_conf(wrong[i][0]), -1);
        if (!strstr(said, wrong[i][1])) {
            fail_msg("%s gave: %s", wrong[i][0], said);
        }
    }
}

static void every_mistake_of_a_file_is_named(void **state)
{
    assert_int_equal(read_conf("[cameras]\nfps = x\nwidth = y\n[kafka]\nfoo = 1\n"), -1);
    assert_non_null(strstr(said, "p.conf:2:"));
    assert_non_null(strstr(said, "p.conf:3:"));
    assert_non_null(strstr(said, "p.conf:5:"));
}

static void a_line_that_does_not_fit_is_an_error_and_not_two_lines(void **state)
{
    char *text = calloc(1, 60000);

    strcpy(text, "[kafka]\nbrokers = ");
    memset(text + strlen(text), 'x', 50000);
    strcat(text, "\n[cameras]\nfps = 3\nwidth = z\n");
    assert_int_equal(read_conf(text), -1);
    assert_non_null(strstr(said, "p.conf:2: this line is too long"));
    assert_non_null(strstr(said, "p.conf:5: "));
    free(text);
}

static void properties_of_librdkafka_are_kept_as_they_are(void **state)
{
    assert_int_equal(read_conf("[kafka]\nkafka.security.protocol = SSL\nkafka.linger.ms=5\n"), 0);
    assert_int_equal(conf->kafka.property_count, 3); /* and bootstrap.servers */
    assert_string_equal(conf->kafka.properties[0].name, "security.protocol");
    assert_string_equal(conf->kafka.properties[0].value, "SSL");
    assert_int_equal(conf->kafka.properties[1].line, 3);
}

static void the_password_comes_from_its_file(void **state)
{
    char path[] = "/tmp/kafkacam-test-XXXXXX";
    char text[200];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "p@ss = ; #w\nmore\n", 17), 17);
    close(fd);
    snprintf(text, sizeof(text), "[database]\npassword_file = %s\n", path);
    assert_int_equal(read_conf(text), 0);
    assert_string_equal(conf->database.password, "p@ss = ; #w");
    forget(NULL);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(read_conf(text), -1);
    assert_non_null(strstr(said, ": is empty"));
    snprintf(text, sizeof(text), "[database]\npassword = x\npassword_file = %s\n", path);
    assert_int_equal(read_conf(text), -1);
    assert_non_null(strstr(said, "p.conf:3: [database] has password as well as password_file"));
    unlink(path);
}

/* The text of a file, the caller's. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 100000);

    if (!file) {
        fail_msg("no %s", path);
    }
    assert_true(fread(text, 1, 99999, file) > 0);
    fclose(file);
    return text;
}

static char *printed_defaults(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    conf_print_defaults(out);
    fclose(out);
    return text;
}

static void the_shipped_file_is_the_table(void **state)
{
    static const char varies[] = "#camera_program = "; /* where that lies is up to configure */
    char *shipped = read_file(SRCDIR "/conf/producer.conf.in");
    char *text = printed_defaults();
    char *ours = text;
    char *theirs = shipped;

    while (*ours && *theirs) {
        size_t length = strcspn(ours, "\n");
        size_t other = strcspn(theirs, "\n");

        if (strncmp(ours, varies, strlen(varies)) || strncmp(theirs, varies, strlen(varies))) {
            assert_int_equal(length, other);
            assert_memory_equal(ours, theirs, length);
        }
        ours += length + (ours[length] == '\n');
        theirs += other + (theirs[other] == '\n');
    }
    assert_string_equal(ours, theirs);
    free(shipped);
    free(text);
}

static void the_shipped_file_with_every_comment_sign_taken_away_is_right(void **state)
{
    char *text = printed_defaults();
    char *to = text;
    char *from;

    for (from = text; *from; from++) {
        /* "# words" are words, "#key" is a key. */
        if (*from == '#' && from[1] != ' ' && (from == text || from[-1] == '\n')) {
            continue;
        }
        *to++ = *from;
    }
    *to = '\0';
    assert_int_equal(read_conf(text), 0);
    assert_string_equal(said, "");
    assert_string_equal(conf->kafka.status_topic, "video.status");
    free(text);
}

/* In the table's order: a key's words reach from its .It to the next. */
static void the_man_page_has_every_key_with_its_default(void **state)
{
    char *man = read_file(SRCDIR "/man/producer.conf.5");
    char *text = printed_defaults();
    char *at = man;
    char *line, *rest, *equals, *next, *found;
    char item[300];

    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (*line != '#' || line[1] == ' ' || !strncmp(line, "#kafka.", 7)) {
            continue;
        }
        equals = strstr(line, " =");
        assert_non_null(equals);
        snprintf(item, sizeof(item), ".It Ic %.*s\n", (int)(equals - line - 1), line + 1);
        at = strstr(at, item);
        if (!at) {
            fail_msg("producer.conf(5) lacks, or has not in its place: %s", item);
        }
        at += strlen(item);
        snprintf(item, sizeof(item), "Default: %s.\n", equals[2] ? equals + 3 : "empty");
        found = strstr(at, item);
        next = strstr(at, ".It Ic ");
        if (strncmp(line, "#camera_program", 15) && (!found || (next && found > next))) {
            fail_msg("producer.conf(5) lacks of %s: %s", line, item);
        }
    }
    free(man);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_empty_file_gives_the_defaults, forget),
        cmocka_unit_test_teardown(values_have_units, forget),
        cmocka_unit_test_teardown(a_wrong_value_is_named_with_its_line_and_what_is_right, forget),
        cmocka_unit_test_teardown(every_mistake_of_a_file_is_named, forget),
        cmocka_unit_test_teardown(a_line_that_does_not_fit_is_an_error_and_not_two_lines, forget),
        cmocka_unit_test_teardown(properties_of_librdkafka_are_kept_as_they_are, forget),
        cmocka_unit_test_teardown(the_password_comes_from_its_file, forget),
        cmocka_unit_test_teardown(the_shipped_file_is_the_table, forget),
        cmocka_unit_test_teardown(the_shipped_file_with_every_comment_sign_taken_away_is_right,
                                  forget),
        cmocka_unit_test_teardown(the_man_page_has_every_key_with_its_default, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
