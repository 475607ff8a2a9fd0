#include "log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* A line goes out in one write(), so that those of many processes on one pipe do not mix: that
 * holds up to PIPE_BUF, 4096 on Linux. */
#define LINE_SIZE 4000
#define TEXT_SIZE 3600

static const struct {
    const char *name;
    int priority; /* syslog's, the journal's too */
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", LOG_ERR },   [LOG_LEVEL_WARNING] = { "warning", LOG_WARNING },
    [LOG_LEVEL_INFO] = { "info", LOG_INFO },    [LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
    [LOG_LEVEL_TRACE] = { "trace", LOG_DEBUG },
};

/* Set by log_open() and log_set_subject() before there are threads; the level at any time. */
static atomic_int threshold = LOG_LEVEL_INFO;
static char program_name[64] = "kafkacam";
static char subject_text[64];
static enum { TO_STDERR, TO_JOURNAL, TO_SYSLOG } target;

/* ---- passwords ---------------------------------------------------------------------------- */

struct span {
    const char *begin;
    const char *end;
};

static int is_space(char c)
{
    return isspace((unsigned char)c) != 0;
}

/* The end of "scheme://" if one starts at text, else NULL. */
static const char *scheme_end(const char *text)
{
    const char *p = text;

    if (!isalpha((unsigned char)*p)) {
        return NULL;
    }
    while (isalnum((unsigned char)*p) || *p == '+' || *p == '-' || *p == '.') {
        p++;
    }
    return strncmp(p, "://", 3) ? NULL : p + 3;
}

/* How far what belongs to a URL may reach: to the next URL that stands behind white space. White
 * space alone ends nothing, whoever writes nonsense into the table may have a blank in a
 * password. */
static const char *zone_end(const char *p)
{
    for (; *p; p++) {
        if (is_space(*p) && scheme_end(p + 1)) {
            break;
        }
    }
    return p;
}

/* The first colon in [p, end), written out or as %3A; *after is what follows it. */
static const char *find_colon(const char *p, const char *end, const char **after)
{
    for (; p < end; p++) {
        if (*p == ':') {
            *after = p + 1;
            return p;
        }
        if (end - p >= 3 && !strncasecmp(p, "%3A", 3)) {
            *after = p + 3;
            return p;
        }
    }
    return NULL;
}

/* Whether a port number and nothing else stands at p. At the end of all text it may as well be the
 * beginning of a password that was cut off: then only a host with a dot in it is believed. */
static int is_port(const char *host, const char *p, const char *end)
{
    const char *digits = p;

    while (p < end && p - digits < 6 && isdigit((unsigned char)*p)) {
        p++;
    }
    if (p == digits || p - digits > 5) {
        return 0;
    }
    if (p == end && !*p) {
        return *host == '[' || memchr(host, '.', (size_t)(digits - host)) != NULL ||
               !strncasecmp(host, "localhost:", 10);
    }
    return p == end || is_space(*p) || strchr("/?#,;)'\"<>]:.", *p) != NULL;
}

/* What a URL whose part behind "://" is [begin, end) has to hide; an empty span: nothing. The last
 * '@' ends the password, since one may stand in it unescaped; that hides too much where a path or
 * the words behind the URL hold another, never too little. */
static struct span secret(const char *begin, const char *end)
{
    const char *at = memrchr(begin, '@', (size_t)(end - begin));
    const char *after;

    if (at && find_colon(begin, at, &after)) {
        return (struct span){ after, at };
    }
    /* No password before an '@', but perhaps one whose end was cut off. */
    begin = at ? at + 1 : begin;
    {
        const char *host = begin;
        const char *stop;

        if (*begin == '[' && memchr(begin, ']', (size_t)(end - begin))) {
            begin = memchr(begin, ']', (size_t)(end - begin));
        }
        for (stop = begin; stop < end && !strchr("/?# \t", *stop); stop++) {
        }
        if (find_colon(begin, stop, &after) && !is_port(host, after, end)) {
            return (struct span){ after, end };
        }
    }
    return (struct span){ end, end };
}

/* "password=" and its like, as many cameras want it in the path or the query, and the header that
 * FFmpeg shows when it traces. What follows up to '&', white space or (for the header) the end is
 * hidden. Returns where that begins, or NULL; *stops are the characters that end it. */
static const char *keyword_end(const char *text, const char **stops)
{
    static const struct {
        const char *word;
        const char *stops;
    } words[] = {
        { "password=", "& \t" }, { "passwd=", "& \t" }, { "pwd=", "& \t" },
        { "pass=", "& \t" },     { "token=", "& \t" },  { "authorization:", "\r\n" },
    };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!strncasecmp(text, words[i].word, strlen(words[i].word))) {
            *stops = words[i].stops;
            return text + strlen(words[i].word);
        }
    }
    return NULL;
}

struct output {
    char *text;
    size_t size;
    size_t used;
};

static void put(struct output *out, const char *begin, const char *end)
{
    for (; begin < end && out->used + 1 < out->size; begin++) {
        unsigned char c = (unsigned char)*begin;

        out->text[out->used++] = (c < 32 || c == 127) ? '?' : *begin;
    }
}

static void put_hidden(struct output *out)
{
    static const char stars[] = "***";

    put(out, stars, stars + 3);
}

/* Where a word with a meaning may start: not inside another word, so that each is seen once. */
static int starts_word(const char *text, const char *p)
{
    return p == text || !isalnum((unsigned char)p[-1]);
}

const char *log_url(char *safe, size_t size, const char *text)
{
    struct output out = { safe, size, 0 };
    const char *p = text;
    const char *begin;

    if (!size) {
        return safe;
    }
    while (*p) {
        const char *stops;

        begin = p;
        if ((p = scheme_end(begin)) != NULL) {
            struct span hide = secret(p, zone_end(p));

            put(&out, begin, hide.begin < hide.end ? hide.begin : p);
            if (hide.begin < hide.end) {
                put_hidden(&out);
                p = hide.end;
            }
        }
        else if (starts_word(text, begin) && (p = keyword_end(begin, &stops)) != NULL) {
            put(&out, begin, p);
            p += strcspn(p, stops);
            put_hidden(&out);
        }
        else {
            p = begin + 1;
            put(&out, begin, p);
        }
    }
    safe[out.used] = '\0';
    return safe;
}

/* ---- lines -------------------------------------------------------------------------------- */

/* systemd says in JOURNAL_STREAM which file is the journal's; stderr may have been redirected. */
static int stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 && !fstat(STDERR_FILENO, &st) &&
           st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *program, enum log_level level, int to_syslog)
{
    snprintf(program_name, sizeof(program_name), "%s", program);
    log_set_level(level);
    target = to_syslog ? TO_SYSLOG : stderr_is_journal() ? TO_JOURNAL : TO_STDERR;
    if (to_syslog) {
        openlog(program_name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    }
}

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

int log_wants(enum log_level level)
{
    return (int)level <= atomic_load(&threshold);
}

int log_level_parse(enum log_level *level, const char *text)
{
    size_t i;

    for (i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        if (!strcmp(text, levels[i].name)) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

const char *log_level_format(enum log_level level)
{
    return levels[level].name;
}

void log_set_subject(const char *subject)
{
    snprintf(subject_text, sizeof(subject_text), "%s", subject);
}

static void write_stderr(enum log_level level, const char *text)
{
    char line[LINE_SIZE];
    char when[32];
    struct timespec now;
    struct tm utc;
    int length;

    if (target == TO_JOURNAL) {
        length = snprintf(line, sizeof(line), "<%d>%s\n", levels[level].priority, text);
    }
    else {
        clock_gettime(CLOCK_REALTIME, &now);
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
        length =
            snprintf(line, sizeof(line), "%s.%03ldZ %s[%d] %s: %s\n", when, now.tv_nsec / 1000000,
                     program_name, (int)getpid(), levels[level].name, text);
    }
    /* Nobody is left to be told when stderr itself cannot be written. */
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0) {
        return;
    }
}

__attribute__((format(printf, 3, 0))) static void say(enum log_level level, int id,
                                                      const char *format, va_list args)
{
    char raw[TEXT_SIZE];
    char safe[TEXT_SIZE];
    int used = 0;

    if (!log_wants(level)) {
        return;
    }
    if (id) {
        used += snprintf(raw, sizeof(raw), "KC%04d: ", id);
    }
    if (*subject_text) {
        used += snprintf(raw + used, sizeof(raw) - (size_t)used, "%s: ", subject_text);
    }
    vsnprintf(raw + used, sizeof(raw) - (size_t)used, format, args);
    /* The writers hide passwords themselves; this is for the one who forgot, and keeps a camera's
     * name from bringing its own line feeds. */
    log_url(safe, sizeof(safe), raw);
    if (target == TO_SYSLOG) {
        syslog(levels[level].priority, "%s", safe);
    }
    else {
        write_stderr(level, safe);
    }
}

#define SAY(level, id)                                                                             \
    do {                                                                                           \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, format);                                                                    \
        say(level, id, format, args);                                                              \
        va_end(args);                                                                              \
    } while (0)

void log_error(int id, const char *format, ...)
{
    SAY(LOG_LEVEL_ERROR, id);
}

void log_warning(int id, const char *format, ...)
{
    SAY(LOG_LEVEL_WARNING, id);
}

void log_info(const char *format, ...)
{
    SAY(LOG_LEVEL_INFO, 0);
}

void log_debug(const char *format, ...)
{
    SAY(LOG_LEVEL_DEBUG, 0);
}

void log_trace(const char *format, ...)
{
    SAY(LOG_LEVEL_TRACE, 0);
}
