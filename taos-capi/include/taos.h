/* The C interface of this library. Made from its sources by `cargo xtask header`; do not edit. */

#ifndef TAOS_H
#define TAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Room for a name and the NUL behind it.
 */
#define TSDB_COL_NAME_LEN 65

#define TSDB_DATA_TYPE_NULL 0

#define TSDB_DATA_TYPE_BOOL 1

#define TSDB_DATA_TYPE_TINYINT 2

#define TSDB_DATA_TYPE_SMALLINT 3

#define TSDB_DATA_TYPE_INT 4

#define TSDB_DATA_TYPE_BIGINT 5

#define TSDB_DATA_TYPE_FLOAT 6

#define TSDB_DATA_TYPE_DOUBLE 7

#define TSDB_DATA_TYPE_VARCHAR 8

#define TSDB_DATA_TYPE_TIMESTAMP 9

#define TSDB_DATA_TYPE_NCHAR 10

#define TSDB_DATA_TYPE_UTINYINT 11

#define TSDB_DATA_TYPE_USMALLINT 12

#define TSDB_DATA_TYPE_UINT 13

#define TSDB_DATA_TYPE_UBIGINT 14

#define TSDB_DATA_TYPE_JSON 15

#define TSDB_DATA_TYPE_VARBINARY 16

#define TSDB_DATA_TYPE_DECIMAL 17

#define TSDB_DATA_TYPE_BLOB 18

#define TSDB_DATA_TYPE_MEDIUMBLOB 19

#define TSDB_DATA_TYPE_GEOMETRY 20

#define TSDB_DATA_TYPE_DECIMAL64 21

/**
 * The older name of VARCHAR.
 */
#define TSDB_DATA_TYPE_BINARY TSDB_DATA_TYPE_VARCHAR

#define TSDB_TIME_PRECISION_MILLI 0

#define TSDB_TIME_PRECISION_MICRO 1

#define TSDB_TIME_PRECISION_NANO 2

/**
 * What `taos_set_config` tells.
 */
typedef enum SET_CONF_RET_CODE {
  SET_CONF_RET_SUCC = 0,
  SET_CONF_RET_ERR_PART = -1,
  SET_CONF_RET_ERR_INNER = -2,
  SET_CONF_RET_ERR_JSON_INVALID = -3,
  SET_CONF_RET_ERR_JSON_PARSE = -4,
  SET_CONF_RET_ERR_ONLY_ONCE = -5,
  SET_CONF_RET_ERR_TOO_LONG = -6,
} SET_CONF_RET_CODE;

/**
 * Modes of `taos_set_conn_mode`.
 */
typedef enum TAOS_CONN_MODE {
  TAOS_CONN_MODE_BI = 0,
} TAOS_CONN_MODE;

/**
 * What a placeholder of a second-generation statement stands for.
 */
typedef enum TAOS_FIELD_T {
  TAOS_FIELD_COL = 1,
  TAOS_FIELD_TAG = 2,
  TAOS_FIELD_QUERY = 3,
  TAOS_FIELD_TBNAME = 4,
} TAOS_FIELD_T;

/**
 * What `taos_set_notify_cb` would tell of.
 */
typedef enum TAOS_NOTIFY_TYPE {
  TAOS_NOTIFY_PASSVER = 0,
  TAOS_NOTIFY_WHITELIST_VER = 1,
  TAOS_NOTIFY_USER_DROPPED = 2,
} TAOS_NOTIFY_TYPE;

/**
 * What `taos_get_connection_info` tells.
 */
typedef enum TSDB_CONNECTION_INFO {
  TSDB_CONNECTION_INFO_USER = 0,
} TSDB_CONNECTION_INFO;

/**
 * Options of `taos_options`.
 */
typedef enum TSDB_OPTION {
  TSDB_OPTION_LOCALE = 0,
  TSDB_OPTION_CHARSET = 1,
  TSDB_OPTION_TIMEZONE = 2,
  TSDB_OPTION_CONFIGDIR = 3,
  TSDB_OPTION_SHELL_ACTIVITY_TIMER = 4,
  TSDB_OPTION_USE_ADAPTER = 5,
  TSDB_OPTION_DRIVER = 6,
  TSDB_MAX_OPTIONS = 7,
} TSDB_OPTION;

/**
 * Options of `taos_options_connection`.
 */
typedef enum TSDB_OPTION_CONNECTION {
  TSDB_OPTION_CONNECTION_CLEAR = -1,
  TSDB_OPTION_CONNECTION_CHARSET = 0,
  TSDB_OPTION_CONNECTION_TIMEZONE = 1,
  TSDB_OPTION_CONNECTION_USER_IP = 2,
  TSDB_OPTION_CONNECTION_USER_APP = 3,
  TSDB_OPTION_CONNECTION_CONNECTOR_INFO = 4,
  TSDB_MAX_OPTIONS_CONNECTION = 5,
} TSDB_OPTION_CONNECTION;

/**
 * What `taos_check_server_status` tells.
 */
typedef enum TSDB_SERVER_STATUS {
  TSDB_SRV_STATUS_UNAVAILABLE = 0,
  TSDB_SRV_STATUS_NETWORK_OK = 1,
  TSDB_SRV_STATUS_SERVICE_OK = 2,
  TSDB_SRV_STATUS_SERVICE_DEGRADED = 3,
  TSDB_SRV_STATUS_EXTING = 4,
} TSDB_SERVER_STATUS;

/**
 * Forms of schemaless lines.
 */
typedef enum TSDB_SML_PROTOCOL_TYPE {
  TSDB_SML_UNKNOWN_PROTOCOL = 0,
  TSDB_SML_LINE_PROTOCOL = 1,
  TSDB_SML_TELNET_PROTOCOL = 2,
  TSDB_SML_JSON_PROTOCOL = 3,
} TSDB_SML_PROTOCOL_TYPE;

/**
 * Units of the timestamps in schemaless lines.
 */
typedef enum TSDB_SML_TIMESTAMP_TYPE {
  TSDB_SML_TIMESTAMP_NOT_CONFIGURED = 0,
  TSDB_SML_TIMESTAMP_HOURS = 1,
  TSDB_SML_TIMESTAMP_MINUTES = 2,
  TSDB_SML_TIMESTAMP_SECONDS = 3,
  TSDB_SML_TIMESTAMP_MILLI_SECONDS = 4,
  TSDB_SML_TIMESTAMP_MICRO_SECONDS = 5,
  TSDB_SML_TIMESTAMP_NANO_SECONDS = 6,
} TSDB_SML_TIMESTAMP_TYPE;

/**
 * What `tmq_conf_set` gives.
 */
typedef enum tmq_conf_res_t {
  TMQ_CONF_UNKNOWN = -2,
  TMQ_CONF_INVALID = -1,
  TMQ_CONF_OK = 0,
} tmq_conf_res_t;

/**
 * What `tmq_get_res_type` gives.
 */
typedef enum tmq_res_t {
  TMQ_RES_INVALID = -1,
  TMQ_RES_DATA = 1,
  TMQ_RES_TABLE_META = 2,
  TMQ_RES_METADATA = 3,
  TMQ_RES_RAWDATA = 4,
} tmq_res_t;

/**
 * A connection.
 */
typedef void TAOS;

/**
 * The result of a statement, or a message of a topic.
 */
typedef void TAOS_RES;

/**
 * Reports the end of an execution or of a query: what the caller gave, the result, a code.
 */
typedef void (*__taos_async_fn_t)(void *param, void *res, int code);

/**
 * What `taos_set_config` says.
 */
typedef struct setConfRet {
  /**
   * 0, or a negative number: -1 some keys were not taken, -3 this is no JSON object.
   */
  int retCode;
  /**
   * NUL-terminated words about that.
   */
  char retMsg[1024];
} setConfRet;

/**
 * A row, or the columns of a block: one address a column.
 */
typedef void **TAOS_ROW;

/**
 * A column of a result: `TAOS_FIELD`. `bytes` is the user's length (characters of NCHAR, bytes of VARCHAR).
 */
typedef struct TAOS_FIELD {
  /**
   * NUL-terminated.
   */
  char name[TSDB_COL_NAME_LEN];
  /**
   * The number of the type (raw-block §3).
   */
  int8_t type;
  /**
   * Length, see above.
   */
  int32_t bytes;
} TAOS_FIELD;

/**
 * A column with the digits of a decimal: `TAOS_FIELD_E`. In fields of a statement `bytes` is the storage width.
 */
typedef struct TAOS_FIELD_E {
  /**
   * NUL-terminated.
   */
  char name[TSDB_COL_NAME_LEN];
  /**
   * The number of the type.
   */
  int8_t type;
  /**
   * Of a timestamp its unit (0 ms, 1 µs, 2 ns), of a decimal its digits.
   */
  uint8_t precision;
  /**
   * Digits of a decimal behind the point.
   */
  uint8_t scale;
  /**
   * Length, see above.
   */
  int32_t bytes;
} TAOS_FIELD_E;

/**
 * A prepared statement of the first generation.
 */
typedef void TAOS_STMT;

/**
 * How a first-generation statement is opened: `TAOS_STMT_OPTIONS`.
 */
typedef struct TAOS_STMT_OPTIONS {
  /**
   * The request id.
   */
  int64_t reqId;
  /**
   * All tables belong to one super table.
   */
  bool singleStbInsert;
  /**
   * Each table is bound once for each execution.
   */
  bool singleTableBindOnce;
} TAOS_STMT_OPTIONS;

/**
 * `unsigned long` of the interface: lengths of SQL texts.
 */
typedef unsigned long taos_sql_len;

/**
 * Values of one column for a first-generation statement: `TAOS_MULTI_BIND`.
 */
typedef struct TAOS_MULTI_BIND {
  /**
   * The number of the type.
   */
  int buffer_type;
  /**
   * The values, `buffer_length` bytes apart where their length varies.
   */
  void *buffer;
  /**
   * Bytes from one value to the next.
   */
  size_t buffer_length;
  /**
   * Bytes of each value; NULL for types of fixed width.
   */
  int32_t *length;
  /**
   * 1 for each NULL; NULL if there is none.
   */
  char *is_null;
  /**
   * Number of values.
   */
  int num;
} TAOS_MULTI_BIND;

/**
 * A prepared statement of the second generation.
 */
typedef void TAOS_STMT2;

/**
 * How a second-generation statement is opened: `TAOS_STMT2_OPTION`.
 */
typedef struct TAOS_STMT2_OPTION {
  /**
   * The request id.
   */
  int64_t reqid;
  /**
   * All tables belong to one super table.
   */
  bool singleStbInsert;
  /**
   * Each table is bound once for each execution.
   */
  bool singleTableBindOnce;
  /**
   * With it executions report here instead of blocking.
   */
  __taos_async_fn_t asyncExecFn;
  /**
   * The first argument of that.
   */
  void *userdata;
} TAOS_STMT2_OPTION;

/**
 * Values of one column or tag for a second-generation statement: `TAOS_STMT2_BIND`.
 */
typedef struct TAOS_STMT2_BIND {
  /**
   * The number of the type.
   */
  int buffer_type;
  /**
   * The values, one behind the other without gaps.
   */
  void *buffer;
  /**
   * Bytes of each value; NULL for types of fixed width.
   */
  int32_t *length;
  /**
   * 1 for each NULL (2: the column is left out of the row); NULL if there is none.
   */
  char *is_null;
  /**
   * Number of values.
   */
  int num;
} TAOS_STMT2_BIND;

/**
 * The data of any number of tables: `TAOS_STMT2_BINDV`. Each of the arrays may be NULL.
 */
typedef struct TAOS_STMT2_BINDV {
  /**
   * Number of tables.
   */
  int count;
  /**
   * A name for each table.
   */
  char **tbnames;
  /**
   * An array of tags for each table.
   */
  struct TAOS_STMT2_BIND **tags;
  /**
   * An array of columns for each table.
   */
  struct TAOS_STMT2_BIND **bind_cols;
} TAOS_STMT2_BINDV;

/**
 * A placeholder of a second-generation statement: `TAOS_FIELD_ALL`.
 */
typedef struct TAOS_FIELD_ALL {
  /**
   * NUL-terminated.
   */
  char name[TSDB_COL_NAME_LEN];
  /**
   * The number of the type.
   */
  int8_t type;
  /**
   * As in [`TaosFieldE`].
   */
  uint8_t precision;
  /**
   * Digits of a decimal behind the point.
   */
  uint8_t scale;
  /**
   * Storage width.
   */
  int32_t bytes;
  /**
   * 1 column, 2 tag, 3 parameter of a query, 4 table name.
   */
  uint8_t field_type;
} TAOS_FIELD_ALL;

/**
 * A consumer of topics.
 */
typedef void tmq_t;

/**
 * Reports the end of a commit: the consumer (NULL once it is closed), 0 or a negative code, what the program gave.
 */
typedef void (*tmq_commit_cb_fn)(tmq_t *tmq, int32_t code, void *param);

/**
 * The configuration of a consumer.
 */
typedef void tmq_conf_t;

/**
 * A list of topics.
 */
typedef void tmq_list_t;

/**
 * What a consumer reads of one vgroup: `tmq_topic_assignment`.
 */
typedef struct tmq_topic_assignment {
  /**
   * The vgroup.
   */
  int32_t vgId;
  /**
   * Where the last message that was delivered begins.
   */
  int64_t currentOffset;
  /**
   * The first place in the log.
   */
  int64_t begin;
  /**
   * The place behind the last message.
   */
  int64_t end;
} tmq_topic_assignment;

/**
 * A message as the server packs it: `tmq_raw_data`. It is passed by value.
 */
typedef struct tmq_raw_data {
  /**
   * The bytes.
   */
  void *raw;
  /**
   * Their number.
   */
  uint32_t raw_len;
  /**
   * The kind of message (tmq-raw §1).
   */
  uint16_t raw_type;
} tmq_raw_data;

/**
 * Called when something about a user has changed: what the program gave, what changed, and its kind.
 */
typedef void (*__taos_notify_fn_t)(void *param, void *ext, int type);

/**
 * Takes an allow-list: what the program gave, a code, the connection, and the list.
 */
typedef void (*__taos_async_whitelist_fn_t)(void *param,
                                            int code,
                                            TAOS *taos,
                                            int count,
                                            uint64_t *list);

/**
 * The same with addresses of both kinds, as text.
 */
typedef void (*__taos_async_whitelist_dual_stack_fn_t)(void *param,
                                                       int code,
                                                       TAOS *taos,
                                                       int count,
                                                       char **list);

/**
 * The range of hashes of one vgroup: `TAOS_VGROUP_HASH_INFO`.
 */
typedef struct TAOS_VGROUP_HASH_INFO {
  /**
   * The vgroup.
   */
  int32_t vgId;
  /**
   * The first hash.
   */
  uint32_t hashBegin;
  /**
   * The last hash.
   */
  uint32_t hashEnd;
} TAOS_VGROUP_HASH_INFO;

/**
 * How tables are divided among the vgroups of a database: `TAOS_DB_ROUTE_INFO`.
 */
typedef struct TAOS_DB_ROUTE_INFO {
  /**
   * Grows with each change.
   */
  int32_t routeVersion;
  /**
   * Bytes of a name's start that do not count.
   */
  int16_t hashPrefix;
  /**
   * Bytes of a name's end that do not count.
   */
  int16_t hashSuffix;
  /**
   * The hash function.
   */
  int8_t hashMethod;
  /**
   * Number of vgroups.
   */
  int32_t vgNum;
  /**
   * The vgroups.
   */
  struct TAOS_VGROUP_HASH_INFO *vgHash;
} TAOS_DB_ROUTE_INFO;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

extern void *malloc(size_t size);

extern void free(void *pointer);

/**
 * Connects with a user's name and password, and waits for it. NULL is an error, which `taos_errno(NULL)` tells on
 * the same thread.
 *
 * No host (NULL or empty) stands for what is configured (see `taos.cfg` in the guide), no user (NULL) for `root`, no
 * password (NULL) for `taosdata`, and no database (NULL or empty) for none. The port is that of taosAdapter; 0 stands for what is configured with the host, else 6041. Several hosts
 * may stand between commas.
 *
 * # Safety
 * Each address is NULL or that of NUL-terminated text in UTF-8.
 */
TAOS *taos_connect(const char *ip,
                   const char *user,
                   const char *pass,
                   const char *db,
                   uint16_t port);

/**
 * As `taos_connect`, with a one-time code beside the password (servers from 3.4.0.0 on). `taos_set_conn_mode` and
 * `taos_reset_current_db` fail on such a connection once the code has expired, as they log in anew.
 *
 * # Safety
 * As `taos_connect`.
 */
TAOS *taos_connect_totp(const char *ip,
                        const char *user,
                        const char *pass,
                        const char *totp,
                        const char *db,
                        uint16_t port);

/**
 * Connects as `taos_connect_totp` and closes the connection again; gives 0 or a negative code.
 *
 * # Safety
 * As `taos_connect`.
 */
int taos_connect_test(const char *ip,
                      const char *user,
                      const char *pass,
                      const char *totp,
                      const char *db,
                      uint16_t port);

/**
 * As `taos_connect`, with a token instead of name and password (servers from 3.4.0.0 on).
 *
 * # Safety
 * As `taos_connect`.
 */
TAOS *taos_connect_token(const char *ip, const char *token, const char *db, uint16_t port);

/**
 * Connects by a DSN such as `ws://localhost:6041` or `wss://host?token=…`; name, password and database count more
 * than those in it, unless they are NULL or empty. A DSN without servers takes those that are configured, and one
 * without a time zone that. As `taos_connect` otherwise.
 *
 * # Safety
 * As `taos_connect`.
 */
TAOS *taos_connect_dsn(const char *dsn,
                       const char *user,
                       const char *pass,
                       const char *db);

/**
 * Closes a connection and waits for nothing. Results, statements and consumers that came from it stay usable until
 * they are freed, and the socket is closed behind the last of them; calls that wait on other threads end as usual.
 * NULL is fine.
 *
 * # Safety
 * NULL, or a connection that was not closed.
 */
void taos_close(TAOS *taos);

/**
 * Fetches the next block as the server sent it (raw-block §1): its rows and its address, which stays until the next
 * fetch. 0 rows and NULL are the end. The result says 0 or an error's code.
 *
 * # Safety
 * NULL or a result that is alive; the places may be written.
 */
int taos_fetch_raw_block(TAOS_RES *res,
                         int *num_of_rows,
                         void **data);

/**
 * Fetches the next block and reports to `fp(param, result, rows)`: 0 rows are the end, a negative number is an
 * error's code. The block is then found by `taos_get_raw_block`. The callback may fetch again, wait for other calls,
 * or free the result.
 *
 * # Safety
 * NULL or a result that is alive; `fp` may be called from another thread.
 */
void taos_fetch_raw_block_a(TAOS_RES *res,
                            __taos_async_fn_t fp,
                            void *param);

/**
 * The block that was fetched last, until the next fetch; NULL if there is none.
 *
 * # Safety
 * NULL or a result that is alive.
 */
const void *taos_get_raw_block(TAOS_RES *res);

/**
 * Fetches the next block and reports as `taos_fetch_raw_block_a`; the rows are then taken by `taos_fetch_row`, as
 * many as were reported, or column by column from `taos_result_block`.
 *
 * # Safety
 * NULL or a result that is alive; `fp` may be called from another thread.
 */
void taos_fetch_rows_a(TAOS_RES *res,
                       __taos_async_fn_t fp,
                       void *param);

/**
 * The name of a type by its number, which lives for ever; "UNKNOWN" for others.
 */
const char *taos_data_type(int type);

/**
 * The health of the database behind a taosAdapter: 0 not to be reached, 1 the network is fine, 2 the service is,
 * 3 it is degraded, 4 it is being shut down. `details` takes more words, cut to `maxlen` bytes with their NUL.
 *
 * No `fqdn` and port 0 stand for what is configured. The login is that of `taos_connect` without name and password;
 * one that is refused still tells that the network is fine.
 *
 * # Safety
 * `fqdn` is NULL or text; `details` is NULL or has room for `maxlen` bytes.
 */
int taos_check_server_status(const char *fqdn,
                             int port,
                             char *details,
                             int maxlen);

/**
 * Does nothing, as the library starts what it needs when it needs it. Gives 0.
 */
int taos_init(void);

/**
 * Does nothing: handles that are left stay usable, and threads end with the process.
 */
void taos_cleanup(void);

/**
 * Sets values for connections that are made later, under the keys of `taos.cfg`: a JSON object of texts.
 *
 * # Safety
 * NULL or NUL-terminated text.
 */
struct setConfRet taos_set_config(const char *config);

/**
 * Writes a row as text, its values between spaces and `NULL` for NULL, and gives the number of bytes. The text ends
 * with NUL. How much room there is cannot be told here, so `taos_print_row_with_size` is better.
 *
 * # Safety
 * `row` is what `taos_fetch_row` gave last, with as many fields; `str` has room for the text.
 */
int taos_print_row(char *str,
                   TAOS_ROW row,
                   struct TAOS_FIELD *fields,
                   int num_fields);

/**
 * As `taos_print_row`, cut to `size` bytes with the NUL.
 *
 * # Safety
 * As `taos_print_row`; `str` has room for `size` bytes.
 */
int taos_print_row_with_size(char *str,
                             uint32_t size,
                             TAOS_ROW row,
                             struct TAOS_FIELD *fields,
                             int num_fields);

/**
 * Runs a statement and waits for it. The result is never NULL, also after an error: ask `taos_errno(result)`, and
 * free it with `taos_free_result`.
 *
 * # Safety
 * `taos` is NULL or a connection that is not closed meanwhile, `sql` NULL or NUL-terminated text in UTF-8.
 */
TAOS_RES *taos_query(TAOS *taos,
                     const char *sql);

/**
 * As `taos_query`, with a request id that shows in the server's logs; 0 lets the library make one.
 *
 * # Safety
 * As `taos_query`.
 */
TAOS_RES *taos_query_with_reqid(TAOS *taos, const char *sql, int64_t req_id);

/**
 * Runs a statement and reports to `fp(param, result, code)` on a thread of the library that may block. The SQL is
 * copied. The result is never NULL and belongs to the callback; the code is 0 or negative.
 *
 * # Safety
 * As `taos_query`; `fp` may be called from another thread.
 */
void taos_query_a(TAOS *taos,
                  const char *sql,
                  __taos_async_fn_t fp,
                  void *param);

/**
 * As `taos_query_a`, with a request id as in `taos_query_with_reqid`.
 *
 * # Safety
 * As `taos_query_a`.
 */
void taos_query_a_with_reqid(TAOS *taos,
                             const char *sql,
                             __taos_async_fn_t fp,
                             void *param,
                             int64_t req_id);

/**
 * The code of a result's error, negative, or 0; of NULL that of the last call on this thread.
 *
 * # Safety
 * NULL or a result that is alive.
 */
int taos_errno(TAOS_RES *res);

/**
 * The text of a result's error, which lives as long as the result; of NULL that of the last call on this thread,
 * until the next call on it. "success" if there is none.
 *
 * # Safety
 * NULL or a result that is alive.
 */
const char *taos_errstr(TAOS_RES *res);

/**
 * The number of columns, 0 for a write and for NULL. Of a message those of its present block.
 *
 * # Safety
 * NULL or a result that is alive.
 */
int taos_field_count(TAOS_RES *res);

/**
 * As `taos_field_count`.
 *
 * # Safety
 * NULL or a result that is alive.
 */
int taos_num_fields(TAOS_RES *res);

/**
 * The columns, `taos_field_count` of them, which live as long as the result (of a message until its next block);
 * NULL if there are none. `bytes` counts characters of NCHAR and bytes of every other type.
 *
 * # Safety
 * NULL or a result that is alive.
 */
struct TAOS_FIELD *taos_fetch_fields(TAOS_RES *res);

/**
 * As `taos_fetch_fields`, with the digits of decimals and the unit of timestamps.
 *
 * # Safety
 * NULL or a result that is alive.
 */
struct TAOS_FIELD_E *taos_fetch_fields_e(TAOS_RES *res);

/**
 * The number of rows that a write changed; `INT_MAX` for more.
 *
 * # Safety
 * NULL or a result that is alive.
 */
int taos_affected_rows(TAOS_RES *res);

/**
 * The number of rows that a write changed.
 *
 * # Safety
 * NULL or a result that is alive.
 */
int64_t taos_affected_rows64(TAOS_RES *res);

/**
 * The unit of the timestamps: 0 ms, 1 µs, 2 ns.
 *
 * # Safety
 * NULL or a result that is alive.
 */
int taos_result_precision(TAOS_RES *res);

/**
 * True for a result without columns, and for NULL.
 *
 * # Safety
 * NULL or a result that is alive.
 */
bool taos_is_update_query(TAOS_RES *res);

/**
 * Gives the rest of a result up: a fetch that is under way ends with 0x8000022D, as do those after it. The result
 * must still be freed.
 *
 * # Safety
 * NULL or a result that is alive.
 */
void taos_stop_query(TAOS_RES *res);

/**
 * Frees a result or a message; NULL is fine. While a fetch of it is under way, or from within a callback about it,
 * it only stops the fetch, and the memory goes when the last callback has returned. The result of a statement
 * belongs to the statement and stays.
 *
 * # Safety
 * NULL, or a result that was not freed; nothing that was lent by it may be used any more.
 */
void taos_free_result(TAOS_RES *res);

/**
 * The next row, after a fetch if need be: the address of each value, NULL for NULL. Addresses and lengths stay until
 * the next call. NULL is the end, or an error if `taos_errno(result)` is not 0.
 *
 * Text and bytes have no NUL behind them in general: `taos_fetch_lengths` tells where they end. NCHAR and JSON are
 * UTF-8, decimals text that ends with NUL, timestamps 8 bytes in the result's unit.
 *
 * # Safety
 * NULL or a result that is alive.
 */
TAOS_ROW taos_fetch_row(TAOS_RES *res);

/**
 * The length of each value of the row that `taos_fetch_row` gave last, 0 for NULL; after `taos_fetch_block` and
 * `taos_fetch_rows_a` the width of each column in storage. NULL if nothing was fetched.
 *
 * # Safety
 * NULL or a result that is alive.
 */
int *taos_fetch_lengths(TAOS_RES *res);

/**
 * Fetches the next block column by column, and gives the number of its rows; 0 is the end, or an error if
 * `taos_errno(result)` is not 0.
 *
 * A column of fixed width is the address of its values, one behind the other (decimals: text that ends with NUL,
 * every 64 bytes); `taos_is_null_by_column` tells the NULLs. Of the others `taos_get_column_data_offset` tells where
 * each value begins, with its length in 2 bytes (BLOB: 4) in front. All stays until the next fetch.
 *
 * # Safety
 * NULL or a result that is alive; `rows` is NULL or may be written.
 */
int taos_fetch_block(TAOS_RES *res,
                     TAOS_ROW *rows);

/**
 * As `taos_fetch_block`, but the number of rows is written to `num_of_rows`, and 0 or an error's code is returned.
 *
 * # Safety
 * As `taos_fetch_block`; `num_of_rows` is NULL or may be written.
 */
int taos_fetch_block_s(TAOS_RES *res,
                       int *num_of_rows,
                       TAOS_ROW *rows);

/**
 * The place that holds the columns of the block that `taos_fetch_rows_a` reported, as `taos_fetch_block` gives them;
 * NULL if there is none.
 *
 * # Safety
 * NULL or a result that is alive.
 */
TAOS_ROW *taos_result_block(TAOS_RES *res);

/**
 * Where the values of a column of variable width begin, counted from the column's address, -1 for NULL; as many as
 * the block has rows. NULL for other columns.
 *
 * # Safety
 * NULL or a result that is alive.
 */
int *taos_get_column_data_offset(TAOS_RES *res,
                                 int column_index);

/**
 * True if a value of the block that was fetched last is NULL, or is not there.
 *
 * # Safety
 * NULL or a result that is alive.
 */
bool taos_is_null(TAOS_RES *res, int row, int col);

/**
 * Tells the NULLs of a column: `rows` says how much room `result` has, and afterwards how many values were told.
 * Gives 0 or a negative code.
 *
 * # Safety
 * NULL or a result that is alive; `result` has room for `*rows` values.
 */
int taos_is_null_by_column(TAOS_RES *res,
                           int column_index,
                           bool *result,
                           int *rows);

/**
 * Writes an array of lines.
 *
 * # Safety
 * As `taos_schemaless_insert_ttl_with_reqid_tbname_key`.
 */
TAOS_RES *taos_schemaless_insert(TAOS *taos,
                                 char **lines,
                                 int numLines,
                                 int protocol,
                                 int precision);

/**
 * As `taos_schemaless_insert`, with a request id; 0 lets one be made.
 *
 * # Safety
 * As `taos_schemaless_insert_ttl_with_reqid_tbname_key`.
 */
TAOS_RES *taos_schemaless_insert_with_reqid(TAOS *taos,
                                            char **lines,
                                            int numLines,
                                            int protocol,
                                            int precision,
                                            int64_t reqid);

/**
 * As `taos_schemaless_insert`; tables that it makes go after `ttl` days, never with 0.
 *
 * # Safety
 * As `taos_schemaless_insert_ttl_with_reqid_tbname_key`.
 */
TAOS_RES *taos_schemaless_insert_ttl(TAOS *taos,
                                     char **lines,
                                     int numLines,
                                     int protocol,
                                     int precision,
                                     int32_t ttl);

/**
 * As `taos_schemaless_insert_ttl`, with a request id.
 *
 * # Safety
 * As `taos_schemaless_insert_ttl_with_reqid_tbname_key`.
 */
TAOS_RES *taos_schemaless_insert_ttl_with_reqid(TAOS *taos,
                                                char **lines,
                                                int numLines,
                                                int protocol,
                                                int precision,
                                                int32_t ttl,
                                                int64_t reqid);

/**
 * As `taos_schemaless_insert_ttl_with_reqid`; the tag `tbnameKey` names the table.
 *
 * # Safety
 * `taos` is NULL or a connection that is open; `lines` is NULL or leads to so many texts, each NULL or ending
 * with NUL; so does the key.
 */
TAOS_RES *taos_schemaless_insert_ttl_with_reqid_tbname_key(TAOS *taos,
                                                           char **lines,
                                                           int numLines,
                                                           int protocol,
                                                           int precision,
                                                           int32_t ttl,
                                                           int64_t reqid,
                                                           char *tbnameKey);

/**
 * Writes lines in one text of `len` bytes; `totalRows` gets the number of rows in it.
 *
 * # Safety
 * As `taos_schemaless_insert_raw_ttl_with_reqid_tbname_key`.
 */
TAOS_RES *taos_schemaless_insert_raw(TAOS *taos,
                                     char *lines,
                                     int len,
                                     int32_t *totalRows,
                                     int protocol,
                                     int precision);

/**
 * As `taos_schemaless_insert_raw`, with a request id; 0 lets one be made.
 *
 * # Safety
 * As `taos_schemaless_insert_raw_ttl_with_reqid_tbname_key`.
 */
TAOS_RES *taos_schemaless_insert_raw_with_reqid(TAOS *taos,
                                                char *lines,
                                                int len,
                                                int32_t *totalRows,
                                                int protocol,
                                                int precision,
                                                int64_t reqid);

/**
 * As `taos_schemaless_insert_raw`; tables that it makes go after `ttl` days, never with 0.
 *
 * # Safety
 * As `taos_schemaless_insert_raw_ttl_with_reqid_tbname_key`.
 */
TAOS_RES *taos_schemaless_insert_raw_ttl(TAOS *taos,
                                         char *lines,
                                         int len,
                                         int32_t *totalRows,
                                         int protocol,
                                         int precision,
                                         int32_t ttl);

/**
 * As `taos_schemaless_insert_raw_ttl`, with a request id.
 *
 * # Safety
 * As `taos_schemaless_insert_raw_ttl_with_reqid_tbname_key`.
 */
TAOS_RES *taos_schemaless_insert_raw_ttl_with_reqid(TAOS *taos,
                                                    char *lines,
                                                    int len,
                                                    int32_t *totalRows,
                                                    int protocol,
                                                    int precision,
                                                    int32_t ttl,
                                                    int64_t reqid);

/**
 * As `taos_schemaless_insert_raw_ttl_with_reqid`; the tag `tbnameKey` names the table.
 *
 * # Safety
 * `taos` is NULL or a connection that is open; `lines` is NULL or has so many bytes; `totalRows` is NULL or leads
 * to room for a number; the key is NULL or ends with NUL.
 */
TAOS_RES *taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(TAOS *taos,
                                                               char *lines,
                                                               int len,
                                                               int32_t *totalRows,
                                                               int protocol,
                                                               int precision,
                                                               int32_t ttl,
                                                               int64_t reqid,
                                                               char *tbnameKey);

/**
 * Makes a database the current one of the connection; gives 0 or a negative code.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile; NULL or text.
 */
int taos_select_db(TAOS *taos, const char *db);

/**
 * Writes the name of the current database, empty for none, and gives 0. If it does not fit, it is cut, `required`
 * says how many bytes it takes with its NUL, and the code is 0x80000118.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile; `database` has room for `len` bytes, `required` may be written;
 * both may be NULL.
 */
int taos_get_current_db(TAOS *taos,
                        char *database,
                        int len,
                        int *required);

/**
 * Makes the connection one without a current database. The server cannot be told so, which is why the connection
 * logs in anew; results of the old one stay readable.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile.
 */
void taos_reset_current_db(TAOS *taos);

/**
 * The server's version, with its build and revision where it tells them, for as long as the connection is open;
 * NULL after an error.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile.
 */
const char *taos_get_server_info(TAOS *taos);

/**
 * Sets a mode of the connection: mode 0 is BI mode, value 1 on, 0 off. The server is told at login only, so that
 * the connection logs in anew; database and options are restored. Gives 0 or a negative code.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile.
 */
int taos_set_conn_mode(TAOS *taos,
                       int mode,
                       int value);

/**
 * Writes what is known of the connection: info 0 is the user's name. `len` says how much room there is, and
 * afterwards how many bytes the text takes with its NUL. Gives 0 or a negative code.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile; `buffer` has room for `*len` bytes; both may be NULL.
 */
int taos_get_connection_info(TAOS *taos,
                             int info,
                             char *buffer,
                             int *len);

/**
 * Checks a statement without running it; gives 0 or a negative code.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile; NULL or text.
 */
int taos_validate_sql(TAOS *taos, const char *sql);

/**
 * Writes the number of the vgroup that a table lies in, as `information_schema` tells it; gives 0 or a negative
 * code.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile; NULL or texts; `vg_id` may be written.
 */
int taos_get_table_vgId(TAOS *taos,
                        const char *db,
                        const char *table,
                        int *vg_id);

/**
 * As `taos_get_table_vgId`, for `num` tables of one database.
 *
 * # Safety
 * As `taos_get_table_vgId`; `tables` has `num` texts, `vg_id` room for as many numbers.
 */
int taos_get_tables_vgId(TAOS *taos,
                         const char *db,
                         const char *const *tables,
                         int num,
                         int *vg_id);

/**
 * Stops all statements and fetches of the connection: they end with 0x8000022D.
 *
 * # Safety
 * NULL or a connection that is not closed meanwhile.
 */
void taos_kill_query(TAOS *taos);

/**
 * Makes a statement, to be closed by `taos_stmt_close`. NULL is an error, which `taos_errno(NULL)` tells.
 *
 * # Safety
 * `taos` is NULL or a handle that is open.
 */
TAOS_STMT *taos_stmt_init(TAOS *taos);

/**
 * As `taos_stmt_init`, with a request id that shows in the server's logs; 0 lets one be made.
 *
 * # Safety
 * As `taos_stmt_init`.
 */
TAOS_STMT *taos_stmt_init_with_reqid(TAOS *taos, int64_t reqid);

/**
 * As `taos_stmt_init_with_reqid`. What else the options say makes the native library faster, and nothing here.
 *
 * # Safety
 * As `taos_stmt_init`; `options` is NULL or leads to the options.
 */
TAOS_STMT *taos_stmt_init_with_options(TAOS *taos,
                                       struct TAOS_STMT_OPTIONS *options);

/**
 * Prepares an INSERT or SELECT of `length` bytes; 0 means that it ends with NUL.
 *
 * # Safety
 * `stmt` is NULL or a statement that is open and that nobody else uses meanwhile; `sql` is NULL or a text.
 */
int taos_stmt_prepare(TAOS_STMT *stmt,
                      const char *sql,
                      taos_sql_len length);

/**
 * Says which table the following columns go to.
 *
 * # Safety
 * As `taos_stmt_prepare`.
 */
int taos_stmt_set_tbname(TAOS_STMT *stmt, const char *name);

/**
 * As `taos_stmt_set_tbname`.
 *
 * # Safety
 * As `taos_stmt_prepare`.
 */
int taos_stmt_set_sub_tbname(TAOS_STMT *stmt, const char *name);

/**
 * Gives the tags of the table, one bind a placeholder.
 *
 * # Safety
 * As `taos_stmt_prepare`; `tags` is NULL or leads to as many binds as there are placeholders, each with as much
 * memory behind its pointers as its numbers say.
 */
int taos_stmt_set_tags(TAOS_STMT *stmt,
                       struct TAOS_MULTI_BIND *tags);

/**
 * `taos_stmt_set_tbname` and `taos_stmt_set_tags` in one call.
 *
 * # Safety
 * As those.
 */
int taos_stmt_set_tbname_tags(TAOS_STMT *stmt, const char *name, struct TAOS_MULTI_BIND *tags);

/**
 * The tags that are to be bound, to be freed by `taos_stmt_reclaim_fields`. `bytes` is the storage width.
 *
 * # Safety
 * As `taos_stmt_get_col_fields`.
 */
int taos_stmt_get_tag_fields(TAOS_STMT *stmt,
                             int *fieldNum,
                             struct TAOS_FIELD_E **fields);

/**
 * The columns that are to be bound, to be freed by `taos_stmt_reclaim_fields`. `bytes` is the storage width.
 *
 * # Safety
 * As `taos_stmt_prepare`; the others are NULL or lead to room for a number and a pointer.
 */
int taos_stmt_get_col_fields(TAOS_STMT *stmt,
                             int *fieldNum,
                             struct TAOS_FIELD_E **fields);

/**
 * Frees what `taos_stmt_get_tag_fields` or `taos_stmt_get_col_fields` gave.
 *
 * # Safety
 * `fields` is NULL or comes from one of them and was not freed.
 */
void taos_stmt_reclaim_fields(TAOS_STMT *_stmt, struct TAOS_FIELD_E *fields);

/**
 * 1 for an INSERT, else 0.
 *
 * # Safety
 * As `taos_stmt_prepare`; `insert` is NULL or leads to room for a number.
 */
int taos_stmt_is_insert(TAOS_STMT *stmt, int *insert);

/**
 * The number of values of a row: columns of an INSERT, parameters of a query.
 *
 * # Safety
 * As `taos_stmt_prepare`; `nums` is NULL or leads to room for a number.
 */
int taos_stmt_num_params(TAOS_STMT *stmt, int *nums);

/**
 * Type and storage width of a column, counted from 0. Parameters of a query take any type, which is an error.
 *
 * # Safety
 * As `taos_stmt_prepare`; `type` and `bytes` are NULL or lead to room for a number.
 */
int taos_stmt_get_param(TAOS_STMT *stmt,
                        int idx,
                        int *type,
                        int *bytes);

/**
 * Binds one row, or the parameters of a query. Everything is copied.
 *
 * # Safety
 * As `taos_stmt_bind_param_batch`.
 */
int taos_stmt_bind_param(TAOS_STMT *stmt, struct TAOS_MULTI_BIND *bind);

/**
 * Binds up to 32,767 rows. Everything is copied.
 *
 * # Safety
 * As `taos_stmt_prepare`; `bind` is NULL or leads to as many binds as there are columns, each with as much
 * memory behind its pointers as its numbers say.
 */
int taos_stmt_bind_param_batch(TAOS_STMT *stmt,
                               struct TAOS_MULTI_BIND *bind);

/**
 * Binds the rows of one column, counted from 0; they count once all columns are bound.
 *
 * # Safety
 * As `taos_stmt_bind_param_batch`, with one bind.
 */
int taos_stmt_bind_single_param_batch(TAOS_STMT *stmt, struct TAOS_MULTI_BIND *bind, int colIdx);

/**
 * Closes the batch of the table.
 *
 * # Safety
 * As `taos_stmt_prepare`.
 */
int taos_stmt_add_batch(TAOS_STMT *stmt);

/**
 * Sends all batches, or runs the query.
 *
 * # Safety
 * As `taos_stmt_prepare`.
 */
int taos_stmt_execute(TAOS_STMT *stmt);

/**
 * The rows of an executed query. They belong to the statement until it is closed, prepared or executed again:
 * do not free them. NULL is an error.
 *
 * # Safety
 * As `taos_stmt_prepare`.
 */
TAOS_RES *taos_stmt_use_result(TAOS_STMT *stmt);

/**
 * Rows changed by all executions of the statement.
 *
 * # Safety
 * As `taos_stmt_prepare`.
 */
int taos_stmt_affected_rows(TAOS_STMT *stmt);

/**
 * Rows changed by the last execution.
 *
 * # Safety
 * As `taos_stmt_prepare`.
 */
int taos_stmt_affected_rows_once(TAOS_STMT *stmt);

/**
 * The words of the last error. They belong to the statement until its next call.
 *
 * # Safety
 * As `taos_stmt_prepare`.
 */
char *taos_stmt_errstr(TAOS_STMT *stmt);

/**
 * Closes the statement and frees its result.
 *
 * # Safety
 * `stmt` is NULL or a statement that is open; it is worth nothing afterwards.
 */
int taos_stmt_close(TAOS_STMT *stmt);

/**
 * Makes a statement, to be closed by `taos_stmt2_close`. NULL is an error, which `taos_errno(NULL)` tells.
 *
 * # Safety
 * `taos` is NULL or a connection that is open; `option` is NULL or leads to options.
 */
TAOS_STMT2 *taos_stmt2_init(TAOS *taos,
                            struct TAOS_STMT2_OPTION *option);

/**
 * Prepares an INSERT or SELECT of `length` bytes; 0 means that it ends with NUL. What was bound is forgotten,
 * and so is an error.
 *
 * # Safety
 * `stmt` is NULL or a statement that is open and that nobody else uses meanwhile; `sql` is NULL or a text.
 */
int taos_stmt2_prepare(TAOS_STMT2 *stmt,
                       const char *sql,
                       taos_sql_len length);

/**
 * Binds the data of any number of tables; of one column only, counted from 0, unless `col_idx` is -1.
 * Everything is copied.
 *
 * # Safety
 * As `taos_stmt2_prepare`; `bindv` is NULL or leads to arrays as long as it and the statement say, with as much
 * memory behind their pointers as their numbers say.
 */
int taos_stmt2_bind_param(TAOS_STMT2 *stmt,
                          struct TAOS_STMT2_BINDV *bindv,
                          int32_t col_idx);

/**
 * As `taos_stmt2_bind_param`; the outcome is reported to `fp`, with `param` and no result, on a thread of the
 * library. An error code that is returned is not reported.
 *
 * # Safety
 * As `taos_stmt2_bind_param`; `fp` may be called from another thread with `param`.
 */
int taos_stmt2_bind_param_a(TAOS_STMT2 *stmt,
                            struct TAOS_STMT2_BINDV *bindv,
                            int32_t col_idx,
                            __taos_async_fn_t fp,
                            void *param);

/**
 * Runs the statement with what was bound.
 *
 * With an `asyncExecFn` it comes back at once, and the outcome is reported to that on a thread of the library:
 * the result belongs to the statement. One execution may be under way at a time. Otherwise it waits, and tells
 * the rows changed.
 *
 * # Safety
 * As `taos_stmt2_prepare`; `affected_rows` is NULL or leads to room for a number.
 */
int taos_stmt2_exec(TAOS_STMT2 *stmt,
                    int *affected_rows);

/**
 * Closes the statement and frees its result, once an execution under way has been reported.
 *
 * # Safety
 * `stmt` is NULL or a statement that is open; it is worth nothing afterwards.
 */
int taos_stmt2_close(TAOS_STMT2 *stmt);

/**
 * 1 for an INSERT, else 0.
 *
 * # Safety
 * As `taos_stmt2_prepare`; `insert` is NULL or leads to room for a number.
 */
int taos_stmt2_is_insert(TAOS_STMT2 *stmt, int *insert);

/**
 * What the placeholders stand for, to be freed by `taos_stmt2_free_fields`; of a query their number only.
 * `bytes` is the storage width.
 *
 * # Safety
 * As `taos_stmt2_prepare`; `count` and `fields` are NULL or lead to room for a number and a pointer.
 */
int taos_stmt2_get_fields(TAOS_STMT2 *stmt,
                          int *count,
                          struct TAOS_FIELD_ALL **fields);

/**
 * Frees what `taos_stmt2_get_fields` gave.
 *
 * # Safety
 * `fields` is NULL or comes from there and was not freed.
 */
void taos_stmt2_free_fields(TAOS_STMT2 *_stmt, struct TAOS_FIELD_ALL *fields);

/**
 * The rows of an executed query. They belong to the statement until it is closed, prepared or executed again:
 * do not free them. NULL is an error.
 *
 * # Safety
 * As `taos_stmt2_prepare`.
 */
TAOS_RES *taos_stmt2_result(TAOS_STMT2 *stmt);

/**
 * The words of the last error. They belong to the statement until its next call.
 *
 * # Safety
 * As `taos_stmt2_prepare`.
 */
char *taos_stmt2_error(TAOS_STMT2 *stmt);

/**
 * Commits a message and all before it in its vgroup, or with NULL all that was polled, and waits for it. 0, or a
 * negative code. The group is never set back by it.
 *
 * # Safety
 * `tmq` is NULL or a consumer, `msg` NULL or a result, both alive.
 */
int32_t tmq_commit_sync(tmq_t *tmq,
                        const TAOS_RES *msg);

/**
 * As `tmq_commit_sync`, without waiting: `cb(tmq, code, param)` is told on a thread of the library, unless it is
 * NULL. The message may be freed at once.
 *
 * # Safety
 * As `tmq_commit_sync`; `cb` may be called from another thread.
 */
void tmq_commit_async(tmq_t *tmq,
                      const TAOS_RES *msg,
                      tmq_commit_cb_fn cb,
                      void *param);

/**
 * Commits a place, wherever the group is: `offset` is the next version to be read. 0, or a negative code, such as
 * 0x80004007 for a place that the log does not have.
 *
 * # Safety
 * `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
 */
int32_t tmq_commit_offset_sync(tmq_t *tmq,
                               const char *topic,
                               int32_t vgroup_id,
                               int64_t offset);

/**
 * As `tmq_commit_offset_sync`, without waiting, and telling as `tmq_commit_async` does.
 *
 * # Safety
 * As `tmq_commit_offset_sync`; `cb` may be called from another thread.
 */
void tmq_commit_offset_async(tmq_t *tmq,
                             const char *topic,
                             int32_t vgroup_id,
                             int64_t offset,
                             tmq_commit_cb_fn cb,
                             void *param);

/**
 * A new configuration, to be freed with `tmq_conf_destroy`.
 */
tmq_conf_t *tmq_conf_new(void);

/**
 * Sets a value. 0 if it was taken, -1 for a value that the key does not take, -2 for a key that is not known.
 *
 * Keys: `group.id` (needed), `client.id`, `auto.offset.reset` (`earliest`, `latest`, `none`), `enable.auto.commit`
 * (`true`), `auto.commit.interval.ms` (5000), `session.timeout.ms`, `heartbeat.interval.ms`, `max.poll.interval.ms`,
 * `fetch.max.wait.ms`, `min.poll.rows`, `msg.with.table.name`, `msg.enable.batchmeta`, `msg.consume.excluded`,
 * `msg.consume.rawdata`, `experimental.snapshot.enable`, `enable.replay`, and `td.connect.ip`, `.port` (0: what is
 * configured, else 6041), `.user`, `.pass`, `.token`, `.db`.
 *
 * # Safety
 * `conf` is NULL or a configuration that nobody else uses meanwhile, `key` and `value` NULL or NUL-terminated text.
 */
int tmq_conf_set(tmq_conf_t *conf,
                 const char *key,
                 const char *value);

/**
 * Frees a configuration; consumers that were made with it stay. NULL is fine.
 *
 * # Safety
 * NULL, or a configuration that was not freed.
 */
void tmq_conf_destroy(tmq_conf_t *conf);

/**
 * Has `cb(tmq, code, param)` told of each automatic commit, on a thread of the library. NULL for none.
 *
 * # Safety
 * `conf` as in `tmq_conf_set`; `cb` may be called from another thread until the consumer is closed.
 */
void tmq_conf_set_auto_commit_cb(tmq_conf_t *conf,
                                 tmq_commit_cb_fn cb,
                                 void *param);

/**
 * Makes a consumer and connects it; the configuration may be freed afterwards. NULL is an error, whose words are
 * written to `errstr`, cut to `errstr_len` bytes with their NUL, and whose code `taos_errno(NULL)` tells on this
 * thread.
 *
 * # Safety
 * `conf` is NULL or a configuration that is alive; `errstr` is NULL or has `errstr_len` bytes.
 */
tmq_t *tmq_consumer_new(tmq_conf_t *conf,
                        char *errstr,
                        int32_t errstr_len);

/**
 * Joins the group and reads these topics, and none of before, from now on; an empty list leaves the group. The list
 * is copied. 0, or a negative code.
 *
 * # Safety
 * `tmq` is NULL or a consumer, `list` NULL or a list, both alive.
 */
int32_t tmq_subscribe(tmq_t *tmq,
                      const tmq_list_t *list);

/**
 * Leaves the group. With `enable.auto.commit` all that was polled is committed before. 0, or a negative code.
 *
 * # Safety
 * NULL, or a consumer that is alive.
 */
int32_t tmq_unsubscribe(tmq_t *tmq);

/**
 * Adds the topics that are subscribed to to `*topics`, or makes that a new list if it is NULL; destroy it with
 * `tmq_list_destroy`. 0, or a negative code.
 *
 * # Safety
 * `tmq` is NULL or a consumer that is alive; `topics` is NULL or the place of NULL or of a list.
 */
int32_t tmq_subscription(tmq_t *tmq,
                         tmq_list_t **topics);

/**
 * Waits at most so many milliseconds for a message; negative numbers wait for ever, and 0 looks once. The message is
 * a result, to be freed with `taos_free_result`, also after the consumer. NULL if none came; if `taos_errno(NULL)` is
 * not 0 then, the reason is that error.
 *
 * A message from a server before 3.3.1.2 stays there, and its rows can be fetched only until the next poll.
 *
 * # Safety
 * NULL, or a consumer that is alive.
 */
TAOS_RES *tmq_consumer_poll(tmq_t *tmq,
                            int64_t timeout);

/**
 * Leaves the group as `tmq_unsubscribe` does, closes the connection of `tmq_get_connect`, and frees the consumer if
 * it gives 0. Messages stay until they are freed. Waits up to five seconds for callbacks of commits that run, but not
 * from within one; a callback that runs longer may use the consumer until it returns, and nobody else may.
 *
 * # Safety
 * NULL, or a consumer that nobody else uses any more.
 */
int32_t tmq_consumer_close(tmq_t *tmq);

/**
 * The connection beside the consumer, with the same login. It belongs to the consumer: use it, and never close it.
 *
 * # Safety
 * NULL, or a consumer that is alive.
 */
TAOS *tmq_get_connect(tmq_t *tmq);

/**
 * A new, empty list, to be freed with `tmq_list_destroy`.
 */
tmq_list_t *tmq_list_new(void);

/**
 * Adds a copy of a topic's name. 0, or a negative code.
 *
 * # Safety
 * `list` is NULL or a list that nobody else uses meanwhile, `name` NULL or NUL-terminated text.
 */
int tmq_list_append(tmq_list_t *list, const char *name);

/**
 * Frees a list with its names. NULL is fine.
 *
 * # Safety
 * NULL, or a list that was not freed.
 */
void tmq_list_destroy(tmq_list_t *list);

/**
 * The number of topics; -1 for what is no list.
 *
 * # Safety
 * NULL, or a list that is alive.
 */
int tmq_list_get_size(const tmq_list_t *list);

/**
 * The names, `tmq_list_get_size` of them. Array and names belong to the list and stay until it is changed or freed.
 * NULL for what is no list.
 *
 * # Safety
 * NULL, or a list that is alive.
 */
char **tmq_list_to_c_array(const tmq_list_t *list);

/**
 * What the message holds: 1 rows, 2 meta, 3 rows and the meta of tables that were created for them, 4 rows as they
 * are stored; -1 for what is no message.
 *
 * # Safety
 * NULL, or a result that is alive.
 */
int tmq_get_res_type(TAOS_RES *res);

/**
 * The topic, as text that lives as long as the message; NULL for what is no message.
 *
 * # Safety
 * NULL, or a result that is alive.
 */
const char *tmq_get_topic_name(TAOS_RES *res);

/**
 * The database, as text that lives as long as the message; NULL for what is no message.
 *
 * # Safety
 * NULL, or a result that is alive.
 */
const char *tmq_get_db_name(TAOS_RES *res);

/**
 * The table of the block that was fetched last, as text that lives until the next fetch; NULL if there is none, as in
 * topics of queries.
 *
 * # Safety
 * NULL, or a result that is alive.
 */
const char *tmq_get_table_name(TAOS_RES *res);

/**
 * The vgroup; negative for what is no message.
 *
 * # Safety
 * NULL, or a result that is alive.
 */
int32_t tmq_get_vgroup_id(TAOS_RES *res);

/**
 * The version that the message begins with; seeking to it brings the message again. Negative for what is no message,
 * and 0x80004006 for a message of a snapshot, which has no place in the log.
 *
 * # Safety
 * NULL, or a result that is alive.
 */
int64_t tmq_get_vgroup_offset(TAOS_RES *res);

/**
 * The vgroups of a topic that this consumer reads: `*count` of them at `*assignment`, to be freed with
 * `tmq_free_assignment` (or C's `free`). `currentOffset` is where the last message that was polled begins. 0, or a
 * negative code, and then NULL and 0 are written.
 *
 * # Safety
 * `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text; both places are NULL or may be
 * written.
 */
int32_t tmq_get_topic_assignment(tmq_t *tmq,
                                 const char *topic,
                                 struct tmq_topic_assignment **assignments,
                                 int32_t *count);

/**
 * Frees what `tmq_get_topic_assignment` gave. NULL is fine.
 *
 * # Safety
 * NULL, or what `tmq_get_topic_assignment` gave, once.
 */
void tmq_free_assignment(struct tmq_topic_assignment *assignment);

/**
 * Goes on reading at `offset`, the next version to be read. 0, or a negative code.
 *
 * # Safety
 * `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
 */
int tmq_offset_seek(tmq_t *tmq, const char *topic, int32_t vgroup_id, int64_t offset);

/**
 * How far the program was given messages: the next version to be read. Negative for an error, of which 0x80004011
 * says that there was no message yet.
 *
 * # Safety
 * `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
 */
int64_t tmq_position(tmq_t *tmq,
                     const char *topic,
                     int32_t vgroup_id);

/**
 * What the group has committed: the next version to be read. Negative for an error, of which 0x80004011 says that
 * nothing was committed yet.
 *
 * # Safety
 * `tmq` is NULL or a consumer that is alive, `topic` NULL or NUL-terminated text.
 */
int64_t tmq_committed(tmq_t *tmq,
                      const char *topic,
                      int32_t vgroup_id);

/**
 * The message as the server packs it, for `tmq_write_raw`. The bytes must not be changed, and stay until
 * `tmq_free_raw`, to be called once for each success, also after the message was freed. 0, or a negative code.
 *
 * # Safety
 * `res` is NULL or a result that is alive; `raw` is NULL or may be written.
 */
int32_t tmq_get_raw(TAOS_RES *res,
                    struct tmq_raw_data *raw);

/**
 * Frees what `tmq_get_raw` gave. What it did not give, or has been freed already, is left alone, and
 * `taos_errno(NULL)` says so.
 *
 * # Safety
 * None: the address is only compared with those that were given.
 */
void tmq_free_raw(struct tmq_raw_data raw);

/**
 * What the message says of tables, as JSON (tmq-raw §6), to be freed with `tmq_free_json_meta`. NULL if it says
 * nothing, or for an error, which `taos_errno(NULL)` tells then.
 *
 * # Safety
 * NULL, or a result that is alive.
 */
char *tmq_get_json_meta(TAOS_RES *res);

/**
 * Frees what `tmq_get_json_meta` gave. NULL is fine.
 *
 * # Safety
 * NULL, or what `tmq_get_json_meta` gave, once.
 */
void tmq_free_json_meta(char *json);

/**
 * The words for a code that a `tmq` function gave, which live until the next such call on this thread.
 */
const char *tmq_err2str(int32_t code);

/**
 * taosAdapter takes a password or a token, and no digest of a password.
 *
 * # Safety
 * None of the arguments is used.
 */
TAOS *taos_connect_auth(const char *_ip,
                        const char *_user,
                        const char *_auth,
                        const char *_db,
                        uint16_t _port);

/**
 * There is no cache of tables on this side that could be filled.
 *
 * # Safety
 * None of the arguments is used.
 */
int taos_load_table_info(TAOS *_taos, const char *_table_name_list);

/**
 * The server does not tell of changed passwords, allow-lists and dropped users here.
 *
 * # Safety
 * None of the arguments is used.
 */
int taos_set_notify_cb(TAOS *_taos, __taos_notify_fn_t _fp, void *_param, int _type);

/**
 * The server lends allow-lists to nobody here; `fp` is told so, before the call returns.
 *
 * # Safety
 * `fp` may be called with `param`.
 */
void taos_fetch_whitelist_a(TAOS *taos, __taos_async_whitelist_fn_t fp, void *param);

/**
 * As `taos_fetch_whitelist_a`.
 *
 * # Safety
 * As `taos_fetch_whitelist_a`.
 */
void taos_fetch_whitelist_dual_stack_a(TAOS *taos,
                                       __taos_async_whitelist_dual_stack_fn_t fp,
                                       void *param);

/**
 * The vgroups of a database cannot be reached from here, so how tables are divided among them is not told.
 *
 * # Safety
 * None of the arguments is used.
 */
int taos_get_db_route_info(TAOS *_taos,
                           const char *_db,
                           struct TAOS_DB_ROUTE_INFO *_db_info);

/**
 * Libraries after 3.4.1.12 have it. What `bindv` looks like stands in no description that this library was written
 * from, and reading it by guess would bind what happens to lie there; `taos_stmt2_bind_param` binds the same, also
 * column by column.
 *
 * # Safety
 * None of the arguments is used.
 */
int taos_stmt2_bind_param_column(TAOS_STMT2 *_stmt,
                                 void *_bindv);

/**
 * There are no reports of crashes.
 *
 * # Safety
 * None of the arguments is used.
 */
void taos_write_crashinfo(int _signum, void *_sig_info, void *_context);

/**
 * The list of instances is kept by clients that talk to the engine itself.
 *
 * # Safety
 * None of the arguments is used.
 */
int32_t taos_register_instance(const char *_id,
                               const char *_type,
                               const char *_desc,
                               int32_t _expire);

/**
 * As `taos_register_instance`.
 *
 * # Safety
 * None of the arguments is used.
 */
int32_t taos_list_instances(const char *_filter_type, char ***_list, int32_t *_count);

/**
 * As `taos_list_instances`, which gives nothing that could be freed.
 *
 * # Safety
 * None of the arguments is used.
 */
void taos_free_instances(char ***_list, int32_t _count);

/**
 * The version of the client library, as text that lives for ever.
 */
const char *taos_get_client_info(void);

/**
 * Writes a raw block into a table, column by column in the table's order. Gives 0 or an error code.
 *
 * # Safety
 * As `taos_write_raw_block_with_fields_with_reqid`.
 */
int taos_write_raw_block(TAOS *taos, int numOfRows, char *pData, const char *tbname);

/**
 * As `taos_write_raw_block`, with a request id; 0 lets one be made.
 *
 * # Safety
 * As `taos_write_raw_block_with_fields_with_reqid`.
 */
int taos_write_raw_block_with_reqid(TAOS *taos,
                                    int numOfRows,
                                    char *pData,
                                    const char *tbname,
                                    int64_t reqid);

/**
 * Writes a raw block into the columns of a table that the fields name. Gives 0 or an error code.
 *
 * # Safety
 * As `taos_write_raw_block_with_fields_with_reqid`.
 */
int taos_write_raw_block_with_fields(TAOS *taos,
                                     int rows,
                                     char *pData,
                                     const char *tbname,
                                     struct TAOS_FIELD *fields,
                                     int numFields);

/**
 * As `taos_write_raw_block_with_fields`, with a request id; 0 lets one be made.
 *
 * # Safety
 * `taos` is NULL or a connection that is open; `pData` is NULL or a block, as long as its head says; `tbname` is
 * NULL or ends with NUL; `fields` is NULL or leads to so many fields.
 */
int taos_write_raw_block_with_fields_with_reqid(TAOS *taos,
                                                int rows,
                                                char *pData,
                                                const char *tbname,
                                                struct TAOS_FIELD *fields,
                                                int numFields,
                                                int64_t reqid);

/**
 * Replays a raw message of a topic into the database of the connection. Gives 0 or an error code.
 *
 * # Safety
 * `taos` is NULL or a connection that is open; `raw.raw` is NULL or leads to `raw.raw_len` bytes.
 */
int32_t tmq_write_raw(TAOS *taos, struct tmq_raw_data raw);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TAOS_H */

/**
 * A function that takes the end of a commit.
 */
typedef void(tmq_commit_cb)(tmq_t *tmq, int32_t code, void *param);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sets an option of the process, one of TSDB_OPTION, to the text behind `arg`; nothing behind it is read.
 * Gives 0 or a negative code.
 */
int taos_options(int option, const void *arg, ...);

/**
 * Sets an option of a connection, one of TSDB_OPTION_CONNECTION, to the text behind `arg`, or back to its
 * default if that is NULL; nothing behind it is read. Gives 0 or a negative code.
 */
int taos_options_connection(TAOS *taos, int option, const void *arg, ...);

#ifdef __cplusplus
}
#endif
