#include "unit.h"
#include "address.h"

static struct address parsed(const char *url)
{
    struct address address;

    assert_int_equal(address_parse(&address, url), 0);
    return address;
}

static void an_address_comes_apart(void **state)
{
    struct address address = parsed("RTSP://us%40er:p:w@camera:8554/a?b=c@d");

    assert_string_equal(address.host, "camera");
    assert_int_equal(address.port, 8554);
    assert_string_equal(address.user, "us@er");
    assert_string_equal(address.password, "p:w");
    assert_string_equal(address.url, "rtsp://camera:8554/a?b=c@d");
    assert_false(address.tls);
    address_clear(&address);
    assert_null(address.password);
}

static void a_user_alone_has_an_empty_password(void **state)
{
    struct address address = parsed("rtsps://admin@camera");

    assert_true(address.tls && address.has_user && !address.port);
    assert_string_equal(address.password, "");
    address_clear(&address);
    address = parsed("rtsp://camera/x");
    assert_false(address.has_user);
    address_clear(&address);
}

static void a_number_in_brackets_may_have_a_scope(void **state)
{
    struct address address = parsed("rtsp://[fe80::1%25lo]:554/x");

    assert_string_equal(address.host, "fe80::1%lo");
    assert_int_equal(address.port, 554);
    address_clear(&address);
    address = parsed("rtsp://[::1]/");
    assert_string_equal(address.host, "::1");
    assert_int_equal(address.port, 0);
    address_clear(&address);
}

static void what_is_none_is_refused(void **state)
{
    static const char *const urls[] = { "http://h/",      "rtsp:///x",
                                        "rtsp://h:0/",    "rtsp://h:x/",
                                        "rtsp://h:65536", "rtsp://[::1/x",
                                        "rtsp://[::1]x",  "" };
    struct address address;
    size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_int_equal(address_parse(&address, urls[i]), -1);
        address_clear(&address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_comes_apart),
        cmocka_unit_test(a_user_alone_has_an_empty_password),
        cmocka_unit_test(a_number_in_brackets_may_have_a_scope),
        cmocka_unit_test(what_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
