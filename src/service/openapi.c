/* SPDX-License-Identifier: Apache-2.0 */
/* GET /openapi.json and GET /reference: the description of the API, for client generators and for people. */
#include "identity/pages.h"
#include "routes.h"

bool identity_op_get_openapi(identity_call_t *call)
{
    call->out->status = 200;
    call->out->content_type = "application/json";
    call->out->body = identity_document_openapi.text;
    call->out->length = identity_document_openapi.length;
    return identity_tag_answer(call);
}

bool identity_op_get_reference(identity_call_t *call)
{
    const identity_page_t *page = &identity_page_reference;

    call->out->status = 200;
    call->out->content_type = "text/html; charset=utf-8";
    call->out->body = page->html;
    call->out->length = page->length;
    identity_header(call, "Content-Security-Policy", page->content_security_policy);
    identity_header(call, "Referrer-Policy", "no-referrer");
    identity_header(call, "X-Frame-Options", "DENY");
    return identity_tag_answer(call);
}
