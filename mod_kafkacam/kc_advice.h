/* A look at httpd's own settings at its start: would they cut viewers, or keep them out? */
#ifndef KC_ADVICE_H
#define KC_ADVICE_H

#include <httpd.h>

/* Warn, once for each setting, with what would be right; in post_config. */
void kc_advice_give(server_rec *s);

/* Warn of sections that do not guard, or do not reach, what their author thinks; for configtest
 * too. */
void kc_advice_check(server_rec *main_server);

#endif
