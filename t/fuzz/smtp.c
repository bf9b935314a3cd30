/* SPDX-License-Identifier: Apache-2.0 */
/* What a mail server says: the input is all of its replies, sent as soon as we have connected. Whatever they are, the
 * outcome has a sentence, and that can be printed. */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "identity/client.h"

bool fuzz_right;

static int listener;
static const char *url;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the two below */
static char replies[4096];
static size_t replies_size;

static void *serve(void *unused)
{
    char heard[4096];

    for (int client; (client = accept(listener, NULL, NULL)) >= 0; close(client)) {
        /* A client that has gone is accepted as well, perhaps during the next input. */
        pthread_mutex_lock(&mutex);
        ssize_t sent = send(client, replies, replies_size, MSG_NOSIGNAL);
        pthread_mutex_unlock(&mutex);
        if (sent < 0)
            continue;
        shutdown(client, SHUT_WR);
        while (recv(client, heard, sizeof heard, 0) > 0)
            ;
    }
    return unused;
}

static void begin(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    pthread_t thread;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (!identity_client_start() || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&address, &length) || pthread_create(&thread, NULL, serve, NULL))
        abort();
    pthread_detach(thread);
    url = apr_psprintf(fuzz_root(), "smtp://127.0.0.1:%d", ntohs(address.sin_port));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const identity_mail_t mail = {.id = "mail_0123456789ABCDEFGHxz",
                                         .from = "id@example.org",
                                         .to = "ada@example.org",
                                         .subject = "s",
                                         .text = "t\n",
                                         .html = "<p>t</p>\n"};
    const char *error = NULL;

    if (!url)
        begin();
    if (size > sizeof replies)
        return 0;
    pthread_mutex_lock(&mutex);
    memcpy(replies, data, size);
    replies_size = size;
    pthread_mutex_unlock(&mutex);
    apr_pool_t *pool = fuzz_pool();
    identity_mail_target_t *target = identity_mail_target_parse(pool, url, &error);
    if (!target)
        abort();
    target->timeout = 5;
    error = NULL;
    identity_delivery_t outcome = identity_mail_send(pool, target, &mail, NULL, &error);
    fuzz_right = outcome == IDENTITY_DELIVERY_SENT;
    if (fuzz_right ? error != NULL : !error || !*error)
        abort();
    for (const char *at = error; at && *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            abort();
    apr_pool_destroy(pool);
    return 0;
}
