/* A C program that judges a libtaos. */
#define _POSIX_C_SOURCE 200809L
#include "judge.h"

#include <time.h>

int failures = 0;
const char *current = "";
TAOS *taos = NULL;
static int failed_here = 0;

void failed(const char *what, int line, const char *file) {
  failed_here = 1;
  const char *text = taos_errstr(NULL);
  printf("FAILED %s: %s (%s:%d, last error 0x%x: %s)\n", current, what, file, line, (unsigned)taos_errno(NULL),
         text ? text : "");
  fflush(stdout);
}

void run(const char *name, void (*check)(void)) {
  current = name;
  failed_here = 0;
  check();
  if (failed_here) {
    failures++;
  } else {
    printf("ok %s\n", name);
    fflush(stdout);
  }
}

int exec(const char *sql) {
  TAOS_RES *res = taos_query(taos, sql);
  int code = taos_errno(res);
  int rows = taos_affected_rows(res);
  if (code != 0) {
    printf("# %s: 0x%x %s\n", sql, (unsigned)code, taos_errstr(res));
    rows = -1;
  }
  taos_free_result(res);
  return rows;
}

long long number(const char *sql) {
  TAOS_RES *res = taos_query(taos, sql);
  long long found = -1;
  if (taos_errno(res) != 0) {
    printf("# %s: 0x%x %s\n", sql, (unsigned)taos_errno(res), taos_errstr(res));
  }
  TAOS_ROW row = taos_errno(res) == 0 ? taos_fetch_row(res) : NULL;
  if (row && row[0]) {
    int8_t type = taos_fetch_fields(res)[0].type;
    if (type == T_BIGINT || type == T_TIMESTAMP) {
      int64_t value;
      memcpy(&value, row[0], sizeof value);
      found = value;
    } else if (type == T_INT) {
      int32_t value;
      memcpy(&value, row[0], sizeof value);
      found = value;
    }
  }
  taos_free_result(res);
  return found;
}

void tell(void *param, TAOS_RES *res, int code) {
  event *it = param;
  pthread_mutex_lock(&it->lock);
  it->told++;
  it->code = code;
  it->res = res;
  it->thread = pthread_self();
  pthread_cond_signal(&it->changed);
  pthread_mutex_unlock(&it->lock);
}

int wait_for(event *it) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 60;
  pthread_mutex_lock(&it->lock);
  while (!it->told && pthread_cond_timedwait(&it->changed, &it->lock, &end) == 0) {
  }
  if (!it->told) {
    /* It may still come, and then write to what is gone. */
    failed("the callback came", __LINE__, __FILE__);
    _Exit(1);
  }
  int code = it->code;
  it->told = 0;
  pthread_mutex_unlock(&it->lock);
  return code;
}

static char host[128];
static uint16_t port;

static void version(void) {
  const char *told = taos_get_client_info();
  EXPECT(told != NULL && strncmp(told, "3.", 2) == 0);
  EXPECT(taos_init() == 0);
  EXPECT(strcmp(taos_data_type(T_INT), "TSDB_DATA_TYPE_INT") == 0);
}

static void wrong_password(void) {
  EXPECT(taos_connect(host, "root", "wrong", NULL, port) == NULL);
  EXPECT(taos_errno(NULL) == CODE(0x0357));
  EXPECT(strlen(taos_errstr(NULL)) > 0);
}

static void *ask(void *param) {
  *(int *)param = taos_errno(NULL);
  return NULL;
}

static void errors_of_threads(void) {
  EXPECT(taos_connect(host, "root", "wrong", NULL, port) == NULL);
  int elsewhere = -1;
  pthread_t thread;
  EXPECT(pthread_create(&thread, NULL, ask, &elsewhere) == 0);
  pthread_join(thread, NULL);
  EXPECT(elsewhere == 0);
  EXPECT(taos_errno(NULL) == CODE(0x0357));
}

static void connects(void) {
  taos = taos_connect(host, "root", "taosdata", NULL, port);
  EXPECT(taos != NULL);
  const char *info = taos_get_server_info(taos);
  EXPECT(info != NULL && strlen(info) > 0);
  char db[64] = "?";
  int required = 0;
  EXPECT(taos_get_current_db(taos, db, sizeof db, &required) == 0);
  EXPECT(strcmp(db, "") == 0);
  EXPECT(exec("create database c_judge wal_retention_period 3600") >= 0);
  EXPECT(taos_select_db(taos, "c_judge") == 0);
  EXPECT(taos_get_current_db(taos, db, sizeof db, &required) == 0);
  EXPECT(strcmp(db, "c_judge") == 0);
  EXPECT(taos_select_db(taos, "nothing_like_it") != 0);
  EXPECT(taos_get_current_db(taos, db, 2, &required) != 0);
  EXPECT(required >= (int)strlen("c_judge"));
}

int main(void) {
  const char *address = getenv("TAOS_ADDRESS");
  const char *colon = address ? strrchr(address, ':') : NULL;
  if (!colon || (size_t)(colon - address) >= sizeof host) {
    fputs("TAOS_ADDRESS must be HOST:PORT\n", stderr);
    return 2;
  }
  memcpy(host, address, (size_t)(colon - address));
  port = (uint16_t)atoi(colon + 1);

  run("C: the library tells its version", version);
  run("C: a wrong password is an error of the thread", wrong_password);
  run("C: errors stay with their threads", errors_of_threads);
  run("C: a connection knows its server and its database", connects);
  if (taos) {
    query_checks();
    async_checks();
    misc_checks();
    statement_checks();
    statement2_checks();
    write_checks();
    consumer_checks();
    ending_checks();
    taos_close(taos);
  }
  null_checks();
  taos_cleanup();
  return failures != 0;
}
