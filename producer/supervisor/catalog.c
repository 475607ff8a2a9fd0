#include "catalog.h"

#include <ctype.h>
#include <errno.h>
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "kc_wire.h"
#include "mem.h"

#define URL_MAX      2000
#define NAME_MAX     255
#define COLUMNS_MAX  100
#define SPOKEN_MAX   1000 /* refusals that are remembered, so as not to be said again */
#define SAID_AT_ONCE 20   /* refusals that one reading says at most */

#define ESCAPES                                                                                    \
    "in user and password write %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %"

/* ---- one row ------------------------------------------------------------------------------ */

static const struct catalog_cell *find(const struct catalog_cell *cells, size_t count,
                                       const char *column)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (!strcasecmp(cells[i].column, column)) {
            return cells[i].text ? &cells[i] : NULL;
        }
    }
    return NULL;
}

static const char *host_wrong(const char *host, const char *end)
{
    const char *p = host;

    if (p < end && *p == '[') {
        for (p++; p < end && (isalnum((unsigned char)*p) || strchr(":.%", *p)); p++) {
        }
        if (p == end || *p != ']' || p == host + 1) {
            return "the IPv6 address in [] is none";
        }
        p++;
    }
    else {
        for (; p < end && (isalnum((unsigned char)*p) || strchr("-._", *p)); p++) {
        }
        if (p == host) {
            return "there is no host in it; " ESCAPES;
        }
    }
    if (p < end && *p == ':') {
        uint64_t port = 0;

        if (kc_wire_number_parse(&port, p + 1, (size_t)(end - p - 1), 65535) || port == 0) {
            return "what follows the host is no port; " ESCAPES;
        }
        p = end;
    }
    return p == end ? NULL
                    : "there is a character in the host that does not belong there; " ESCAPES;
}

/* What FFmpeg would make of it is not the measure: it knows file:, concat: and more. */
const char *catalog_url_wrong(const char *url, size_t size)
{
    const char *begin, *end, *at;
    size_t i;

    if (size == 0 || size > URL_MAX) {
        return size ? "it is longer than 2000 bytes" : "it is empty";
    }
    for (i = 0; i < size; i++) {
        if ((unsigned char)url[i] <= ' ' || url[i] == 127) {
            return "there is a blank or a control character in it";
        }
    }
    if (size > 7 && !strncasecmp(url, "rtsp://", 7)) {
        begin = url + 7;
    }
    else if (size > 8 && !strncasecmp(url, "rtsps://", 8)) {
        begin = url + 8;
    }
    else {
        return "it must begin with rtsp:// or rtsps:// and a host";
    }
    /* The way FFmpeg cuts it. */
    for (end = begin; end < url + size && !strchr("/?#", *end); end++) {
    }
    at = memrchr(begin, '@', (size_t)(end - begin));
    return host_wrong(at ? at + 1 : begin, end);
}

static int parse_real(double *number, const struct catalog_cell *cell, double max)
{
    char *end;
    double value;

    if (!cell) {
        return 0;
    }
    if (cell->size == 0 || cell->size > 20 || strspn(cell->text, "0123456789.") != cell->size) {
        return -1;
    }
    value = strtod(cell->text, &end);
    if (end != cell->text + cell->size || value > max) {
        return -1;
    }
    *number = value;
    return 0;
}

static int parse_count(uint32_t *number, const struct catalog_cell *cell, uint32_t min,
                       uint32_t max)
{
    uint64_t value;

    if (!cell) {
        return 0;
    }
    if (kc_wire_number_parse(&value, cell->text, cell->size, max) || value < min) {
        return -1;
    }
    *number = (uint32_t)value;
    return 0;
}

static int parse_flag(int *flag, const struct catalog_cell *cell)
{
    if (!cell) {
        return 0;
    }
    /* BIT(1) arrives as one raw byte. */
    if (cell->size != 1 || !memchr("01\0\1", cell->text[0], 4)) {
        return -1;
    }
    *flag = cell->text[0] == '1' || cell->text[0] == 1;
    return 0;
}

static int parse_transport(enum job_transport *transport, const struct catalog_cell *cell)
{
    static const char *const words[] = { "tcp", "udp", "auto" };
    int i;

    for (i = 0; cell && i < 3; i++) {
        if (cell->size == strlen(words[i]) && !strncasecmp(cell->text, words[i], cell->size)) {
            *transport = (enum job_transport)i;
            return 0;
        }
    }
    return cell ? -1 : 0;
}

static char *copy(const struct catalog_cell *cell)
{
    char *text = mem_zeroed(cell->size + 1, 1);

    memcpy(text, cell->text, cell->size);
    return text;
}

/* The values behind the URL. NULL, or which is wrong and what would be right. */
static const char *values_wrong(struct catalog_row *row, const struct catalog_cell *cells,
                                size_t count)
{
    const struct catalog_cell *ca = find(cells, count, "tls_ca");

    if (parse_real(&row->fps, find(cells, count, "fps"), 1000)) {
        return "fps must be a number from 0 to 1000";
    }
    if (parse_count(&row->width, find(cells, count, "width"), 0, 16384)) {
        return "width must be a whole number from 0 to 16384";
    }
    if (parse_count(&row->quality, find(cells, count, "quality"), 1, 100)) {
        return "quality must be a whole number from 1 to 100";
    }
    if (parse_transport(&row->transport, find(cells, count, "transport"))) {
        return "transport must be tcp, udp or auto";
    }
    if (parse_count(&row->small_width, find(cells, count, "small_width"), 0, 4096)) {
        return "small_width must be a whole number from 0 to 4096";
    }
    if (parse_real(&row->small_fps, find(cells, count, "small_fps"), 1000)) {
        return "small_fps must be a number from 0 to 1000";
    }
    if (parse_flag(&row->tls_verify, find(cells, count, "tls_verify"))) {
        return "tls_verify must be 0 or 1";
    }
    if (ca && ca->size > 0) {
        if (ca->size > 4000 || memchr(ca->text, 0, ca->size)) {
            return "tls_ca is no path";
        }
        free(row->tls_ca);
        row->tls_ca = copy(ca);
    }
    return NULL;
}

static void set_presets(struct catalog_row *row, const struct conf *conf)
{
    row->fps = conf->cameras.fps;
    row->small_fps = conf->cameras.small_fps;
    row->width = conf->cameras.width;
    row->quality = conf->cameras.quality;
    row->small_width = conf->cameras.small_width;
    row->transport = conf->cameras.transport;
    row->tls_verify = conf->cameras.tls_verify;
    row->tls_ca = *conf->cameras.tls_ca ? mem_text(conf->cameras.tls_ca) : NULL;
}

/* The name, cut to NAME_MAX without leaving half a character. */
static char *name_of(const struct catalog_cell *cell, uint32_t cam)
{
    struct catalog_cell part;

    if (!cell || cell->size == 0) {
        return mem_print("Camera %u", cam);
    }
    part = *cell;
    if (part.size > NAME_MAX) {
        part.size = NAME_MAX;
        while (part.size > 0 && (part.text[part.size] & 0xc0) == 0x80) {
            part.size--;
        }
    }
    return copy(&part);
}

int catalog_row_parse(struct catalog_row *row, const struct catalog_cell *cells, size_t count,
                      const struct conf *conf, char *why, size_t size)
{
    const struct catalog_cell *id = find(cells, count, "id");
    const struct catalog_cell *url = find(cells, count, "url");
    const struct catalog_cell *enabled = find(cells, count, "enabled");
    const char *wrong;
    uint64_t cam;

    if (enabled && enabled->size == 1 && (enabled->text[0] == '0' || enabled->text[0] == 0)) {
        return 0;
    }
    if (!id || kc_wire_number_parse(&cam, id->text, id->size, KC_WIRE_CAM_MAX) ||
        cam > conf->producer.max_cameras) {
        snprintf(why, size, "id must be a whole number from 0 to %u ([producer] max_cameras)",
                 conf->producer.max_cameras);
        return -1;
    }
    memset(row, 0, sizeof(*row));
    row->cam = (uint32_t)cam;
    row->name = name_of(find(cells, count, "name"), row->cam);
    set_presets(row, conf);
    wrong = url ? catalog_url_wrong(url->text, url->size) : "it is empty";
    if (wrong) {
        row->refused = mem_print("url: %s", wrong);
    }
    else if ((wrong = values_wrong(row, cells, count)) != NULL) {
        row->refused = mem_text(wrong);
    }
    else {
        row->url = copy(url);
    }
    return 1;
}

void catalog_row_clear(struct catalog_row *row)
{
    if (row->url) {
        explicit_bzero(row->url, strlen(row->url));
    }
    free(row->url);
    free(row->name);
    free(row->refused);
    free(row->tls_ca);
    memset(row, 0, sizeof(*row));
}

void catalog_table_free(struct catalog_table *table)
{
    size_t i;

    if (!table) {
        return;
    }
    for (i = 0; i < table->count; i++) {
        catalog_row_clear(&table->rows[i]);
    }
    free(table->rows);
    free(table);
}

/* ---- refusals are said once --------------------------------------------------------------- */

/* Hashes of what was said of the table as it is; what is no longer true is forgotten, so that it
 * will be said when it comes back. */
struct spoken {
    uint64_t hashes[SPOKEN_MAX];
    size_t count;
};

static int was_spoken(const struct spoken *spoken, uint64_t hash)
{
    size_t i;

    for (i = 0; i < spoken->count; i++) {
        if (spoken->hashes[i] == hash) {
            return 1;
        }
    }
    return 0;
}

/* What one reading has to refuse. */
struct refusals {
    const struct spoken *before;
    struct spoken now;
    unsigned said, unsaid;
};

static void refuse(struct refusals *refusals, const char *id, const char *why)
{
    char text[600];
    uint64_t hash;

    snprintf(text, sizeof(text), "row with id %.40s is refused, %s", id, why);
    hash = mem_hash(text);
    if (refusals->now.count < SPOKEN_MAX) {
        refusals->now.hashes[refusals->now.count++] = hash;
    }
    if (was_spoken(refusals->before, hash)) {
        return;
    }
    if (refusals->said == SAID_AT_ONCE) {
        refusals->unsaid++;
        return;
    }
    refusals->said++;
    log_error(1101, "table of cameras: %s", text);
}

/* ---- the table ---------------------------------------------------------------------------- */

static int by_number(const void *one, const void *two)
{
    const struct catalog_row *a = one, *b = two;

    return a->cam < b->cam ? -1 : a->cam > b->cam;
}

static void drop_doubles(struct catalog_table *table, struct refusals *refusals)
{
    size_t kept = 0, i;
    char id[KC_WIRE_NUMBER_SIZE];

    qsort(table->rows, table->count, sizeof(*table->rows), by_number);
    for (i = 0; i < table->count; i++) {
        if (kept > 0 && table->rows[kept - 1].cam == table->rows[i].cam) {
            kc_wire_number_format(id, table->rows[i].cam);
            refuse(refusals, id, "id stands there twice");
            catalog_row_clear(&table->rows[i]);
            continue;
        }
        table->rows[kept++] = table->rows[i];
    }
    table->count = kept;
}

static void take_row(struct catalog_table *table, const struct catalog_cell *cells, size_t count,
                     const struct conf *conf, struct refusals *refusals)
{
    const struct catalog_cell *id = find(cells, count, "id");
    struct catalog_row row;
    char why[200];
    int rc = catalog_row_parse(&row, cells, count, conf, why, sizeof(why));

    if (rc < 0) {
        refuse(refusals, id ? id->text : "NULL", why);
    }
    if (rc <= 0) {
        return;
    }
    if (row.refused) {
        refuse(refusals, id->text, row.refused);
    }
    /* One more than there are numbers, then doubles have no end: an odd view instead of a table. */
    if (table->count > conf->producer.max_cameras) {
        refuse(refusals, id->text, "there are more rows than cameras");
        catalog_row_clear(&row);
        return;
    }
    if (!(table->count & (table->count + 1))) {
        table->rows = mem_resize(table->rows, 2 * (table->count + 1), sizeof(*table->rows));
    }
    table->rows[table->count++] = row;
}

/* Row after row off the wire, so that a table of a million rows costs time and not memory. */
static struct catalog_table *read_rows(MYSQL *db, MYSQL_RES *result, const struct conf *conf,
                                       struct refusals *refusals)
{
    struct catalog_table *table = mem_zeroed(1, sizeof(*table));
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    struct catalog_cell cells[COLUMNS_MAX];
    unsigned count = mysql_num_fields(result);
    unsigned i;
    MYSQL_ROW row;

    count = count < COLUMNS_MAX ? count : COLUMNS_MAX;
    while ((row = mysql_fetch_row(result)) != NULL) {
        const unsigned long *sizes = mysql_fetch_lengths(result);

        for (i = 0; i < count; i++) {
            cells[i] = (struct catalog_cell){ fields[i].name, row[i], sizes[i] };
        }
        take_row(table, cells, count, conf, refusals);
    }
    if (mysql_errno(db)) {
        catalog_table_free(table);
        return NULL;
    }
    drop_doubles(table, refusals);
    return table;
}

static MYSQL *connect_db(const struct conf *conf, char *why, size_t size)
{
    unsigned seconds = (conf->database.timeout_ms + 999) / 1000;
    my_bool encrypt = conf->database.tls != CONF_DB_TLS_NO;
    my_bool verify = conf->database.tls == CONF_DB_TLS_VERIFY;
    unsigned off = 0;
    MYSQL *db = mysql_init(NULL);

    if (!db) {
        snprintf(why, size, "no memory");
        return NULL;
    }
    mysql_optionsv(db, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(db, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_optionsv(db, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    mysql_optionsv(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    /* A server may ask for any file of the client otherwise. */
    mysql_optionsv(db, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_optionsv(db, MYSQL_OPT_SSL_ENFORCE, &encrypt);
    mysql_optionsv(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (encrypt && *conf->database.tls_ca) {
        mysql_optionsv(db, MYSQL_OPT_SSL_CA, conf->database.tls_ca);
    }
    if (!mysql_real_connect(db, conf->database.host, conf->database.user, conf->database.password,
                            conf->database.name, conf->database.port,
                            *conf->database.socket ? conf->database.socket : NULL, 0)) {
        snprintf(why, size, "%s", mysql_error(db));
        mysql_close(db);
        return NULL;
    }
    return db;
}

/* "a.b" as `a`.`b`; the characters in it are those of conf.c's TABLE_CHARS. */
static char *quoted(const char *table)
{
    const char *dot = strchr(table, '.');

    return dot ? mem_print("`%.*s`.`%s`", (int)(dot - table), table, dot + 1)
               : mem_print("`%s`", table);
}

/* The columns that must be there; the others have their defaults. */
static int columns_right(MYSQL_RES *result, char *why, size_t size)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    unsigned i;
    int found = 0;

    for (i = 0; i < mysql_num_fields(result) && i < COLUMNS_MAX; i++) {
        found |= !strcasecmp(fields[i].name, "id") ? 1 : !strcasecmp(fields[i].name, "url") ? 2 : 0;
    }
    if (found != 3) {
        snprintf(why, size, "the table has no column %s (see schema.sql)",
                 found & 1 ? "url" : "id");
    }
    return found == 3;
}

/* Connect, read, close. The caller's, or NULL and why. */
static struct catalog_table *read_table(const struct conf *conf, struct refusals *refusals,
                                        char *why, size_t size)
{
    MYSQL *db = connect_db(conf, why, size);
    char *table = quoted(conf->database.table);
    char *query = mem_print("SELECT * FROM %s", table);
    struct catalog_table *rows = NULL;
    MYSQL_RES *result = NULL;

    if (!db) {
        goto out;
    }
    if (mysql_query(db, query) || !(result = mysql_use_result(db))) {
        snprintf(why, size, "%s", mysql_error(db));
        goto out;
    }
    if (!columns_right(result, why, size)) {
        goto out;
    }
    rows = read_rows(db, result, conf, refusals);
    if (!rows) {
        snprintf(why, size, "%s", mysql_error(db));
    }
out:
    if (result) {
        mysql_free_result(result);
    }
    if (db) {
        mysql_close(db);
    }
    free(query);
    free(table);
    return rows;
}

/* ---- the thread --------------------------------------------------------------------------- */

struct catalog {
    const struct conf *conf; /* set at creation, never changes */
    void (*wake)(void *user);
    void *user;
    pthread_t thread;

    struct spoken spoken; /* the thread's own */
    uint64_t hash_of_trouble;
    time_t trouble_since;
    unsigned failures;

    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t news;
    struct catalog_table *newest;
    int refresh, stop;
};

static time_t seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Said once, until it is over or another trouble. */
static void say_trouble(struct catalog *catalog, const char *why)
{
    uint64_t hash = mem_hash(why);

    if (!catalog->failures++) {
        catalog->trouble_since = seconds_now();
    }
    if (hash != catalog->hash_of_trouble) {
        log_warning(1100,
                    "database %s at %s, table %s: %s; running cameras go on, trying again "
                    "([database] in %s)",
                    catalog->conf->database.name, catalog->conf->database.host,
                    catalog->conf->database.table, why, catalog->conf->path);
    }
    catalog->hash_of_trouble = hash;
}

static void say_back(struct catalog *catalog)
{
    if (catalog->failures) {
        log_info("database %s at %s is back after %ld s", catalog->conf->database.name,
                 catalog->conf->database.host, (long)(seconds_now() - catalog->trouble_since));
    }
    catalog->failures = 0;
    catalog->hash_of_trouble = 0;
}

static struct catalog_table *read_and_say(struct catalog *catalog)
{
    struct refusals refusals = { .before = &catalog->spoken };
    char why[600] = "";
    struct catalog_table *table = read_table(catalog->conf, &refusals, why, sizeof(why));

    if (!table) {
        say_trouble(catalog, why);
        return NULL;
    }
    say_back(catalog);
    if (refusals.unsaid) {
        log_error(1102, "table of cameras: %u more rows are refused", refusals.unsaid);
    }
    catalog->spoken = refusals.now;
    return table;
}

/* Until it is time to read again: after trouble sooner than else. */
static uint32_t pause_ms(const struct catalog *catalog)
{
    static const uint32_t steps[] = { 1000, 2000, 5000, 10000, 30000 };
    uint32_t interval = catalog->conf->producer.catalog_interval_ms;
    uint32_t step;

    if (!catalog->failures) {
        return interval;
    }
    step = steps[catalog->failures > 5 ? 4 : catalog->failures - 1];
    return step < interval ? step : interval;
}

/* With the lock. */
static void wait_for(struct catalog *catalog, uint32_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!catalog->stop && !catalog->refresh) {
        if (pthread_cond_timedwait(&catalog->news, &catalog->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    catalog->refresh = 0;
}

static void *run(void *arg)
{
    struct catalog *catalog = arg;
    struct catalog_table *table, *old;

    mysql_thread_init();
    pthread_mutex_lock(&catalog->lock);
    while (!catalog->stop) {
        pthread_mutex_unlock(&catalog->lock);
        table = read_and_say(catalog);
        pthread_mutex_lock(&catalog->lock);
        if (table) {
            old = catalog->newest;
            catalog->newest = table;
            catalog_table_free(old);
            catalog->wake(catalog->user);
        }
        wait_for(catalog, pause_ms(catalog));
    }
    pthread_mutex_unlock(&catalog->lock);
    mysql_thread_end();
    return NULL;
}

int catalog_start(struct catalog **result, const struct conf *conf, void (*wake)(void *user),
                  void *user)
{
    struct catalog *catalog = mem_zeroed(1, sizeof(*catalog));
    pthread_condattr_t attributes;
    int rc;

    catalog->conf = conf;
    catalog->wake = wake;
    catalog->user = user;
    pthread_mutex_init(&catalog->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&catalog->news, &attributes);
    pthread_condattr_destroy(&attributes);
    mysql_library_init(0, NULL, NULL);
    rc = pthread_create(&catalog->thread, NULL, run, catalog);
    if (rc) {
        log_error(1103, "no thread for the database: %s", strerror(rc));
        free(catalog);
        return -1;
    }
    *result = catalog;
    return 0;
}

void catalog_refresh(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->lock);
    catalog->refresh = 1;
    pthread_cond_signal(&catalog->news);
    pthread_mutex_unlock(&catalog->lock);
}

struct catalog_table *catalog_take(struct catalog *catalog)
{
    struct catalog_table *table;

    pthread_mutex_lock(&catalog->lock);
    table = catalog->newest;
    catalog->newest = NULL;
    pthread_mutex_unlock(&catalog->lock);
    return table;
}

void catalog_stop(struct catalog *catalog)
{
    struct timespec until;

    if (!catalog) {
        return;
    }
    pthread_mutex_lock(&catalog->lock);
    catalog->stop = 1;
    pthread_cond_signal(&catalog->news);
    pthread_mutex_unlock(&catalog->lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 500000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (pthread_timedjoin_np(catalog->thread, NULL, &until)) {
        return; /* hangs in the database; what it uses stays, the process ends soon */
    }
    catalog_table_free(catalog->newest);
    pthread_cond_destroy(&catalog->news);
    pthread_mutex_destroy(&catalog->lock);
    free(catalog);
    mysql_library_end();
}

int catalog_check(const struct conf *conf)
{
    struct spoken nothing = { .count = 0 };
    struct refusals refusals = { .before = &nothing };
    struct catalog_table *table;
    char why[600] = "";

    mysql_library_init(0, NULL, NULL);
    table = read_table(conf, &refusals, why, sizeof(why));
    if (!table) {
        log_error(1104, "database %s at %s, table %s: %s", conf->database.name, conf->database.host,
                  conf->database.table, why);
    }
    else {
        log_info("database %s at %s: %zu cameras, %zu rows refused", conf->database.name,
                 conf->database.host, table->count, refusals.now.count);
    }
    catalog_table_free(table);
    mysql_library_end();
    return table && !refusals.now.count ? 0 : -1;
}
