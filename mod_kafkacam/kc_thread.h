/* Which thread may call, as code. A structure that belongs to one thread has a kc_thread_t in it;
 * each function that is for this thread alone begins with kc_thread_own(). The first caller is the
 * owner until it passes the structure on; any other thread's call ends the process with a message.
 * Checked in builds with sanitizers (KC_CHECK_THREADS), where the tests run; nothing at all in
 * others. */
#ifndef KC_THREAD_H
#define KC_THREAD_H

#ifdef KC_CHECK_THREADS

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* All 0: nobody's yet. */
typedef struct {
    pthread_t owner;
    int owned; /* atomic */
} kc_thread_t;

static inline void kc_thread_check(kc_thread_t *thread, const char *function)
{
    if (!__atomic_load_n(&thread->owned, __ATOMIC_ACQUIRE)) {
        thread->owner = pthread_self();
        __atomic_store_n(&thread->owned, 1, __ATOMIC_RELEASE);
    }
    else if (!pthread_equal(thread->owner, pthread_self())) {
        fprintf(stderr, "%s() was called in another thread than its structure's\n", function);
        abort();
    }
}

#define kc_thread_own(thread) kc_thread_check((thread), __func__)

/* By its owner: whoever calls next has it. */
#define kc_thread_pass(thread) __atomic_store_n(&(thread)->owned, 0, __ATOMIC_RELEASE)

#else

typedef struct {
    char none;
} kc_thread_t;

#define kc_thread_own(thread)  ((void)(thread))
#define kc_thread_pass(thread) ((void)(thread))

#endif

#endif
