/* The C interface of TDengine's client library, written down from native-ffi sections 2 to 8, and from nothing
 * else: what a program compiled with the vendor's header expects of a libtaos. */
#ifndef JUDGE_ABI_H
#define JUDGE_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void TAOS;
typedef void TAOS_RES;
typedef void **TAOS_ROW;
typedef void TAOS_STMT;
typedef void TAOS_STMT2;
typedef struct tmq_t tmq_t;
typedef struct tmq_conf_t tmq_conf_t;
typedef struct tmq_list_t tmq_list_t;

typedef void (*__taos_async_fn_t)(void *param, TAOS_RES *res, int code);
typedef void (*__taos_notify_fn_t)(void *param, void *ext, int type);
typedef void tmq_commit_cb(tmq_t *tmq, int32_t code, void *param);

/* Section 8: the structs. */

typedef struct {
  char name[65];
  int8_t type;
  int32_t bytes;
} TAOS_FIELD;

typedef struct {
  char name[65];
  int8_t type;
  uint8_t precision;
  uint8_t scale;
  int32_t bytes;
} TAOS_FIELD_E;

typedef struct {
  char name[65];
  int8_t type;
  uint8_t precision;
  uint8_t scale;
  int32_t bytes;
  uint8_t field_type;
} TAOS_FIELD_ALL;

typedef struct {
  int buffer_type;
  void *buffer;
  uintptr_t buffer_length;
  int32_t *length;
  char *is_null;
  int num;
} TAOS_MULTI_BIND;

typedef struct {
  int64_t reqId;
  bool singleStbInsert;
  bool singleTableBindOnce;
} TAOS_STMT_OPTIONS;

typedef struct {
  int64_t reqid;
  bool singleStbInsert;
  bool singleTableBindOnce;
  __taos_async_fn_t asyncExecFn;
  void *userdata;
} TAOS_STMT2_OPTION;

typedef struct {
  int buffer_type;
  void *buffer;
  int32_t *length;
  char *is_null;
  int num;
} TAOS_STMT2_BIND;

typedef struct {
  int count;
  char **tbnames;
  TAOS_STMT2_BIND **tags;
  TAOS_STMT2_BIND **bind_cols;
} TAOS_STMT2_BINDV;

typedef struct {
  int32_t vgId;
  int64_t currentOffset;
  int64_t begin;
  int64_t end;
} tmq_topic_assignment;

typedef struct {
  void *raw;
  uint32_t raw_len;
  uint16_t raw_type;
} tmq_raw_data;

typedef struct {
  int32_t vgId;
  uint32_t hashBegin;
  uint32_t hashEnd;
} TAOS_VGROUP_HASH_INFO;

typedef struct {
  int32_t routeVersion;
  int16_t hashPrefix;
  int16_t hashSuffix;
  int8_t hashMethod;
  int32_t vgNum;
  TAOS_VGROUP_HASH_INFO *vgHash;
} TAOS_DB_ROUTE_INFO;

/* Section 2: the process. */

int taos_init(void);
void taos_cleanup(void);
typedef struct setConfRet {
  int retCode;
  char retMsg[1024];
} setConfRet;

int taos_options(int option, const void *arg, ...);
setConfRet taos_set_config(const char *config);
const char *taos_get_client_info(void);
const char *taos_data_type(int type);

/* Section 3: connections. */

TAOS *taos_connect(const char *ip, const char *user, const char *pass, const char *db, uint16_t port);
TAOS *taos_connect_auth(const char *ip, const char *user, const char *auth, const char *db, uint16_t port);
TAOS *taos_connect_totp(const char *ip, const char *user, const char *pass, const char *totp, const char *db,
                        uint16_t port);
TAOS *taos_connect_token(const char *ip, const char *token, const char *db, uint16_t port);
void taos_close(TAOS *taos);
int taos_select_db(TAOS *taos, const char *db);
int taos_get_current_db(TAOS *taos, char *buf, int len, int *required);
void taos_reset_current_db(TAOS *taos);
const char *taos_get_server_info(TAOS *taos);
int taos_options_connection(TAOS *taos, int option, const void *arg, ...);
int taos_set_conn_mode(TAOS *taos, int mode, int value);
int taos_set_notify_cb(TAOS *taos, __taos_notify_fn_t fp, void *param, int type);
int taos_get_connection_info(TAOS *taos, int info, char *buf, int *len);
int taos_validate_sql(TAOS *taos, const char *sql);
int taos_load_table_info(TAOS *taos, const char *comma_list);
int taos_get_table_vgId(TAOS *taos, const char *db, const char *table, int *vg);
int taos_get_tables_vgId(TAOS *taos, const char *db, const char *tables[], int n, int *vg);
int taos_check_server_status(const char *fqdn, int port, char *details, int maxlen);
void taos_kill_query(TAOS *taos);

/* Section 4: queries and results. */

TAOS_RES *taos_query(TAOS *taos, const char *sql);
TAOS_RES *taos_query_with_reqid(TAOS *taos, const char *sql, int64_t reqid);
void taos_query_a(TAOS *taos, const char *sql, __taos_async_fn_t fp, void *param);
void taos_query_a_with_reqid(TAOS *taos, const char *sql, __taos_async_fn_t fp, void *param, int64_t reqid);
int taos_errno(TAOS_RES *res);
const char *taos_errstr(TAOS_RES *res);
int taos_field_count(TAOS_RES *res);
int taos_num_fields(TAOS_RES *res);
bool taos_is_update_query(TAOS_RES *res);
int taos_affected_rows(TAOS_RES *res);
int64_t taos_affected_rows64(TAOS_RES *res);
TAOS_FIELD *taos_fetch_fields(TAOS_RES *res);
TAOS_FIELD_E *taos_fetch_fields_e(TAOS_RES *res);
int taos_result_precision(TAOS_RES *res);
int *taos_fetch_lengths(TAOS_RES *res);
TAOS_ROW taos_fetch_row(TAOS_RES *res);
int taos_fetch_block(TAOS_RES *res, TAOS_ROW *rows);
int *taos_get_column_data_offset(TAOS_RES *res, int column);
bool taos_is_null(TAOS_RES *res, int row, int column);
int taos_is_null_by_column(TAOS_RES *res, int column, bool *result, int *rows);
int taos_print_row(char *str, TAOS_ROW row, TAOS_FIELD *fields, int count);
int taos_fetch_block_s(TAOS_RES *res, int *num, TAOS_ROW *rows);
void taos_fetch_rows_a(TAOS_RES *res, __taos_async_fn_t fp, void *param);
TAOS_ROW *taos_result_block(TAOS_RES *res);
int taos_fetch_raw_block(TAOS_RES *res, int *rows, void **data);
void taos_fetch_raw_block_a(TAOS_RES *res, __taos_async_fn_t fp, void *param);
const void *taos_get_raw_block(TAOS_RES *res);
void taos_stop_query(TAOS_RES *res);
void taos_free_result(TAOS_RES *res);

/* Section 5: schemaless. */

TAOS_RES *taos_schemaless_insert(TAOS *taos, char *lines[], int n, int protocol, int precision);
TAOS_RES *taos_schemaless_insert_raw(TAOS *taos, char *lines, int len, int32_t *total_rows, int protocol,
                                     int precision);
TAOS_RES *taos_schemaless_insert_raw_with_reqid(TAOS *taos, char *lines, int len, int32_t *total_rows, int protocol,
                                                int precision, int64_t reqid);
TAOS_RES *taos_schemaless_insert_raw_ttl(TAOS *taos, char *lines, int len, int32_t *total_rows, int protocol,
                                         int precision, int32_t ttl);
TAOS_RES *taos_schemaless_insert_raw_ttl_with_reqid(TAOS *taos, char *lines, int len, int32_t *total_rows,
                                                    int protocol, int precision, int32_t ttl, int64_t reqid);
TAOS_RES *taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(TAOS *taos, char *lines, int len, int32_t *total_rows,
                                                               int protocol, int precision, int32_t ttl,
                                                               int64_t reqid, char *key);

/* Section 6.1: statements of the first generation. */

TAOS_STMT *taos_stmt_init(TAOS *taos);
TAOS_STMT *taos_stmt_init_with_reqid(TAOS *taos, int64_t reqid);
TAOS_STMT *taos_stmt_init_with_options(TAOS *taos, TAOS_STMT_OPTIONS *options);
int taos_stmt_prepare(TAOS_STMT *stmt, const char *sql, unsigned long len);
int taos_stmt_set_tbname(TAOS_STMT *stmt, const char *name);
int taos_stmt_set_sub_tbname(TAOS_STMT *stmt, const char *name);
int taos_stmt_set_tags(TAOS_STMT *stmt, TAOS_MULTI_BIND *tags);
int taos_stmt_set_tbname_tags(TAOS_STMT *stmt, const char *name, TAOS_MULTI_BIND *tags);
int taos_stmt_get_tag_fields(TAOS_STMT *stmt, int *n, TAOS_FIELD_E **fields);
int taos_stmt_get_col_fields(TAOS_STMT *stmt, int *n, TAOS_FIELD_E **fields);
void taos_stmt_reclaim_fields(TAOS_STMT *stmt, TAOS_FIELD_E *fields);
int taos_stmt_is_insert(TAOS_STMT *stmt, int *insert);
int taos_stmt_num_params(TAOS_STMT *stmt, int *n);
int taos_stmt_get_param(TAOS_STMT *stmt, int idx, int *type, int *bytes);
int taos_stmt_bind_param(TAOS_STMT *stmt, TAOS_MULTI_BIND *bind);
int taos_stmt_bind_param_batch(TAOS_STMT *stmt, TAOS_MULTI_BIND *bind);
int taos_stmt_bind_single_param_batch(TAOS_STMT *stmt, TAOS_MULTI_BIND *bind, int col);
int taos_stmt_add_batch(TAOS_STMT *stmt);
int taos_stmt_execute(TAOS_STMT *stmt);
TAOS_RES *taos_stmt_use_result(TAOS_STMT *stmt);
int taos_stmt_affected_rows(TAOS_STMT *stmt);
int taos_stmt_affected_rows_once(TAOS_STMT *stmt);
char *taos_stmt_errstr(TAOS_STMT *stmt);
int taos_stmt_close(TAOS_STMT *stmt);

/* Section 6.2: statements of the second generation. */

TAOS_STMT2 *taos_stmt2_init(TAOS *taos, TAOS_STMT2_OPTION *option);
int taos_stmt2_prepare(TAOS_STMT2 *stmt, const char *sql, unsigned long len);
int taos_stmt2_bind_param(TAOS_STMT2 *stmt, TAOS_STMT2_BINDV *bindv, int32_t col_idx);
int taos_stmt2_bind_param_a(TAOS_STMT2 *stmt, TAOS_STMT2_BINDV *bindv, int32_t col_idx, __taos_async_fn_t fp,
                            void *param);
int taos_stmt2_exec(TAOS_STMT2 *stmt, int *affected);
int taos_stmt2_close(TAOS_STMT2 *stmt);
int taos_stmt2_is_insert(TAOS_STMT2 *stmt, int *insert);
int taos_stmt2_get_fields(TAOS_STMT2 *stmt, int *count, TAOS_FIELD_ALL **fields);
void taos_stmt2_free_fields(TAOS_STMT2 *stmt, TAOS_FIELD_ALL *fields);
TAOS_RES *taos_stmt2_result(TAOS_STMT2 *stmt);
char *taos_stmt2_error(TAOS_STMT2 *stmt);

/* Section 7: topics, and writing raw data. */

tmq_conf_t *tmq_conf_new(void);
void tmq_conf_destroy(tmq_conf_t *conf);
int tmq_conf_set(tmq_conf_t *conf, const char *key, const char *value);
void tmq_conf_set_auto_commit_cb(tmq_conf_t *conf, tmq_commit_cb *cb, void *param);
tmq_list_t *tmq_list_new(void);
int32_t tmq_list_append(tmq_list_t *list, const char *topic);
void tmq_list_destroy(tmq_list_t *list);
int32_t tmq_list_get_size(const tmq_list_t *list);
char **tmq_list_to_c_array(const tmq_list_t *list);
tmq_t *tmq_consumer_new(tmq_conf_t *conf, char *errstr, int32_t len);
int32_t tmq_subscribe(tmq_t *tmq, const tmq_list_t *list);
int32_t tmq_unsubscribe(tmq_t *tmq);
int32_t tmq_subscription(tmq_t *tmq, tmq_list_t **out);
TAOS_RES *tmq_consumer_poll(tmq_t *tmq, int64_t timeout_ms);
int32_t tmq_consumer_close(tmq_t *tmq);
int32_t tmq_commit_sync(tmq_t *tmq, const TAOS_RES *msg);
void tmq_commit_async(tmq_t *tmq, const TAOS_RES *msg, tmq_commit_cb *cb, void *param);
int32_t tmq_commit_offset_sync(tmq_t *tmq, const char *topic, int32_t vg, int64_t offset);
void tmq_commit_offset_async(tmq_t *tmq, const char *topic, int32_t vg, int64_t offset, tmq_commit_cb *cb,
                             void *param);
int32_t tmq_get_topic_assignment(tmq_t *tmq, const char *topic, tmq_topic_assignment **out, int32_t *n);
void tmq_free_assignment(tmq_topic_assignment *assignment);
int32_t tmq_offset_seek(tmq_t *tmq, const char *topic, int32_t vg, int64_t offset);
int64_t tmq_position(tmq_t *tmq, const char *topic, int32_t vg);
int64_t tmq_committed(tmq_t *tmq, const char *topic, int32_t vg);
TAOS *tmq_get_connect(tmq_t *tmq);
int tmq_get_res_type(TAOS_RES *res);
const char *tmq_get_topic_name(TAOS_RES *res);
const char *tmq_get_db_name(TAOS_RES *res);
const char *tmq_get_table_name(TAOS_RES *res);
int32_t tmq_get_vgroup_id(TAOS_RES *res);
int64_t tmq_get_vgroup_offset(TAOS_RES *res);
int32_t tmq_get_raw(TAOS_RES *res, tmq_raw_data *raw);
void tmq_free_raw(tmq_raw_data raw);
int32_t tmq_write_raw(TAOS *taos, tmq_raw_data raw);
char *tmq_get_json_meta(TAOS_RES *res);
void tmq_free_json_meta(char *json);
const char *tmq_err2str(int32_t code);
int taos_write_raw_block(TAOS *taos, int rows, char *data, const char *table);
int taos_write_raw_block_with_reqid(TAOS *taos, int rows, char *data, const char *table, int64_t reqid);
int taos_write_raw_block_with_fields(TAOS *taos, int rows, char *data, const char *table, TAOS_FIELD *fields, int n);
int taos_write_raw_block_with_fields_with_reqid(TAOS *taos, int rows, char *data, const char *table,
                                                TAOS_FIELD *fields, int n, int64_t reqid);

#endif
