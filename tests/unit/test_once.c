#include "unit.h"

#include "once.h"

static void a_reason_that_comes_and_goes_is_said_once(void **state)
{
    struct once once = { .count = 0 };

    assert_true(once_new(&once, "no route"));
    assert_false(once_new(&once, "no route"));
    assert_true(once_new(&once, "refused"));
    assert_false(once_new(&once, "no route"));
    assert_true(once_forget(&once));
    assert_false(once_forget(&once));
    assert_true(once_new(&once, "no route"));
}

static void there_is_an_end_to_ever_new_reasons(void **state)
{
    struct once once = { .count = 0 };
    char text[] = "a";

    for (; *text < 'a' + ONCE_PLACES; ++*text) {
        assert_false(once_full(&once));
        assert_true(once_new(&once, text));
    }
    assert_true(once_full(&once));
    assert_false(once_new(&once, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reason_that_comes_and_goes_is_said_once),
        cmocka_unit_test(there_is_an_end_to_ever_new_reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
