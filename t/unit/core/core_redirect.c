/* SPDX-License-Identifier: Apache-2.0 */
/* Redirect URIs of clients of the OpenID provider: which may be registered, and which fit a registered one. */
#include "core_fixture.h"

static const struct {
    const char *uri;
    bool valid;
} registered[] = {
    {"https://app.example.org/cb", true},
    {"https://app.example.org/cb?tenant=1", true},
    {"https://app.example.org:8443/", true},
    {"http://127.0.0.1/cb", true},
    {"http://[::1]/cb", true},
    {"http://localhost:3000/cb", true},
    {"com.example.app:/callback", true},
    {"com.example.app://callback", true},
    {"http://app.example.org/cb", false},
    {"https://app.example.org/cb#x", false},
    {"https://user@app.example.org/cb", false},
    {"https://*.example.org/cb", false},
    {"https:///cb", false},
    {"javascript:alert(1)", false},
    {"data:text/html,x", false},
    {"file:///etc/passwd", false},
    {"myapp://callback", false},
    {"com.example.app:", false},
    {"com.:/x", false},
    {"com.example.app:/a#b", false},
    {"Com.example.app:/callback", false},
    {"com.example.app:/a\nb", false},
    {"", false},
};

static const struct {
    const char *one, *other;
    bool fits;
} pairs[] = {
    {"https://app.example.org/cb", "https://app.example.org/cb", true},
    {"https://app.example.org/cb", "https://app.example.org/cb/", false},
    {"https://app.example.org/cb", "https://app.example.org/cb?x=1", false},
    {"https://app.example.org/cb", "https://app.example.org:443/cb", false},
    {"https://app.example.org/cb", "https://APP.example.org/cb", false},
    {"http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", true},
    {"http://127.0.0.1:1234/cb", "http://127.0.0.1:5/cb", true},
    {"http://127.0.0.1:1234/cb", "http://127.0.0.1/cb", true},
    {"http://[::1]/cb", "http://[::1]:49152/cb", true},
    {"http://127.0.0.1/cb", "http://127.0.0.1:49152/other", false},
    {"http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb", false},
    {"http://127.0.0.1/cb", "http://127.0.0.1:/cb", false},
    {"http://127.0.0.1/cb", "http://127.0.0.1:123456/cb", false},
    {"http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false},
    {"http://127.0.0.1/cb", "http://127.0.0.2:1/cb", false},
    {"http://127.0.0.1/cb", "http://[::1]:1/cb", false},
    {"http://127.0.0.1/cb", "https://127.0.0.1:1/cb", false},
    {"http://localhost/cb", "http://localhost:1/cb", false},
    {"https://127.0.0.1/cb", "https://127.0.0.1:1/cb", false},
    {"com.example.app:/cb", "com.example.app:/cb", true},
    {"com.example.app:/cb", "com.example.app:/c", false},
};

int main(void)
{
    fixture_begin();
    for (size_t i = 0; i < sizeof registered / sizeof registered[0]; i++)
        is_int(identity_client_redirect_valid(pool, registered[i].uri), registered[i].valid,
               "OP14: %s may%s be registered", registered[i].uri, registered[i].valid ? "" : " not");
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        is_int(identity_client_redirect_fits(pairs[i].one, pairs[i].other), pairs[i].fits, "OP14: %s %s %s",
               pairs[i].other, pairs[i].fits ? "fits" : "does not fit", pairs[i].one);
    return fixture_end();
}
