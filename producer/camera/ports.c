#include "ports.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mem.h"

/* Packets of one system call, and their size: the largest that UDP has. Pages that no packet needs
 * are never touched. */
#define BATCH       32
#define PACKET_SIZE 65536

/* A key frame comes in one burst. */
#define BUFFER_SIZE 1048576

struct ports {
    int rtp, rtcp;
    uint16_t number;
    struct sockaddr_storage camera, source; /* source: the camera's as well, family 0: none */
    uint16_t camera_rtp, camera_rtcp;
    unsigned count, next; /* of the batch */
    struct mmsghdr messages[BATCH];
    struct iovec places[BATCH];
    struct sockaddr_storage from[BATCH];
    uint8_t *bytes;
};

static socklen_t size_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    }
    else {
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    }
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

static int is_same_host(const struct sockaddr_storage *one, const struct sockaddr_storage *two)
{
    if (one->ss_family != two->ss_family) {
        return 0;
    }
    if (one->ss_family == AF_INET6) {
        return !memcmp(&((const struct sockaddr_in6 *)one)->sin6_addr,
                       &((const struct sockaddr_in6 *)two)->sin6_addr, sizeof(struct in6_addr));
    }
    return ((const struct sockaddr_in *)one)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)two)->sin_addr.s_addr;
}

static int is_camera(const struct ports *ports, const struct sockaddr_storage *from)
{
    return is_same_host(from, &ports->camera) || is_same_host(from, &ports->source);
}

/* ---- Opening ------------------------------------------------------------------------------ */

static int open_socket(const struct sockaddr_storage *address, uint16_t port, int shared)
{
    struct sockaddr_storage at = *address;
    int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int size = BUFFER_SIZE;
    int error;

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &shared, sizeof(shared));
    set_port(&at, port);
    if (bind(fd, (struct sockaddr *)&at, size_of(&at))) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static struct ports *made(const struct sockaddr_storage *camera)
{
    struct ports *ports = mem_zeroed(1, sizeof(*ports));
    unsigned i;

    ports->rtp = ports->rtcp = -1;
    ports->camera = *camera;
    ports->bytes = mem_resize(NULL, BATCH, PACKET_SIZE);
    for (i = 0; i < BATCH; i++) {
        ports->places[i].iov_base = ports->bytes + (size_t)i * PACKET_SIZE;
        ports->places[i].iov_len = PACKET_SIZE;
    }
    return ports;
}

/* An even port that the system chose, whose odd neighbour is free. */
static int open_pair(struct ports *ports, const struct sockaddr_storage *own)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    uint16_t number;

    ports->rtp = open_socket(own, 0, 0);
    if (ports->rtp < 0 || getsockname(ports->rtp, (struct sockaddr *)&name, &size)) {
        return -1;
    }
    number = port_of(&name);
    if (number % 2) {
        close(ports->rtp);
        number = (uint16_t)(number - 1);
        ports->rtp = open_socket(own, number, 0);
    }
    ports->rtcp = ports->rtp < 0 ? -1 : open_socket(own, (uint16_t)(number + 1), 0);
    ports->number = number;
    return ports->rtcp < 0 ? -1 : 0;
}

static void close_pair(struct ports *ports)
{
    if (ports->rtp >= 0) {
        close(ports->rtp);
    }
    if (ports->rtcp >= 0) {
        close(ports->rtcp);
    }
    ports->rtp = ports->rtcp = -1;
}

int ports_open(struct ports **result, const struct sockaddr_storage *camera,
               const struct sockaddr_storage *own)
{
    struct ports *ports = made(camera);
    int tries;

    for (tries = 0; tries < 50; tries++) {
        if (open_pair(ports, own) == 0) {
            *result = ports;
            return 0;
        }
        close_pair(ports);
    }
    ports_close(ports);
    return -1;
}

static int read_address(struct sockaddr_storage *address, const char *text)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM };
    struct addrinfo *list;

    if (!*text || getaddrinfo(text, NULL, &hints, &list)) {
        return -1;
    }
    memset(address, 0, sizeof(*address));
    memcpy(address, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return 0;
}

/* On the interface that the camera is reached by. */
static int join(int fd, const struct sockaddr_storage *group, const struct sockaddr_storage *own)
{
    struct ipv6_mreq mreq6 = { 0 };
    struct ip_mreqn mreq = { 0 };

    if (group->ss_family == AF_INET6) {
        mreq6.ipv6mr_multiaddr = ((const struct sockaddr_in6 *)group)->sin6_addr;
        mreq6.ipv6mr_interface = ((const struct sockaddr_in6 *)own)->sin6_scope_id;
        return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mreq6, sizeof(mreq6));
    }
    mreq.imr_multiaddr = ((const struct sockaddr_in *)group)->sin_addr;
    mreq.imr_address = ((const struct sockaddr_in *)own)->sin_addr;
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq));
}

static int is_group(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6
               ? IN6_IS_ADDR_MULTICAST(&((const struct sockaddr_in6 *)address)->sin6_addr)
               : IN_MULTICAST(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
}

int ports_join(struct ports **result, const struct sockaddr_storage *camera,
               const struct sockaddr_storage *own, const char *group, uint16_t rtp, uint16_t rtcp)
{
    struct sockaddr_storage address;
    struct ports *ports;

    if (read_address(&address, group) || !is_group(&address) ||
        address.ss_family != own->ss_family || !rtp) {
        errno = EINVAL;
        return -1;
    }
    ports = made(camera);
    ports->rtp = open_socket(&address, rtp, 1);
    ports->rtcp = open_socket(&address, rtcp, 1);
    if (ports->rtp < 0 || ports->rtcp < 0 || join(ports->rtp, &address, own) ||
        join(ports->rtcp, &address, own)) {
        ports_close(ports);
        return -1;
    }
    *result = ports;
    return 0;
}

void ports_close(struct ports *ports)
{
    int error = errno;

    if (ports) {
        close_pair(ports);
        free(ports->bytes);
        free(ports);
    }
    errno = error;
}

/* ---- Packets ------------------------------------------------------------------------------ */

uint16_t ports_number(const struct ports *ports)
{
    return ports->number;
}

int ports_rtp(const struct ports *ports)
{
    return ports->rtp;
}

int ports_rtcp(const struct ports *ports)
{
    return ports->rtcp;
}

void ports_answered(struct ports *ports, uint16_t rtp, uint16_t rtcp, const char *source)
{
    ports->camera_rtp = rtp;
    ports->camera_rtcp = rtcp;
    read_address(&ports->source, source);
}

static void send_to(const struct ports *ports, int fd, uint16_t port, const uint8_t *bytes,
                    size_t size)
{
    struct sockaddr_storage to = ports->camera;

    if (port) {
        /* Lost or refused, it is no worse than any packet over UDP. */
        set_port(&to, port);
        (void)sendto(fd, bytes, size, MSG_NOSIGNAL, (struct sockaddr *)&to, size_of(&to));
    }
}

void ports_punch(struct ports *ports)
{
    static const uint8_t rtp[12] = { 0x80 };
    static const uint8_t rtcp[8] = { 0x80, 201, 0, 1 };

    send_to(ports, ports->rtp, ports->camera_rtp, rtp, sizeof(rtp));
    send_to(ports, ports->rtcp, ports->camera_rtcp, rtcp, sizeof(rtcp));
}

void ports_read(struct ports *ports)
{
    unsigned i;
    int got;

    for (i = 0; i < BATCH; i++) {
        ports->messages[i].msg_hdr.msg_iov = &ports->places[i];
        ports->messages[i].msg_hdr.msg_iovlen = 1;
        ports->messages[i].msg_hdr.msg_name = &ports->from[i];
        ports->messages[i].msg_hdr.msg_namelen = sizeof(ports->from[i]);
    }
    got = recvmmsg(ports->rtp, ports->messages, BATCH, MSG_DONTWAIT, NULL);
    ports->count = got > 0 ? (unsigned)got : 0;
    ports->next = 0;
}

const uint8_t *ports_packet(struct ports *ports, size_t *size)
{
    unsigned at;

    while (ports->next < ports->count) {
        at = ports->next++;
        if (is_camera(ports, &ports->from[at])) {
            *size = ports->messages[at].msg_len;
            return ports->bytes + (size_t)at * PACKET_SIZE;
        }
    }
    return NULL;
}

size_t ports_report(struct ports *ports, uint8_t *bytes, size_t room)
{
    struct sockaddr_storage from;
    socklen_t length;
    ssize_t got;

    do {
        length = sizeof(from);
        got = recvfrom(ports->rtcp, bytes, room, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
    } while (got >= 0 && !is_camera(ports, &from));
    return got > 0 ? (size_t)got : 0;
}

void ports_send_report(struct ports *ports, const uint8_t *bytes, size_t size)
{
    send_to(ports, ports->rtcp, ports->camera_rtcp, bytes, size);
}
