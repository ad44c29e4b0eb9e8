/* Prepared statements of the second generation. */
#include "judge.h"

static int64_t times[2] = {1700000100000, 1700000100001};
static int32_t ints[2] = {5, 6};
/* Packed: a NULL takes no room. */
static char texts[] = "abcde";
static int32_t lengths[2] = {2, 3}, place_length = 4, second_only[2] = {0, 5};
static char first_null[2] = {1, 0};
static int64_t decimals[2] = {1234, -5};
static char place[] = "Oslo";
static int32_t floor_number = 1;

static const char *INSERT = "insert into ? using meters tags(?, ?) values(?, ?, ?, ?, ?)";

static TAOS_STMT2_BIND tags[2] = {{T_VARCHAR, place, &place_length, NULL, 1}, {T_INT, &floor_number, NULL, NULL, 1}};
static TAOS_STMT2_BIND columns[5] = {{T_TIMESTAMP, times, NULL, NULL, 2},
                                     {T_INT, ints, NULL, NULL, 2},
                                     {T_VARCHAR, texts, lengths, NULL, 2},
                                     {T_NCHAR, texts, second_only, first_null, 2},
                                     {T_DECIMAL64, decimals, NULL, NULL, 2}};

static TAOS_STMT2 *open(TAOS_STMT2_OPTION *option, const char *sql) {
  TAOS_STMT2 *stmt = taos_stmt2_init(taos, option);
  if (stmt && taos_stmt2_prepare(stmt, sql, 0) != 0) {
    printf("# %s\n", taos_stmt2_error(stmt));
    taos_stmt2_close(stmt);
    return NULL;
  }
  return stmt;
}

static int bind(TAOS_STMT2 *stmt, char *first, char *second, int col) {
  char *names[2] = {first, second};
  TAOS_STMT2_BIND *all_tags[2] = {tags, tags};
  TAOS_STMT2_BIND *at = col < 0 ? columns : &columns[col];
  TAOS_STMT2_BIND *all_columns[2] = {at, at};
  TAOS_STMT2_BINDV bindv = {second ? 2 : 1, names, col > 0 ? NULL : all_tags, all_columns};
  int code = taos_stmt2_bind_param(stmt, &bindv, col);
  if (code != 0) {
    printf("# %s\n", taos_stmt2_error(stmt));
  }
  return code;
}

static void describes(void) {
  TAOS_STMT2 *stmt = open(NULL, INSERT);
  EXPECT(stmt != NULL);
  int insert = 0, n = 0;
  EXPECT(taos_stmt2_is_insert(stmt, &insert) == 0 && insert == 1);
  TAOS_FIELD_ALL *fields = NULL;
  EXPECT(taos_stmt2_get_fields(stmt, &n, &fields) == 0);
  EXPECT(n == 8 && fields[0].field_type == 4);
  EXPECT(strcmp(fields[1].name, "place") == 0 && fields[1].field_type == 2);
  EXPECT(strcmp(fields[3].name, "ts") == 0 && fields[3].field_type == 1 && fields[3].type == T_TIMESTAMP);
  EXPECT(fields[7].type == T_DECIMAL64);
  taos_stmt2_free_fields(stmt, fields);
  EXPECT(taos_stmt2_close(stmt) == 0);
}

static void binds_tables(void) {
  TAOS_STMT2_OPTION option = {43, true, false, NULL, NULL};
  TAOS_STMT2 *stmt = open(&option, INSERT);
  EXPECT(stmt != NULL);
  int affected = 0;
  EXPECT(bind(stmt, "v2_a", "v2_b", -1) == 0);
  EXPECT(taos_stmt2_exec(stmt, &affected) == 0);
  EXPECT(affected == 4);
  for (int column = 0; column < 5; column++) {
    EXPECT(bind(stmt, "v2_c", NULL, column) == 0);
  }
  EXPECT(taos_stmt2_exec(stmt, &affected) == 0);
  EXPECT(affected == 2);
  EXPECT(taos_stmt2_close(stmt) == 0);
  EXPECT(number("select count(*) from meters where place = 'Oslo'") == 6);
  EXPECT(number("select count(*) from v2_a where v = 'ab' and n is null") == 1);
  EXPECT(number("select count(*) from v2_b where v = 'cde' and n = 'abcde'") == 1);
  TAOS_RES *res = taos_query(taos, "select d from v2_c order by ts");
  TAOS_ROW row = taos_fetch_row(res);
  EXPECT(row && strncmp(row[0], "12.34", 5) == 0);
  row = taos_fetch_row(res);
  EXPECT(row && strncmp(row[0], "-0.05", 5) == 0);
  taos_free_result(res);
}

static void queries(void) {
  TAOS_STMT2 *stmt = open(NULL, "select ts, i from meters where i = ? and tbname = ?");
  EXPECT(stmt != NULL);
  int n = 0, insert = 1;
  TAOS_FIELD_ALL *fields = (TAOS_FIELD_ALL *)&n;
  EXPECT(taos_stmt2_is_insert(stmt, &insert) == 0 && insert == 0);
  EXPECT(taos_stmt2_get_fields(stmt, &n, &fields) == 0 && n == 2 && fields == NULL);
  int32_t length = 4;
  TAOS_STMT2_BIND params[2] = {{T_INT, ints, NULL, NULL, 1}, {T_VARCHAR, "v2_a", &length, NULL, 1}};
  TAOS_STMT2_BIND *all[1] = {params};
  TAOS_STMT2_BINDV bindv = {1, NULL, NULL, all};
  for (int round = 0; round < 2; round++) {
    EXPECT(taos_stmt2_bind_param(stmt, &bindv, -1) == 0);
    EXPECT(taos_stmt2_exec(stmt, NULL) == 0);
    TAOS_RES *res = taos_stmt2_result(stmt);
    EXPECT(res != NULL);
    int rows = 0;
    void *data = NULL;
    EXPECT(taos_fetch_raw_block(res, &rows, &data) == 0 && rows == 1 && data != NULL);
    /* It is the statement's. */
    EXPECT(taos_stmt2_result(stmt) == res);
  }
  EXPECT(taos_stmt2_close(stmt) == 0);
}

static int changed;

static void look(void *param, TAOS_RES *res, int code) {
  changed = taos_affected_rows(res);
  tell(param, res, code);
}

static void executes_behind(void) {
  event it = EVENT;
  TAOS_STMT2_OPTION option = {0, false, false, look, &it};
  TAOS_STMT2 *stmt = open(&option, INSERT);
  EXPECT(stmt != NULL);
  for (int round = 0; round < 3; round++) {
    EXPECT(bind(stmt, "v2_d", "v2_e", -1) == 0);
    EXPECT(taos_stmt2_exec(stmt, NULL) == 0);
    EXPECT(wait_for(&it) == 0);
    EXPECT(changed == 4);
    EXPECT(!pthread_equal(it.thread, pthread_self()));
  }
  EXPECT(taos_stmt2_close(stmt) == 0);
  EXPECT(number("select count(*) from v2_e") == 2);
}

static void queries_behind(void) {
  event it = EVENT;
  TAOS_STMT2_OPTION option = {0, false, false, tell, &it};
  TAOS_STMT2 *stmt = open(&option, "select ts from v2_d where i > ?");
  EXPECT(stmt != NULL);
  int32_t least = 0;
  TAOS_STMT2_BIND param = {T_INT, &least, NULL, NULL, 1};
  TAOS_STMT2_BIND *all[1] = {&param};
  TAOS_STMT2_BINDV bindv = {1, NULL, NULL, all};
  EXPECT(taos_stmt2_bind_param_a(stmt, &bindv, -1, tell, &it) == 0);
  EXPECT(wait_for(&it) == 0);
  EXPECT(taos_stmt2_exec(stmt, NULL) == 0);
  EXPECT(wait_for(&it) == 0);
  TAOS_RES *res = taos_stmt2_result(stmt);
  EXPECT(res != NULL && res == it.res);
  int rows = 0;
  while (taos_fetch_row(res) != NULL) {
    rows++;
  }
  EXPECT(rows == 2);
  /* An error comes by callback, too. */
  EXPECT(taos_stmt2_prepare(stmt, "select ts from v2_d where i > ?", 0) == 0);
  EXPECT(taos_stmt2_exec(stmt, NULL) == 0);
  EXPECT(wait_for(&it) != 0);
  EXPECT(strlen(taos_stmt2_error(stmt)) > 0);
  EXPECT(taos_stmt2_close(stmt) == 0);
}

static void closed_while_executing(void) {
  event it = EVENT;
  TAOS_STMT2_OPTION option = {0, false, false, tell, &it};
  TAOS_STMT2 *stmt = open(&option, INSERT);
  EXPECT(stmt != NULL);
  EXPECT(bind(stmt, "v2_d", "v2_e", -1) == 0);
  EXPECT(taos_stmt2_exec(stmt, NULL) == 0);
  EXPECT(taos_stmt2_close(stmt) == 0);
  EXPECT(it.told == 1);
}

static void recovers(void) {
  TAOS_STMT2 *stmt = taos_stmt2_init(taos, NULL);
  EXPECT(stmt != NULL);
  EXPECT(taos_stmt2_prepare(stmt, "insert into nothing_like_it values(?)", 0) < 0);
  EXPECT(strlen(taos_stmt2_error(stmt)) > 0);
  EXPECT(bind(stmt, "v2_a", NULL, -1) < 0);
  EXPECT(taos_stmt2_prepare(stmt, INSERT, 0) == 0);
  EXPECT(bind(stmt, "v2_a", NULL, -1) == 0);
  EXPECT(taos_stmt2_exec(stmt, NULL) == 0);
  EXPECT(taos_stmt2_close(stmt) == 0);
}

static int bound(TAOS_STMT2_BIND text) {
  TAOS_STMT2 *stmt = open(NULL, "insert into plain values(?, ?, ?)");
  if (!stmt) {
    return 0;
  }
  TAOS_STMT2_BIND row[3] = {{T_TIMESTAMP, times, NULL, NULL, text.num}, {T_INT, ints, NULL, NULL, text.num}, text};
  TAOS_STMT2_BIND *all[1] = {row};
  TAOS_STMT2_BINDV bindv = {1, NULL, NULL, all};
  int code = taos_stmt2_bind_param(stmt, &bindv, -1);
  taos_stmt2_close(stmt);
  return code;
}

static void refuses(void) {
  int32_t negative[] = {-1, 3}, long_ones[] = {3, 17};
  char left_out[] = {2, 0};
  char long_text[20] = "";
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, texts, lengths, NULL, 2}) == 0);
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, NULL, NULL, (char[]){1, 1}, 2}) == 0);
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, texts, NULL, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, NULL, lengths, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, texts, negative, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, long_text, long_ones, NULL, 2}) == CODE(0x0118));
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, texts, lengths, NULL, 0}) == CODE(0x0118));
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, texts, lengths, NULL, 32768}) == CODE(0x0118));
  EXPECT(bound((TAOS_STMT2_BIND){T_VARCHAR, texts, lengths, left_out, 2}) == CODE(0x0100));
  TAOS_STMT2 *stmt = open(NULL, INSERT);
  TAOS_STMT2_BINDV nothing = {0, NULL, NULL, NULL}, too_many = {-4, NULL, NULL, NULL};
  EXPECT(taos_stmt2_bind_param(stmt, NULL, -1) == CODE(0x0118));
  EXPECT(taos_stmt2_prepare(stmt, INSERT, 0) == 0);
  EXPECT(taos_stmt2_bind_param(stmt, &nothing, -1) == CODE(0x0118));
  EXPECT(taos_stmt2_prepare(stmt, INSERT, 0) == 0);
  EXPECT(taos_stmt2_bind_param(stmt, &too_many, -1) == CODE(0x0118));
  EXPECT(taos_stmt2_close(stmt) == 0);
}

void statement2_checks(void) {
  run("C: stmt2 describes what is to be bound", describes);
  run("C: stmt2 binds tables, whole and column by column", binds_tables);
  run("C: stmt2 queries, and its result stays its own", queries);
  run("C: stmt2 executes in the background", executes_behind);
  run("C: stmt2 binds and queries in the background", queries_behind);
  run("C: stmt2 is closed after the callback", closed_while_executing);
  run("C: stmt2 recovers from an error by preparing", recovers);
  run("C: stmt2 refuses wrong counts, lengths and types", refuses);
}
