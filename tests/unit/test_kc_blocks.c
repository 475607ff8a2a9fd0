#include "unit.h"
#include "kc_blocks.h"

#define CAM 3

static int set_up(void **state)
{
    apr_initialize();
    apr_pool_create((apr_pool_t **)state, NULL);
    return 0;
}

static int tear_down(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

static void add(kc_blocks_t *blocks, apr_int64_t offset, apr_size_t size)
{
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, CAM, size);

    frame->offset = offset;
    kc_blocks_add(blocks, kc_blocks_make(blocks, 0, CAM, offset), frame);
}

static void a_block_is_found_by_each_of_its_offsets(void **state)
{
    kc_blocks_t *blocks = kc_blocks_create(1 << 20, *state);
    kc_block_t *block = kc_blocks_make(blocks, 0, CAM, 35);

    assert_int_equal(block->first, 32);
    assert_int_equal(block->limit, 48);
    assert_ptr_equal(kc_blocks_find(blocks, 0, CAM, 32), block);
    assert_ptr_equal(kc_blocks_find(blocks, 0, CAM, 47), block);
    assert_ptr_equal(kc_blocks_make(blocks, 0, CAM, 40), block);
    assert_null(kc_blocks_find(blocks, 0, CAM, 48));
    assert_null(kc_blocks_find(blocks, 0, CAM, 31));
    assert_null(kc_blocks_find(blocks, 1, CAM, 35));
    assert_null(kc_blocks_find(blocks, 0, CAM + 1, 35));
}

static void pictures_are_found_forwards_and_backwards_over_what_is_none(void **state)
{
    kc_blocks_t *blocks = kc_blocks_create(1 << 20, *state);
    kc_block_t *block;

    add(blocks, 33, 10);
    add(blocks, 40, 10);
    add(blocks, 41, 10);
    block = kc_blocks_find(blocks, 0, CAM, 33);
    assert_int_equal(block->end, 42);
    assert_int_equal(kc_block_picture(block, 32, 1)->offset, 33);
    assert_int_equal(kc_block_picture(block, 34, 1)->offset, 40);
    assert_null(kc_block_picture(block, 42, 1));
    assert_int_equal(kc_block_picture(block, 47, -1)->offset, 41);
    assert_int_equal(kc_block_picture(block, 39, -1)->offset, 33);
    assert_null(kc_block_picture(block, 32, -1));
    assert_false(kc_block_is_settled(block));
    kc_block_settle(block, 1000);
    assert_true(kc_block_is_settled(block));
    assert_int_equal(block->end, 48);
}

static void a_record_that_was_read_twice_is_there_once(void **state)
{
    kc_blocks_t *blocks = kc_blocks_create(1 << 20, *state);

    add(blocks, 5, 10);
    add(blocks, 5, 10);
    add(blocks, 4, 10);
    assert_int_equal(kc_blocks_find(blocks, 0, CAM, 5)->count, 1);
}

static void what_was_used_longest_ago_goes_first(void **state)
{
    kc_blocks_t *blocks = kc_blocks_create(10000, *state);

    add(blocks, 0, 4000);
    add(blocks, 16, 4000);
    assert_non_null(kc_blocks_find(blocks, 0, CAM, 0));
    add(blocks, 32, 4000);
    assert_non_null(kc_blocks_find(blocks, 0, CAM, 0));
    assert_null(kc_blocks_find(blocks, 0, CAM, 16));
    assert_true(kc_blocks_bytes(blocks) <= 10000);
}

static void what_is_being_read_stays(void **state)
{
    kc_blocks_t *blocks = kc_blocks_create(5000, *state);

    kc_blocks_make(blocks, 0, CAM, 0)->state = KC_BLOCK_READING;
    kc_blocks_make(blocks, 0, CAM, 16)->state = KC_BLOCK_WANTED;
    add(blocks, 32, 4000);
    add(blocks, 48, 4000);
    assert_non_null(kc_blocks_find(blocks, 0, CAM, 0));
    assert_non_null(kc_blocks_find(blocks, 0, CAM, 16));
    assert_null(kc_blocks_find(blocks, 0, CAM, 32));
    assert_non_null(kc_blocks_find(blocks, 0, CAM, 48));
}

static void empty_blocks_do_not_gather(void **state)
{
    kc_blocks_t *blocks = kc_blocks_create(10000, *state);
    apr_int64_t offset;

    for (offset = 0; offset < 100000; offset += KC_BLOCK_RECORDS) {
        kc_blocks_make(blocks, 0, CAM, offset);
    }
    assert_true(kc_blocks_bytes(blocks) <= 10000);
}

static void a_camera_is_forgotten_alone(void **state)
{
    kc_blocks_t *blocks = kc_blocks_create(1 << 20, *state);

    add(blocks, 0, 10);
    add(blocks, 100, 10);
    kc_blocks_find(blocks, 0, CAM, 100)->state = KC_BLOCK_READING;
    kc_blocks_make(blocks, 0, CAM + 1, 0);
    kc_blocks_forget(blocks, 0, CAM);
    assert_null(kc_blocks_find(blocks, 0, CAM, 0));
    assert_int_equal(kc_blocks_find(blocks, 0, CAM, 100)->count, 0);
    assert_int_equal(kc_blocks_find(blocks, 0, CAM, 100)->end, 96);
    assert_non_null(kc_blocks_find(blocks, 0, CAM + 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_block_is_found_by_each_of_its_offsets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pictures_are_found_forwards_and_backwards_over_what_is_none,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_that_was_read_twice_is_there_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_used_longest_ago_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_being_read_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_blocks_do_not_gather, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_camera_is_forgotten_alone, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
