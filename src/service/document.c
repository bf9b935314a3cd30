/* GET /openapi.json: what all of this is, for programs that make clients and for people. */
#include "identity/pages.h"
#include "service_int.h"

bool identity_openapi(identity_call_t *call)
{
    call->out->status = 200;
    call->out->content_type = "application/json";
    call->out->body = identity_document_openapi.text;
    call->out->length = identity_document_openapi.length;
    return true;
}
