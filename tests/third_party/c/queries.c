/* Queries, their results, and what comes by callback. */
#include "judge.h"

static const char WKB[] = "\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x00@";

static void errors(void) {
  TAOS_RES *res = taos_query(taos, "select nonsense from nowhere");
  EXPECT(res != NULL);
  EXPECT(taos_errno(res) < 0);
  EXPECT(strlen(taos_errstr(res)) > 0);
  EXPECT(taos_fetch_row(res) == NULL);
  EXPECT(taos_field_count(res) == 0);
  taos_free_result(res);
  res = taos_query(taos, "");
  EXPECT(res != NULL && taos_errno(res) != 0);
  taos_free_result(res);
}

static void writes(void) {
  EXPECT(exec("create table kinds (ts timestamp, b bool, i8 tinyint, i16 smallint, i32 int, i64 bigint, "
              "u8 tinyint unsigned, u16 smallint unsigned, u32 int unsigned, u64 bigint unsigned, f float, d double, "
              "v varchar(16), n nchar(16), vb varbinary(16), g geometry(64), d64 decimal(10,2), d128 decimal(30,3))")
         >= 0);
  EXPECT(exec("insert into kinds values (1700000000000, true, -8, -16, -32, -64, 8, 16, 32, 18446744073709551615, "
              "1.5, -2.25, 'text', 'Tromsø', '\\x00ff', 'POINT(1 2)', 12.34, -123456789.125) (1700000000001, null, "
              "null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)") == 2);
  TAOS_RES *res = taos_query_with_reqid(taos, "insert into kinds (ts, b) values (1700000000002, false)", 4711);
  EXPECT(taos_errno(res) == 0);
  EXPECT(taos_is_update_query(res));
  EXPECT(taos_affected_rows(res) == 1);
  EXPECT(taos_affected_rows64(res) == 1);
  EXPECT(taos_num_fields(res) == 0);
  EXPECT(taos_fetch_fields(res) == NULL);
  taos_free_result(res);
}

#define VALUE(ctype, column, wanted)                    \
  do {                                                  \
    ctype found;                                        \
    EXPECT(row[column] != NULL);                        \
    memcpy(&found, row[column], sizeof found);          \
    EXPECT(found == (wanted));                          \
  } while (0)
#define BYTES(column, wanted, len) \
  EXPECT(lengths[column] == (int)(len) && memcmp(row[column], wanted, len) == 0)

static void rows(void) {
  TAOS_RES *res = taos_query(taos, "select * from kinds order by ts");
  EXPECT(taos_errno(res) == 0);
  EXPECT(!taos_is_update_query(res));
  EXPECT(taos_field_count(res) == 18);
  EXPECT(taos_result_precision(res) == 0);
  TAOS_FIELD *fields = taos_fetch_fields(res);
  TAOS_FIELD_E *exact = taos_fetch_fields_e(res);
  EXPECT(fields && exact);
  EXPECT(strcmp(fields[12].name, "v") == 0 && fields[12].type == T_VARCHAR && fields[12].bytes == 16);
  EXPECT(fields[13].type == T_NCHAR && fields[13].bytes == 16);
  EXPECT(exact[16].type == T_DECIMAL64 && exact[16].precision == 10 && exact[16].scale == 2);
  EXPECT(exact[17].type == T_DECIMAL && exact[17].precision == 30 && exact[17].scale == 3);
  TAOS_ROW row = taos_fetch_row(res);
  EXPECT(row != NULL);
  int *lengths = taos_fetch_lengths(res);
  EXPECT(lengths != NULL);
  VALUE(int64_t, 0, 1700000000000);
  VALUE(int8_t, 1, 1);
  VALUE(int8_t, 2, -8);
  VALUE(int16_t, 3, -16);
  VALUE(int32_t, 4, -32);
  VALUE(int64_t, 5, -64);
  VALUE(uint8_t, 6, 8);
  VALUE(uint16_t, 7, 16);
  VALUE(uint32_t, 8, 32);
  VALUE(uint64_t, 9, UINT64_MAX);
  VALUE(float, 10, 1.5f);
  VALUE(double, 11, -2.25);
  BYTES(12, "text", 4);
  BYTES(13, "Tromsø", strlen("Tromsø"));
  BYTES(14, "\x00\xff", 2);
  BYTES(15, WKB, 21);
  EXPECT(strncmp(row[16], "12.34", 5) == 0);
  EXPECT(strncmp(row[17], "-123456789.125", 14) == 0);
  row = taos_fetch_row(res);
  EXPECT(row != NULL && row[0] != NULL);
  for (int column = 1; column < 18; column++) {
    EXPECT(row[column] == NULL);
  }
  EXPECT(taos_fetch_row(res) != NULL);
  EXPECT(taos_fetch_row(res) == NULL);
  EXPECT(taos_errno(res) == 0);
  taos_free_result(res);
}

static void blocks(void) {
  TAOS_RES *res = taos_query(taos, "select ts, i32 from kinds order by ts");
  TAOS_ROW columns = NULL;
  int rows = 0;
  EXPECT(taos_fetch_block_s(res, &rows, &columns) == 0);
  EXPECT(rows == 3 && columns != NULL);
  int64_t times[3];
  memcpy(times, columns[0], sizeof times);
  EXPECT(times[2] == 1700000000002);
  EXPECT(taos_fetch_block(res, &columns) == 0);
  taos_free_result(res);
}

static int raw_block(const void *data, int columns) {
  int32_t head[5];
  memcpy(head, data, sizeof head);
  /* Version, length, rows, columns. */
  return head[0] == 1 && head[1] > 28 && head[3] == columns ? head[2] : -1;
}

static void raw_blocks(void) {
  TAOS_RES *res = taos_query(taos, "select * from kinds");
  int rows = 0, all = 0;
  void *data = NULL;
  while (taos_fetch_raw_block(res, &rows, &data) == 0 && rows > 0) {
    EXPECT(raw_block(data, 18) == rows);
    all += rows;
  }
  EXPECT(all == 3);
  EXPECT(taos_errno(res) == 0);
  taos_free_result(res);
}

void query_checks(void) {
  run("C: a statement that fails gives a result with code and text", errors);
  run("C: writes tell the rows they changed", writes);
  run("C: values of all types are read row by row", rows);
  run("C: columns are read block by block", blocks);
  run("C: raw blocks are of version 1 and tell their rows", raw_blocks);
}

static void by_callback(void) {
  event it = EVENT;
  taos_query_a(taos, "select ts, v from kinds order by ts", tell, &it);
  EXPECT(wait_for(&it) == 0);
  EXPECT(it.res != NULL && !pthread_equal(it.thread, pthread_self()));
  TAOS_RES *res = it.res;
  EXPECT(taos_field_count(res) == 2);
  int all = 0, rows;
  do {
    taos_fetch_rows_a(res, tell, &it);
    rows = wait_for(&it);
    EXPECT(rows >= 0);
    all += rows;
    EXPECT(rows == 0 || taos_result_block(res) != NULL);
  } while (rows > 0);
  EXPECT(all == 3);
  taos_free_result(res);
}

static void raw_by_callback(void) {
  event it = EVENT;
  taos_query_a_with_reqid(taos, "select * from kinds", tell, &it, 815);
  EXPECT(wait_for(&it) == 0);
  TAOS_RES *res = it.res;
  int all = 0, rows;
  do {
    taos_fetch_raw_block_a(res, tell, &it);
    rows = wait_for(&it);
    EXPECT(rows >= 0);
    if (rows > 0) {
      EXPECT(raw_block(taos_get_raw_block(res), 18) == rows);
    }
    all += rows;
  } while (rows > 0);
  EXPECT(all == 3);
  taos_free_result(res);
}

static void error_by_callback(void) {
  event it = EVENT;
  taos_query_a(taos, "select nonsense from nowhere", tell, &it);
  EXPECT(wait_for(&it) < 0);
  EXPECT(it.res != NULL && taos_errno(it.res) == it.code);
  taos_free_result(it.res);
}

static void free_it(void *param, TAOS_RES *res, int code) {
  taos_free_result(res);
  tell(param, NULL, code);
}

static void freed_in_callback(void) {
  event it = EVENT;
  taos_query_a(taos, "select * from kinds", free_it, &it);
  EXPECT(wait_for(&it) == 0);
}

static void kept_after_close(void) {
  uint16_t port = (uint16_t)atoi(strrchr(getenv("TAOS_ADDRESS"), ':') + 1);
  TAOS *other = taos_connect("127.0.0.1", "root", "taosdata", "c_judge", port);
  EXPECT(other != NULL);
  TAOS_RES *res = taos_query(other, "select * from kinds");
  EXPECT(taos_errno(res) == 0);
  taos_close(other);
  EXPECT(taos_fetch_fields(res) != NULL);
  taos_stop_query(res);
  taos_free_result(res);
}

void async_checks(void) {
  run("C: rows come by callback, on another thread", by_callback);
  run("C: raw blocks come by callback", raw_by_callback);
  run("C: an error comes by callback, with a result", error_by_callback);
  run("C: a callback may free its result", freed_in_callback);
  run("C: a result outlives its connection", kept_after_close);
}
