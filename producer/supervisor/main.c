/* kafkacam-producer: options, then the supervisor. */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "catalog.h"
#include "conf.h"
#include "supervisor.h"
#include "topics.h"

#define DEFAULT_CONF SYSCONFDIR "/kafkacam/producer.conf"

struct options {
    const char *conf;
    int check, test, to_syslog;
};

static void print_help(void)
{
    printf(
        "usage: kafkacam-producer [-c FILE] [--syslog]\n"
        "       kafkacam-producer [-c FILE] --check | --test\n"
        "\n"
        "Runs a kafkacam-camera for each row of the table of cameras, which carries its pictures\n"
        "into Kafka. Stays in the foreground. SIGTERM stops it, SIGHUP reads the table again.\n"
        "\n"
        "  -c, --config FILE  settings, see producer.conf(5)\n"
        "                     (default %s)\n"
        "      --check        look whether settings, database and broker are right, and end\n"
        "      --test         look whether the settings are right, and end\n"
        "      --defaults     print a producer.conf with every setting, and end\n"
        "      --syslog       log to syslog instead of stderr\n"
        "      --version      print the version, and end\n"
        "  -h, --help         print this, and end\n",
        DEFAULT_CONF);
}

/* -1: go on, else the status to exit with. */
static int parse_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        { "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, 'k' },
        { "test", no_argument, NULL, 't' },         { "defaults", no_argument, NULL, 'd' },
        { "syslog", no_argument, NULL, 's' },       { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->conf = optarg;
            break;
        case 'k':
            options->check = 1;
            break;
        case 't':
            options->test = 1;
            break;
        case 's':
            options->to_syslog = 1;
            break;
        case 'd':
            conf_print_defaults(stdout);
            return 0;
        case 'v':
            printf("kafkacam-producer %s\n", PACKAGE_VERSION);
            return 0;
        case 'h':
            print_help();
            return 0;
        default:
            fprintf(stderr, "kafkacam-producer --help lists the options\n");
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "kafkacam-producer: \"%s\" is no option; --help lists them\n",
                argv[optind]);
        return 2;
    }
    return -1;
}

/* Descriptors 0 to 2 exist from here on, so that none of ours becomes one of them. */
static void open_standard(void)
{
    int fd = open("/dev/null", O_RDWR);

    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = dup(fd);
    }
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

/* Our memory holds all passwords: it is no other process's to read, and nothing to keep on disk. */
static void guard_memory(void)
{
    const struct rlimit none = { 0, 0 };

    setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* its leak check looks at us as a debugger does */
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Three descriptors a camera is more than the usual limit gives for hundreds. */
static void raise_limits(void)
{
    struct rlimit files;

    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int check_program(const struct conf *conf)
{
    if (access(conf->producer.camera_program, X_OK)) {
        log_error(1400, "%s: %s ([producer] camera_program of %s)", conf->producer.camera_program,
                  strerror(errno), conf->path);
        return -1;
    }
    return 0;
}

/* Become [producer] user, for good. */
static int become_user(const struct conf *conf)
{
    const struct passwd *user;

    if (!*conf->producer.user || geteuid() != 0) {
        return 0;
    }
    user = getpwnam(conf->producer.user);
    if (!user) {
        log_error(1401, "there is no user %s ([producer] user of %s)", conf->producer.user,
                  conf->path);
        return -1;
    }
    if (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid)) {
        log_error(1402, "cannot become user %s: %s", conf->producer.user, strerror(errno));
        return -1;
    }
    return 0;
}

static int check(const struct conf *conf)
{
    int wrong = check_program(conf) != 0;

    wrong |= catalog_check(conf) != 0;
    wrong |= topics_check(conf) != 0;
    if (!wrong) {
        log_info("all is right");
    }
    return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct options options = { .conf = DEFAULT_CONF };
    static struct conf *conf; /* to the end: threads that hang still use it */
    sigset_t signals;
    int status;

    open_standard();
    guard_memory();
    status = parse_options(&options, argc, argv);
    if (status >= 0) {
        return status;
    }
    log_open("kafkacam-producer", LOG_LEVEL_INFO, options.to_syslog);
    if (conf_read(&conf, options.conf)) {
        return 1;
    }
    log_set_level(conf->producer.log_level);
    if (become_user(conf) || topics_settings_check(conf)) {
        return 1;
    }
    if (options.test) {
        log_info("%s: the settings are right", conf->path);
        return 0;
    }
    if (options.check) {
        return check(conf);
    }
    raise_limits();
    supervisor_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return supervisor_run(conf, options.to_syslog) ? 1 : 0;
}
