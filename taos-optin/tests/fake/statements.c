// A client library that writes down what its statements are given, into a file beside itself.
//
// Statements that begin with "insert" write to `? (place NCHAR(8)) (ts TIMESTAMP, v INT, text VARCHAR(16))`; the first
// execution of one that contains "fail" fails; a table "wide" has got another column since somebody asked. All others are
// queries with one parameter, or two if they contain "twice", and no rows. With "hold" the question for the server's version
// calls back what was fetched.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION "3.3.7.5"
#endif

struct multi_bind { int type; uint8_t *buffer; uintptr_t stride; int32_t *length; char *is_null; int num; };
struct bind { int type; uint8_t *buffer; int32_t *length; char *is_null; int num; };
struct bindv { int count; char **names; struct bind **tags; struct bind **columns; };
struct option { int64_t id; bool stb, once; void *call, *param; };
struct field { char name[65]; int8_t type; int32_t bytes; };
struct field_e { char name[65]; int8_t type; uint8_t precision, scale; int32_t bytes; };
struct field_all { char name[65]; int8_t type; uint8_t precision, scale; int32_t bytes; uint8_t kind; };
struct stmt { int number, params, columns; bool insert, fails; };

static struct field_all FIELDS[] = {
  {"tbname", 8, 0, 0, 271, 4}, {"place", 10, 0, 0, 34, 2}, {"ts", 9, 0, 0, 8, 1},
  {"v", 4, 0, 0, 4, 1},        {"text", 8, 0, 0, 18, 1},
};
static struct field COLUMN = {"one", 4, 4};
static int statements, results, failures;
static bool holds;
static struct { void (*call)(void *, void *, int); void *param, *res; } held;

static FILE *notes(void) {
  Dl_info self;
  char path[4096];
  if (!dladdr((void *)FIELDS, &self)) abort();
  snprintf(path, sizeof path, "%s.notes", self.dli_fname);
  FILE *file = fopen(path, "a");
  // The test may have ended, and taken the folder away.
  return file ? file : fopen("/dev/null", "a");
}

#define NOTE(...) do { FILE *f = notes(); fprintf(f, __VA_ARGS__); fclose(f); } while (0)

static size_t width(int type) {
  switch (type) {
    case 1: case 2: case 11: return 1;
    case 3: case 12: return 2;
    case 4: case 6: case 13: return 4;
    default: return 8;
  }
}

static void note_values(const char *kind, int type, const uint8_t *buffer, size_t stride, const int32_t *length, const char *is_null, int num) {
  FILE *file = notes();
  fprintf(file, "%s %d x%d", kind, type, num);
  if (stride) fprintf(file, " stride %zu", stride);
  size_t bytes = 0;
  if (length) fprintf(file, " lengths");
  for (int i = 0; length && i < num; i++) { fprintf(file, " %d", length[i]); bytes += length[i]; }
  if (!length) bytes = width(type) * num;
  if (stride) bytes = stride * num;
  if (is_null) fprintf(file, " nulls");
  for (int i = 0; is_null && i < num; i++) fprintf(file, " %d", is_null[i]);
  fprintf(file, buffer ? ": " : ": none");
  for (size_t i = 0; buffer && i < bytes; i++) fprintf(file, "%02x", buffer[i]);
  fprintf(file, "\n");
  fclose(file);
}

const char *taos_get_client_info(void) { return VERSION; }
void *taos_connect(const char *ip, const char *user, const char *pass, const char *db, uint16_t port) { return FIELDS; }
void taos_close(void *taos) { NOTE("disconnect\n"); }
int taos_errno(void *res) { return 0; }
const char *taos_errstr(void *res) { return ""; }

// Both generations.

static struct stmt *open_one(void) {
  struct stmt *stmt = calloc(1, sizeof *stmt);
  stmt->number = ++statements;
  NOTE("open %d\n", stmt->number);
  return stmt;
}
static int prepare(struct stmt *stmt, const char *sql) {
  stmt->insert = !strncmp(sql, "insert", 6);
  stmt->fails = strstr(sql, "fail") != NULL;
  stmt->params = strstr(sql, "twice") ? 2 : 1;
  stmt->columns = 3;
  holds = strstr(sql, "hold") != NULL;
  NOTE("prepare %d\n", stmt->number);
  return 0;
}
static int execute(struct stmt *stmt) {
  NOTE("execute %d\n", stmt->number);
  return stmt->fails && !failures++ ? (int)0x80002603 : 0;
}
static int close_one(struct stmt *stmt) { NOTE("close %d\n", stmt->number); free(stmt); return 0; }
static int is_insert(struct stmt *stmt, int *insert) { *insert = stmt->insert; return 0; }
static void *result(struct stmt *stmt) { NOTE("result %d\n", stmt->number); results++; return &results; }

void taos_free_result(void *res) { if (res) NOTE("free\n"); }
int taos_field_count(void *res) { return 1; }
int taos_affected_rows(void *res) { return 0; }
int taos_result_precision(void *res) { return 0; }
struct field *taos_fetch_fields(void *res) { return &COLUMN; }
void taos_fetch_raw_block_a(void *res, void (*call)(void *, void *, int), void *param) {
  if (!holds) return call(param, res, 0);
  held.call = call;
  held.param = param;
  held.res = res;
}
const char *taos_get_server_info(void *taos) {
  NOTE("release\n");
  if (held.call) held.call(held.param, held.res, 0);
  held.call = NULL;
  return "ver:3";
}

// The second.

#ifndef OLD
void *taos_stmt2_init(void *taos, struct option *option) {
  struct stmt *stmt = open_one();
  NOTE("options %d %d\n", option->stb, option->once);
  return stmt;
}
int taos_stmt2_prepare(void *stmt, const char *sql, unsigned long length) { return prepare(stmt, sql); }
int taos_stmt2_is_insert(void *stmt, int *insert) { return is_insert(stmt, insert); }
int taos_stmt2_get_fields(struct stmt *stmt, int *count, struct field_all **fields) {
  *count = stmt->insert ? 5 : stmt->params;
  *fields = NULL;
  if (stmt->insert) {
    *fields = malloc(sizeof FIELDS);
    memcpy(*fields, FIELDS, sizeof FIELDS);
  }
  return 0;
}
void taos_stmt2_free_fields(void *stmt, struct field_all *fields) { free(fields); }
int taos_stmt2_bind_param(struct stmt *stmt, struct bindv *all, int32_t column) {
  NOTE("bind %d of %d tables for column %d\n", stmt->number, all->count, column);
  for (int table = 0; table < all->count; table++) {
    if (all->names) NOTE("table %s\n", all->names[table]);
    struct bind *b = all->tags ? all->tags[table] : NULL;
    if (b) note_values("tag", b->type, b->buffer, 0, b->length, b->is_null, b->num);
    for (int i = 0; i < (stmt->insert ? 3 : stmt->params); i++) {
      b = &all->columns[table][i];
      note_values("column", b->type, b->buffer, 0, b->length, b->is_null, b->num);
    }
  }
  return 0;
}
int taos_stmt2_exec(void *stmt, int *rows) { *rows = 2; return execute(stmt); }
int taos_stmt2_close(void *stmt) { return close_one(stmt); }
void *taos_stmt2_result(void *stmt) { return result(stmt); }
const char *taos_stmt2_error(void *stmt) { return "no such table"; }
#endif

// The first.

void *taos_stmt_init(void *taos) { return open_one(); }
int taos_stmt_prepare(void *stmt, const char *sql, unsigned long length) { return prepare(stmt, sql); }
int taos_stmt_is_insert(void *stmt, int *insert) { return is_insert(stmt, insert); }
static int some(int from, int n, int *count, struct field_e **fields) {
  *fields = calloc(n, sizeof **fields);
  for (*count = 0; *count < n; (*count)++) {
    struct field_e *field = *fields + *count;
    memcpy(field->name, FIELDS[from + *count].name, 65);
    field->type = FIELDS[from + *count].type;
    field->bytes = FIELDS[from + *count].bytes;
  }
  return 0;
}
int taos_stmt_get_tag_fields(void *stmt, int *count, struct field_e **fields) { return some(1, 1, count, fields); }
int taos_stmt_get_col_fields(void *stmt, int *count, struct field_e **fields) { return some(2, 3, count, fields); }
int taos_stmt_set_tbname(struct stmt *stmt, const char *name) {
  NOTE("table %s\n", name);
  stmt->columns = strcmp(name, "wide") ? 3 : 4;
  return 0;
}
int taos_stmt_num_params(struct stmt *stmt, int *count) { *count = stmt->insert ? stmt->columns : stmt->params; return 0; }
static int note_multi(const char *kind, struct multi_bind *b, int n) {
  for (int i = 0; i < n; i++) note_values(kind, b[i].type, b[i].buffer, b[i].stride, b[i].length, b[i].is_null, b[i].num);
  return 0;
}
int taos_stmt_set_tags(void *stmt, struct multi_bind *tags) { return note_multi("tag", tags, 1); }
int taos_stmt_bind_param(struct stmt *stmt, struct multi_bind *row) { return note_multi("parameter", row, stmt->params); }
int taos_stmt_bind_param_batch(struct stmt *stmt, struct multi_bind *columns) { return note_multi("column", columns, stmt->columns); }
int taos_stmt_add_batch(void *stmt) { NOTE("batch\n"); return 0; }
int taos_stmt_execute(void *stmt) { return execute(stmt); }
int taos_stmt_affected_rows_once(void *stmt) { return 2; }
void *taos_stmt_use_result(void *stmt) { return result(stmt); }
const char *taos_stmt_errstr(void *stmt) { return "no such table"; }
int taos_stmt_close(void *stmt) { return close_one(stmt); }
