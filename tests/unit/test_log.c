#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "log.h"

static const char *safe(const char *text)
{
    static char out[2000];

    return log_url(out, sizeof(out), text);
}

static void a_password_is_hidden_and_the_rest_stays(void **state)
{
    static const char *const pairs[][2] = {
        { "rtsp://user:secret@host/path", "rtsp://user:***@host/path" },
        { "open rtsp://user:secret@host:554/path failed",
          "open rtsp://user:***@host:554/path failed" },
        { "'rtsps://user:secret@[fe80::1]:322/x'", "'rtsps://user:***@[fe80::1]:322/x'" },
        { "rtsp://:secret@host", "rtsp://:***@host" },
        { "RTSP://user:secret@host", "RTSP://user:***@host" },
        { "url=rtsp://user:secret@host", "url=rtsp://user:***@host" },
        { "rtsp://user:s%40cr%2Fet@host", "rtsp://user:***@host" },
        { "rtsp://user%3Asecret@host", "rtsp://user%3A***@host" },
    };
    size_t i;

    for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        assert_string_equal(safe(pairs[i][0]), pairs[i][1]);
    }
}

static void characters_that_belong_escaped_do_not_show_a_password(void **state)
{
    static const char *const urls[] = {
        "rtsp://user:p@ss:w/rd@host/path", "rtsp://user:@@@@@host",
        "rtsp://user:a?b#c@host",          "rtsp://user:a b@host",
        "rtsp://user:\"<>'@host",          "rtsp://user:a://b@host",
        "rtsp://us er:a:b@host",           "rtsp://user:[::1]@host/p",
        "rtsp://user:554/x@host",
    };
    size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        const char *result = safe(urls[i]);

        assert_non_null(strstr(result, ":***@host"));
        assert_memory_equal(result, "rtsp://us", 9);
        assert_true(strstr(result, "***") - result <= (int)strlen("rtsp://us er:"));
    }
}

static void every_url_of_a_line_is_looked_at(void **state)
{
    assert_string_equal(safe("from rtsp://a:one@h1/x to rtsp://b:two@h2/y, http://c:thr@h3"),
                        "from rtsp://a:***@h1/x to rtsp://b:***@h2/y, http://c:***@h3");
    assert_string_equal(safe("rtsp://host/1 and rtsp://b:two@h2"),
                        "rtsp://host/1 and rtsp://b:***@h2");
    assert_null(strstr(safe("rtsp://a:one@h1,rtsp://b:two@h2"), "one"));
    assert_null(strstr(safe("rtsp://a:one@h1,rtsp://b:two@h2"), "two"));
}

static void a_line_that_was_cut_shows_no_beginning_of_a_password(void **state)
{
    assert_string_equal(safe("rtsp://user:secr"), "rtsp://user:***");
    assert_string_equal(safe("rtsp://user:123"), "rtsp://user:***");
    assert_string_equal(safe("rtsp://user:12345678"), "rtsp://user:***");
    assert_string_equal(safe("rtsp://user:secret/more"), "rtsp://user:***");
    assert_string_equal(safe("rtsp://user@domain:secr"), "rtsp://user@domain:***");
}

static void what_holds_no_password_stays_as_it_is(void **state)
{
    static const char *const texts[] = {
        "",
        "rtsp://10.0.0.1:554",
        "rtsp://10.0.0.1:554/Streaming/Channels/101?transport=tcp",
        "rtsp://camera:8554/x timed out after 5 s: will try again",
        "rtsp://user@host/path",
        "rtsp://[2001:db8::5]:554",
        "rtsp://localhost:554",
        "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: refused",
        "ssl://broker.example.org:9093/1: handshake failed",
        "http://example.org/a:b",
        "a: b, c@d, e://",
        "name Caf\xc3\xa9",
    };
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_string_equal(safe(texts[i]), texts[i]);
    }
}

static void passwords_in_paths_queries_and_headers_are_hidden(void **state)
{
    assert_string_equal(safe("rtsp://h/cam?user=admin&password=secret&channel=1"),
                        "rtsp://h/cam?user=admin&password=***&channel=1");
    assert_string_equal(safe("rtsp://h/user=admin_password=secret_channel=1 gone"),
                        "rtsp://h/user=admin_password=*** gone");
    assert_string_equal(safe("Authorization: Basic dXNlcjpzZWNyZXQ="), "Authorization:***");
    assert_string_equal(safe("bypass=none"), "bypass=none");
}

static void control_characters_and_small_buffers_do_no_harm(void **state)
{
    char small[8];

    assert_string_equal(safe("one\ntwo\x1b[31m\x7f"), "one?two?[31m?");
    assert_string_equal(log_url(small, sizeof(small), "rtsp://user:secret@host"), "rtsp://");
    assert_string_equal(log_url(small, 1, "rtsp://user:secret@host"), "");
}

/* What the log functions wrote to stderr while say() ran. The caller's. */
static char *captured(void (*say)(void))
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    char *text = calloc(1, 10000);

    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    say();
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    assert_true(fread(text, 1, 9999, file) > 0);
    fclose(file);
    return text;
}

static void say_things(void)
{
    log_open("test", LOG_LEVEL_INFO, 0);
    log_set_subject("camera 3");
    log_warning(1234, "lost %s", "rtsp://user:secret@host/path");
    log_debug("not to be seen");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("line one\nline two");
}

static void say_to_the_journal(void)
{
    struct stat st;
    char stream[64];

    fstat(STDERR_FILENO, &st);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open("test", LOG_LEVEL_INFO, 0);
    log_error(1, "broken");
    log_info("fine");
    unsetenv("JOURNAL_STREAM");
}

static void a_line_has_level_number_and_subject_and_no_password(void **state)
{
    char *text = captured(say_things);

    assert_non_null(strstr(text, "warning: KC1234: camera 3: lost rtsp://user:***@host/path\n"));
    assert_null(strstr(text, "not to be seen"));
    assert_non_null(strstr(text, "debug: camera 3: line one?line two\n"));
    free(text);
    log_set_subject("");
}

static void the_journal_gets_its_priorities(void **state)
{
    char *text = captured(say_to_the_journal);

    assert_string_equal(text, "<3>KC0001: broken\n<6>fine\n");
    free(text);
}

static void a_level_is_one_of_five_words(void **state)
{
    enum log_level level = LOG_LEVEL_ERROR;

    assert_int_equal(log_level_parse(&level, "trace"), 0);
    assert_int_equal(level, LOG_LEVEL_TRACE);
    assert_int_equal(log_level_parse(&level, "Trace"), -1);
    assert_int_equal(log_level_parse(&level, ""), -1);
    assert_string_equal(log_level_format(LOG_LEVEL_WARNING), "warning");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_hidden_and_the_rest_stays),
        cmocka_unit_test(characters_that_belong_escaped_do_not_show_a_password),
        cmocka_unit_test(every_url_of_a_line_is_looked_at),
        cmocka_unit_test(a_line_that_was_cut_shows_no_beginning_of_a_password),
        cmocka_unit_test(what_holds_no_password_stays_as_it_is),
        cmocka_unit_test(passwords_in_paths_queries_and_headers_are_hidden),
        cmocka_unit_test(control_characters_and_small_buffers_do_no_harm),
        cmocka_unit_test(a_line_has_level_number_and_subject_and_no_password),
        cmocka_unit_test(the_journal_gets_its_priorities),
        cmocka_unit_test(a_level_is_one_of_five_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
