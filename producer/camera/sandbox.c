#include "config.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif
#include "log.h"

/* Address space: an 8K stream needs 0.6 GB, threads' stacks and libraries 0.4 GB. */
#define ADDRESS_SPACE (UINT64_C(1536) << 20)

/* The sanitizers map terabytes, start a process that looks into this one, and write files. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void limit(int what, const char *name, uint64_t value)
{
    struct rlimit old;
    struct rlimit limits;

    if (getrlimit(what, &old) == 0 && old.rlim_max < value) {
        value = old.rlim_max; /* the administrator was stricter */
    }
    limits.rlim_cur = limits.rlim_max = value;
    if (setrlimit(what, &limits)) {
        log_warning(1560, "no limit on %s: %s", name, strerror(errno));
    }
}

void sandbox_begin(int has_supervisor)
{
    pid_t parent = getppid();

    limit(RLIMIT_CORE, "core dumps", 0);
    mallopt(M_ARENA_MAX, 2); /* 64 MB of address space each, one for each thread otherwise */
    if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0)) {
        log_warning(1561, "other processes can look into this one: %s", strerror(errno));
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
        log_warning(1562, "no_new_privs: %s", strerror(errno));
    }
    if (has_supervisor) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) {
            raise(SIGTERM); /* it was faster */
        }
    }
}

#ifdef HAVE_SECCOMP

/* A list of what is refused, not of what is allowed: the decoder, librdkafka, the resolver's
 * plug-ins, TLS and each glibc bring system calls of their own from release to release, and a
 * camera that dies in the field of a harmless new one costs more than the last per cent of
 * strictness brings. What makes an intruder's next step is refused: programs, processes, files,
 * kernel. */
static const int refused[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(kill),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(creat),
    SCMP_SYS(truncate),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(lchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(quotactl),
    SCMP_SYS(acct),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(personality),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(vhangup),
    SCMP_SYS(syslog),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    /* Ways to files and memory of others that neither decoder nor librdkafka take. */
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(copy_file_range),
    SCMP_SYS(sendfile),
    SCMP_SYS(splice),
    SCMP_SYS(tee),
    SCMP_SYS(vmsplice),
    SCMP_SYS(memfd_create),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(inotify_init),
    SCMP_SYS(inotify_init1),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(shmget),
    SCMP_SYS(shmat),
    SCMP_SYS(semget),
    SCMP_SYS(msgget),
    SCMP_SYS(mq_open),
    SCMP_SYS(chdir),
    SCMP_SYS(fchdir),
};

/* These LeakSanitizer needs. */
static const int refused_unless_sanitized[] = {
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
};

static int refuse(scmp_filter_ctx filter, const int *list, size_t count)
{
    int rc = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        /* Numbers that this architecture does not have are passed over by libseccomp itself. */
        rc |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), list[i], 0);
    }
    return rc;
}

/* open() and openat() for anything but reading. The access mode is no bit mask. */
static int refuse_writing(scmp_filter_ctx filter)
{
    static const struct {
        scmp_datum_t mask, value;
    } flags[] = {
        { O_ACCMODE, O_WRONLY }, { O_ACCMODE, O_RDWR }, { O_CREAT, O_CREAT }, { O_TRUNC, O_TRUNC }
    };
    int rc = 0;
    size_t i;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        rc |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open), 1,
                               SCMP_A1(SCMP_CMP_MASKED_EQ, flags[i].mask, flags[i].value));
        rc |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, flags[i].mask, flags[i].value));
    }
    /* Their flags are behind a pointer, out of a filter's sight; callers fall back to the above. */
    rc |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
    return rc;
}

/* Threads yes, processes no. */
static int refuse_processes(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) |
           seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* The internet, the log and the resolver's local sockets and netlink; families are small
 * numbers. */
static int refuse_sockets(scmp_filter_ctx filter)
{
    int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
    scmp_datum_t family;

    /* TCP and UDP; the netlink socket of the resolver is raw, too. */
    rc |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2,
                           SCMP_A0(SCMP_CMP_EQ, AF_INET),
                           SCMP_A1(SCMP_CMP_MASKED_EQ, 0xF, SOCK_RAW)) |
          seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2,
                           SCMP_A0(SCMP_CMP_EQ, AF_INET6),
                           SCMP_A1(SCMP_CMP_MASKED_EQ, 0xF, SOCK_RAW));
    for (family = AF_INET + 1; family < AF_NETLINK; family++) {
        if (family != AF_INET6) {
            rc |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                   SCMP_A0(SCMP_CMP_EQ, family));
        }
    }
    return rc;
}

static void close_kernel(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc;

    if (!filter) {
        log_warning(1563, "no system call filter: libseccomp does not start");
        return;
    }
    rc = refuse(filter, refused, sizeof(refused) / sizeof(refused[0])) | refuse_sockets(filter);
    if (!SANITIZED) {
        rc |= refuse(filter, refused_unless_sanitized,
                     sizeof(refused_unless_sanitized) / sizeof(refused_unless_sanitized[0])) |
              refuse_writing(filter) | refuse_processes(filter);
    }
    if (rc) {
        log_warning(1564, "no system call filter: libseccomp refuses a rule");
    }
    else {
        rc = seccomp_load(filter);
        if (rc) {
            log_warning(1565, "no system call filter: %s", strerror(-rc));
        }
    }
    seccomp_release(filter);
}

#endif

void sandbox_close(void)
{
    if (!SANITIZED) {
        limit(RLIMIT_AS, "memory", ADDRESS_SPACE);
    }
#ifdef HAVE_SECCOMP
    close_kernel();
#endif
}
