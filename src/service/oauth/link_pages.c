/* SPDX-License-Identifier: Apache-2.0 */
/* The pages that mailed links open. They contain no personal data: the page asks describe-link what the link is
 * about. */
#include "identity/pages.h"
#include "oauth/oauth.h"

static bool page(identity_call_t *call, const identity_page_t *content)
{
    call->out->status = 200;
    call->out->content_type = "text/html; charset=utf-8";
    call->out->body = content->html;
    call->out->length = content->length;
    identity_header(call, "Content-Security-Policy", content->content_security_policy);
    identity_header(call, "Referrer-Policy", "no-referrer");
    identity_header(call, "X-Frame-Options", "DENY");
    return true;
}

bool identity_op_activate_user_page(identity_call_t *call)
{
    return page(call, &identity_page_activate);
}

bool identity_op_reset_password_page(identity_call_t *call)
{
    return page(call, &identity_page_reset);
}

bool identity_op_confirm_address_page(identity_call_t *call)
{
    return page(call, &identity_page_confirm);
}
