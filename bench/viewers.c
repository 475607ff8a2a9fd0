/* Thousands of viewers in one thread: the load for the pump's benchmarks and tests.
 *
 *   viewers [options] HOST PORT PATH
 *     -n N      viewers (1)            -c N      PATH's %d is camera 1..N in turn (1)
 *     -w S      seconds of warm-up (1) -s S      seconds that count (5)
 *     -k N      of N viewers one is checked picture by picture (all)
 *     -S N:RATE the first N viewers read RATE bytes a second; they are all checked
 *     -Z N      the next N viewers read nothing at all
 *     -t        TLS                    -g        exit when all are closed, at -s seconds latest
 *     -x N      instead: N times connect, ask, reset at once or a moment later; -n at a time
 *
 * Prints a line "begin" and a line "end" around what counts, so that whoever started it can look at
 * the server's processor time, then one line of JSON. */
#include <config.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/ssl.h>

#define BOUNDARY  "\r\n--frame\r\n"
#define SAMPLES   (1 << 20)
#define READ_SIZE 65536
#define TICK_MS   10
#define EVENTS    512

/* Woken by each picture, the client would take the processor from the very thread that sends it, on
 * a machine with few of them: so it looks by itself, so often. A picture's age holds up to that
 * much of waiting for us. */
#define LOOK_US 500

enum pace { FAST, SLOW, DEAF };

struct viewer {
    int fd;
    int cam;
    enum pace pace;
    int checked;
    int readable;
    int left;   /* the server closed: read to the end */
    int headed; /* the response's headers were read */
    SSL *tls;
    int shaken;    /* hands, TLS's */
    double budget; /* bytes a slow one may read */
    char *data;    /* of a checked one: what is not a whole picture yet */
    size_t size, room, looked;
    uint64_t seq;
    int64_t asked_us, first_us;
};

static struct {
    int viewers, cams, every, slow, deaf, tls, until_closed, churn;
    double warmup_s, seconds, rate;
    const char *host, *path;
    int port;
} options = { .viewers = 1, .cams = 1, .every = 1, .warmup_s = 1, .seconds = 5 };

static struct {
    int open, closed, refused, wrong;
    int counting;
    uint64_t bytes, pictures, skipped;
} total;

struct samples {
    int64_t *values;
    size_t count;
};

static struct samples ages, slow_ages, firsts;
static struct viewer *viewers;
static SSL_CTX *tls_context;
static int epoll_fd;

static void die(const char *what)
{
    fprintf(stderr, "viewers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t clock_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void add_sample(struct samples *samples, int64_t value)
{
    if (!samples->values) {
        samples->values = malloc(SAMPLES * sizeof(*samples->values));
    }
    if (samples->values && samples->count < SAMPLES) {
        samples->values[samples->count++] = value;
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Milliseconds at that part of the sorted samples. */
static double quantile(const struct samples *samples, double part)
{
    size_t place = (size_t)(part * (double)(samples->count - 1));

    return samples->count ? (double)samples->values[place] / 1000 : -1;
}

static void print_samples(const char *name, struct samples *samples)
{
    if (samples->count) {
        qsort(samples->values, samples->count, sizeof(*samples->values), compare);
    }
    printf(", \"%s_ms\": {\"p50\": %.2f, \"p99\": %.2f, \"max\": %.2f}", name,
           quantile(samples, 0.5), quantile(samples, 0.99), quantile(samples, 1));
}

/* One address has ports for so many. */
#define PER_ADDRESS 20000

/* On loopback, where all of 127 is ours, the later ones come from other addresses. */
static void choose_address(int fd, int number, const struct sockaddr_in *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    uint32_t host = ntohl(server->sin_addr.s_addr);
    int late = 1;

    if (number < PER_ADDRESS || host >> 24 != 127) {
        return;
    }
    address.sin_addr.s_addr = htonl(host + (uint32_t)(number / PER_ADDRESS));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof(late));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        die("bind");
    }
}

static int connect_to_server(int number)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(options.port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, options.host, &address.sin_addr);
    if (fd < 0) {
        die("socket");
    }
    choose_address(fd, number, &address);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int format_request(char *text, size_t size, int cam)
{
    char path[256];

    snprintf(path, sizeof(path), "%s", options.path);
    if (strstr(path, "%d")) {
        char *place = strstr(path, "%d");
        char tail[256];

        snprintf(tail, sizeof(tail), "%s", place + 2);
        snprintf(place, sizeof(path) - (size_t)(place - path), "%d%s", cam, tail);
    }
    return snprintf(text, size, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
}

static void close_viewer(struct viewer *viewer)
{
    if (viewer->fd >= 0) {
        SSL_free(viewer->tls);
        close(viewer->fd);
        viewer->fd = -1;
        viewer->tls = NULL;
        total.open--;
        total.closed++;
    }
}

/* The picture's own words: FF D8 FF FE, length, "us=... seq=...". */
static void check_picture(struct viewer *viewer, const char *picture, size_t size)
{
    static const char begin[] = "\xff\xd8\xff\xfe";
    long long us = 0;
    unsigned long long seq = 0;
    char mark[65] = "";
    int64_t age;

    if (size < 72 || memcmp(picture, begin, 4) != 0 ||
        memcmp(picture + size - 2, "\xff\xd9", 2) != 0) {
        total.wrong++;
        return;
    }
    memcpy(mark, picture + 6, 64);
    if (sscanf(mark, "us=%lld seq=%llu", &us, &seq) != 2) {
        total.wrong++;
        return;
    }
    age = clock_us(CLOCK_REALTIME) - us;
    if (!viewer->first_us) {
        viewer->first_us = clock_us(CLOCK_MONOTONIC);
        add_sample(&firsts, viewer->first_us - viewer->asked_us);
    }
    if (total.counting) {
        total.pictures++;
        add_sample(viewer->pace == SLOW ? &slow_ages : &ages, age);
        if (viewer->seq && seq > viewer->seq && viewer->pace == FAST) {
            total.skipped += seq - viewer->seq - 1;
        }
    }
    viewer->seq = seq;
}

/* A part: its headers (none if the boundary itself ended the response's), then the picture. */
static void check_part(struct viewer *viewer, const char *part, size_t size)
{
    const char *body = memmem(part, size, "\r\n\r\n", 4);

    if (!viewer->headed) {
        viewer->headed = 1;
        if (size < 12 || memcmp(part, "HTTP/1.1 200", 12) != 0) {
            total.refused++;
            close_viewer(viewer);
        }
    }
    else if (body) {
        check_picture(viewer, body + 4, size - (size_t)(body + 4 - part));
    }
    else {
        total.wrong++;
    }
}

static void take(struct viewer *viewer, size_t size)
{
    size_t begin = 0;
    char *end;

    viewer->size += size;
    while (viewer->fd >= 0) {
        size_t from = viewer->looked > begin ? viewer->looked : begin;

        end = memmem(viewer->data + from, viewer->size - from, BOUNDARY, sizeof(BOUNDARY) - 1);
        if (!end) {
            break;
        }
        check_part(viewer, viewer->data + begin, (size_t)(end - viewer->data) - begin);
        begin = (size_t)(end - viewer->data) + sizeof(BOUNDARY) - 1;
        viewer->looked = begin;
    }
    memmove(viewer->data, viewer->data + begin, viewer->size - begin);
    viewer->size -= begin;
    viewer->looked = viewer->size > sizeof(BOUNDARY) ? viewer->size - sizeof(BOUNDARY) : 0;
    if (!viewer->headed && viewer->size > 12 && memcmp(viewer->data, "HTTP/1.1 200", 12) != 0) {
        total.refused++;
        close_viewer(viewer);
    }
}

static ssize_t receive(struct viewer *viewer, void *data, size_t size)
{
    int got, error;

    if (!viewer->tls) {
        /* Without a copy, where nobody looks at it. */
        return recv(viewer->fd, data, size, viewer->checked ? 0 : MSG_TRUNC);
    }
    got = SSL_read(viewer->tls, data, (int)size);
    if (got > 0) {
        return got;
    }
    error = SSL_get_error(viewer->tls, got);
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static void read_some(struct viewer *viewer)
{
    static char scrap[1 << 20];

    while (viewer->fd >= 0 && viewer->readable) {
        size_t wish = viewer->checked ? READ_SIZE : sizeof(scrap);
        ssize_t got;

        if (viewer->pace == SLOW) {
            if (viewer->budget < 1) {
                return;
            }
            wish = viewer->budget < (double)wish ? (size_t)viewer->budget : wish;
        }
        if (viewer->checked && viewer->room < viewer->size + wish) {
            viewer->room = (viewer->size + wish) * 2;
            viewer->data = realloc(viewer->data, viewer->room);
            if (!viewer->data) {
                die("memory");
            }
        }
        got = receive(viewer, viewer->checked ? viewer->data + viewer->size : scrap, wish);
        if (got < 0 && errno == EAGAIN) {
            viewer->readable = 0;
            return;
        }
        if (got <= 0) {
            close_viewer(viewer);
            return;
        }
        viewer->budget -= (double)got;
        if (total.counting) {
            total.bytes += (uint64_t)got;
        }
        if (viewer->checked) {
            take(viewer, (size_t)got);
        }
        if ((size_t)got < wish && !viewer->tls && !viewer->left) {
            viewer->readable = 0; /* less than there was room for: that was all */
        }
    }
}

static void start_viewer(struct viewer *viewer, int number)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = viewer };
    char request[512];
    int size;

    viewer->cam = number % options.cams + 1;
    viewer->pace = number < options.slow                  ? SLOW
                   : number < options.slow + options.deaf ? DEAF
                                                          : FAST;
    viewer->checked = viewer->pace == SLOW || number % options.every == 0;
    viewer->asked_us = clock_us(CLOCK_MONOTONIC);
    viewer->fd = connect_to_server(number);
    if (viewer->fd < 0) {
        total.refused++;
        return;
    }
    total.open++;
    size = format_request(request, sizeof(request), viewer->cam);
    if (options.tls) {
        fcntl(viewer->fd, F_SETFL, 0);
        viewer->tls = SSL_new(tls_context);
        SSL_set_fd(viewer->tls, viewer->fd);
        if (SSL_connect(viewer->tls) != 1 || SSL_write(viewer->tls, request, size) != size) {
            total.refused++;
            close_viewer(viewer);
            return;
        }
        fcntl(viewer->fd, F_SETFL, O_NONBLOCK);
    }
    else if (send(viewer->fd, request, (size_t)size, MSG_NOSIGNAL) != size) {
        close_viewer(viewer);
        return;
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, viewer->fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static void give_budgets(double seconds)
{
    int i;

    for (i = 0; i < options.slow; i++) {
        viewers[i].budget += options.rate * seconds;
        if (viewers[i].budget > options.rate / 10) {
            viewers[i].budget = options.rate / 10;
        }
        viewers[i].readable = 1;
        read_some(&viewers[i]);
    }
}

static void turn(void)
{
    static int64_t last;
    struct epoll_event events[EVENTS];
    const struct timespec look = { .tv_nsec = LOOK_US * 1000 };
    int count = epoll_wait(epoll_fd, events, EVENTS, 0), i;
    int64_t now = clock_us(CLOCK_MONOTONIC);

    for (i = 0; i < count; i++) {
        struct viewer *viewer = events[i].data.ptr;

        viewer->readable = 1;
        viewer->left |= !!(events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
        if (viewer->pace != DEAF) {
            read_some(viewer);
        }
        else if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
            close_viewer(viewer);
        }
    }
    if (now - last > TICK_MS * 1000) {
        give_budgets(last ? (double)(now - last) / 1e6 : 0);
        last = now;
    }
    if (count < EVENTS) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &look, NULL);
    }
}

static void run_for(double seconds, int until_closed)
{
    int64_t end = clock_us(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e6);

    while (clock_us(CLOCK_MONOTONIC) < end && !(until_closed && total.open == 0)) {
        turn();
    }
}

static void watch(void)
{
    int64_t begin;
    double seconds;
    struct rusage used;
    int i;

    viewers = calloc((size_t)options.viewers, sizeof(*viewers));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (i = 0; i < options.viewers; i++) {
        viewers[i].fd = -1;
    }
    for (i = 0; i < options.viewers; i++) {
        start_viewer(&viewers[i], i);
        if (i % 16 == 0) {
            turn();
        }
    }
    run_for(options.warmup_s, 0);
    printf("begin\n");
    fflush(stdout);
    total.counting = 1;
    begin = clock_us(CLOCK_MONOTONIC);
    run_for(options.seconds, options.until_closed);
    seconds = (double)(clock_us(CLOCK_MONOTONIC) - begin) / 1e6;
    printf("end\n");
    fflush(stdout);
    getrusage(RUSAGE_SELF, &used);
    printf("{\"seconds\": %.3f, \"open\": %d, \"closed\": %d, \"refused\": %d, \"wrong\": %d, "
           "\"bytes\": %llu, \"pictures\": %llu, \"skipped\": %llu, \"cpu_s\": %.3f",
           seconds, total.open, total.closed, total.refused, total.wrong,
           (unsigned long long)total.bytes, (unsigned long long)total.pictures,
           (unsigned long long)total.skipped,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    print_samples("age", &ages);
    print_samples("slow_age", &slow_ages);
    print_samples("first", &firsts);
    printf("}\n");
}

/* Connections that end by a reset: at once, after up to two milliseconds, or at the first byte. */
static void churn_once(int *bad)
{
    struct linger reset = { 1, 0 };
    char request[512];
    int fd = connect_to_server(0);
    int size = format_request(request, sizeof(request), rand() % options.cams + 1);
    struct pollfd wait = { .fd = fd, .events = POLLIN };

    if (fd < 0 || send(fd, request, (size_t)size, MSG_NOSIGNAL) != size) {
        ++*bad;
    }
    else if (rand() % 3 == 1) {
        usleep((useconds_t)(rand() % 2000));
    }
    else if (rand() % 3 == 2) {
        poll(&wait, 1, 1000);
    }
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
    }
}

/* In as many processes as viewers were asked for. */
static void churn(void)
{
    int each = options.churn / options.viewers, bad = 0, pipes[2], i, n;

    if (pipe(pipes) != 0) {
        die("pipe");
    }
    for (i = 0; i < options.viewers; i++) {
        if (fork() == 0) {
            srand((unsigned)i + 1);
            for (n = 0; n < each; n++) {
                churn_once(&bad);
            }
            _exit(write(pipes[1], &bad, sizeof(bad)) != sizeof(bad));
        }
    }
    for (i = 0, n = 0; i < options.viewers; i++) {
        if (read(pipes[0], &bad, sizeof(bad)) != sizeof(bad)) {
            die("a process failed");
        }
        n += bad;
    }
    printf("{\"cycles\": %d, \"bad\": %d}\n", each * options.viewers, n);
}

static void raise_limit(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "n:c:w:s:k:S:Z:tgx:")) != -1) {
        switch (option) {
        case 'n':
            options.viewers = atoi(optarg);
            break;
        case 'c':
            options.cams = atoi(optarg);
            break;
        case 'w':
            options.warmup_s = atof(optarg);
            break;
        case 's':
            options.seconds = atof(optarg);
            break;
        case 'k':
            options.every = atoi(optarg);
            break;
        case 'S':
            sscanf(optarg, "%d:%lf", &options.slow, &options.rate);
            break;
        case 'Z':
            options.deaf = atoi(optarg);
            break;
        case 't':
            options.tls = 1;
            break;
        case 'g':
            options.until_closed = 1;
            break;
        case 'x':
            options.churn = atoi(optarg);
            break;
        default:
            return 2;
        }
    }
    if (argc - optind != 3) {
        fprintf(stderr, "usage: viewers [options] HOST PORT PATH; see bench/viewers.c\n");
        return 2;
    }
    options.host = argv[optind];
    options.port = atoi(argv[optind + 1]);
    options.path = argv[optind + 2];
    raise_limit();
    if (options.tls) {
        tls_context = SSL_CTX_new(TLS_client_method());
    }
    if (options.churn) {
        churn();
    }
    else {
        watch();
    }
    return 0;
}
