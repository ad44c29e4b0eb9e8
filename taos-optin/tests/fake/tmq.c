/* A client library whose consumers are told by a test what comes, over the local socket `fake.socket`.
 *
 * Each call of a consumer is a line to the test, such as "commit_offset t 2 7". The calls whose names are in
 * `fake.ask` wait for a line with the code that they return. A poll waits for one of these lines:
 *
 *   m TYPE VGROUP BEGIN NEXT BLOCKS    a message; each block has a row and a table of its own
 *   e CODE                             an error
 *   n                                  nothing
 *
 * Calls from other threads than the consumer's, and uses of what is freed, end the process.
 */
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LIVE = 0x11FE, FREED = 0xDEAD, VGROUPS = 16, HEAD = 28 };

typedef struct {
    char name[65];
    int8_t type;
    int32_t bytes;
} Field;

typedef struct {
    int magic;
    char socket[108];
    char ask[128];
    char user[64], pass[64];
} Conf;

typedef struct {
    int magic, count;
    char *names[8];
} List;

typedef struct {
    int magic, fd, messages, subscribed;
    char ask[128];
    pthread_t home;
    int64_t position[VGROUPS], committed[VGROUPS], begin[VGROUPS];
} Tmq;

typedef struct {
    int magic, fd, number, type, vgroup, blocks, sent, raws;
    int64_t begin;
    char *block;
    char table[16];
    Field field;
} Message;

typedef struct {
    void *raw;
    uint32_t raw_len;
    uint16_t raw_type;
} Raw;

typedef struct {
    int32_t vgroup;
    int64_t current, begin, end;
} Vgroup;

static _Thread_local int last_code;

static void must(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "misused: %s\n", what);
        abort();
    }
}

static void tell(int fd, const char *format, ...) {
    char line[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    line[length++] = '\n';
    /* The test may have ended. */
    send(fd, line, length, MSG_NOSIGNAL);
}

static int hear(int fd, char *line, int room) {
    int length = 0;
    while (length < room - 1) {
        if (read(fd, line + length, 1) != 1) return 0;
        if (line[length] == '\n') break;
        length++;
    }
    line[length] = 0;
    return 1;
}

static int answer(int fd, const char *ask, const char *call) {
    char line[64];
    if (!strstr(ask, call) || !hear(fd, line, sizeof line)) return 0;
    return (int)strtol(line, NULL, 0);
}

static Tmq *of(Tmq *tmq) {
    must(tmq->magic == LIVE, "a consumer after its end");
    must(pthread_equal(tmq->home, pthread_self()), "a consumer on another thread");
    last_code = 0;
    return tmq;
}

static int done(Tmq *tmq, const char *call) {
    int code = answer(tmq->fd, tmq->ask, call);
    last_code = code;
    return code;
}

#ifdef OLD
const char *taos_get_client_info(void) { return "3.0.0.1"; }
#else
const char *taos_get_client_info(void) { return "3.3.7.5"; }
#endif
int taos_options(int option, const void *arg, ...) { return 0; }
int taos_errno(void *res) { return res ? 0 : last_code; }
const char *taos_errstr(void *res) { return "the fake's words"; }
const char *tmq_err2str(int32_t code) { return "the fake's words for it"; }

Conf *tmq_conf_new(void) {
    Conf *conf = calloc(1, sizeof *conf);
    conf->magic = LIVE;
    return conf;
}

void tmq_conf_destroy(Conf *conf) {
    must(conf->magic == LIVE, "a configuration after its end");
    conf->magic = FREED;
}

int tmq_conf_set(Conf *conf, const char *key, const char *value) {
    static const char *known[] = {"group.id", "client.id", "auto.offset.reset", "enable.auto.commit",
        "msg.with.table.name", "experimental.snapshot.enable", "td.connect.ip", "td.connect.port", "td.connect.db"};
    must(conf->magic == LIVE, "a configuration after its end");
    if (!strcmp(key, "fake.socket")) strcpy(conf->socket, value);
    else if (!strcmp(key, "fake.ask")) strcpy(conf->ask, value);
    else if (!strcmp(key, "td.connect.user")) strcpy(conf->user, value);
    else if (!strcmp(key, "td.connect.pass")) strcpy(conf->pass, value);
    else if (!strcmp(key, "enable.auto.commit")) return strcmp(value, "false") ? -1 : 0;
    else if (!strcmp(key, "session.timeout.ms")) return atoi(value) < 6000 ? -1 : 0;
    else {
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (!strcmp(key, known[i])) return 0;
        return -2;
    }
    return 0;
}

Tmq *tmq_consumer_new(Conf *conf, char *words, int32_t room) {
    must(conf->magic == LIVE, "a configuration after its end");
    if (!strcmp(conf->user, "wrong")) {
        last_code = (int)0x80000357;
        snprintf(words, room, "Authentication failure");
        return NULL;
    }
    Tmq *tmq = calloc(1, sizeof *tmq);
    tmq->magic = LIVE;
    tmq->home = pthread_self();
    strcpy(tmq->ask, conf->ask);
    for (int i = 0; i < VGROUPS; i++) tmq->committed[i] = tmq->position[i] = -2147467247;
    struct sockaddr_un at = {AF_UNIX};
    strcpy(at.sun_path, conf->socket);
    tmq->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(connect(tmq->fd, (struct sockaddr *)&at, sizeof at) == 0, "the socket");
    tell(tmq->fd, "new");
    last_code = answer(tmq->fd, tmq->ask, "new");
    return tmq;
}

int32_t tmq_consumer_close(Tmq *tmq) {
    of(tmq);
    tell(tmq->fd, "close");
    int code = done(tmq, "close");
    if (code == 0) {
        tmq->magic = FREED;
        tell(tmq->fd, "closed");
    }
    return code;
}

List *tmq_list_new(void) {
    List *list = calloc(1, sizeof *list);
    list->magic = LIVE;
    return list;
}

int tmq_list_append(List *list, const char *name) {
    must(list->magic == LIVE && list->count < 8, "a list after its end");
    list->names[list->count++] = strdup(name);
    return 0;
}

void tmq_list_destroy(List *list) {
    must(list->magic == LIVE, "a list after its end");
    list->magic = FREED;
}

int tmq_list_get_size(const List *list) { return list->count; }
char **tmq_list_to_c_array(const List *list) { return (char **)list->names; }

int32_t tmq_subscribe(Tmq *tmq, const List *list) {
    must(of(tmq)->magic == LIVE && list->magic == LIVE, "a list after its end");
    must(!tmq->subscribed, "a second subscription");
    tell(tmq->fd, "subscribe %s", list->count ? list->names[0] : "");
    int code = done(tmq, "subscribe");
    tmq->subscribed = code == 0;
    return code;
}

int32_t tmq_unsubscribe(Tmq *tmq) {
    must(of(tmq)->subscribed, "unsubscribing from nothing");
    tmq->subscribed = 0;
    tell(tmq->fd, "unsubscribe");
    return done(tmq, "unsubscribe");
}

int32_t tmq_subscription(Tmq *tmq, List **out) {
    tell(of(tmq)->fd, "subscription");
    must(*out == NULL, "a list that is not asked for");
    *out = tmq_list_new();
    tmq_list_append(*out, "t");
    return done(tmq, "subscription");
}

static void put32(char *at, int32_t value) { memcpy(at, &value, 4); }

Message *tmq_consumer_poll(Tmq *tmq, int64_t millis) {
    char line[128];
    must(of(tmq)->subscribed, "a poll before a subscription");
    tell(tmq->fd, "poll %d", (int)millis);
    struct pollfd readable = {tmq->fd, POLLIN};
    if (poll(&readable, 1, (int)millis) <= 0 || !hear(tmq->fd, line, sizeof line)) return NULL;
    if (*line == 'e') {
        last_code = (int)strtol(line + 2, NULL, 0);
        return NULL;
    }
    if (*line != 'm') return NULL;
    Message *message = calloc(1, sizeof *message);
    long begin, next;
    sscanf(line, "m %d %d %ld %ld %d", &message->type, &message->vgroup, &begin, &next, &message->blocks);
    message->magic = LIVE;
    message->fd = tmq->fd;
    message->number = ++tmq->messages;
    message->begin = begin;
    tmq->begin[message->vgroup] = begin;
    tmq->position[message->vgroup] = next;
    return message;
}

static int where(Tmq *tmq, int vgroup) {
    of(tmq);
    must(vgroup >= 0 && vgroup < VGROUPS, "a vgroup that is not there");
    return vgroup;
}

int32_t tmq_commit_sync(Tmq *tmq, const Message *message) {
    of(tmq);
    must(message && message->magic == LIVE, "a message after its end");
    tell(tmq->fd, "commit %d", message->number);
    return done(tmq, "commit");
}

#ifndef OLD
int32_t tmq_commit_offset_sync(Tmq *tmq, const char *topic, int32_t vgroup, int64_t offset) {
    int at = where(tmq, vgroup);
    tell(tmq->fd, "commit_offset %s %d %d", topic, vgroup, (int)offset);
    int code = done(tmq, "commit_offset");
    if (code == 0) tmq->committed[at] = offset;
    return code;
}

/* With "committed" in `fake.ask` it is the test that says what the group has. */
int64_t tmq_committed(Tmq *tmq, const char *topic, int32_t vgroup) {
    int at = where(tmq, vgroup);
    if (!strstr(tmq->ask, "committed")) return tmq->committed[at];
    tell(tmq->fd, "committed %s %d", topic, vgroup);
    return done(tmq, "committed");
}

int64_t tmq_position(Tmq *tmq, const char *topic, int32_t vgroup) {
    return tmq->position[where(tmq, vgroup)];
}

int32_t tmq_offset_seek(Tmq *tmq, const char *topic, int32_t vgroup, int64_t offset) {
    tmq->position[where(tmq, vgroup)] = offset;
    tell(tmq->fd, "seek %s %d %d", topic, vgroup, (int)offset);
    return done(tmq, "seek");
}

int32_t tmq_get_topic_assignment(Tmq *tmq, const char *topic, Vgroup **out, int32_t *count) {
    tell(of(tmq)->fd, "assignment %s", topic);
    *count = 2;
    *out = calloc(2, sizeof **out);
    for (int i = 0; i < 2; i++) {
        Vgroup vgroup = {i + 1, tmq->begin[i + 1], 0, 100};
        (*out)[i] = vgroup;
    }
    return done(tmq, "assignment");
}

void tmq_free_assignment(Vgroup *vgroups) { free(vgroups); }

int64_t tmq_get_vgroup_offset(Message *message) { return message->begin; }
#endif

static Message *alive(Message *message) {
    must(message->magic == LIVE, "a message after its end");
    return message;
}

int tmq_get_res_type(Message *message) { return alive(message)->type; }
const char *tmq_get_topic_name(Message *message) { return alive(message) ? "t" : NULL; }
const char *tmq_get_db_name(Message *message) { return alive(message) ? "db" : NULL; }
int32_t tmq_get_vgroup_id(Message *message) { return alive(message)->vgroup; }
const char *tmq_get_table_name(Message *message) {
    return alive(message)->sent ? message->table : NULL;
}

/* raw-block section 1: one column of INTs, of one row. */
int taos_fetch_raw_block(Message *message, int *rows, void **block) {
    must(alive(message)->type == 1 || message->type == 3, "rows of a message without any");
    *rows = 0;
    if (message->sent == message->blocks) return 0;
    if (message->blocks == 9) return (int)0x80000123;
    int at = message->sent++, length = HEAD + 9 + 1 + 4 + 1;
    free(message->block);
    char *to = message->block = calloc(1, length);
    put32(to, 1);
    put32(to + 4, length);
    put32(to + 8, 1);
    put32(to + 12, 1);
    put32(to + 16, INT32_MIN);
    to[HEAD] = 4;
    put32(to + HEAD + 1, 4);
    put32(to + HEAD + 5, 4);
    put32(to + HEAD + 10, (int)message->begin + at);
    snprintf(message->table, sizeof message->table, "d%d", at);
    snprintf(message->field.name, sizeof message->field.name, "v%d", at);
    message->field.type = 4;
    message->field.bytes = 4;
    *rows = 1;
    *block = message->block;
    return 0;
}

int taos_field_count(Message *message) { return alive(message)->sent ? 1 : 0; }
const Field *taos_fetch_fields(Message *message) { return &alive(message)->field; }
int taos_result_precision(Message *message) { return alive(message) ? 0 : 9; }

int32_t tmq_get_raw(Message *message, Raw *raw) {
    alive(message)->raws++;
    tell(message->fd, "raw %d", message->number);
    raw->raw = message;
    raw->raw_len = 4;
    raw->raw_type = 2;
    return 0;
}

void tmq_free_raw(Raw raw) {
    Message *message = raw.raw;
    must(raw.raw_len == 4 && raw.raw_type == 2, "the packed form by value");
    must(alive(message)->raws-- == 1, "the packed form, twice");
    tell(message->fd, "unraw %d", message->number);
}

char *tmq_get_json_meta(Message *message) {
    must(alive(message)->type != 1, "meta of rows");
    return strdup("{\"type\":\"drop\",\"tableType\":\"super\",\"tableName\":\"st\"}");
}

void tmq_free_json_meta(char *json) { free(json); }

void taos_free_result(Message *message) {
    must(alive(message)->raws == 0, "a message whose packed form is out");
    message->magic = FREED;
    tell(message->fd, "free %d", message->number);
}
