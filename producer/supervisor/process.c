#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "mem.h"

/* What a camera's process may see of our environment: where programs and libraries are, where the
 * journal is, what a sanitizer is told. */
static const char *const passed_on[] = { "PATH=",        "LD_LIBRARY_PATH=", "JOURNAL_STREAM=",
                                         "TZ=",          "ASAN_OPTIONS=",    "UBSAN_OPTIONS=",
                                         "LSAN_OPTIONS=" };

#define PASSED_ON (sizeof(passed_on) / sizeof(*passed_on))

static void fill_environment(char *environment[PASSED_ON + 1])
{
    size_t count = 0, i;
    char **variable;

    for (variable = environ; *variable; variable++) {
        for (i = 0; i < PASSED_ON; i++) {
            if (count < PASSED_ON && !strncmp(*variable, passed_on[i], strlen(passed_on[i]))) {
                environment[count++] = *variable;
            }
        }
    }
    environment[count] = NULL;
}

static int spawn(pid_t *pid, const char *program, int to_syslog, int fd)
{
    char *arguments[] = { (char *)(uintptr_t) "kafkacam-camera",
                          (char *)(uintptr_t)(to_syslog ? "--syslog" : NULL), NULL };
    char *environment[PASSED_ON + 1];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int rc;

    fill_environment(environment);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    /* A group of its own: Ctrl-C in a terminal is for the supervisor alone. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&files);
    /* fd first: it may be one of those that are opened after it. Libraries open some without
     * close-on-exec, so all others are closed. */
    posix_spawn_file_actions_adddup2(&files, fd, JOB_FD);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, JOB_FD + 1);
    rc = posix_spawn(pid, program, &files, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

int process_start(struct process *process, const char *program, int to_syslog,
                  const struct job *job)
{
    int pair[2];
    int rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        return errno;
    }
    /* Before there is a process: it finds its job at once, and this cannot wait for it. */
    rc = job_send(pair[0], job) ? errno : spawn(&process->pid, program, to_syslog, pair[1]);
    close(pair[1]);
    if (rc) {
        close(pair[0]);
        process->pid = 0;
        process->fd = -1;
        return rc;
    }
    process->fd = pair[0];
    process->cpu_ticks = process->cpu_at_ms = 0;
    process->cpu = 0;
    return 0;
}

void process_signal(const struct process *process, int number)
{
    /* Not reaped yet, so the pid is no other's. */
    if (process->pid > 0) {
        kill(process->pid, number);
    }
}

void process_ended(struct process *process)
{
    if (process->fd >= 0) {
        close(process->fd);
    }
    process->fd = -1;
    process->pid = 0;
}

/* User and system time in clock ticks, 0 when unknown. */
static uint64_t ticks_of(pid_t pid)
{
    char path[40], text[1024];
    uint64_t user = 0, system = 0;
    const char *fields;
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    /* Behind the name, which may hold blanks and brackets: fields 3 to 15. */
    fields = strrchr(text, ')');
    if (!fields ||
        sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
               &user, &system) != 2) {
        return 0;
    }
    return user + system;
}

double process_cpu(struct process *process, uint64_t now_ms)
{
    uint64_t ticks;

    /* A clock tick is 10 ms: over less than a second that is no measure. */
    if (process->cpu_at_ms && now_ms - process->cpu_at_ms < 1000) {
        return process->cpu;
    }
    ticks = ticks_of(process->pid);
    if (process->cpu_at_ms && ticks >= process->cpu_ticks) {
        process->cpu = (double)(ticks - process->cpu_ticks) / (double)sysconf(_SC_CLK_TCK) /
                       ((double)(now_ms - process->cpu_at_ms) / 1000);
    }
    process->cpu_ticks = ticks;
    process->cpu_at_ms = now_ms;
    return process->cpu;
}
