#include "unit.h"
#include "range.h"

static void range_takes_addresses_networks_and_ranges(void **state)
{
    static const struct {
        const char *text;
        uint32_t first, last;
    } rows[] = {
        { "192.168.1.20", 0xC0A80114, 0xC0A80114 },
        { "192.168.1.0/24", 0xC0A80101, 0xC0A801FE },
        { "192.168.1.77/24", 0xC0A80101, 0xC0A801FE },
        { "10.0.0.4/31", 0x0A000004, 0x0A000005 },
        { "10.0.0.4/32", 0x0A000004, 0x0A000004 },
        { "10.0.0.4/30", 0x0A000005, 0x0A000006 },
        { "10.0.0.10-40", 0x0A00000A, 0x0A000028 },
        { "10.0.0.250-10.0.1.5", 0x0A0000FA, 0x0A000105 },
        { "10.7.0.0/16", 0x0A070001, 0x0A07FFFE },
        { "255.255.255.255", 0xFFFFFFFF, 0xFFFFFFFF },
    };
    struct range range;
    const char *why;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(range_parse(&range, rows[i].text, &why), 0);
        assert_int_equal(range.first, rows[i].first);
        assert_int_equal(range.last, rows[i].last);
    }
}

static void range_refuses_what_is_none(void **state)
{
    static const char *const rows[] = {
        "",
        "camera",
        "192.168.1",
        "192.168.1.256",
        "10.0.0.1/",
        "10.0.0.1/33",
        "10.0.0.1/-1",
        "10.0.0.1/8",
        "0.0.0.0/0",
        "10.0.0.9-3",
        "10.0.0.9-256",
        "10.0.0.9-",
        "10.0.0.9-10.0.0",
        "10.0.0.1 ",
        " 10.0.0.1",
        "10.0.0.1-2/24",
        "1111.1111.1111.1111.1111",
        "::1",
        "10.0.0.0-11.0.0.0",
    };
    struct range range;
    const char *why;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(range_parse(&range, rows[i], &why), -1);
        assert_non_null(why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_takes_addresses_networks_and_ranges),
        cmocka_unit_test(range_refuses_what_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
