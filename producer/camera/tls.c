#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mem.h"

struct tls {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    char *host;
};

/* What old cameras need is off otherwise. */
static const char *priorities(unsigned oldest)
{
    switch (oldest) {
    case 10:
        return "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0:+SHA1:"
               "+SIGN-RSA-SHA1:%COMPAT:%UNSAFE_RENEGOTIATION";
    case 11:
        return "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+SHA1:+SIGN-RSA-SHA1:"
               "%COMPAT:%UNSAFE_RENEGOTIATION";
    case 13:
        return "NORMAL:-VERS-ALL:+VERS-TLS1.3";
    default:
        return "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    }
}

/* Exactly the certificates that were asked for. */
static int trust(struct tls *tls, const struct tls_settings *settings, char *why, size_t size)
{
    int count = settings->ca ? gnutls_certificate_set_x509_trust_file(
                                   tls->credentials, settings->ca, GNUTLS_X509_FMT_PEM)
                             : gnutls_certificate_set_x509_system_trust(tls->credentials);

    if (count < 1) {
        snprintf(why, size, "no certificates in %.150s",
                 settings->ca ? settings->ca : "the system's store");
        return -1;
    }
    gnutls_session_set_verify_cert(tls->session, tls->host, 0);
    return 0;
}

static int is_number(const char *host)
{
    unsigned char address[16];

    return inet_pton(AF_INET, host, address) == 1 || strchr(host, ':');
}

static int prepare(struct tls *tls, int fd, const struct tls_settings *settings, char *why,
                   size_t size)
{
    int rc = gnutls_init(&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

    rc = rc ? rc : gnutls_certificate_allocate_credentials(&tls->credentials);
    rc = rc ? rc : gnutls_priority_set_direct(tls->session, priorities(settings->oldest), NULL);
    rc = rc ? rc : gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    if (!rc && !is_number(tls->host)) {
        rc = gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, tls->host, strlen(tls->host));
    }
    if (rc) {
        snprintf(why, size, "GnuTLS: %s", gnutls_strerror(rc));
        return -1;
    }
    gnutls_transport_set_int(tls->session, fd);
    return settings->verify ? trust(tls, settings, why, size) : 0;
}

int tls_open(struct tls **result, int fd, const struct tls_settings *settings, char *why,
             size_t why_size)
{
    struct tls *tls = mem_zeroed(1, sizeof(*tls));

    tls->host = mem_text(settings->host);
    if (prepare(tls, fd, settings, why, why_size)) {
        tls_close(tls);
        return -1;
    }
    *result = tls;
    return 0;
}

void tls_close(struct tls *tls)
{
    if (!tls) {
        return;
    }
    if (tls->session) {
        gnutls_deinit(tls->session);
    }
    if (tls->credentials) {
        gnutls_certificate_free_credentials(tls->credentials);
    }
    free(tls->host);
    free(tls);
}

static void explain(struct tls *tls, int error, char *why, size_t size)
{
    gnutls_datum_t text;
    unsigned status = gnutls_session_get_verify_cert_status(tls->session);

    if (error == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
        gnutls_certificate_verification_status_print(
            status, gnutls_certificate_type_get(tls->session), &text, 0) == 0) {
        snprintf(why, size, "%.*s", (int)text.size, (const char *)text.data);
        gnutls_free(text.data);
    }
    else if (error == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        snprintf(why, size, "%s: %s", gnutls_strerror(error),
                 gnutls_alert_get_name(gnutls_alert_get(tls->session)));
    }
    else {
        snprintf(why, size, "%s", gnutls_strerror(error));
    }
}

int tls_handshake(struct tls *tls, char *why, size_t why_size)
{
    int rc = gnutls_handshake(tls->session);

    if (rc == 0) {
        return 0;
    }
    if (!gnutls_error_is_fatal(rc)) {
        return gnutls_record_get_direction(tls->session) ? 2 : 1;
    }
    explain(tls, rc, why, why_size);
    return -1;
}

const char *tls_version(const struct tls *tls)
{
    return gnutls_protocol_get_name(gnutls_protocol_get_version(tls->session));
}

static ssize_t result_of(ssize_t rc)
{
    if (rc >= 0) {
        return rc;
    }
    if (rc == GNUTLS_E_PREMATURE_TERMINATION) {
        return 0; /* closed without saying so, as cameras do */
    }
    errno = gnutls_error_is_fatal((int)rc) ? ECONNRESET : EAGAIN;
    return -1;
}

ssize_t tls_read(struct tls *tls, void *bytes, size_t size)
{
    return result_of(gnutls_record_recv(tls->session, bytes, size));
}

ssize_t tls_write(struct tls *tls, const void *bytes, size_t size)
{
    return result_of(gnutls_record_send(tls->session, bytes, size));
}
