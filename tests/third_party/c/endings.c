/* What is called when the program ends: `exit` takes the thread's own variables away before it calls these. */
#include "judge.h"

#include <unistd.h>

static TAOS *connection;
static TAOS_STMT *stmt;
static TAOS_STMT2 *stmt2;
static tmq_t *tmq;
static TAOS_RES *rows;

static void closes(void) {
  TAOS_RES *res = taos_query(NULL, "select 1");
  EXPECT(taos_errno(res) != 0);
  taos_free_result(res);
  res = taos_query(connection, "select count(*) from kinds");
  EXPECT(taos_errno(res) == 0 && taos_fetch_row(res) != NULL);
  taos_free_result(res);
  EXPECT(taos_fetch_row(rows) != NULL);
  taos_free_result(rows);
  EXPECT(taos_stmt_prepare(stmt, "insert into kinds (ts, b) values (?, ?)", 0) == 0);
  EXPECT(taos_stmt_close(stmt) == 0);
  EXPECT(taos_stmt2_prepare(stmt2, "insert into kinds (ts, b) values (?, ?)", 0) == 0);
  EXPECT(taos_stmt2_close(stmt2) == 0);
  event it = EVENT;
  taos_query_a(connection, "select * from kinds", tell, &it);
  EXPECT(wait_for(&it) == 0);
  taos_free_result(it.res);
  EXPECT(tmq_commit_sync(tmq, NULL) == 0);
  EXPECT(tmq_consumer_close(tmq) == 0);
  EXPECT(taos_stmt2_close(NULL) != 0);
  EXPECT(tmq_err2str(CODE(0x4017)) != NULL && taos_errstr(NULL) != NULL);
  taos_close(connection);
  taos_cleanup();
}

static void late(void) {
  run("C: what is open is used and closed in atexit", closes);
  if (failures) {
    _exit(1);
  }
}

static void opens(void) {
  connection = taos_connect("127.0.0.1", "root", "taosdata", "c_judge", (uint16_t)atoi(server_port()));
  EXPECT(connection != NULL);
  stmt = taos_stmt_init(connection);
  stmt2 = taos_stmt2_init(connection, NULL);
  tmq = consumer("c_late", "c_rows");
  rows = taos_query(connection, "select * from kinds");
  EXPECT(stmt && stmt2 && tmq && taos_errno(rows) == 0);
  EXPECT(atexit(late) == 0);
}

void ending_checks(void) { run("C: something is left open for the end", opens); }
