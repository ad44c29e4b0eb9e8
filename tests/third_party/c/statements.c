/* Prepared statements of the first generation. */
#include "judge.h"

#define ROWS 3

static void tables(void) {
  EXPECT(exec("create stable meters (ts timestamp, i int, v varchar(16), n nchar(16), d decimal(10,2)) "
              "tags (place varchar(16), floor int)") >= 0);
  EXPECT(exec("create table plain (ts timestamp, i int, v varchar(16))") >= 0);
}

static TAOS_STMT *open(const char *sql) {
  TAOS_STMT *stmt = taos_stmt_init(taos);
  if (stmt && taos_stmt_prepare(stmt, sql, 0) != 0) {
    printf("# %s\n", taos_stmt_errstr(stmt));
    taos_stmt_close(stmt);
    return NULL;
  }
  return stmt;
}

static const char *INSERT = "insert into ? using meters tags(?, ?) (ts, i, v, n) values(?, ?, ?, ?)";

static void describes(void) {
  TAOS_STMT *stmt = open(INSERT);
  EXPECT(stmt != NULL);
  int insert = 0, n = 0, type = 0, bytes = 0;
  EXPECT(taos_stmt_is_insert(stmt, &insert) == 0 && insert == 1);
  EXPECT(taos_stmt_set_tbname(stmt, "v1_a") == 0);
  TAOS_FIELD_E *fields = NULL;
  EXPECT(taos_stmt_get_tag_fields(stmt, &n, &fields) == 0);
  EXPECT(n == 2 && strcmp(fields[0].name, "place") == 0 && fields[0].type == T_VARCHAR && fields[0].bytes == 18);
  taos_stmt_reclaim_fields(stmt, fields);
  EXPECT(taos_stmt_get_col_fields(stmt, &n, &fields) == 0);
  EXPECT(n == 4 && strcmp(fields[3].name, "n") == 0 && fields[3].bytes == 4 * 16 + 2);
  taos_stmt_reclaim_fields(stmt, fields);
  EXPECT(taos_stmt_num_params(stmt, &n) == 0 && n == 4);
  EXPECT(taos_stmt_get_param(stmt, 1, &type, &bytes) == 0 && type == T_INT && bytes == 4);
  EXPECT(taos_stmt_get_param(stmt, 9, &type, &bytes) != 0);
  EXPECT(strlen(taos_stmt_errstr(stmt)) > 0);
  EXPECT(taos_stmt_close(stmt) == 0);
}

/* Rows with a stride of 16 bytes. */
static int64_t times[ROWS] = {1700000000000, 1700000000001, 1700000000002};
static int32_t ints[ROWS] = {7, 0, -9};
static char texts[ROWS][16] = {"one", "", "three"};
static char names[ROWS][16] = {"Åse", "Bjørn", ""};
static int32_t text_lengths[ROWS] = {3, 0, 5};
static int32_t name_lengths[ROWS] = {4, 6, 0};
static char some_null[ROWS] = {0, 1, 0};

static void batches(void) {
  TAOS_STMT_OPTIONS options = {42, true, false};
  TAOS_STMT *stmt = taos_stmt_init_with_options(taos, &options);
  EXPECT(stmt != NULL);
  EXPECT(taos_stmt_prepare(stmt, INSERT, (unsigned long)strlen(INSERT)) == 0);
  char place[] = "Kraków";
  int32_t place_length = (int32_t)strlen(place), floor = 2;
  TAOS_MULTI_BIND tags[2] = {{T_VARCHAR, place, sizeof place, &place_length, NULL, 1},
                             {T_INT, &floor, sizeof floor, NULL, NULL, 1}};
  TAOS_MULTI_BIND columns[4] = {{T_TIMESTAMP, times, 8, NULL, NULL, ROWS},
                                {T_INT, ints, 4, NULL, some_null, ROWS},
                                {T_VARCHAR, texts, 16, text_lengths, NULL, ROWS},
                                {T_NCHAR, names, 16, name_lengths, NULL, ROWS}};
  EXPECT(taos_stmt_set_tbname_tags(stmt, "v1_a", tags) == 0);
  EXPECT(taos_stmt_bind_param_batch(stmt, columns) == 0);
  EXPECT(taos_stmt_add_batch(stmt) == 0);
  EXPECT(taos_stmt_set_sub_tbname(stmt, "v1_b") == 0);
  EXPECT(taos_stmt_set_tags(stmt, tags) == 0);
  for (int column = 0; column < 4; column++) {
    EXPECT(taos_stmt_bind_single_param_batch(stmt, &columns[column], column) == 0);
  }
  EXPECT(taos_stmt_add_batch(stmt) == 0);
  EXPECT(taos_stmt_execute(stmt) == 0);
  EXPECT(taos_stmt_affected_rows_once(stmt) == 2 * ROWS);
  /* One row at a time. */
  EXPECT(taos_stmt_set_tbname(stmt, "v1_a") == 0 && taos_stmt_set_tags(stmt, tags) == 0);
  for (int row = 0; row < 5; row++) {
    int64_t time = 1700000001000 + row;
    TAOS_MULTI_BIND one[4] = {{T_TIMESTAMP, &time, 8, NULL, NULL, 1},
                              {T_INT, &row, 4, NULL, NULL, 1},
                              {T_VARCHAR, texts[2], 16, &text_lengths[2], NULL, 1},
                              {T_NCHAR, NULL, 0, NULL, (char[]){1}, 1}};
    EXPECT(taos_stmt_bind_param(stmt, one) == 0);
    EXPECT(taos_stmt_add_batch(stmt) == 0);
  }
  EXPECT(taos_stmt_execute(stmt) == 0);
  EXPECT(taos_stmt_affected_rows_once(stmt) == 5);
  EXPECT(taos_stmt_affected_rows(stmt) == 2 * ROWS + 5);
  EXPECT(taos_stmt_close(stmt) == 0);
  EXPECT(number("select count(*) from meters where place = 'Kraków' and floor = 2") == 2 * ROWS + 5);
  EXPECT(number("select count(i) from v1_b") == ROWS - 1);
  EXPECT(number("select count(*) from v1_a where n = 'Bjørn' and v = ''") == 1);
  EXPECT(number("select count(*) from v1_a where v = 'three'") == 6);
}

static void queries(void) {
  TAOS_STMT *stmt = open("select ts, v from v1_a where i > ? and ts < ? order by ts");
  EXPECT(stmt != NULL);
  int insert = 1, n = 0;
  EXPECT(taos_stmt_is_insert(stmt, &insert) == 0 && insert == 0);
  EXPECT(taos_stmt_num_params(stmt, &n) == 0 && n == 2);
  int32_t least = 0;
  int64_t end = 1700000001003;
  TAOS_MULTI_BIND params[2] = {{T_INT, &least, 4, NULL, NULL, 1}, {T_TIMESTAMP, &end, 8, NULL, NULL, 1}};
  for (int round = 0; round < 2; round++) {
    EXPECT(taos_stmt_bind_param(stmt, params) == 0);
    EXPECT(taos_stmt_add_batch(stmt) == 0);
    EXPECT(taos_stmt_execute(stmt) == 0);
    TAOS_RES *res = taos_stmt_use_result(stmt);
    EXPECT(res != NULL && taos_field_count(res) == 2);
    int rows = 0;
    TAOS_ROW row;
    while ((row = taos_fetch_row(res)) != NULL) {
      EXPECT(taos_fetch_lengths(res)[1] == (rows == 0 ? 3 : 5));
      rows++;
    }
    EXPECT(rows == 3);
    EXPECT(taos_stmt_use_result(stmt) == res);
  }
  EXPECT(taos_stmt_close(stmt) == 0);
}

static void stays_failed(void) {
  TAOS_STMT *stmt = taos_stmt_init_with_reqid(taos, 99);
  EXPECT(stmt != NULL);
  EXPECT(taos_stmt_prepare(stmt, "insert into nothing_like_it values(?)", 0) < 0);
  EXPECT(strlen(taos_stmt_errstr(stmt)) > 0);
  EXPECT(taos_stmt_prepare(stmt, "insert into plain values(?, ?, ?)", 0) < 0);
  EXPECT(taos_stmt_close(stmt) == 0);
}

/* Binds a row whose text is like this. */
static int bound(TAOS_MULTI_BIND text) {
  TAOS_STMT *stmt = open("insert into plain values(?, ?, ?)");
  if (!stmt) {
    return 0;
  }
  TAOS_MULTI_BIND row[3] = {{T_TIMESTAMP, times, 8, NULL, NULL, text.num}, {T_INT, ints, 4, NULL, NULL, text.num}, text};
  int code = taos_stmt_bind_param_batch(stmt, row);
  taos_stmt_close(stmt);
  return code;
}

static void refuses(void) {
  int32_t negative[] = {-1, 3}, long_ones[] = {3, 17}, longer_than_stride[] = {3, 9};
  char null[] = {2, 0}, bad[] = "\xff\xfe";
  int32_t two[] = {2};
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 16, text_lengths, NULL, 2}) == 0);
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 16, NULL, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, NULL, 16, text_lengths, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 16, negative, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 16, long_ones, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 8, longer_than_stride, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 16, text_lengths, NULL, 0}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 16, text_lengths, NULL, -1}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 16, text_lengths, NULL, 32768}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){77, texts, 16, text_lengths, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_NCHAR, bad, 2, two, NULL, 1}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_INT, ints, 4, NULL, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_MULTI_BIND){T_VARCHAR, texts, 16, text_lengths, null, 2}) == 0);
}

void statement_checks(void) {
  run("C: tables for statements", tables);
  run("C: a statement describes what is to be bound", describes);
  run("C: a statement binds batches, columns and rows", batches);
  run("C: a statement queries, and its result stays its own", queries);
  run("C: a statement that failed stays failed", stays_failed);
  run("C: wrong counts, lengths and types are refused", refuses);
}
