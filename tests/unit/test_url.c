#include "unit.h"
#include <stdlib.h>
#include "url.h"

static void expect(const char *url, const char *encoded)
{
    char *result = url_encode_login(url);

    assert_non_null(result);
    assert_string_equal(result, encoded);
    free(result);
}

static void an_address_without_login_stays(void **state)
{
    expect("rtsp://camera/stream", "rtsp://camera/stream");
    expect("rtsp://camera:554/stream@2?a=b:c@d", "rtsp://camera:554/stream@2?a=b:c@d");
    expect("rtsp://[fe80::1]:554/x", "rtsp://[fe80::1]:554/x");
}

static void what_is_encoded_stays(void **state)
{
    expect("rtsp://user:p%40%3A%2F%25@host/x", "rtsp://user:p%40%3A%2F%25@host/x");
}

static void a_password_may_hold_anything(void **state)
{
    expect("rtsp://user:p@ss@host/x", "rtsp://user:p%40ss@host/x");
    expect("rtsp://user:p:w@host:554/x", "rtsp://user:p%3Aw@host:554/x");
    expect("rtsp://user:100%@host/x", "rtsp://user:100%25@host/x");
    expect("rtsp://user:a+b@host/x", "rtsp://user:a%2Bb@host/x");
    expect("rtsp://user:@:/%@127.0.0.1:8554/1", "rtsp://user:%40%3A%2F%25@127.0.0.1:8554/1");
    expect("rtsp://user:a/b#c?d@host/x", "rtsp://user:a%2Fb%23c%3Fd@host/x");
    expect("rtsp://user:\xC3\xA4 @[::1]:1/x", "rtsp://user:%C3%A4%20@[::1]:1/x");
}

static void a_login_that_is_too_long_is_refused(void **state)
{
    char url[400];

    memset(url, '@', sizeof(url));
    memcpy(url, "rtsp://u:", 9);
    strcpy(url + 9 + 128, "@host/x");
    assert_null(url_encode_login(url));
}

static void the_host_is_found(void **state)
{
    char host[16];

    assert_int_equal(url_host(host, sizeof(host), "rtsps://u:p@cam.example:322/x@y"), 0);
    assert_string_equal(host, "cam.example");
    assert_int_equal(url_host(host, sizeof(host), "rtsps://[::1]/"), 0);
    assert_string_equal(host, "::1");
    assert_int_equal(url_host(host, sizeof(host), "rtsps://u:p/w@other/x"), 0);
    assert_string_equal(host, "other");
    assert_int_equal(url_host(host, sizeof(host), "rtsps:///x"), -1);
    assert_int_equal(url_host(host, sizeof(host), "rtsps://a.host.that.is.too.long/"), -1);
}

static void only_rtsp_with_a_host_is_a_camera(void **state)
{
    static const char *const wrong[] = {
        "",
        "x",
        "file:///etc/passwd",
        "concat:a|b",
        "http://h/x",
        "rtsp:/h",
        "rtsp://",
        "rtsps://",
        "rtsp:///path",
        "rtsp://user:pass@/path",
        "rtsp://:554/x",
        "rtsp://h:/x",
        "rtsp://h:0/x",
        "rtsp://h:65536/x",
        "rtsp://h:5 4/x",
        "rtsp://h\n/x",
        " rtsp://h",
        "rtsp://[::1/x",
        "rtsp://[]/x",
        "rtsp://h|x/y",
        "rtsp://h\x01",
        "pipe:0",
        "rtsp+file://h/x",
        "rtsp://\xc3\xbc/x",
    };
    static const char *const right[] = {
        "rtsp://h",
        "RTSP://H:8554",
        "rtsps://10.0.0.1/x",
        "rtsp://u:p@h",
        "rtsp://u@h/x@y",
        "rtsp://u:p@ss@h:1/x",
        "rtsp://u:a%40%3A%2F%25@h/",
        "rtsp://:p@h",
        "rtsp://u:p/w@h/x",
        "rtsp://user:p@ss:w/rd@host/path",
        "rtsp://u:p?w@h/x",
        "rtsp://[fe80::1%25eth0]/x",
        "rtsp://cam_1.example.org?x=/y",
        "rtsp://h/caf\xc3\xa9",
    };
    size_t i;

    for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        if (!url_wrong(wrong[i], strlen(wrong[i]))) {
            fail_msg("%s was taken", wrong[i]);
        }
    }
    for (i = 0; i < sizeof(right) / sizeof(*right); i++) {
        if (url_wrong(right[i], strlen(right[i]))) {
            fail_msg("%s: %s", right[i], url_wrong(right[i], strlen(right[i])));
        }
    }
    assert_non_null(url_wrong("rtsp://h\0x", 10));
}

static void other_protocols_are_none(void **state)
{
    assert_true(url_is_rtsp("RTSP://x"));
    assert_true(url_is_rtsp("rtsps://x"));
    assert_false(url_is_rtsp("http://x"));
    assert_false(url_is_rtsp("file:///etc/passwd"));
    assert_false(url_is_rtsp("concat:rtsp://x"));
    assert_false(url_is_rtsp(" rtsp://x"));
    assert_false(url_is_rtsp(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_without_login_stays),
        cmocka_unit_test(what_is_encoded_stays),
        cmocka_unit_test(a_password_may_hold_anything),
        cmocka_unit_test(a_login_that_is_too_long_is_refused),
        cmocka_unit_test(the_host_is_found),
        cmocka_unit_test(only_rtsp_with_a_host_is_a_camera),
        cmocka_unit_test(other_protocols_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
