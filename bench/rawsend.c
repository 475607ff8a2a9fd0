/* The ceiling: one thread that sends each camera's picture to all its viewers with one send() each,
 * out of one buffer, with no httpd, no filters and no source around it. What a viewer costs here is
 * what the kernel takes for it.
 *
 *   rawsend CAMS FPS SIZE    prints its port; ends with its standard input */
#include <config.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD                                                                                       \
    "HTTP/1.1 200 OK\r\nConnection: close\r\n"                                                     \
    "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
#define OPENING "--frame\r\nContent-Type: image/jpeg\r\n\r\n"
#define TAIL    "\r\n" OPENING

struct viewer {
    struct viewer *next; /* of the same camera */
    int fd;
    int cam;
    size_t sent; /* of the picture on its way */
    int busy;
};

static struct viewer **cams;
static char *picture;
static size_t picture_size;
static int epoll_fd;

static int64_t now_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void push(struct viewer *viewer)
{
    while (viewer->busy) {
        ssize_t sent = send(viewer->fd, picture + viewer->sent, picture_size - viewer->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0) {
            viewer->busy = errno == EAGAIN;
            return;
        }
        viewer->sent += (size_t)sent;
        viewer->busy = viewer->sent < picture_size;
    }
}

static void answer(struct viewer *viewer)
{
    char request[1024] = "";

    if (recv(viewer->fd, request, sizeof(request) - 1, MSG_DONTWAIT) <= 0 || viewer->cam >= 0) {
        return;
    }
    viewer->cam = 0;
    sscanf(request, "GET /cam/%d", &viewer->cam);
    viewer->cam -= viewer->cam > 0;
    viewer->next = cams[viewer->cam];
    cams[viewer->cam] = viewer;
    if (send(viewer->fd, HEAD OPENING, sizeof(HEAD OPENING) - 1, MSG_NOSIGNAL) < 0) {
        perror("rawsend: head");
    }
}

static void accept_one(int listener)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
    struct viewer *viewer = calloc(1, sizeof(*viewer));
    int lowat = 16384, on = 1;

    viewer->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    viewer->cam = -1;
    setsockopt(viewer->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
    setsockopt(viewer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    event.data.ptr = viewer;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, viewer->fd, &event);
}

static void publish(int cam, uint64_t seq)
{
    struct viewer *viewer;
    char mark[64];
    int size = snprintf(mark, sizeof(mark), "us=%lld seq=%llu cam=%d ",
                        (long long)now_us(CLOCK_REALTIME), (unsigned long long)seq, cam + 1);

    memcpy(picture + 6, mark, (size_t)size);
    for (viewer = cams[cam]; viewer; viewer = viewer->next) {
        if (!viewer->busy) {
            viewer->busy = 1;
            viewer->sent = 0;
            push(viewer);
        }
    }
}

/* Of each camera only the newest picture that is due is sent, as by the pump: what came too late
 * for that is skipped, in whole rounds of all cameras. */
static uint64_t skip_missed(uint64_t next, uint64_t due, uint64_t count)
{
    return due >= next + count ? next + (due - next) / count * count : next;
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    struct epoll_event event = { .events = EPOLLIN };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        perror("rawsend: listen");
        exit(1);
    }
    event.data.ptr = NULL;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void make_picture(size_t size)
{
    picture_size = size + sizeof(TAIL) - 1;
    picture = malloc(picture_size);
    memset(picture, 0x55, size);
    memcpy(picture, "\xff\xd8\xff\xfe\x00\x42", 6);
    memset(picture + 6, ' ', 64);
    memcpy(picture + size - 2, "\xff\xd9", 2);
    memcpy(picture + size, TAIL, sizeof(TAIL) - 1);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct epoll_event events[256];
    int count = argc == 4 ? atoi(argv[1]) : 0, listener, i;
    double step = argc == 4 ? 1e6 / atof(argv[2]) / count : 0;
    int64_t start = now_us(CLOCK_MONOTONIC);
    uint64_t n = 0;

    if (count < 1) {
        fprintf(stderr, "usage: rawsend CAMS FPS SIZE\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    cams = calloc((size_t)count, sizeof(*cams));
    make_picture((size_t)atol(argv[3]));
    epoll_fd = epoll_create1(0);
    listener = listen_anywhere();
    for (;;) {
        int64_t early = start + (int64_t)((double)n * step) - now_us(CLOCK_MONOTONIC);
        int got = epoll_wait(epoll_fd, events, 256, early > 0 ? (int)((early + 999) / 1000) : 0);

        for (i = 0; i < got; i++) {
            struct viewer *viewer = events[i].data.ptr;

            if (!viewer) {
                accept_one(listener);
            }
            else {
                if (events[i].events & EPOLLIN) {
                    answer(viewer);
                }
                if (events[i].events & EPOLLOUT) {
                    push(viewer);
                }
            }
        }
        n = skip_missed(n, (uint64_t)((double)(now_us(CLOCK_MONOTONIC) - start) / step),
                        (uint64_t)count);
        while (start + (int64_t)((double)n * step) <= now_us(CLOCK_MONOTONIC)) {
            publish((int)(n % (uint64_t)count), n / (uint64_t)count + 1);
            n++;
        }
    }
}
