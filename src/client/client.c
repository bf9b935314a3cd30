/* SPDX-License-Identifier: Apache-2.0 */
/* Initialization and shutdown of this folder, and the choice of transport for a mail. */
#include <dlfcn.h>

#include <curl/curl.h>

#include "client_int.h"

void *identity_client_hold(void)
{
    Dl_info info;

    return dladdr((void *)(uintptr_t)curl_global_init, &info) && info.dli_fname
               ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD)
               : NULL;
}

void identity_client_release(void *held)
{
    if (held)
        dlclose(held);
}

bool identity_client_start(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void identity_client_stop(void)
{
    curl_global_cleanup();
}

identity_delivery_t identity_mail_send(apr_pool_t *pool, const identity_mail_target_t *target,
                                       const identity_mail_t *mail, const identity_stop_t *stop,
                                       const char **error)
{
    size_t length;
    const char *message = identity_mail_compose(pool, mail, &length);

    *error = NULL;
    if (!message) {
        *error = "The mail has an address or a subject that cannot be sent.";
        return IDENTITY_DELIVERY_PERMANENT;
    }
    if (target->kind == IDENTITY_MAIL_MAILDIR)
        return mail_send_maildir(pool, target, mail, message, length, error);
    return mail_send_smtp(pool, target, mail, message, length, stop, error);
}
