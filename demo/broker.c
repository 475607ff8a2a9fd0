/* kafkacam-broker: a Kafka broker for the demo and the tests that starts in milliseconds and needs
 * no Java. It is librdkafka's in-process mock cluster, given a port of its own.
 *
 * Never for real use. Its limits, all of them in the library:
 *   - records live in memory, at most 5 MiB a partition (seconds of video), and end with the
 *     process;
 *   - no CreateTopics, no CreatePartitions: topics are made here at the start (--topic);
 *   - no look-up of offsets by time, no ACLs, no TLS, listens on 127.0.0.1 alone;
 *   - a fetch that finds nothing waits its whole fetch.wait.max.ms, news do not wake it: clients
 *     want fetch.wait.max.ms=5 here (a real Kafka does not need that);
 *   - a topic nobody declared springs up with 4 partitions when somebody asks for it.
 *
 * The library takes any free port and leaves Nagle's algorithm on (30 ms an ack). There is no
 * setting for either, so bind() and accept() stand in this program and the dynamic linker gives
 * them to the library. The interface is marked experimental: configure looks for it. */
#include <config.h>
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define MAX_TOPICS     64
#define MAX_PARTITIONS 100000
#define MAX_BROKERS    16

struct topic {
    char *name;
    int partitions;
};

struct options {
    int port;             /* 0: any free one */
    int brokers;          /* of the cluster */
    const char *commands; /* a file to read at SIGHUP, NULL: none */
    struct topic topics[MAX_TOPICS];
    size_t topic_count;
};

/* Set before the library starts its thread and only read from then on. */
static in_port_t wanted_port;

/* glibc declares these two with a transparent union for the address. */
__attribute__((visibility("default"))) int bind(int fd, __CONST_SOCKADDR_ARG address,
                                                socklen_t size);
__attribute__((visibility("default"))) int accept(int fd, __SOCKADDR_ARG address,
                                                  socklen_t *restrict size);

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    int (*real)(int, const struct sockaddr *, socklen_t);
    struct sockaddr_in own;
    int on = 1;

    *(void **)&real = dlsym(RTLD_NEXT, "bind");
    if (address.__sockaddr__->sa_family != AF_INET || size != sizeof(own)) {
        return real(fd, address.__sockaddr__, size);
    }
    memcpy(&own, address.__sockaddr__, sizeof(own));
    if (!own.sin_port) { /* it has one where a broker comes up again */
        own.sin_port = htons(wanted_port);
        wanted_port = 0; /* of the first broker; the others' is any */
    }
    /* A broker that was stopped can come back on its port at once. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1) {
        return -1;
    }
    if (real(fd, (const struct sockaddr *)&own, sizeof(own)) == -1) {
        /* The library would trip over an assertion of its own on the way out. */
        fprintf(stderr, "kafkacam-broker: 127.0.0.1:%d: %s\n", ntohs(own.sin_port),
                strerror(errno));
        exit(EXIT_FAILURE);
    }
    return 0;
}

int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
    int (*real)(int, struct sockaddr *, socklen_t *);
    int on = 1;
    int client;

    *(void **)&real = dlsym(RTLD_NEXT, "accept");
    client = real(fd, address.__sockaddr__, size);
    if (client != -1) {
        /* Without it acks are late and nothing else is wrong: not worth losing the client. */
        (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return client;
}

static void usage(FILE *to)
{
    fputs("usage: kafkacam-broker [--port PORT] --topic NAME:PARTITIONS [--topic ...]\n"
          "\n"
          "A Kafka broker on 127.0.0.1 for the demo and the tests. Keeps 5 MiB a partition, in\n"
          "memory. Prints \"ready ADDRESS\" when it is; SIGTERM or SIGINT ends it.\n"
          "\n"
          "  --port PORT              listen there (default: any free port)\n"
          "  --topic NAME:PARTITIONS  make this topic; may be given again\n"
          "  --brokers COUNT          so many of them, each partition with one (default 1);\n"
          "                           PORT is the first one's\n"
          "  --commands FILE          at SIGHUP do what its lines say, for tests of trouble:\n"
          "                             error TOPIC CODE               0 for none again\n"
          "                             leader TOPIC PARTITION BROKER  -1 for nobody\n"
          "                             fail API COUNT CODE            the next COUNT requests\n"
          "                             down BROKER, up BROKER\n"
          "                           and print \"done COUNT\", of all lines so far\n",
          to);
}

/* 0 to max in decimal, or -1. */
static long number_parse(const char *text, long max)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    if (errno || end == text || *end || number < 0 || number > max) {
        return -1;
    }
    return number;
}

static int topic_parse(struct options *options, char *text)
{
    struct topic *topic = &options->topics[options->topic_count];
    char *colon = strrchr(text, ':');

    if (!colon || colon == text || options->topic_count == MAX_TOPICS) {
        return -1;
    }
    topic->partitions = (int)number_parse(colon + 1, MAX_PARTITIONS);
    if (topic->partitions < 1) {
        return -1;
    }
    *colon = '\0';
    topic->name = text;
    options->topic_count++;
    return 0;
}

static int options_parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        { "port", required_argument, NULL, 'p' },    { "topic", required_argument, NULL, 't' },
        { "brokers", required_argument, NULL, 'b' }, { "commands", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 }
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'p':
            options->port = (int)number_parse(optarg, 65535);
            if (options->port == -1) {
                fprintf(stderr, "kafkacam-broker: --port %s: not a port, 0 to 65535\n", optarg);
                return -1;
            }
            break;
        case 't':
            if (topic_parse(options, optarg) == -1) {
                fprintf(stderr,
                        "kafkacam-broker: --topic %s: wanted NAME:PARTITIONS, 1 to %d of "
                        "them, at most %d topics\n",
                        optarg, MAX_PARTITIONS, MAX_TOPICS);
                return -1;
            }
            break;
        case 'b':
            options->brokers = (int)number_parse(optarg, MAX_BROKERS);
            if (options->brokers < 1) {
                fprintf(stderr, "kafkacam-broker: --brokers %s: wanted 1 to %d\n", optarg,
                        MAX_BROKERS);
                return -1;
            }
            break;
        case 'c':
            options->commands = optarg;
            break;
        case 'h':
            usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            return -1;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "kafkacam-broker: what is \"%s\"?\n", argv[optind]);
        return -1;
    }
    return 0;
}

/* The cluster's home: a client that never connects to anything. */
static rd_kafka_t *client_open(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    rd_kafka_t *client;

    rd_kafka_conf_set_log_cb(conf, NULL); /* it would warn that it has no broker */
    client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!client) {
        fprintf(stderr, "kafkacam-broker: %s\n", why);
        rd_kafka_conf_destroy(conf);
    }
    return client;
}

static int topics_create(rd_kafka_mock_cluster_t *cluster, const struct options *options)
{
    size_t i;

    for (i = 0; i < options->topic_count; i++) {
        const struct topic *topic = &options->topics[i];
        rd_kafka_resp_err_t err =
            rd_kafka_mock_topic_create(cluster, topic->name, topic->partitions, 1);

        if (err) {
            fprintf(stderr, "kafkacam-broker: topic %s: %s\n", topic->name, rd_kafka_err2str(err));
            return -1;
        }
    }
    return 0;
}

/* One line of the commands' file. */
static int command_run(rd_kafka_mock_cluster_t *cluster, const char *line)
{
    char topic[250];
    int api, number, broker, code;

    if (sscanf(line, "error %249s %d", topic, &number) == 2) {
        rd_kafka_mock_topic_set_error(cluster, topic, (rd_kafka_resp_err_t)number);
        return 0;
    }
    if (sscanf(line, "leader %249s %d %d", topic, &number, &broker) == 3) {
        return rd_kafka_mock_partition_set_leader(cluster, topic, number, broker) ? -1 : 0;
    }
    if (sscanf(line, "fail %d %d %d", &api, &number, &code) == 3) {
        rd_kafka_mock_clear_request_errors(cluster, (int16_t)api);
        while (number-- > 0) {
            rd_kafka_mock_push_request_errors(cluster, (int16_t)api, 1, (rd_kafka_resp_err_t)code);
        }
        return 0;
    }
    if (sscanf(line, "down %d", &broker) == 1) {
        return rd_kafka_mock_broker_set_down(cluster, broker) ? -1 : 0;
    }
    if (sscanf(line, "up %d", &broker) == 1) {
        return rd_kafka_mock_broker_set_up(cluster, broker) ? -1 : 0;
    }
    return -1;
}

/* Returns how many lines there were, -1 if one cannot be done. */
static int commands_run(rd_kafka_mock_cluster_t *cluster, const char *path)
{
    char line[300];
    FILE *file = path ? fopen(path, "r") : NULL;
    int count = 0;

    if (!file) {
        fprintf(stderr, "kafkacam-broker: %s: %s\n", path ? path : "no --commands",
                strerror(errno));
        return path ? -1 : 0;
    }
    while (count >= 0 && fgets(line, sizeof(line), file)) {
        count++;
        if (command_run(cluster, line) == -1) {
            fprintf(stderr, "kafkacam-broker: cannot do this: %s", line);
            count = -1;
        }
    }
    fclose(file);
    return count;
}

/* Until it is told to end: 0; -1 if a command cannot be done. */
static int obey(rd_kafka_mock_cluster_t *cluster, const struct options *options,
                const sigset_t *signals)
{
    int signal_number, count, done = 0;

    while (!sigwait(signals, &signal_number) && signal_number == SIGHUP) {
        count = commands_run(cluster, options->commands);
        if (count == -1) {
            return -1;
        }
        done += count;
        printf("done %d\n", done);
        fflush(stdout);
    }
    return 0;
}

static int serve(const struct options *options, const sigset_t *signals)
{
    rd_kafka_t *client = client_open();
    rd_kafka_mock_cluster_t *cluster;
    int rc = -1;

    if (!client) {
        return -1;
    }
    wanted_port = (in_port_t)options->port;
    cluster = rd_kafka_mock_cluster_new(client, options->brokers);
    if (!cluster) {
        fputs("kafkacam-broker: the library makes no mock cluster\n", stderr);
        goto out;
    }
    if (topics_create(cluster, options) == -1) {
        goto out;
    }
    printf("ready %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    rc = obey(cluster, options, signals);
out:
    if (cluster) {
        rd_kafka_mock_cluster_destroy(cluster);
    }
    rd_kafka_destroy(client);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options = { .brokers = 1 };
    sigset_t signals;

    if (options_parse(&options, argc, argv) == -1) {
        usage(stderr);
        return 2;
    }
    if (options.topic_count == 0) {
        fputs("kafkacam-broker: no --topic\n", stderr);
        return 2;
    }
    /* Blocked before the library's threads start, so that they inherit it and sigwait gets all. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return serve(&options, &signals) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
