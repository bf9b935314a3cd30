/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>

#include "tap.h"
#include "provider.h"

const char *const provider_paths[PROVIDER_PATHS] = {"/.well-known/openid-configuration", "/keys", "/token",
                                                    "/userinfo"};

typedef struct server {
    provider_t provider;
    apr_pool_t *pool; /* of the threads, behind the mutex */
    pthread_mutex_t mutex;
    int listener;
} server_t;

typedef struct visit {
    server_t *server;
    int socket;
} guest_t;

/* Head and body; false where the client went away. */
static bool hear(int client, char *text, size_t room)
{
    size_t used = 0, wanted = 0;

    while (used < room - 1) {
        ssize_t got = recv(client, text + used, room - 1 - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
        text[used] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length:");
        if (!end)
            continue;
        wanted = (size_t)(end + 4 - text) + (length && length < end ? (size_t)strtol(length + 17, NULL, 10) : 0);
        if (used >= wanted)
            return true;
    }
    return false;
}

static bool put(int client, const char *data, size_t length, int drip)
{
    for (size_t done = 0; done < length;) {
        ssize_t sent = send(client, data + done, drip ? 1 : length - done, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        done += (size_t)sent;
        if (drip)
            poll(NULL, 0, drip);
    }
    return true;
}

static void answer(int client, const provider_answer_t *with)
{
    char head[1024], spaces[4096];
    size_t body = with->body ? strlen(with->body) : 0, length = with->length > body ? with->length : body;
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %d Test\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s%s"
                        "Connection: close\r\n\r\n",
                        with->status ? with->status : 200, with->type ? with->type : "application/json", length,
                        with->location ? "Location: " : "", with->location ? with->location : "",
                        with->location ? "\r\n" : "");

    poll(NULL, 0, with->wait);
    memset(spaces, ' ', sizeof spaces);
    bool on = !with->hang_up && put(client, head, (size_t)size, with->drip) &&
              (!body || put(client, with->body, body, with->drip));
    for (size_t left = length - body; on && left > 0; left -= left < sizeof spaces ? left : sizeof spaces)
        on = put(client, spaces, left < sizeof spaces ? left : sizeof spaces, with->drip);
}

static void *serve(void *data)
{
    guest_t *visit = data;
    server_t *server = visit->server;
    provider_t *provider = &server->provider;
    provider_answer_t with = {.status = 404};
    char text[65536], *body = NULL;
    bool known = false;

    if (hear(visit->socket, text, sizeof text)) {
        const char *path = strchr(text, ' ') ? strchr(text, ' ') + 1 : "";
        pthread_mutex_lock(&server->mutex);
        for (int i = 0; i < 2; i++)
            if (provider->held[i] && *provider->held[i] > provider->most_held)
                provider->most_held = *provider->held[i];
        for (int i = 0; i < PROVIDER_PATHS && !known; i++) {
            known = strncmp(path, provider_paths[i], strlen(provider_paths[i])) == 0;
            if (!known)
                continue;
            provider->asked[i]++;
            provider->request[i] = apr_pstrdup(server->pool, text);
            with = provider->answers[i];
            /* A slow answer may outlive the test that set it. */
            with.body = body = with.body ? strdup(with.body) : NULL;
        }
        if (!known)
            provider->asked_else++;
        pthread_mutex_unlock(&server->mutex);
        answer(visit->socket, &with);
    }
    free(body);
    shutdown(visit->socket, SHUT_WR);
    close(visit->socket);
    free(visit);
    return NULL;
}

static void *listen_on(void *data)
{
    server_t *server = data;

    for (;;) {
        guest_t *visit = malloc(sizeof *visit);
        pthread_t thread;
        *visit = (guest_t){server, accept(server->listener, NULL, NULL)};
        if (visit->socket < 0 || pthread_create(&thread, NULL, serve, visit) != 0) {
            free(visit);
            return NULL;
        }
        pthread_detach(thread);
    }
}

provider_t *provider_open(apr_pool_t *pool)
{
    server_t *server = calloc(1, sizeof *server); /* for its threads, which nobody ends */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;

    signal(SIGPIPE, SIG_IGN);
    apr_pool_create(&server->pool, NULL);
    pthread_mutex_init(&server->mutex, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(server->listener, 64) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&thread, NULL, listen_on, server) != 0)
        bail("there is no port for a provider");
    pthread_detach(thread);
    server->provider.port = ntohs(address.sin_port);
    server->provider.issuer = apr_psprintf(pool, "http://127.0.0.1:%d", server->provider.port);
    return &server->provider;
}

const char *provider_discovery(apr_pool_t *pool, const provider_t *provider, const char *changes)
{
    const char *const names[] = {NULL, "jwks_uri", "token_endpoint", "userinfo_endpoint"};
    json_t *root = identity_json_own(pool, json_object()), *value;
    json_t *patch = identity_json_own(pool, json_loads(changes ? changes : "{}", 0, NULL));
    const char *name;

    json_object_set_new(root, "issuer", json_string(provider->issuer));
    json_object_set_new(root, "authorization_endpoint",
                        json_string(apr_pstrcat(pool, provider->issuer, "/authorize", NULL)));
    for (int i = 1; i < PROVIDER_PATHS; i++)
        json_object_set_new(root, names[i], json_string(apr_pstrcat(pool, provider->issuer, provider_paths[i], NULL)));
    json_object_foreach (patch, name, value) {
        if (json_is_null(value))
            json_object_del(root, name);
        else
            json_object_set(root, name, value);
    }
    return identity_json_text(pool, root, NULL);
}
