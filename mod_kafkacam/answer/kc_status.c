#include "kc_status.h"

#include <string.h>
#include <apr_base64.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include "kc_config.h"
#include "kc_counters.h"
#include "kc_page.h"
#include "kc_source.h"
#include "kc_wire.h"

/* What a page is made of; gathered once, so that all of it is of one moment. */
typedef struct {
    kc_state_t state;
    kc_counters_camera_t counts;
    int fetched;        /* by some child, now */
    apr_int64_t age_ms; /* of the newest picture, -1: there was none */
} row_t;

typedef struct {
    request_rec *r;
    apr_time_t now;
    const kc_config_t *config;
    kc_source_health_t health; /* all 0 without a source */
    apr_array_header_t *rows;  /* of row_t */
} report_t;

/* Children say so every quarter of a second. */
#define FETCHED_HOLDS apr_time_from_sec(3)

static void add_row(report_t *report, apr_uint32_t cam)
{
    row_t *row = apr_array_push(report->rows);

    kc_source_state(report->config->source, cam, &row->state);
    kc_counters_camera_read(report->config->camera_counts, cam, &row->counts);
    row->fetched = report->now - row->counts.fetched < FETCHED_HOLDS;
    row->age_ms = row->counts.news ? apr_time_as_msec(report->now - row->counts.news) : -1;
    row->age_ms = row->counts.news && row->age_ms < 0 ? 0 : row->age_ms;
}

static void gather(report_t *report, request_rec *r)
{
    apr_array_header_t *cams;
    int i;

    memset(report, 0, sizeof(*report));
    report->r = r;
    report->now = apr_time_now();
    report->config = kc_config_get(r->server);
    report->rows = apr_array_make(r->pool, 16, sizeof(row_t));
    if (!report->config->source) {
        return;
    }
    kc_source_health(report->config->source, &report->health);
    cams = kc_source_cameras(report->config->source, r->pool);
    for (i = 0; i < cams->nelts; i++) {
        add_row(report, APR_ARRAY_IDX(cams, i, apr_uint32_t));
    }
}

static const row_t *row_at(const report_t *report, int i)
{
    return &APR_ARRAY_IDX(report->rows, i, row_t);
}

static const char *kafka_word(const report_t *report)
{
    if (!report->config->source) {
        return "none";
    }
    return report->health.away      ? "away"
           : report->health.denied  ? "denied"
           : report->health.reached ? "up"
                                    : "connecting";
}

/* ---- HTML ---- */

static const char style[] =
    ":root{color-scheme:light dark;font:15px/1.4 system-ui,sans-serif}body{margin:1.5rem}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .8rem .2rem 0;"
    "text-align:left;border-bottom:1px solid #8884}td.n,th.n{text-align:right;"
    "font-variant-numeric:tabular-nums}.live{color:#2a9d4a}.offline,.failed,.away{color:#d0453b}"
    "p{max-width:50em}";

static const char *nonce_of(request_rec *r)
{
    unsigned char bytes[18];
    char *text = apr_palloc(r->pool, (apr_size_t)apr_base64_encode_len(sizeof(bytes)));

    if (apr_generate_random_bytes(bytes, sizeof(bytes)) != APR_SUCCESS) {
        return NULL; /* the page is shown without its style then */
    }
    apr_base64_encode_binary(text, bytes, sizeof(bytes));
    return text;
}

static void put_head(request_rec *r)
{
    const char *nonce = nonce_of(r);

    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_psprintf(r->pool,
                                "default-src 'none'; style-src 'nonce-%s'; "
                                "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
                                nonce ? nonce : "none"));
    ap_set_content_type(r, "text/html; charset=utf-8");
    ap_rvputs(r, "<!DOCTYPE html>\n<html lang=\"en\"><head><title>kafkacam status</title>\n", NULL);
    if (nonce) {
        ap_rvputs(r, "<style nonce=\"", nonce, "\">", style, "</style>\n", NULL);
    }
    ap_rputs("</head><body><h1>kafkacam status</h1>\n", r);
}

static void put_summary(const report_t *report)
{
    request_rec *r = report->r;
    char since[APR_RFC822_DATE_LEN];

    apr_rfc822_date(since, kc_counters_since());
    ap_rprintf(r, "<p>Version %s. Counts of all %d children, since %s.</p>\n", KC_VERSION,
               kc_counters_children(), since);
    if (!report->config->source) {
        ap_rputs("<p>This server has no cameras: KafkaCamBrokers is not set.</p>\n", r);
        return;
    }
    ap_rprintf(r, "<p>Kafka at %s, topic %s: <b class=\"%s\">%s</b>",
               ap_escape_html(r->pool, report->config->brokers), report->config->topic,
               kafka_word(report), kafka_word(report));
    if (report->health.since) {
        ap_rprintf(r, " for %" APR_TIME_T_FMT " s",
                   apr_time_sec(report->now - report->health.since));
    }
    if (report->health.error[0]) {
        ap_rprintf(r, ", %s", ap_escape_html(r->pool, report->health.error));
    }
    ap_rputs(" (as the child that answers sees it).</p>\n", r);
}

static void put_counts(request_rec *r)
{
    int i;

    ap_rputs("<table><caption>The whole server</caption>\n", r);
    for (i = 0; i < KC_COUNTERS; i++) {
        ap_rprintf(r, "<tr><th>%s</th><td class=\"n\">%" APR_INT64_T_FMT "</td><td>%s</td></tr>\n",
                   kc_counters_name((kc_counter_t)i), kc_counters_sum((kc_counter_t)i),
                   kc_counters_help((kc_counter_t)i));
    }
    ap_rputs("</table>\n", r);
}

static void put_row(request_rec *r, const row_t *row)
{
    const kc_state_t *state = &row->state;

    ap_rprintf(r, "<tr><td class=\"n\">%u</td><td>%s</td><td class=\"%s\">%s</td>", state->cam,
               ap_escape_html(r->pool, state->name), kc_state_word(state), kc_state_word(state));
    if (row->age_ms >= 0) {
        ap_rprintf(r, "<td class=\"n\">%.1f s</td>", (double)row->age_ms / 1000);
    }
    else {
        ap_rputs("<td class=\"n\">-</td>", r);
    }
    ap_rprintf(r, "<td class=\"n\">%.1f</td><td class=\"n\">%u&times;%u</td><td>%s</td>",
               state->fps, state->width, state->height, row->fetched ? "yes" : "no");
    ap_rprintf(r,
               "<td class=\"n\">%" APR_UINT64_T_FMT "</td><td class=\"n\">%" APR_UINT64_T_FMT
               "</td><td class=\"n\">%" APR_UINT64_T_FMT "</td><td class=\"n\">%" APR_UINT64_T_FMT
               "</td>",
               row->counts.records[KC_COUNTERS_PICTURE], row->counts.bytes,
               row->counts.records[KC_COUNTERS_BROKEN], row->counts.records[KC_COUNTERS_OUTDATED]);
    ap_rprintf(r, "<td>%s</td></tr>\n", ap_escape_html(r->pool, state->error));
}

static void put_cameras(const report_t *report)
{
    request_rec *r = report->r;
    int i;

    ap_rputs("<table><caption>Cameras</caption>\n<tr><th class=\"n\">No.</th><th>Name</th>"
             "<th>State</th><th class=\"n\">Last picture</th><th class=\"n\">fps</th>"
             "<th class=\"n\">Size</th><th>Fetched now</th><th class=\"n\">Pictures</th>"
             "<th class=\"n\">Bytes</th><th class=\"n\">Broken</th><th class=\"n\">Outdated</th>"
             "<th>Error</th></tr>\n",
             r);
    for (i = 0; i < report->rows->nelts; i++) {
        put_row(r, row_at(report, i));
    }
    ap_rputs("</table>\n<p>Pictures are read from Kafka, and counted, only while somebody "
             "watches.</p>\n",
             r);
}

static int send_html(const report_t *report)
{
    put_head(report->r);
    put_summary(report);
    put_counts(report->r);
    put_cameras(report);
    ap_rputs("</body></html>\n", report->r);
    return OK;
}

/* ---- ?auto: as mod_status's, one KEY: VALUE a line ---- */

static int send_auto(const report_t *report)
{
    request_rec *r = report->r;
    int i;

    ap_set_content_type(r, "text/plain; charset=utf-8");
    ap_rprintf(r, "version: %s\nchildren: %d\nsince: %" APR_TIME_T_FMT "\nkafka: %s\n", KC_VERSION,
               kc_counters_children(), apr_time_sec(kc_counters_since()), kafka_word(report));
    for (i = 0; i < KC_COUNTERS; i++) {
        ap_rprintf(r, "%s: %" APR_INT64_T_FMT "\n", kc_counters_name((kc_counter_t)i),
                   kc_counters_sum((kc_counter_t)i));
    }
    for (i = 0; i < report->rows->nelts; i++) {
        const row_t *row = row_at(report, i);

        ap_rprintf(r,
                   "camera_%u: %s fetched=%d age_ms=%" APR_INT64_T_FMT
                   " pictures=%" APR_UINT64_T_FMT " bytes=%" APR_UINT64_T_FMT
                   " broken=%" APR_UINT64_T_FMT " outdated=%" APR_UINT64_T_FMT "\n",
                   row->state.cam, kc_state_word(&row->state), row->fetched, row->age_ms,
                   row->counts.records[KC_COUNTERS_PICTURE], row->counts.bytes,
                   row->counts.records[KC_COUNTERS_BROKEN],
                   row->counts.records[KC_COUNTERS_OUTDATED]);
    }
    return OK;
}

/* ---- ?json ---- */

static void put_json_row(request_rec *r, const row_t *row)
{
    ap_rprintf(r, "{\"state\":%s,\"fetched\":%s,\"age_ms\":",
               kc_state_json(&row->state, NULL, 0, r->pool), row->fetched ? "true" : "false");
    if (row->age_ms >= 0) {
        ap_rprintf(r, "%" APR_INT64_T_FMT, row->age_ms);
    }
    else {
        ap_rputs("null", r);
    }
    ap_rprintf(r,
               ",\"pictures\":%" APR_UINT64_T_FMT ",\"bytes\":%" APR_UINT64_T_FMT
               ",\"broken\":%" APR_UINT64_T_FMT ",\"outdated\":%" APR_UINT64_T_FMT "}",
               row->counts.records[KC_COUNTERS_PICTURE], row->counts.bytes,
               row->counts.records[KC_COUNTERS_BROKEN], row->counts.records[KC_COUNTERS_OUTDATED]);
}

static int send_json(const report_t *report)
{
    request_rec *r = report->r;
    int i;

    ap_set_content_type(r, "application/json");
    ap_rprintf(r,
               "{\"version\":\"%s\",\"children\":%d,\"since\":%" APR_TIME_T_FMT
               ",\"kafka\":{\"state\":\"%s\",\"topic\":%s,\"error\":%s},\"counters\":{",
               KC_VERSION, kc_counters_children(), apr_time_as_msec(kc_counters_since()),
               kafka_word(report), kc_state_json_text(report->config->topic, r->pool),
               kc_state_json_text(report->health.error, r->pool));
    for (i = 0; i < KC_COUNTERS; i++) {
        ap_rprintf(r, "%s\"%s\":%" APR_INT64_T_FMT, i ? "," : "", kc_counters_name((kc_counter_t)i),
                   kc_counters_sum((kc_counter_t)i));
    }
    ap_rputs("},\"cameras\":[", r);
    for (i = 0; i < report->rows->nelts; i++) {
        ap_rputs(i ? ",\n" : "\n", r);
        put_json_row(r, row_at(report, i));
    }
    ap_rputs("]}\n", r);
    return OK;
}

/* ---- Prometheus' text format, version 0.0.4 ---- */

/* A label's value: backslash, quote and line end are escaped. */
static const char *escape_label(const char *text, apr_pool_t *pool)
{
    char *escaped = apr_palloc(pool, 2 * strlen(text) + 1);
    char *end = escaped;

    for (; *text; text++) {
        if (*text == '\\' || *text == '"' || *text == '\n') {
            *end++ = '\\';
        }
        *end++ = *text == '\n' ? 'n' : *text;
    }
    *end = '\0';
    return escaped;
}

static void put_family(request_rec *r, const char *name, const char *type, const char *help)
{
    ap_rvputs(r, "# HELP kafkacam_", name, " ", help, "\n# TYPE kafkacam_", name, " ", type, "\n",
              NULL);
}

static void put_server_metrics(const report_t *report)
{
    request_rec *r = report->r;
    int i;

    for (i = 0; i < KC_COUNTERS; i++) {
        const char *name = kc_counters_name((kc_counter_t)i);
        int is_gauge = i < KC_COUNTER_GAUGES;

        name = is_gauge ? name : apr_pstrcat(r->pool, name, "_total", NULL);
        put_family(r, name, is_gauge ? "gauge" : "counter", kc_counters_help((kc_counter_t)i));
        ap_rprintf(r, "kafkacam_%s %" APR_INT64_T_FMT "\n", name, kc_counters_sum((kc_counter_t)i));
    }
    put_family(r, "children", "gauge", "httpd's child processes that serve streams.");
    ap_rprintf(r, "kafkacam_children %d\n", kc_counters_children());
    if (report->config->source) {
        put_family(r, "kafka_up", "gauge", "1 while the child that was asked can fetch pictures.");
        ap_rprintf(r, "kafkacam_kafka_up{topic=\"%s\"} %d\n", report->config->topic,
                   kc_source_is_up(&report->health));
    }
}

typedef struct {
    const char *name;
    const char *type;
    const char *help;
    double (*value)(const row_t *row); /* below 0: this camera has none */
} camera_metric_t;

static double live_of(const row_t *row)
{
    return row->state.word == KC_STATE_LIVE;
}

static double fetched_of(const row_t *row)
{
    return row->fetched;
}

static double news_of(const row_t *row)
{
    return row->counts.news ? (double)row->counts.news / APR_USEC_PER_SEC : -1;
}

static double pictures_of(const row_t *row)
{
    return (double)row->counts.records[KC_COUNTERS_PICTURE];
}

static double bytes_of(const row_t *row)
{
    return (double)row->counts.bytes;
}

static double broken_of(const row_t *row)
{
    return (double)row->counts.records[KC_COUNTERS_BROKEN];
}

static double outdated_of(const row_t *row)
{
    return (double)row->counts.records[KC_COUNTERS_OUTDATED];
}

static const camera_metric_t camera_metrics[] = {
    { "camera_live", "gauge", "1 while pictures come.", live_of },
    { "camera_fetched", "gauge", "1 while somebody watches, and a while after.", fetched_of },
    { "camera_last_picture_timestamp_seconds", "gauge", "When the newest picture came.", news_of },
    { "camera_pictures_total", "counter", "Pictures read from Kafka while watched.", pictures_of },
    { "camera_bytes_total", "counter", "Bytes of those pictures.", bytes_of },
    { "camera_broken_total", "counter", "Records dropped: no JPEG, or too large.", broken_of },
    { "camera_outdated_total", "counter", "Records dropped: of a producer that was replaced.",
      outdated_of },
};

static void put_camera_metric(const report_t *report, const camera_metric_t *metric)
{
    request_rec *r = report->r;
    int i;

    put_family(r, metric->name, metric->type, metric->help);
    for (i = 0; i < report->rows->nelts; i++) {
        const row_t *row = row_at(report, i);
        double value = metric->value(row);

        if (value >= 0) {
            ap_rprintf(r, "kafkacam_%s{topic=\"%s\",camera=\"%u\",name=\"%s\"} %.15g\n",
                       metric->name, report->config->topic, row->state.cam,
                       escape_label(row->state.name, r->pool), value);
        }
    }
}

static int send_metrics(const report_t *report)
{
    apr_size_t i;

    ap_set_content_type(report->r, "text/plain; version=0.0.4; charset=utf-8");
    put_server_metrics(report);
    for (i = 0; i < sizeof(camera_metrics) / sizeof(camera_metrics[0]); i++) {
        put_camera_metric(report, &camera_metrics[i]);
    }
    return OK;
}

/* ---- The handler ---- */

/* ?refresh=5, alone or after another word: the browser comes again every 5 seconds. */
static int set_refresh(request_rec *r)
{
    const char *said = r->args ? strstr(r->args, "refresh=") : NULL;
    uint64_t seconds;

    if (!said) {
        return 1;
    }
    said += strlen("refresh=");
    if (kc_wire_number_parse(&seconds, said, strcspn(said, "&"), 3600) || seconds < 1) {
        return 0;
    }
    apr_table_setn(r->headers_out, "Refresh", apr_psprintf(r->pool, "%d", (int)seconds));
    return 1;
}

static int is_asked(request_rec *r, const char *word)
{
    return r->args && !strncmp(r->args, word, strlen(word)) &&
           (!r->args[strlen(word)] || r->args[strlen(word)] == '&');
}

static int handle_status(request_rec *r)
{
    int metrics = r->handler && !strcmp(r->handler, KC_HANDLER_METRICS);
    report_t report;
    int rc;

    if (!metrics && (!r->handler || strcmp(r->handler, KC_HANDLER_STATUS))) {
        return DECLINED;
    }
    if ((rc = kc_page_check_method(r)) != OK) {
        return rc;
    }
    kc_page_set_headers(r);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (!set_refresh(r)) {
        return kc_page_send_text(r, HTTP_BAD_REQUEST,
                                 "refresh: a number of seconds from 1 to 3600.");
    }
    gather(&report, r);
    if (metrics) {
        return send_metrics(&report);
    }
    if (is_asked(r, "auto")) {
        return send_auto(&report);
    }
    return is_asked(r, "json") ? send_json(&report) : send_html(&report);
}

void kc_status_register_hooks(apr_pool_t *pool)
{
    ap_hook_handler(handle_status, NULL, NULL, APR_HOOK_MIDDLE);
}
