/* What only C can call wrong: functions that give structures, take any number of arguments, or free during a fetch. */
#include "judge.h"

static void configuration(void) {
  setConfRet told = taos_set_config("{\"connRetries\": \"1\"}");
  EXPECT(told.retCode == 0 && told.retMsg[0] == 0);
  told = taos_set_config("{\"no.such.key\": \"1\"}");
  EXPECT(told.retCode == -1 && strstr(told.retMsg, "no.such.key") != NULL);
  told = taos_set_config("{\"timezone\": \"Mars\"}");
  EXPECT(told.retCode == -1 && strstr(told.retMsg, "timezone") != NULL);
  told = taos_set_config("no JSON");
  EXPECT(told.retCode == -3 && told.retMsg[0] != 0);
  EXPECT(taos_options(0, "en_US.UTF-8") == 0);
  EXPECT(taos_options(1, "UTF-8", 1, "more") == 0);
  EXPECT(taos_options(77, "x") < 0);
  EXPECT(taos_options_connection(taos, 3, "judge") == 0);
  EXPECT(taos_options_connection(taos, 2, "nowhere") < 0);
}

static void values(void) {
  TAOS_RES *res = taos_query(taos, "select i32, v, n from kinds order by ts");
  TAOS_ROW columns = NULL;
  EXPECT(taos_fetch_block(res, &columns) == 3 && columns != NULL);
  int *offsets = taos_get_column_data_offset(res, 1);
  EXPECT(offsets != NULL && offsets[0] >= 0 && offsets[1] == -1);
  int16_t length;
  memcpy(&length, (char *)columns[1] + offsets[0], sizeof length);
  EXPECT(length == 4 && memcmp((char *)columns[1] + offsets[0] + 2, "text", 4) == 0);
  bool nulls[3] = {0};
  int rows = 3;
  EXPECT(taos_is_null_by_column(res, 0, nulls, &rows) == 0);
  EXPECT(rows == 3 && !nulls[0] && nulls[1] && nulls[2]);
  EXPECT(!taos_is_null(res, 0, 1) && taos_is_null(res, 1, 1));
  taos_free_result(res);

  event it = EVENT;
  taos_query_a(taos, "select i32, v from kinds order by ts", tell, &it);
  EXPECT(wait_for(&it) == 0);
  res = it.res;
  taos_fetch_rows_a(res, tell, &it);
  EXPECT(wait_for(&it) == 3);
  TAOS_ROW row = taos_fetch_row(res);
  char line[64] = "";
  EXPECT(row != NULL && taos_print_row(line, row, taos_fetch_fields(res), taos_field_count(res)) == 8);
  EXPECT(strcmp(line, "-32 text") == 0);
  EXPECT(taos_fetch_row(res) != NULL && taos_fetch_row(res) != NULL);
  taos_free_result(res);
}

static void note(void *param, TAOS_RES *res, int code) {
  (void)res;
  tell(param, NULL, code);
}

static void freed(void) {
  for (int round = 0; round < 200; round++) {
    event it = EVENT;
    TAOS_RES *res = taos_query(taos, "select * from kinds");
    EXPECT(taos_errno(res) == 0);
    taos_fetch_raw_block_a(res, note, &it);
    for (volatile int spin = 0; spin < round * 100; spin++) {
    }
    taos_free_result(res);
    /* Rows, or that it was stopped. */
    wait_for(&it);
  }
}

static void killed(void) {
  TAOS_RES *res = taos_query(taos, "select * from kinds");
  taos_kill_query(taos);
  EXPECT(taos_fetch_row(res) == NULL && taos_errno(res) == CODE(0x022D));
  taos_free_result(res);
  EXPECT(number("select count(*) from kinds") == 3);
}

void misc_checks(void) {
  run("C: configuration comes back as a structure, and options take any number of arguments", configuration);
  run("C: values of a block and of rows by callback are read", values);
  run("C: results are freed while they are fetched", freed);
  run("C: what a connection does is stopped", killed);
}
