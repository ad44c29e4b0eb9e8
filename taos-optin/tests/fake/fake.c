/* A client library without a server, whose statements are orders to itself:
 *
 *   QUERY FETCH rows BLOCKS ROWS    a result of one column of INTs that count from 0
 *   QUERY FETCH update N            a statement that changed N rows
 *   QUERY FETCH fail CODE           an error
 *   QUERY FETCH fails N CODE        an error for the first N times, then as "update 1"
 *   QUERY FETCH short               a block that claims to be shorter than its head
 *   QUERY FETCH lost                rows whose fetching fails
 *   count NAME                      a counter as the number of changed rows
 *   await NAME N                    answered as soon as the counter has this value
 *   release                         lets all calls go on that are held
 *
 * A connection of the user "slow" is opened, and one of "stuck" closed, only with the next "release".
 *
 * QUERY and FETCH say when the callbacks come: "now" is before the call returns, "late" is from another
 * thread, "hold" is from another thread after a "release". For what must begin as a question does, "select"
 * is "now" and "show" is "hold".
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE = 0x11FE, FREED = 0xDEAD };
enum { HEAD = 28 };

typedef struct {
    char name[65];
    int8_t type;
    int32_t bytes;
} Field;

typedef struct {
    char name[65];
    int8_t type;
    uint8_t precision;
    uint8_t scale;
    int32_t bytes;
} FieldE;

typedef struct Result {
    struct Result *next;
    int magic;
    int control;
    char fetch[8];
    int code;
    int blocks, rows, sent;
    int fetching;
    int is_short, is_lost;
    int64_t affected;
    char *block;
} Result;

typedef void (*Callback)(void *param, void *res, int code);

typedef struct Job {
    struct Job *next;
    int held, is_fetch, code;
    Callback done;
    void *param;
    Result *res;
} Job;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static Job *jobs;
static Result *all; /* Never given back, so that a second use is seen. */
static int started;
static _Thread_local int in_callback;
static _Thread_local int last_code;
static pthread_t asker;

/* "misuse" is what the library must never see. */
static const char *names[] = {"live", "open", "queries", "fetches", "freed", "closed", "misuse", "stolen", "flaky", "releases", "waiting"};
enum { live, open_, queries, fetches, freed, closed, misuse, stolen, flaky, releases, waiting, COUNTERS };
static int64_t counters[COUNTERS];

static int64_t *counter(const char *name) {
    for (int i = 0; i < COUNTERS; i++)
        if (strcmp(names[i], name) == 0) return &counters[i];
    abort();
}

static void add(int which, int64_t n) {
    pthread_mutex_lock(&lock);
    counters[which] += n;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void must(int holds) {
    if (!holds) add(misuse, 1);
}

static void put32(char *at, int32_t value) { memcpy(at, &value, 4); }

/* raw-block.md section 1: one column of INTs without NULLs. */
static void make_block(Result *res) {
    int bitmap = (res->rows + 7) / 8, data = 4 * res->rows;
    int length = HEAD + 9 + bitmap + data + 1;
    free(res->block);
    res->block = calloc(1, length);
    put32(res->block, 1);
    put32(res->block + 4, res->is_short ? HEAD - 1 : length);
    put32(res->block + 8, res->rows);
    put32(res->block + 12, 1);
    put32(res->block + 16, INT32_MIN);
    res->block[HEAD] = 4;
    put32(res->block + HEAD + 1, 4);
    put32(res->block + HEAD + 5, data);
    for (int row = 0; row < res->rows; row++)
        put32(res->block + HEAD + 9 + bitmap + 4 * row, res->sent * res->rows + row);
}

static void run(Job *job) {
    Result *res = job->res;
    int code = job->code;
    if (job->is_fetch) {
        must(res->magic == LIVE && res->fetching);
        if (res->is_lost) {
            code = res->code = (int)0x80000018;
        } else if (res->sent == res->blocks) {
            code = 0;
        } else {
            make_block(res);
            res->sent++;
            code = res->rows;
        }
        res->fetching = 0;
    }
    in_callback++;
    job->done(job->param, res, code);
    in_callback--;
    free(job);
}

static void *work(void *nothing) {
    pthread_mutex_lock(&lock);
    for (;;) {
        Job **at = &jobs;
        while (*at && (*at)->held) at = &(*at)->next;
        if (!*at) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        Job *job = *at;
        *at = job->next;
        pthread_mutex_unlock(&lock);
        run(job);
        pthread_mutex_lock(&lock);
    }
    return nothing;
}

static void enqueue(Job *job, const char *when) {
    if (strcmp(when, "now") == 0 || strcmp(when, "select") == 0) {
        run(job);
        return;
    }
    job->held = strcmp(when, "hold") == 0 || strcmp(when, "show") == 0;
    pthread_mutex_lock(&lock);
    if (!started) {
        pthread_t thread;
        started = 1;
        pthread_create(&thread, NULL, work, NULL);
    }
    Job **end = &jobs;
    while (*end) end = &(*end)->next;
    *end = job;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

typedef struct {
    int64_t *counter, value;
    Job *job;
} Wait;

static void *await(void *param) {
    Wait *wait = param;
    pthread_mutex_lock(&lock);
    while (*wait->counter != wait->value) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    run(wait->job);
    free(wait);
    return NULL;
}

static void release(void) {
    pthread_mutex_lock(&lock);
    for (Job *job = jobs; job; job = job->next) job->held = 0;
    counters[releases]++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for_release(void) {
    pthread_mutex_lock(&lock);
    int64_t before = counters[releases];
    counters[waiting]++;
    pthread_cond_broadcast(&changed);
    while (counters[releases] == before) pthread_cond_wait(&changed, &lock);
    counters[waiting]--;
    pthread_mutex_unlock(&lock);
}

void taos_query_a(void *taos, const char *sql, Callback done, void *param) {
    char first[16] = "", second[16] = "", what[16] = "";
    long long n = 0, m = 0;
    Result *res = calloc(1, sizeof *res);
    Job *job = calloc(1, sizeof *job);
    must(*(int *)taos == LIVE);
    pthread_mutex_lock(&lock);
    asker = pthread_self();
    res->next = all;
    all = res;
    pthread_mutex_unlock(&lock);
    res->magic = LIVE;
    job->done = done;
    job->param = param;
    job->res = res;
    sscanf(sql, "%15s %15s", first, second);
    if (strcmp(first, "count") == 0) {
        res->control = 1;
        pthread_mutex_lock(&lock);
        res->affected = *counter(second);
        pthread_mutex_unlock(&lock);
        enqueue(job, "now");
    } else if (strcmp(first, "release") == 0) {
        res->control = 1;
        release();
        enqueue(job, "now");
    } else if (strcmp(first, "await") == 0) {
        pthread_t thread;
        Wait *wait = malloc(sizeof *wait);
        res->control = 1;
        sscanf(sql, "%*s %*s %lld", &n);
        wait->counter = counter(second);
        wait->value = n;
        wait->job = job;
        pthread_create(&thread, NULL, await, wait);
        pthread_detach(thread);
    } else {
        add(live, 1);
        add(queries, 1);
        sscanf(sql, "%*s %*s %15s %lli %lli", what, &n, &m);
        snprintf(res->fetch, sizeof res->fetch, "%.7s", second);
        if (strcmp(what, "rows") == 0) {
            res->blocks = n;
            res->rows = m;
        } else if (strcmp(what, "update") == 0) {
            res->affected = n;
        } else if (strcmp(what, "fail") == 0) {
            res->code = n;
        } else if (strcmp(what, "fails") == 0) {
            pthread_mutex_lock(&lock);
            res->code = ++counters[flaky] <= n ? m : 0;
            pthread_mutex_unlock(&lock);
            res->affected = 1;
        } else {
            res->is_short = strcmp(what, "short") == 0;
            res->is_lost = strcmp(what, "lost") == 0;
            res->blocks = res->rows = 1;
        }
        job->code = res->code;
        enqueue(job, first);
    }
}

void taos_fetch_raw_block_a(Result *res, Callback done, void *param) {
    Job *job = calloc(1, sizeof *job);
    must(res->magic == LIVE && !res->fetching && res->code == 0);
    res->fetching = 1;
    job->done = done;
    job->param = param;
    job->res = res;
    job->is_fetch = 1;
    add(fetches, 1);
    enqueue(job, res->fetch);
}

const void *taos_get_raw_block(Result *res) {
    must(res->magic == LIVE && !res->fetching);
    return res->block;
}

void taos_free_result(Result *res) {
    if (!res) return;
    must(res->magic == LIVE && !res->fetching);
    must(!in_callback || res->code != 0 || res->control);
    res->magic = FREED;
    if (res->block) memset(res->block, 0xA5, HEAD);
    if (!res->control) {
        add(freed, 1);
        add(live, -1);
    }
}

int taos_errno(Result *res) { return res ? res->code : last_code; }

const char *taos_errstr(Result *res) {
    return (res ? res->code : last_code) ? "the fake's words" : "success";
}

int taos_field_count(Result *res) { return res->blocks ? 1 : 0; }
int taos_result_precision(Result *res) { return res->magic == LIVE ? 1 : 99; }
int taos_affected_rows(Result *res) { return (int)res->affected; }

const Field *taos_fetch_fields(Result *res) {
    static Field field = {"value", 4, 4};
    must(res->magic == LIVE);
    return &field;
}

#ifndef OLD
int64_t taos_affected_rows64(Result *res) { return res->affected; }

void taos_query_a_with_reqid(void *taos, const char *sql, Callback done, void *param, int64_t id) {
    must(id != 0);
    taos_query_a(taos, sql, done, param);
}

const FieldE *taos_fetch_fields_e(Result *res) {
    static FieldE field = {"value", 4, 0, 0, 4};
    must(res->magic == LIVE);
    return &field;
}
#endif

const char *taos_get_client_info(void) { return "3.3.7.5"; }
int taos_options(int option, const void *arg, ...) { return 0; }

void *taos_connect(const char *ip, const char *user, const char *pass, const char *db, uint16_t port) {
    if (user && strcmp(user, "wrong") == 0) {
        last_code = (int)0x80000357;
        return NULL;
    }
    if (user && strcmp(user, "early") == 0 && counters[flaky]++ == 0) {
        last_code = (int)0x8000000B;
        return NULL;
    }
    if (user && strcmp(user, "slow") == 0) wait_for_release();
    int *taos = malloc(2 * sizeof *taos);
    taos[0] = LIVE;
    taos[1] = user && strcmp(user, "stuck") == 0;
    add(open_, 1);
    return taos;
}

void taos_close(int *taos) {
    must(*taos == LIVE && !in_callback);
    if (taos[1]) wait_for_release();
    free(taos);
    pthread_mutex_lock(&lock);
    int is_asker = pthread_equal(asker, pthread_self());
    pthread_mutex_unlock(&lock);
    if (is_asker) add(stolen, 1);
    add(closed, 1);
    add(open_, -1);
}
