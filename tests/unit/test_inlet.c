/* Debian's FFmpeg calls poll() and recv() by these names; fortified they would have others. */
#undef _FORTIFY_SOURCE
#include "inlet.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "unit.h"

struct pair {
    int near, far;
};

static struct pair make_pair(int type)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, fds), 0);
    return (struct pair){ fds[0], fds[1] };
}

static void close_pair(struct pair pair)
{
    inlet_leave();
    inlet_forget();
    close(pair.near);
    close(pair.far);
}

static void give(struct pair pair, const char *text)
{
    assert_int_equal(send(pair.far, text, strlen(text), 0), (int)strlen(text));
}

static int left_in(int fd)
{
    int size = -1;

    assert_int_equal(ioctl(fd, FIONREAD, &size), 0);
    return size;
}

static int readable(int fd)
{
    struct pollfd asked = { fd, POLLIN, 0 };
    int ready = poll(&asked, 1, 0);

    assert_int_equal(ready > 0, asked.revents & POLLIN);
    return ready;
}

static void inlet_reads_ahead_and_serves_in_order(void **state)
{
    struct pair pair = make_pair(SOCK_STREAM);
    char text[16] = "";

    inlet_enter();
    give(pair, "$abcdefgh");
    assert_int_equal(recv(pair.near, text, 1, 0), 1);
    assert_int_equal(left_in(pair.near), 0);
    assert_int_equal(readable(pair.near), 1);
    assert_int_equal(recv(pair.near, text + 1, 3, 0), 3);
    give(pair, "ij");
    assert_int_equal(recv(pair.near, text + 4, 10, 0), 5);
    assert_int_equal(recv(pair.near, text + 9, 6, 0), 2);
    assert_string_equal(text, "$abcdefghij");
    close_pair(pair);
}

static void inlet_says_when_there_is_nothing_and_when_it_is_over(void **state)
{
    struct pair pair = make_pair(SOCK_STREAM);
    char text[8];

    inlet_enter();
    assert_int_equal(readable(pair.near), 0);
    assert_int_equal(recv(pair.near, text, 4, 0), -1);
    assert_int_equal(errno, EAGAIN);
    give(pair, "ab");
    close(pair.far);
    assert_int_equal(recv(pair.near, text, 1, 0), 1);
    assert_int_equal(recv(pair.near, text, 4, 0), 1);
    assert_int_equal(recv(pair.near, text, 4, 0), 0);
    pair.far = -1;
    close_pair(pair);
}

static void inlet_leaves_all_other_sockets_alone(void **state)
{
    struct pair datagrams = make_pair(SOCK_DGRAM), first = make_pair(SOCK_STREAM),
                second = make_pair(SOCK_STREAM);
    char text[8];

    inlet_enter();
    give(datagrams, "one");
    give(datagrams, "two");
    assert_int_equal(recv(datagrams.near, text, 1, 0), 1);
    assert_int_equal(recv(datagrams.near, text, 8, 0), 3);
    assert_memory_equal(text, "two", 3);
    give(first, "ab");
    give(second, "cd");
    assert_int_equal(recv(first.near, text, 1, 0), 1);
    assert_int_equal(recv(second.near, text, 1, 0), 1);
    assert_int_equal(left_in(second.near), 1);
    close_pair(datagrams);
    close_pair(first);
    close_pair(second);
}

static void inlet_does_nothing_before_it_is_entered_nor_with_flags(void **state)
{
    struct pair pair = make_pair(SOCK_STREAM);
    char text[8];

    give(pair, "abcd");
    assert_int_equal(recv(pair.near, text, 1, 0), 1);
    assert_int_equal(left_in(pair.near), 3);
    inlet_enter();
    assert_int_equal(recv(pair.near, text, 1, MSG_PEEK), 1);
    assert_int_equal(left_in(pair.near), 3);
    close_pair(pair);
}

static void *read_one(void *baton)
{
    struct pair *pair = baton;
    char byte;

    return (void *)(recv(pair->near, &byte, 1, 0));
}

static void inlet_is_of_one_thread(void **state)
{
    struct pair pair = make_pair(SOCK_STREAM);
    pthread_t thread;
    void *got;

    inlet_enter();
    give(pair, "abcd");
    assert_int_equal(pthread_create(&thread, NULL, read_one, &pair), 0);
    pthread_join(thread, &got);
    assert_ptr_equal(got, (void *)1);
    assert_int_equal(left_in(pair.near), 3);
    close_pair(pair);
}

static void inlet_forgets_what_it_read_of_a_connection_that_ended(void **state)
{
    struct pair pair = make_pair(SOCK_STREAM);
    struct pair next;
    char text[8];

    inlet_enter();
    give(pair, "abcd");
    assert_int_equal(recv(pair.near, text, 1, 0), 1);
    close_pair(pair);
    next = make_pair(SOCK_STREAM);
    assert_int_equal(next.near, pair.near);
    inlet_enter();
    assert_int_equal(readable(next.near), 0);
    give(next, "xy");
    assert_int_equal(recv(next.near, text, 1, 0), 1);
    assert_int_equal(text[0], 'x');
    close_pair(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inlet_reads_ahead_and_serves_in_order),
        cmocka_unit_test(inlet_says_when_there_is_nothing_and_when_it_is_over),
        cmocka_unit_test(inlet_leaves_all_other_sockets_alone),
        cmocka_unit_test(inlet_does_nothing_before_it_is_entered_nor_with_flags),
        cmocka_unit_test(inlet_is_of_one_thread),
        cmocka_unit_test(inlet_forgets_what_it_read_of_a_connection_that_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
