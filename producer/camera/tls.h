/* Certificates of rtsps cameras. FFmpeg's RTSP, up to 7 at least, connects over TLS without a way
 * to ask it for a check of the certificate: no option of its own reaches the TLS protocol below it.
 * So where FFmpeg uses GnuTLS, as Debian's and Ubuntu's does, this program puts its own
 * gnutls_handshake() in front of the library's, which demands the check and then calls the real
 * one. */
#ifndef TLS_H
#define TLS_H

/* From now on each TLS connection that FFmpeg makes must be to host, with a certificate from ca
 * (a file, NULL: those the system trusts). The texts must stay. */
void tls_demand(const char *host, const char *ca);

/* Whether tls_demand() can do anything: the program was built with GnuTLS. */
int tls_available(void);

/* Why the last connection was refused, "" if it was not for its certificate. */
const char *tls_why(void);

#endif
