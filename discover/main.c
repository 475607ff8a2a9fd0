/* kafkacam-discover: which cameras there are (WS-Discovery), what they are and where their streams
 * are (ONVIF). Nothing of theirs is changed. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <curl/curl.h>
#include <libxml/parser.h>
#include "range.h"
#include "soap.h"

/* RFC-less but fixed: WS-Discovery 1.0, section 2.4. */
#define PORT  3702
#define GROUP "239.255.255.250"

/* More answers than that are no network of cameras but somebody's joke. */
#define CAMERAS_MAX 4096

/* Unicast probes leave at this pace, so that a small switch or the kernel's table of neighbours is
 * not overrun: a /24 takes a quarter of a second, a /16 a minute. */
#define PROBES_AT_ONCE 20
#define PROBES_REST_MS 20

/* UDP is lost, and a camera that wakes up needs a second. */
#define MULTICAST_TIMES 3

#define RANGES_MAX    256
#define ANSWER_WAIT_S 5L

struct camera {
    struct in_addr from;
    struct soap_match match;
    char maker[SOAP_TEXT_MAX], model[SOAP_TEXT_MAX];
    char why[SOAP_TEXT_MAX + 64]; /* there are no streams; "" else */
    struct soap_profile profiles[SOAP_PROFILE_MAX];
    char urls[SOAP_PROFILE_MAX][SOAP_TEXT_MAX];
    int count;
};

struct options {
    long wait_ms;
    int port;
    const char *interface; /* NULL: all */
    char *user, *password; /* NULL: cameras are not asked for streams */
    const char *csv;
    int insecure;
    struct range ranges[RANGES_MAX];
    int range_count;
};

static struct camera *cameras[CAMERAS_MAX];
static int camera_count;

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("kafkacam-discover: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Who is there ---- */

static void make_uuid(char uuid[37])
{
    unsigned char b[16];

    if (getrandom(b, sizeof(b), 0) != sizeof(b)) {
        fail("no random numbers: %s", strerror(errno));
    }
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40); /* RFC 4122, 4.4 */
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(uuid, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

static void note_answer(const char *data, size_t size, const struct sockaddr_in *from,
                        const char *uuid)
{
    struct soap_match match;
    int i;

    if (soap_match_parse(&match, data, size, uuid)) {
        return;
    }
    for (i = 0; i < camera_count; i++) {
        if (cameras[i]->from.s_addr == from->sin_addr.s_addr &&
            !strcmp(cameras[i]->match.address, match.address)) {
            return;
        }
    }
    if (camera_count == CAMERAS_MAX) {
        return;
    }
    cameras[camera_count] = calloc(1, sizeof(**cameras));
    if (!cameras[camera_count]) {
        fail("out of memory");
    }
    cameras[camera_count]->from = from->sin_addr;
    cameras[camera_count++]->match = match;
}

/* Take answers until wait_ms are over. */
static void listen_for(int fd, long wait_ms, const char *uuid)
{
    static char data[65536];
    long until = now_ms() + wait_ms, left;

    while ((left = until - now_ms()) > 0) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        struct sockaddr_in from;
        socklen_t length = sizeof(from);
        ssize_t got;

        if (poll(&wait, 1, (int)left) < 1) {
            continue;
        }
        got = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &length);
        if (got > 0 && from.sin_family == AF_INET) {
            note_answer(data, (size_t)got, &from, uuid);
        }
    }
}

/* A probe that cannot leave (no route, a host that is not there) is one that nobody answers. */
static int send_probe(int fd, struct in_addr to, int port, const char *probe)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = to };

    return sendto(fd, probe, strlen(probe), 0, (struct sockaddr *)&address, sizeof(address)) < 0
               ? -1
               : 0;
}

/* Through each interface that can, or the one that was named. How many that were. */
static int send_multicast(int fd, const struct options *options, const char *probe)
{
    struct ifaddrs *all, *one;
    struct in_addr group;
    int sent = 0;

    inet_pton(AF_INET, GROUP, &group);
    if (getifaddrs(&all)) {
        fail("no list of network interfaces: %s", strerror(errno));
    }
    for (one = all; one; one = one->ifa_next) {
        struct ip_mreqn through = { 0 };

        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || !(one->ifa_flags & IFF_UP) ||
            (options->interface ? strcmp(options->interface, one->ifa_name) != 0
                                : !(one->ifa_flags & IFF_MULTICAST) ||
                                      (one->ifa_flags & IFF_LOOPBACK))) {
            continue;
        }
        through.imr_address = ((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr;
        through.imr_ifindex = (int)if_nametoindex(one->ifa_name);
        if (!setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &through, sizeof(through)) &&
            !send_probe(fd, group, options->port, probe)) {
            sent++;
        }
    }
    freeifaddrs(all);
    return sent;
}

static void probe_network(int fd, const struct options *options, const char *probe,
                          const char *uuid)
{
    int i;

    for (i = 0; i < MULTICAST_TIMES; i++) {
        if (send_multicast(fd, options, probe) == 0) {
            fail("no network interface%s%s can multicast; name addresses to ask them one by one",
                 options->interface ? " called " : "",
                 options->interface ? options->interface : "");
        }
        listen_for(fd, options->wait_ms / MULTICAST_TIMES, uuid);
    }
}

static void probe_ranges(int fd, const struct options *options, const char *probe, const char *uuid)
{
    int sent = 0, i;

    for (i = 0; i < options->range_count; i++) {
        uint32_t address = options->ranges[i].first;

        for (;; address++) {
            struct in_addr to = { .s_addr = htonl(address) };

            send_probe(fd, to, options->port, probe);
            if (++sent % PROBES_AT_ONCE == 0) {
                listen_for(fd, PROBES_REST_MS, uuid);
            }
            if (address == options->ranges[i].last) {
                break;
            }
        }
    }
    listen_for(fd, options->wait_ms, uuid);
}

static void find_cameras(const struct options *options)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char uuid[37], *probe;

    if (fd < 0) {
        fail("no socket: %s", strerror(errno));
    }
    make_uuid(uuid);
    probe = soap_probe(uuid);
    if (options->range_count) {
        probe_ranges(fd, options, probe, uuid);
    }
    else {
        probe_network(fd, options, probe, uuid);
    }
    free(probe);
    close(fd);
}

/* ---- What they are ---- */

struct answer {
    char data[SOAP_ANSWER_MAX];
    size_t size;
};

static size_t take(char *data, size_t one, size_t count, void *baton)
{
    struct answer *answer = baton;

    if (count > sizeof(answer->data) - answer->size) {
        return 0;
    }
    memcpy(answer->data + answer->size, data, count);
    answer->size += count;
    return count;
}

/* The same address on the host that answered: what a stranger's answer names is not asked with our
 * user's name. NULL: it is no address. To be freed with curl_free(). */
static char *on_host(const char *address, struct in_addr host)
{
    char numeric[INET_ADDRSTRLEN], *result = NULL;
    CURLU *url = curl_url();

    inet_ntop(AF_INET, &host, numeric, sizeof(numeric));
    if (url && !curl_url_set(url, CURLUPART_URL, address, 0) &&
        !curl_url_set(url, CURLUPART_HOST, numeric, 0) &&
        !curl_url_set(url, CURLUPART_USER, NULL, 0) &&
        !curl_url_set(url, CURLUPART_PASSWORD, NULL, 0)) {
        curl_url_get(url, CURLUPART_URL, &result, 0);
    }
    curl_url_cleanup(url);
    return result;
}

static void set_up(CURL *curl, const struct options *options, struct answer *answer)
{
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, ANSWER_WAIT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_WAIT_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (options->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (options->user) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, options->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, options->password);
    }
}

/* With digest libcurl asks with an empty body first, which only those who want it understand: most
 * cameras look at the envelope's own login alone. */
static CURLcode perform(CURL *curl, unsigned long login, long *status, struct answer *answer)
{
    CURLcode rc;

    answer->size = 0;
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)login);
    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    return rc;
}

/* Ask, and free the question. 0, and the answer; -1 and why. */
static int ask(CURL *curl, struct camera *camera, const char *address, char *question,
               struct answer *answer)
{
    char *url = on_host(address, camera->from);
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/soap+xml; charset=utf-8");
    char reason[SOAP_TEXT_MAX];
    long status = 0;
    CURLcode rc;

    curl_easy_setopt(curl, CURLOPT_URL, url ? url : "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, question);
    rc = perform(curl, CURLAUTH_NONE, &status, answer);
    if (rc == CURLE_OK && status == 401) {
        rc = perform(curl, CURLAUTH_DIGEST, &status, answer); /* never the password itself */
    }
    curl_slist_free_all(headers);
    curl_free(url);
    free(question);
    if (rc == CURLE_OK && status == 200) {
        return 0;
    }
    if (rc != CURLE_OK) {
        snprintf(camera->why, sizeof(camera->why), "%s", curl_easy_strerror(rc));
    }
    else if (status == 401) {
        snprintf(camera->why, sizeof(camera->why), "refuses user or password");
    }
    else if (!soap_fault_parse(reason, answer->data, answer->size)) {
        snprintf(camera->why, sizeof(camera->why), "says no: %s", reason);
    }
    else {
        snprintf(camera->why, sizeof(camera->why), "answers with HTTP status %ld", status);
    }
    return -1;
}

static void ask_for_streams(CURL *curl, struct camera *camera, const char *media,
                            const struct soap_user *user, struct answer *answer)
{
    int found, i;

    if (ask(curl, camera, media, soap_profiles_request(user), answer)) {
        return;
    }
    found = soap_profiles_parse(camera->profiles, answer->data, answer->size);
    for (i = 0; i < found; i++) {
        char *url = camera->urls[camera->count];

        if (!ask(curl, camera, media, soap_stream_request(user, camera->profiles[i].token),
                 answer) &&
            !soap_stream_parse(url, answer->data, answer->size) &&
            (!strncmp(url, "rtsp://", 7) || !strncmp(url, "rtsps://", 8))) {
            camera->profiles[camera->count++] = camera->profiles[i];
        }
    }
    if (camera->count) {
        camera->why[0] = '\0';
    }
    else if (!camera->why[0]) {
        snprintf(camera->why, sizeof(camera->why), "names no stream");
    }
}

static void ask_camera(CURL *curl, struct camera *camera, const struct options *options,
                       struct answer *answer)
{
    struct soap_user user = { .name = options->user, .password = options->password };
    const char *device = camera->match.address;
    char media[SOAP_TEXT_MAX];
    long clock;

    /* The one question that needs no login; a login is refused if its time is not the camera's. */
    if (!ask(curl, camera, device, soap_clock_request(), answer) &&
        !soap_clock_parse(&clock, answer->data, answer->size)) {
        user.clock_ahead = clock - (long)time(NULL);
    }
    if (ask(curl, camera, device, soap_device_request(&user), answer)) {
        return;
    }
    soap_device_parse(camera->maker, camera->model, answer->data, answer->size);
    if (ask(curl, camera, device, soap_media_request(&user), answer)) {
        return;
    }
    if (soap_media_parse(media, answer->data, answer->size)) {
        snprintf(camera->why, sizeof(camera->why), "has no ONVIF media service");
        return;
    }
    ask_for_streams(curl, camera, media, &user, answer);
}

static void ask_cameras(const struct options *options)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    CURL *curl = curl_easy_init();
    int i;

    if (!answer || !curl) {
        fail("out of memory");
    }
    set_up(curl, options, answer);
    for (i = 0; i < camera_count; i++) {
        ask_camera(curl, cameras[i], options, answer);
    }
    curl_easy_cleanup(curl);
    free(answer);
}

/* ---- What is shown ---- */

static int by_address(const void *one, const void *other)
{
    uint32_t a = ntohl((*(struct camera *const *)one)->from.s_addr);
    uint32_t b = ntohl((*(struct camera *const *)other)->from.s_addr);

    return a < b ? -1 : a > b;
}

static void print_camera(const struct camera *camera, const struct options *options)
{
    char from[INET_ADDRSTRLEN];
    int i;

    inet_ntop(AF_INET, &camera->from, from, sizeof(from));
    printf("%-15s  %s%s%s%s%s\n", from, camera->maker, camera->maker[0] ? " " : "",
           camera->model[0] ? camera->model : camera->match.hardware,
           camera->match.name[0] ? "  " : "", camera->match.name);
    for (i = 0; i < camera->count; i++) {
        const struct soap_profile *profile = &camera->profiles[i];

        printf("    %-5s %4dx%-4d  %s\n", profile->encoding, profile->width, profile->height,
               camera->urls[i]);
    }
    if (options->user && camera->why[0]) {
        printf("    %s\n", camera->why);
    }
}

/* RFC 4180. */
static void put_field(FILE *file, const char *text, char end)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"') {
            fputc('"', file);
        }
        fputc(*text, file);
    }
    fputc('"', file);
    fputc(end, file);
}

/* The stream's address with the login in it, as the table of cameras wants it. */
static char *with_login(const char *address, const struct options *options)
{
    CURLU *url = curl_url();
    char *result = NULL;

    if (url && !curl_url_set(url, CURLUPART_URL, address, CURLU_NON_SUPPORT_SCHEME) &&
        !curl_url_set(url, CURLUPART_USER, options->user, CURLU_URLENCODE) &&
        !curl_url_set(url, CURLUPART_PASSWORD, options->password, CURLU_URLENCODE)) {
        curl_url_get(url, CURLUPART_URL, &result, 0);
    }
    curl_url_cleanup(url);
    return result;
}

/* It holds passwords: a new file, which nobody else reads. */
static void write_csv(const struct options *options)
{
    int fd = open(options->csv, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), i;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (!file) {
        fail("%s: %s", options->csv, strerror(errno));
    }
    fputs("name,url\n", file);
    for (i = 0; i < camera_count; i++) {
        const struct camera *camera = cameras[i];
        char from[INET_ADDRSTRLEN],
            *url = camera->count ? with_login(camera->urls[0], options) : NULL;

        if (url) {
            inet_ntop(AF_INET, &camera->from, from, sizeof(from));
            put_field(file, camera->match.name[0] ? camera->match.name : from, ',');
            put_field(file, url, '\n');
        }
        curl_free(url);
    }
    if (fclose(file)) {
        fail("%s: %s", options->csv, strerror(errno));
    }
}

/* ---- The command line ---- */

static const char usage[] =
    "Usage: kafkacam-discover [OPTION]... [ADDRESS]...\n"
    "Finds cameras that speak ONVIF; with --user asks them for their streams.\n\n"
    "ADDRESS is 192.168.1.20, 192.168.1.0/24 or 192.168.1.10-40; without one, all in this network "
    "are\n"
    "asked by multicast.\n\n"
    "  -u, --user NAME           ask each camera for its streams as this user\n"
    "  -p, --password-file FILE  whose password is this file's first line (-: standard input)\n"
    "  -c, --csv FILE            write name and stream address of each, with user and password, to "
    "this\n"
    "                            new file, for import into the table of cameras\n"
    "  -w, --wait SECONDS        for answers, 0.1 to 60 (default 3)\n"
    "  -i, --interface NAME      multicast through this one alone\n"
    "      --port N              UDP port of the probes (default 3702)\n"
    "  -k, --insecure            https: take any certificate, as most cameras' are their own\n"
    "  -h, --help                this text\n"
    "  -V, --version             version\n";

static char *read_password(const char *path)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
    char line[512];

    if (!file || !fgets(line, sizeof(line), file)) {
        fail("%s: %s", path, file && !ferror(file) ? "it is empty" : strerror(errno));
    }
    if (file != stdin) {
        fclose(file);
    }
    line[strcspn(line, "\r\n")] = '\0';
    return strdup(line);
}

static long parse_wait(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    if (*end || !(seconds >= 0.1 && seconds <= 60)) {
        fail("--wait %s: seconds are a number from 0.1 to 60", text);
    }
    return (long)(seconds * 1000);
}

static int parse_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (*end || port < 1 || port > 65535) {
        fail("--port %s: a port is a number from 1 to 65535", text);
    }
    return (int)port;
}

static void parse_ranges(struct options *options, char **arguments)
{
    const char *why;

    for (; *arguments; arguments++) {
        if (options->range_count == RANGES_MAX) {
            fail("more than %d addresses", RANGES_MAX);
        }
        if (range_parse(&options->ranges[options->range_count++], *arguments, &why)) {
            fail("%s: %s", *arguments, why);
        }
    }
}

static void parse_option(struct options *options, int option)
{
    switch (option) {
    case 'u':
        options->user = optarg;
        break;
    case 'p':
        options->password = read_password(optarg);
        break;
    case 'c':
        options->csv = optarg;
        break;
    case 'w':
        options->wait_ms = parse_wait(optarg);
        break;
    case 'i':
        options->interface = optarg;
        break;
    case 'P':
        options->port = parse_port(optarg);
        break;
    case 'k':
        options->insecure = 1;
        break;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    case 'V':
        puts("kafkacam-discover " VERSION);
        exit(0);
    default:
        fputs("Try kafkacam-discover --help.\n", stderr);
        exit(2);
    }
}

static void parse_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        { "user", required_argument, NULL, 'u' },
        { "password-file", required_argument, NULL, 'p' },
        { "csv", required_argument, NULL, 'c' },
        { "wait", required_argument, NULL, 'w' },
        { "interface", required_argument, NULL, 'i' },
        { "port", required_argument, NULL, 'P' },
        { "insecure", no_argument, NULL, 'k' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "u:p:c:w:i:khV", names, NULL)) != -1) {
        parse_option(options, option);
    }
    parse_ranges(options, argv + optind);
    if (options->csv && !options->user) {
        fail("--csv needs --user: without a login cameras do not name their streams");
    }
    if (options->password && !options->user) {
        fail("--password-file needs --user");
    }
    if (options->user && !options->password) {
        options->password = strdup("");
    }
}

int main(int argc, char **argv)
{
    struct options options = { .wait_ms = 3000, .port = PORT };
    int i;

    parse_options(&options, argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    find_cameras(&options);
    qsort(cameras, (size_t)camera_count, sizeof(*cameras), by_address);
    if (options.user) {
        ask_cameras(&options);
    }
    for (i = 0; i < camera_count; i++) {
        print_camera(cameras[i], &options);
    }
    printf("%d camera%s found.\n", camera_count, camera_count == 1 ? "" : "s");
    if (options.csv) {
        write_csv(&options);
    }
    for (i = 0; i < camera_count; i++) {
        free(cameras[i]);
    }
    curl_global_cleanup();
    xmlCleanupParser();
    return camera_count ? 0 : 1;
}
