#include "config.h"
#include "tls.h"

#ifdef HAVE_GNUTLS

#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

static const char *wanted_host;
static const char *wanted_ca;
static gnutls_certificate_credentials_t credentials; /* ours, in place of FFmpeg's */
static char why[200];

static void say(gnutls_session_t session, int error)
{
    gnutls_datum_t text;
    unsigned status = gnutls_session_get_verify_cert_status(session);

    if (error == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
        gnutls_certificate_verification_status_print(status, gnutls_certificate_type_get(session),
                                                     &text, 0) == 0) {
        snprintf(why, sizeof(why), "%.*s", (int)text.size, (const char *)text.data);
        gnutls_free(text.data);
    }
    else {
        snprintf(why, sizeof(why), "%s", gnutls_strerror(error));
    }
}

/* Credentials with exactly the certificates that were asked for, whatever FFmpeg loaded. */
static int make_credentials(void)
{
    int count;

    if (credentials) {
        return 0;
    }
    if (gnutls_certificate_allocate_credentials(&credentials)) {
        return -1;
    }
    count = wanted_ca ? gnutls_certificate_set_x509_trust_file(credentials, wanted_ca,
                                                               GNUTLS_X509_FMT_PEM)
                      : gnutls_certificate_set_x509_system_trust(credentials);
    if (count < 1) {
        snprintf(why, sizeof(why), "no certificates in %.150s",
                 wanted_ca ? wanted_ca : "the system's store");
        gnutls_certificate_free_credentials(credentials);
        credentials = NULL;
        return -1;
    }
    return 0;
}

/* Called by FFmpeg in place of the library's. Again and again while the camera is slow: all of this
 * may be done more than once. */
__attribute__((visibility("default"))) int gnutls_handshake(gnutls_session_t session)
{
    static int (*real)(gnutls_session_t);
    int error;

    if (!real) {
        real = (int (*)(gnutls_session_t))dlsym(RTLD_NEXT, "gnutls_handshake");
    }
    if (!real) {
        return GNUTLS_E_INTERNAL_ERROR;
    }
    if (wanted_host) {
        if (make_credentials() ||
            gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials)) {
            return GNUTLS_E_CERTIFICATE_ERROR;
        }
        gnutls_session_set_verify_cert(session, wanted_host, 0);
    }
    error = real(session);
    if (wanted_host && error < 0 && gnutls_error_is_fatal(error)) {
        say(session, error);
    }
    return error;
}

void tls_demand(const char *host, const char *ca)
{
    wanted_host = host;
    wanted_ca = ca;
    why[0] = '\0';
}

int tls_available(void)
{
    return 1;
}

const char *tls_why(void)
{
    return why;
}

#else

void tls_demand(const char *host, const char *ca)
{
}

int tls_available(void)
{
    return 0;
}

const char *tls_why(void)
{
    return "";
}

#endif
