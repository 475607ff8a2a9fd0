#include "config.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "log.h"
#include "sandbox.h"

/* Run a step inside the sandbox, in a child: 0 is right. */
static void inside(int (*step)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        sandbox_begin(0);
        sandbox_close();
        _exit(step());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void *nothing(void *baton)
{
    return baton;
}

/* What resolver, log, librdkafka and FFmpeg need. The number that comes back says which failed. */
static int work(void)
{
    struct addrinfo *addresses = NULL;
    pthread_t thread;
    int pipes[2];
    void *memory;

    if (getaddrinfo("localhost", "80", NULL, &addresses)) {
        return 1;
    }
    freeaddrinfo(addresses);
    if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL)) {
        return 2;
    }
    if (socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_UNIX, SOCK_DGRAM, 0) < 0 || pipe(pipes)) {
        return 3;
    }
    if (open("/etc/hosts", O_RDONLY) < 0) {
        return 4;
    }
    memory = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? 5 : 0;
}

static void a_camera_can_do_its_work(void **state)
{
    inside(work);
}

#if defined(HAVE_SECCOMP) && !defined(__SANITIZE_ADDRESS__)

static int programs_and_processes(void)
{
    char *argv[] = { (char *)(intptr_t) "/bin/true", NULL };

    if (fork() != -1) {
        return 1;
    }
    execv("/bin/true", argv);
    if (errno != EPERM) {
        return 2;
    }
    if (kill(getppid(), 0) == 0) {
        return 3;
    }
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) != -1 ? 4 : 0;
}

static int files(void)
{
    char name[64];

    snprintf(name, sizeof(name), "sandbox-test-%d", (int)getpid());
    if (open(name, O_WRONLY | O_CREAT, 0600) != -1 || open("/etc/hosts", O_RDWR) != -1 ||
        open("/dev/null", O_WRONLY) != -1 || fopen(name, "w")) {
        return 1;
    }
    return unlink("/nonexistent") != -1 || errno != EPERM || chmod("/nonexistent", 0600) != -1 ||
           errno != EPERM;
}

static int sockets(void)
{
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    if (socket(AF_PACKET, SOCK_RAW, 0) != -1 || errno != EAFNOSUPPORT) {
        return 1;
    }
    if (socket(AF_INET, SOCK_RAW, IPPROTO_UDP) != -1 || errno != EPERM) {
        return 2;
    }
    if (accept(listening, NULL, NULL) != -1 || errno != EPERM) {
        return 3;
    }
    return listen(listening, 1) != -1;
}

static int memory(void)
{
    if (memfd_create("x", 0) != -1 || errno != EPERM) {
        return 2;
    }
    return mmap(NULL, (size_t)4 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static void but_start_nothing(void **state)
{
    inside(programs_and_processes);
}

static void nor_write_a_file(void **state)
{
    inside(files);
}

static void nor_open_any_socket_or_listen(void **state)
{
    inside(sockets);
}

static void nor_take_all_memory(void **state)
{
    inside(memory);
}

#endif

static int no_core(void)
{
    struct rlimit core;

    return getrlimit(RLIMIT_CORE, &core) || core.rlim_max != 0;
}

static void and_leaves_no_core(void **state)
{
    inside(no_core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_can_do_its_work),
#if defined(HAVE_SECCOMP) && !defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(but_start_nothing),
        cmocka_unit_test(nor_write_a_file),
        cmocka_unit_test(nor_open_any_socket_or_listen),
        cmocka_unit_test(nor_take_all_memory),
#endif
        cmocka_unit_test(and_leaves_no_core),
    };

    log_open("test_sandbox", LOG_LEVEL_ERROR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
