/* What the parts of the judge share. Every check prints one line, `ok …` or `FAILED …`. */
#ifndef JUDGE_H
#define JUDGE_H

#ifdef GENERATED_HEADER
#include "taos.h"
#else
#include "abi.h"
#endif
#include "layout.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of types (raw-block section 3). */
enum {
  T_BOOL = 1, T_TINYINT, T_SMALLINT, T_INT, T_BIGINT, T_FLOAT, T_DOUBLE, T_VARCHAR, T_TIMESTAMP, T_NCHAR,
  T_UTINYINT, T_USMALLINT, T_UINT, T_UBIGINT, T_JSON, T_VARBINARY, T_DECIMAL, T_BLOB, T_MEDIUMBLOB, T_GEOMETRY,
  T_DECIMAL64
};

extern int failures;
extern const char *current;
extern TAOS *taos;

void failed(const char *what, int line, const char *file);
void run(const char *name, void (*check)(void));

/* Ends the check if something does not hold. */
#define EXPECT(holds)                        \
  do {                                       \
    if (!(holds)) {                          \
      failed(#holds, __LINE__, __FILE__);    \
      return;                                \
    }                                        \
  } while (0)

/* Runs a statement that must not fail; gives its affected rows. */
int exec(const char *sql);
/* The one number that a query gives, -1 if it does not. */
long long number(const char *sql);
/* An error as programs compare it. */
#define CODE(code) ((int)(0x80000000u | (unsigned)(code)))

/* Something that a callback tells, waited for by the thread that caused it. */
typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int told;
  int code;
  TAOS_RES *res;
  pthread_t thread;
} event;

#define EVENT {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, NULL, (pthread_t)0}

/* A callback of the library. */
void tell(void *param, TAOS_RES *res, int code);
/* Waits for it; gives the code. One that never comes ends the program. */
int wait_for(event *event);

/* Where the server is. */
const char *server_port(void);
/* A consumer of one topic, from its beginning; NULL after words about why not. */
tmq_t *consumer(const char *group, const char *topic);

void query_checks(void);
void async_checks(void);
void statement_checks(void);
void statement2_checks(void);
void write_checks(void);
void consumer_checks(void);
void null_checks(void);
void misc_checks(void);
void ending_checks(void);

#endif
