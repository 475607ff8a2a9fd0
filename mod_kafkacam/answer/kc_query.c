#include "kc_query.h"
#include <string.h>
#include "kc_time.h"
#include "kc_wire.h"

#define FPS_MAX 1000

/* Speeds, in thousandths. */
#define SPEED_MIN  250
#define SPEED_MAX  16000
#define SPEED_BACK 1000

/* No moment is longer. */
#define MOMENT_MAX 64

/* The value of name and its size, or NULL. */
static const char *find(const char *args, const char *name, apr_size_t *size)
{
    apr_size_t name_size = strlen(name);
    const char *end;

    for (; args; args = *end ? end + 1 : NULL) {
        end = args + strcspn(args, "&");
        if (strncmp(args, name, name_size) == 0 && args[name_size] == '=') {
            args += name_size + 1;
            *size = (apr_size_t)(end - args);
            return args;
        }
    }
    return NULL;
}

int kc_query_is(const char *args, const char *name, const char *value)
{
    apr_size_t size;
    const char *found = find(args, name, &size);

    return found && size == strlen(value) && memcmp(found, value, size) == 0;
}

/* Not strtod(), which takes "0x1p3", "nan" and the locale's comma. Counts thousandths. */
static int parse_rate(const char *text, apr_size_t size, apr_uint64_t *milli)
{
    apr_uint64_t value = 0;
    int digits = 0, places = -1;
    apr_size_t i;

    for (i = 0; i < size; i++) {
        if (text[i] == '.' && places < 0 && digits > 0) {
            places = 0;
        }
        else if (text[i] < '0' || text[i] > '9' || places == 3 || value > FPS_MAX * 1000) {
            return -1;
        }
        else {
            value = value * 10 + (apr_uint64_t)(text[i] - '0');
            digits++;
            places += places >= 0;
        }
    }
    for (places = places < 0 ? 0 : places; places < 3; places++) {
        value *= 10;
    }
    *milli = value;
    return digits > 0 && value > 0 && value <= FPS_MAX * 1000 ? 0 : -1;
}

int kc_query_fps(const char *args, apr_interval_time_t *interval)
{
    apr_size_t size;
    apr_uint64_t milli;
    const char *text = find(args, "fps", &size);

    *interval = 0;
    if (!text) {
        return 0;
    }
    if (parse_rate(text, size, &milli)) {
        return -1;
    }
    *interval = (apr_interval_time_t)(APR_USEC_PER_SEC * 1000 / milli);
    return 0;
}

static int hex(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

/* "%3A" to ":". A "+" stays one: it stands before a zone, and nothing here has blanks. Returns the
 * size, or -1: it is longer than room, or not written as it should. */
static int undo_percents(char *plain, int room, const char *text, apr_size_t size)
{
    int count = 0;
    apr_size_t i;

    for (i = 0; i < size && count < room; i++) {
        plain[count] = text[i];
        if (text[i] == '%') {
            if (size - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) {
                return -1;
            }
            plain[count] = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        }
        count++;
    }
    return i < size ? -1 : count;
}

int kc_query_time(const char *args, const char *name, apr_time_t now, apr_time_t *time,
                  int *relative)
{
    char plain[MOMENT_MAX];
    apr_size_t size;
    const char *text = find(args, name, &size);
    int count;

    if (!text) {
        return 0;
    }
    count = undo_percents(plain, MOMENT_MAX, text, size);
    if (count < 0 || kc_time_parse(time, plain, (apr_size_t)count, now)) {
        return -1;
    }
    if (relative) {
        *relative = kc_time_is_relative(plain, (apr_size_t)count);
    }
    return 1;
}

int kc_query_number(const char *args, const char *name, apr_int64_t max, apr_int64_t *number)
{
    apr_size_t size;
    const char *text = find(args, name, &size);
    uint64_t value;

    if (!text) {
        return 0;
    }
    if (kc_wire_number_parse(&value, text, size, (uint64_t)max)) {
        return -1;
    }
    *number = (apr_int64_t)value;
    return 1;
}

int kc_query_speed(const char *args, int *milli)
{
    apr_size_t size;
    apr_uint64_t value;
    const char *text = find(args, "rate", &size);
    int back;

    *milli = 1000;
    if (!text) {
        return 0;
    }
    back = size > 0 && text[0] == '-';
    if (parse_rate(text + back, size - (apr_size_t)back, &value) || value > SPEED_MAX ||
        value < (back ? SPEED_BACK : SPEED_MIN)) {
        return -1;
    }
    *milli = back ? -(int)value : (int)value;
    return 0;
}
