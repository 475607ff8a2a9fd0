/* What this process has to say: to stderr (with the journal's <N> prefixes under systemd), or to
 * syslog. One line a message. Levels are those of STYLE.md: error: someone must act. warning: we
 * cope, look today. info: start, stop, config. debug: each connection. trace: each frame.
 *
 * Passwords: nothing that holds a URL goes through %s as it is; log_url() hides them. */
#ifndef LOG_H
#define LOG_H

#include <stddef.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_TRACE
};

/* Where lines go and from which level on. program stands before each line that has no better
 * place for it. Call once at the start; before it, everything from info on goes to stderr. */
void log_open(const char *program, enum log_level level, int to_syslog);
void log_set_level(enum log_level level);
int log_level_parse(enum log_level *level, const char *text); /* 0, or -1: no such level */
const char *log_level_format(enum log_level level);           /* "error" to "trace" */

/* "camera 3" stands before each later line of this process. For kafkacam-camera. */
void log_set_subject(const char *subject);

/* id is the message's fixed number, written as "KC1234: "; warnings and errors have one each,
 * unique in the project: supervisor side 1000-1499, camera 1500-1999, module 2000-2999. */
void log_error(int id, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(int id, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
int log_wants(enum log_level level);

/* Copy text into safe with the password of every URL in it replaced by "***", whatever surrounds
 * the URL, and so for "password=..." and its like; control characters become "?", the result is cut
 * to size. In doubt it hides too much. Call it before text is cut: of a URL that ends within its
 * password nobody can tell the password's beginning from a host. safe must not be text.
 * The log functions do this to every line as well. Returns safe. */
const char *log_url(char *safe, size_t size, const char *text);

#endif
