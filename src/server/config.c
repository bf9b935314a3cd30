/* SPDX-License-Identifier: Apache-2.0 */
/* Directives: the structs of directives.def, how they are created and merged, and how values are validated. */
#include <arpa/inet.h>
#include <string.h>

#include "server_int.h"

#define BLOCKLIST_LARGEST (64 * 1024 * 1024)

/* ---- struct, create, merge -------------------------------------------------------------------------------------- */

#define SERVER(name, arguments, setter, type, member, standard, help) BIT_##member,
enum {
#include "directives.def"
    BITS
};
_Static_assert(BITS <= 8 * sizeof(((identity_conf_t *)0)->set), "a bit for each directive");

void *identity_server_create(apr_pool_t *pool, server_rec *server)
{
    identity_conf_t *conf = apr_pcalloc(pool, sizeof *conf);

    (void)server;
#define SERVER(name, arguments, setter, type, member, standard, help) conf->member = standard;
#define SETTING(name, arguments, setter, type, member, standard, help)                             \
    conf->settings.member = standard;
#include "directives.def"
    return conf;
}

void *identity_server_merge(apr_pool_t *pool, void *base_, void *added_)
{
    const identity_conf_t *base = base_, *added = added_;
    identity_conf_t *merged;

    /* No directive of ours is set here (it may be a Require, see below): then everything is shared, as if there were
     * none. */
    if (!added->set && !added->engine && !added->forwards)
        return base_;
    merged = apr_pcalloc(pool, sizeof *merged);

#define MERGE(bit, member)                                                                         \
    merged->member = added->set & APR_UINT64_C(1) << (bit) ? added->member : base->member;
#define SERVER(name, arguments, setter, type, member, standard, help) MERGE(BIT_##member, member)
#define SETTING(name, arguments, setter, type, member, standard, help)                             \
    MERGE(BIT_##member, settings.member)
#include "directives.def"
    merged->rates = base->rates;
    merged->rates.set |= added->rates.set;
    for (int class = 0; class < IDENTITY_RATE_CLASSES; class ++)
        if (added->rates.set & 1u << class)
            merged->rates.rates.of[class] = added->rates.rates.of[class];
    merged->retention = base->retention;
    merged->retention.set |= added->retention.set;
    for (int keep = 0; keep < IDENTITY_KEEPS; keep++)
        if (added->retention.set & 1u << keep)
            merged->retention.retention.of[keep] = added->retention.retention.of[keep];
    merged->blocklist_file =
        added->password_blocklist ? added->blocklist_file : base->blocklist_file;
    merged->templates_folder =
        added->mail_templates ? added->templates_folder : base->templates_folder;
    merged->set = base->set | added->set;
    merged->own = added->set;
    merged->engine = base->engine || added->engine;
    merged->forwards = base->forwards || added->forwards;
    return merged;
}

#define DIRECTORY(name, arguments, setter, type, member, standard, help) DIRECTORY_BIT_##member,
enum {
#include "directives.def"
    DIRECTORY_BITS
};
_Static_assert(DIRECTORY_BITS <= 8 * sizeof(((identity_directory_conf_t *)0)->set),
               "a bit for each directive");

void *identity_directory_create(apr_pool_t *pool, char *directory)
{
    identity_directory_conf_t *conf = apr_pcalloc(pool, sizeof *conf);

    (void)directory;
#define DIRECTORY(name, arguments, setter, type, member, standard, help) conf->member = standard;
#include "directives.def"
    return conf;
}

void *identity_directory_merge(apr_pool_t *pool, void *base_, void *added_)
{
    const identity_directory_conf_t *base = base_, *added = added_;
    identity_directory_conf_t *merged = apr_pcalloc(pool, sizeof *merged);

#define DIRECTORY(name, arguments, setter, type, member, standard, help)                           \
    MERGE(DIRECTORY_BIT_##member, member)
#include "directives.def"
    merged->set = base->set | added->set;
    return merged;
}

/* ---- setters ---------------------------------------------------------------------------------------------------- */

/* Where a directive's value is stored; in cmd->info. */
typedef struct member {
    size_t offset;
    unsigned bit;
} member_t;

/* The member to be set; marks the directive as set. */
static void *member_set(cmd_parms *cmd)
{
    const member_t *member = cmd->info;
    identity_conf_t *conf = identity_conf(cmd->server);

    conf->set |= APR_UINT64_C(1) << member->bit;
    return (char *)conf + member->offset;
}

static const char *set_flag(cmd_parms *cmd, void *directory, int on)
{
    (void)directory;
    *(bool *)member_set(cmd) = on;
    return NULL;
}

/* The member of a DIRECTORY row to be set. */
static void *dir_member_set(cmd_parms *cmd, identity_directory_conf_t *directory)
{
    const member_t *member = cmd->info;

    directory->set |= APR_UINT64_C(1) << member->bit;
    return (char *)directory + member->offset;
}

static const char *set_dir_flag(cmd_parms *cmd, void *directory, int on)
{
    *(bool *)dir_member_set(cmd, directory) = on;
    return ap_check_cmd_context(cmd, NOT_IN_LIMIT | NOT_IN_PROXY);
}

static const char *set_forward_headers(cmd_parms *cmd, void *directory, int on)
{
    if (on)
        identity_conf(cmd->server)->forwards = true;
    return set_dir_flag(cmd, directory, on);
}

static const char *set_engine(cmd_parms *cmd, void *directory_, int on)
{
    identity_directory_conf_t *directory = directory_;
    /* A URL is claimed before httpd looks at folders and files. */
    const char *err =
        ap_check_cmd_context(cmd, NOT_IN_DIRECTORY | NOT_IN_FILES | NOT_IN_LIMIT | NOT_IN_PROXY);

    if (err)
        return err;
    *(bool *)dir_member_set(cmd, directory) = on;
    if (on)
        identity_conf(cmd->server)->engine = true;
    return NULL;
}

static const char *set_stream_recheck(cmd_parms *cmd, void *directory, const char *value)
{
    apr_interval_time_t *member = dir_member_set(cmd, directory);
    const char *err = ap_check_cmd_context(cmd, NOT_IN_LIMIT | NOT_IN_PROXY);

    *member = 0;
    if (err || strcasecmp(value, "Off") == 0)
        return err;
    return identity_read_duration(cmd->pool, cmd->cmd->name, value, false, member);
}

static const char *set_cors_origin(cmd_parms *cmd, void *directory_, const char *value)
{
    identity_directory_conf_t *directory = directory_;
    const char *name = cmd->cmd->name, *origin, *err;
    bool none = strcasecmp(value, "None") == 0;

    err = ap_check_cmd_context(cmd, NOT_IN_DIRECTORY | NOT_IN_FILES | NOT_IN_LIMIT | NOT_IN_PROXY);
    if (err)
        return err;
    /* Pages can read the answers with the credentials of their user. */
    if (strchr(value, '*') || strcasecmp(value, "null") == 0)
        return apr_psprintf(
            cmd->pool,
            "%s takes individual origins, such as https://app.example.org; %s would allow every site.",
            name, value);
    if (!none && (err = identity_read_origin(cmd->pool, name, value, &origin)) != NULL)
        return err;
    if (!directory->cors_origins)
        directory->cors_origins = apr_array_make(cmd->pool, 2, sizeof(const char *));
    if (!none)
        APR_ARRAY_PUSH(directory->cors_origins, const char *) = origin;
    dir_member_set(cmd, directory);
    return NULL;
}

static const char *set_public_url(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    return identity_read_origin(cmd->pool, cmd->cmd->name, value, member_set(cmd));
}

static const char *set_sync(cmd_parms *cmd, void *directory, const char *value)
{
    identity_sync_t *sync = member_set(cmd);

    (void)directory;
    if (strcasecmp(value, "FULL") != 0 && strcasecmp(value, "NORMAL") != 0)
        return apr_psprintf(cmd->pool, "%s is FULL or NORMAL, not %s.", cmd->cmd->name, value);
    *sync = strcasecmp(value, "FULL") == 0 ? IDENTITY_SYNC_FULL : IDENTITY_SYNC_NORMAL;
    return NULL;
}

static const char *set_builtin_roles(cmd_parms *cmd, void *directory, const char *value)
{
    identity_catalogue_t *catalogue = member_set(cmd);

    (void)directory;
    if (strcasecmp(value, "published") != 0 && strcasecmp(value, "core") != 0)
        return apr_psprintf(cmd->pool, "%s is published or core, not %s.", cmd->cmd->name, value);
    *catalogue =
        strcasecmp(value, "core") == 0 ? IDENTITY_CATALOGUE_CORE : IDENTITY_CATALOGUE_PUBLISHED;
    return NULL;
}

static const char *set_user_name(cmd_parms *cmd, void *directory, const char *value)
{
    bool *logins = member_set(cmd);

    (void)directory;
    if (strcasecmp(value, "address") != 0 && strcasecmp(value, "login") != 0)
        return apr_psprintf(cmd->pool, "%s is address or login, not %s.", cmd->cmd->name, value);
    *logins = strcasecmp(value, "login") == 0;
    return NULL;
}

static const char *set_wait(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    return identity_read_duration(cmd->pool, cmd->cmd->name, value, true, member_set(cmd));
}

static const char *set_lifetime(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    return identity_read_duration(cmd->pool, cmd->cmd->name, value, false, member_set(cmd));
}

static const char *set_refresh(cmd_parms *cmd, void *directory, const char *idle,
                               const char *absolute)
{
    identity_refresh_lifetime_t *value = member_set(cmd);
    const char *err = identity_read_duration(cmd->pool, cmd->cmd->name, idle, false, &value->idle);

    (void)directory;
    if (!err)
        err = identity_read_duration(cmd->pool, cmd->cmd->name, absolute, false, &value->absolute);
    if (!err && value->idle > value->absolute)
        err = apr_psprintf(
            cmd->pool,
            "%s takes the idle lifetime first, and it cannot be longer than the second, absolute one.",
            cmd->cmd->name);
    return err;
}

static const char *set_body(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    /* A body is held in memory as a whole. */
    return identity_read_size(cmd->pool, cmd->cmd->name, value, 64 * 1024 * 1024, member_set(cmd));
}

static const char *set_hash_memory(cmd_parms *cmd, void *directory, const char *value)
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)directory;
    return err ? err
               : identity_read_size(cmd->pool, cmd->cmd->name, value, (apr_size_t)1 << 40,
                                    member_set(cmd));
}

static const char *file_path(cmd_parms *cmd, const char *value, const char **path)
{
    *path = ap_server_root_relative(cmd->pool, value);
    return *path ? NULL
                 : apr_psprintf(cmd->pool, "%s needs a file path, not %s.", cmd->cmd->name, value);
}

static const char *set_file(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    return file_path(cmd, value, member_set(cmd));
}

static const char *set_signing_key(cmd_parms *cmd, void *directory, const char *value)
{
    apr_array_header_t **list = member_set(cmd);
    const char *path, *err = file_path(cmd, value, &path);

    (void)directory;
    if (err)
        return err;
    if (!*list)
        *list = apr_array_make(cmd->pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(*list, const char *) = path;
    return NULL;
}

static const char *set_password_hash(cmd_parms *cmd, void *directory, int count,
                                     char *const arguments[])
{
    identity_hash_parameters_t *hash = member_set(cmd);
    const char *name = cmd->cmd->name, *err = NULL;
    unsigned lanes;

    (void)directory;
    if (count < 1 || strcasecmp(arguments[0], "argon2id") != 0)
        return apr_psprintf(
            cmd->pool, "%s must begin with argon2id, the only algorithm for new hashes.", name);
    for (int i = 1; i < count && !err; i++) {
        const char *argument = arguments[i];
        if (strncmp(argument, "m=", 2) == 0)
            err = identity_read_number(
                cmd->pool, apr_pstrcat(cmd->pool, name, " m= (memory in KiB)", NULL), argument + 2,
                IDENTITY_HASH_MEMORY_MIN, 4 * 1024 * 1024 - 1, &hash->memory_kib);
        else if (strncmp(argument, "t=", 2) == 0)
            err =
                identity_read_number(cmd->pool, apr_pstrcat(cmd->pool, name, " t= (passes)", NULL),
                                     argument + 2, IDENTITY_HASH_PASSES_MIN, 1000, &hash->passes);
        else if (strncmp(argument, "p=", 2) == 0)
            err = identity_read_number(
                cmd->pool,
                apr_pstrcat(cmd->pool, name, " p= (lanes, of which libsodium computes one)", NULL),
                argument + 2, 1, 1, &lanes);
        else
            err = apr_psprintf(cmd->pool, "%s takes m=, t= and p= after argon2id, not %s.", name,
                               argument);
    }
    return err;
}

static const char *set_password_minimum(cmd_parms *cmd, void *directory, const char *value)
{
    apr_size_t *member = member_set(cmd);
    unsigned number = 0;
    const char *err =
        identity_read_number(cmd->pool, cmd->cmd->name, value, 8, IDENTITY_PASSWORD_MAX, &number);

    (void)directory;
    *member = number;
    return err;
}

static const char *set_cache(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    return identity_read_number(cmd->pool, cmd->cmd->name, value, 0, 1000000, member_set(cmd));
}

static const char *set_blocklist(cmd_parms *cmd, void *directory, const char *value)
{
    const identity_blocklist_t **list = member_set(cmd);
    const char *path, *err = file_path(cmd, value, &path);
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t length = 0;
    char *text = NULL;

    (void)directory;
    if (err)
        return err;
    apr_status_t status =
        apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, cmd->temp_pool);
    if (status == APR_SUCCESS)
        status = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file);
    if (status == APR_SUCCESS && (info.filetype != APR_REG || info.size > BLOCKLIST_LARGEST))
        return apr_psprintf(cmd->pool, "%s: %s is not a regular file, or is larger than 64 MiB.",
                            cmd->cmd->name, path);
    if (status == APR_SUCCESS && info.size > 0) {
        text = apr_palloc(cmd->temp_pool, (apr_size_t)info.size + 1);
        status = apr_file_read_full(file, text, (apr_size_t)info.size, &length);
        text[length] = '\0';
    }
    if (status != APR_SUCCESS)
        return apr_psprintf(cmd->pool, "%s: %s cannot be read: %pm.", cmd->cmd->name, path,
                            &status);
    *list = identity_blocklist_make(cmd->pool, text ? text : "", length);
    identity_conf(cmd->server)->blocklist_file = path;
    return NULL;
}

static const char *set_rate(cmd_parms *cmd, void *directory, const char *class_name,
                            const char *value)
{
    identity_rate_conf_t *conf = member_set(cmd);
    identity_rate_class_t class = identity_rate_class_find(class_name);

    (void)directory;
    if (class == IDENTITY_RATE_NONE)
        return apr_psprintf(cmd->pool, "%s must begin with a class: %s, not %s.", cmd->cmd->name,
                            identity_rate_class_names(cmd->pool), class_name);
    conf->set |= 1u << class;
    return identity_read_rate(cmd->pool,
                              apr_pstrcat(cmd->pool, cmd->cmd->name, " ", class_name, NULL), value,
                              &conf->rates.of[class]);
}

static const char *set_retention(cmd_parms *cmd, void *directory, const char *what,
                                 const char *value)
{
    identity_retention_conf_t *conf = member_set(cmd);
    identity_keep_t keep = identity_keep_find(what);

    (void)directory;
    if (keep == IDENTITY_KEEPS)
        return apr_psprintf(cmd->pool, "%s must begin with audit, sessions or mail, not %s.",
                            cmd->cmd->name, what);
    conf->set |= 1u << keep;
    return identity_read_duration(cmd->pool,
                                  apr_pstrcat(cmd->pool, cmd->cmd->name, " ", what, NULL), value,
                                  false, &conf->retention.of[keep]);
}

static const char *set_mail_url(cmd_parms *cmd, void *directory, const char *value)
{
    const identity_mail_target_t **target = member_set(cmd);
    const char *err = NULL;

    (void)directory;
    *target = identity_mail_target_parse(cmd->pool, value, &err);
    return *target ? NULL : apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err);
}

static const char *set_mail_templates(cmd_parms *cmd, void *directory, const char *value)
{
    const identity_mail_templates_t **templates = member_set(cmd);
    const char *path, *err = file_path(cmd, value, &path);

    (void)directory;
    if (err)
        return err;
    *templates = identity_mail_templates_load(cmd->pool, path, &err);
    identity_conf(cmd->server)->templates_folder = path;
    return *templates ? NULL : apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err);
}

static const char *set_mail_from(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    *(const char **)member_set(cmd) = value;
    return identity_read_sender(cmd->temp_pool, cmd->cmd->name, value);
}

static const char *set_mail_helo(cmd_parms *cmd, void *directory, const char *value)
{
    const char **helo = member_set(cmd);

    (void)directory;
    *helo = identity_mail_helo(cmd->pool, value);
    return *helo
               ? NULL
               : apr_psprintf(
                     cmd->pool,
                     "%s needs a host name such as id.example.org, or an address such as [192.0.2.1], not "
                     "%s.",
                     cmd->cmd->name, value);
}

static const char *set_urn_namespace(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    *(const char **)member_set(cmd) = value;
    return identity_urn_namespace_valid(value)
               ? NULL
               : apr_psprintf(
                     cmd->pool,
                     "%s needs 2 to 32 letters, digits and hyphens, no hyphen first or last, and not urn "
                     "itself; it is given %s.",
                     cmd->cmd->name, value);
}

static const char *set_urn_region(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    *(const char **)member_set(cmd) = value;
    return identity_urn_part_valid(value)
               ? NULL
               : apr_psprintf(
                     cmd->pool,
                     "%s needs 1 to 64 letters, digits, dots, hyphens, underscores and tildes, not %s.",
                     cmd->cmd->name, value);
}

static const char *set_trusted_proxy(cmd_parms *cmd, void *directory, const char *value)
{
    apr_array_header_t **list = member_set(cmd);
    char *address = apr_pstrdup(cmd->pool, value), *mask = strchr(address, '/');
    unsigned char bytes[sizeof(struct in6_addr)];
    apr_ipsubnet_t *subnet;

    (void)directory;
    if (mask)
        *mask++ = '\0';
    /* APR would accept 10 for 10.0.0.0/8: too easily mistyped where trust is concerned. */
    bool whole = inet_pton(strchr(address, ':') ? AF_INET6 : AF_INET, address, bytes) == 1;
    if (!whole || apr_ipsubnet_create(&subnet, address, mask, cmd->pool) != APR_SUCCESS)
        return apr_psprintf(
            cmd->pool,
            "%s needs proxy addresses or networks, such as 192.0.2.7 or 2001:db8::/64, not %s.",
            cmd->cmd->name, value);
    if (!*list)
        *list = apr_array_make(cmd->pool, 2, sizeof(apr_ipsubnet_t *));
    APR_ARRAY_PUSH(*list, apr_ipsubnet_t *) = subnet;
    return NULL;
}

static const char *set_redirect_uri(cmd_parms *cmd, void *directory, const char *value)
{
    apr_array_header_t **list = member_set(cmd);

    (void)directory;
    if (!identity_redirect_valid(cmd->temp_pool, value))
        return apr_psprintf(
            cmd->pool,
            "%s needs complete https URLs with a path (http only for loopback), without user, fragment "
            "and *, of at most 256 bytes, not %s.",
            cmd->cmd->name, value);
    if (!*list)
        *list = apr_array_make(cmd->pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(*list, const char *) = value;
    return NULL;
}

static const char *set_provider(cmd_parms *cmd, void *directory, int count, char *const arguments[])
{
    apr_array_header_t **list = member_set(cmd);
    identity_provider_conf_t *provider = apr_pcalloc(cmd->pool, sizeof *provider);
    const char *err = identity_read_provider(cmd->pool, cmd->cmd->name, count, arguments, provider);

    (void)directory;
    if (!*list)
        *list = apr_array_make(cmd->pool, 2, sizeof(identity_provider_conf_t *));
    for (int i = 0; i < (*list)->nelts && !err; i++)
        err = identity_provider_clash(cmd->pool, cmd->cmd->name, provider,
                                      APR_ARRAY_IDX(*list, i, identity_provider_conf_t *));
    APR_ARRAY_PUSH(*list, identity_provider_conf_t *) = provider;
    return err;
}

static const char *set_demo_account(cmd_parms *cmd, void *directory, const char *value)
{
    (void)directory;
    *(const char **)member_set(cmd) = value;
    return identity_read_account(cmd->pool, cmd->cmd->name, value);
}

static const char *set_captcha(cmd_parms *cmd, void *directory, const char *url, const char *file,
                               const char *option)
{
    identity_captcha_conf_t *captcha = apr_pcalloc(cmd->pool, sizeof *captcha);

    (void)directory;
    *(const identity_captcha_conf_t **)member_set(cmd) = captcha;
    return identity_read_captcha(cmd->pool, cmd->cmd->name, url, file, option, captcha);
}

/* Allowed in .htaccess with AllowOverride AuthConfig: which credentials its folder accepts, as for AuthType. The
 * others are reserved for the administrator: they determine what leaves this server, and how often it is asked. */
#define OVERRIDE(bit)                                                                              \
    ((bit) == DIRECTORY_BIT_cookie || (bit) == DIRECTORY_BIT_basic_keys ? OR_AUTHCFG : 0)

/* ---- the command table ------------------------------------------------------------------------------------------ */

#define SERVER(name, arguments, setter, type, member, standard, help)                              \
    {offsetof(identity_conf_t, member), BIT_##member},
#define SETTING(name, arguments, setter, type, member, standard, help)                             \
    {offsetof(identity_conf_t, settings.member), BIT_##member},
static const member_t members[] = {
#include "directives.def"
};

#define DIRECTORY(name, arguments, setter, type, member, standard, help)                           \
    {offsetof(identity_directory_conf_t, member), DIRECTORY_BIT_##member},
static const member_t place_members[] = {
#include "directives.def"
};

#define SERVER(name, arguments, setter, type, member, standard, help)                              \
    AP_INIT_##arguments(#name, setter, (void *)&members[BIT_##member], RSRC_CONF, help),
#define DIRECTORY(name, arguments, setter, type, member, standard, help)                           \
    AP_INIT_##arguments(#name, setter, (void *)&place_members[DIRECTORY_BIT_##member],             \
                        RSRC_CONF | ACCESS_CONF | OVERRIDE(DIRECTORY_BIT_##member), help),
const command_rec identity_commands[] = {
#include "directives.def"
    /* mod_authz_core's directives, which it handles itself (alias.c). */
    AP_INIT_RAW_ARGS("Require", identity_beside_require, NULL, OR_AUTHCFG, "See mod_authz_core"),
    AP_INIT_RAW_ARGS("<AuthzProviderAlias", identity_beside_alias, NULL, RSRC_CONF,
                     "See mod_authz_core"),
    {.name = NULL},
};
