/* With its own copy of a file that uses it, so that the check is there in every build. */
#ifndef KC_CHECK_THREADS
#define KC_CHECK_THREADS
#endif
#include "unit.h"
#include "kc_timers.c"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void *look(void *timers)
{
    kc_timers_due(timers, 0);
    return NULL;
}

/* In a process of its own: how it ended after another thread's call, 0: well. */
static int after_a_call_of_another_thread(int passed)
{
    kc_timers_t timers = { 0 };
    pthread_t other;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        close(STDERR_FILENO);
        kc_timers_due(&timers, 0);
        if (passed) {
            kc_thread_pass(&timers.thread);
        }
        pthread_create(&other, NULL, look, &timers);
        pthread_join(other, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void thread_ends_the_process_when_another_one_calls(void **state)
{
    int status = after_a_call_of_another_thread(0);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void thread_may_pass_a_structure_on(void **state)
{
    assert_int_equal(after_a_call_of_another_thread(1), 0);
}

static void thread_may_call_as_often_as_it_likes(void **state)
{
    kc_timers_t timers = { 0 };
    kc_timer_t timer = { 0 };

    kc_timers_set(&timers, &timer, 5);
    kc_timers_set(&timers, &timer, 7);
    assert_ptr_equal(kc_timers_due(&timers, 7), &timer);
    kc_timers_close(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_ends_the_process_when_another_one_calls),
        cmocka_unit_test(thread_may_pass_a_structure_on),
        cmocka_unit_test(thread_may_call_as_often_as_it_likes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
