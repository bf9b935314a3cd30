/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the server at its last start, for htidentity: names and JSON values. */
#include "rows_int.h"

static void *read_setting(const db_row_t *row, int from)
{
    identity_setting_row_t *setting = apr_palloc(db_pool(row), sizeof *setting);

    setting->name = db_text(row, from);
    setting->value = db_text(row, from + 1);
    return setting;
}

identity_db_status_t identity_settings_list(identity_db_t *db, apr_array_header_t **rows)
{
    return db_list(db, IDENTITY_SQL_SETTINGS_LIST, NULL, 0, read_setting, rows);
}

identity_db_status_t identity_settings_clear(identity_db_t *db)
{
    identity_db_status_t status = db_in_write(db, "SETTINGS_CLEAR");
    return status == IDENTITY_DB_OK ? db_change(db, IDENTITY_SQL_SETTINGS_CLEAR, NULL, 0, NULL)
                                    : status;
}

identity_db_status_t identity_setting_put(identity_db_t *db, const identity_setting_row_t *row)
{
    return db_insert(db, IDENTITY_SQL_SETTING_PUT, DB_ARGS(S(row->name), S(row->value)));
}

#define BACKUP "backed up at"

identity_db_status_t identity_backup_note(identity_db_t *db, apr_time_t at)
{
    const identity_setting_row_t row = {
        .name = BACKUP, .value = apr_psprintf(db_use_pool(db), "%" APR_INT64_T_FMT, at)};
    identity_db_status_t status = db_in_write(db, "BACKUP_FORGET");

    if (status == IDENTITY_DB_OK)
        status = db_change(db, IDENTITY_SQL_BACKUP_FORGET, NULL, 0, NULL);
    return status == IDENTITY_DB_OK ? identity_setting_put(db, &row) : status;
}

identity_db_status_t identity_backup_noted(identity_db_t *db, apr_time_t *at)
{
    return db_count(db, IDENTITY_SQL_BACKUP_AT, NULL, 0, at);
}
