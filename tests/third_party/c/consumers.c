/* Writes that are not SQL, topics, and calls with nothing. */
#include "judge.h"

static void lines(void) {
  int32_t total = -1;
  char text[] = "lines,place=Oslo v=1.5 1700000000000\nlines,place=Bergen v=2.5 1700000000001";
  TAOS_RES *res = taos_schemaless_insert_raw(taos, text, (int)strlen(text), &total, 1, 4);
  EXPECT(taos_errno(res) == 0 && total == 2 && taos_affected_rows(res) == 2);
  taos_free_result(res);
  char *each[] = {"lines,place=Oslo v=3.5 1700000000002", "lines,place=Oslo v=4.5 1700000000003"};
  res = taos_schemaless_insert(taos, each, 2, 1, 4);
  EXPECT(taos_errno(res) == 0 && taos_affected_rows(res) == 2);
  taos_free_result(res);
  char keyed[] = "lines,place=Oslo,id=named v=1.5 1700000000004";
  res = taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(taos, keyed, (int)strlen(keyed), &total, 1, 4, 30, 4712,
                                                             "id");
  EXPECT(taos_errno(res) == 0);
  taos_free_result(res);
  EXPECT(number("select count(*) from lines") == 5);
  EXPECT(number("select count(*) from named") == 1);
  res = taos_schemaless_insert_raw(taos, "nonsense", 8, &total, 1, 4);
  EXPECT(taos_errno(res) < 0 && strlen(taos_errstr(res)) > 0);
  taos_free_result(res);
  res = taos_schemaless_insert_raw(taos, text, (int)strlen(text), &total, 9, 4);
  EXPECT(taos_errno(res) == CODE(0x3000));
  taos_free_result(res);
  res = taos_schemaless_insert_raw(taos, text, (int)strlen(text), &total, 1, 9);
  EXPECT(taos_errno(res) == CODE(0x3001));
  taos_free_result(res);
}

static void blocks(void) {
  EXPECT(exec("create table block_from (ts timestamp, i int, v varchar(16))") >= 0);
  EXPECT(exec("create table block_to (ts timestamp, i int, v varchar(16))") >= 0);
  EXPECT(exec("create table block_named (ts timestamp, v varchar(16), i int)") >= 0);
  EXPECT(exec("insert into block_from values (1700000000000, 1, 'a') (1700000000001, null, 'bc')") == 2);
  TAOS_RES *res = taos_query(taos, "select * from block_from");
  int rows = 0;
  void *data = NULL;
  EXPECT(taos_fetch_raw_block(res, &rows, &data) == 0 && rows == 2);
  EXPECT(taos_write_raw_block(taos, rows, data, "block_to") == 0);
  EXPECT(taos_write_raw_block_with_fields(taos, rows, data, "block_named", taos_fetch_fields(res), 3) == 0);
  EXPECT(taos_write_raw_block(taos, rows + 1, data, "block_to") == CODE(0x0118));
  EXPECT(taos_write_raw_block(taos, rows, data, "nothing_like_it") < 0);
  taos_free_result(res);
  EXPECT(number("select count(*) from block_to") == 2);
  EXPECT(number("select count(*) from block_named where v = 'bc' and i is null") == 1);
}

void write_checks(void) {
  run("C: lines are written, from a text and one by one", lines);
  run("C: raw blocks are written to other tables", blocks);
}

const char *server_port(void) { return strrchr(getenv("TAOS_ADDRESS"), ':') + 1; }

tmq_t *consumer(const char *group, const char *topic) {
  tmq_conf_t *conf = tmq_conf_new();
  const char *pairs[][2] = {{"group.id", group}, {"td.connect.ip", "127.0.0.1"}, {"td.connect.user", "root"},
                            {"td.connect.pass", "taosdata"}, {"td.connect.port", server_port()},
                            {"auto.offset.reset", "earliest"}, {"enable.auto.commit", "false"}};
  for (size_t at = 0; at < sizeof pairs / sizeof *pairs; at++) {
    if (tmq_conf_set(conf, pairs[at][0], pairs[at][1]) != 0) {
      printf("# %s is refused\n", pairs[at][0]);
    }
  }
  char words[256] = "";
  tmq_t *tmq = tmq_consumer_new(conf, words, sizeof words);
  tmq_conf_destroy(conf);
  if (!tmq) {
    printf("# no consumer: %s\n", words);
    return NULL;
  }
  tmq_list_t *list = tmq_list_new();
  tmq_list_append(list, topic);
  int code = tmq_subscribe(tmq, list);
  tmq_list_destroy(list);
  if (code != 0) {
    printf("# no subscription: %s\n", tmq_err2str(code));
    tmq_consumer_close(tmq);
    return NULL;
  }
  return tmq;
}

static void configures(void) {
  tmq_conf_t *conf = tmq_conf_new();
  EXPECT(conf != NULL);
  EXPECT(tmq_conf_set(conf, "no.such.key", "1") == -2);
  EXPECT(tmq_conf_set(conf, "enable.auto.commit", "perhaps") == -1);
  EXPECT(tmq_conf_set(conf, "group.id", "g") == 0);
  tmq_conf_destroy(conf);
  tmq_list_t *list = tmq_list_new();
  EXPECT(list != NULL && tmq_list_get_size(list) == 0);
  EXPECT(tmq_list_append(list, "one") == 0 && tmq_list_append(list, "two") == 0);
  EXPECT(tmq_list_get_size(list) == 2);
  EXPECT(strcmp(tmq_list_to_c_array(list)[1], "two") == 0);
  tmq_list_destroy(list);
}

static void tells_commit(tmq_t *tmq, int32_t code, void *param) { tell(param, (TAOS_RES *)tmq, code); }

static void reads(void) {
  EXPECT(exec("create topic c_rows as select ts, i, v from c_judge.meters") >= 0);
  long long all = number("select count(*) from meters");
  EXPECT(all > 0);
  tmq_t *tmq = consumer("c_reads", "c_rows");
  EXPECT(tmq != NULL);
  long long read = 0;
  int32_t vgroup = 0;
  for (int polls = 0; read < all && polls < 60; polls++) {
    TAOS_RES *message = tmq_consumer_poll(tmq, 500);
    if (!message) {
      EXPECT(taos_errno(NULL) == 0);
      continue;
    }
    EXPECT(tmq_get_res_type(message) == 1);
    EXPECT(strcmp(tmq_get_topic_name(message), "c_rows") == 0);
    EXPECT(strcmp(tmq_get_db_name(message), "c_judge") == 0);
    vgroup = tmq_get_vgroup_id(message);
    EXPECT(vgroup > 0 && tmq_get_vgroup_offset(message) >= 0);
    int rows = 0;
    void *data = NULL;
    while (taos_fetch_raw_block(message, &rows, &data) == 0 && rows > 0) {
      EXPECT(data != NULL && taos_field_count(message) == 3);
      read += rows;
    }
    EXPECT(tmq_get_json_meta(message) == NULL);
    EXPECT(tmq_commit_sync(tmq, message) == 0);
    taos_free_result(message);
  }
  EXPECT(read == all);
  tmq_list_t *topics = NULL;
  EXPECT(tmq_subscription(tmq, &topics) == 0);
  EXPECT(tmq_list_get_size(topics) == 1 && strcmp(tmq_list_to_c_array(topics)[0], "c_rows") == 0);
  tmq_list_destroy(topics);
  tmq_topic_assignment *places = NULL;
  int32_t n = 0;
  EXPECT(tmq_get_topic_assignment(tmq, "c_rows", &places, &n) == 0);
  EXPECT(n > 0 && places != NULL && places[0].vgId > 0 && places[0].begin <= places[0].end);
  tmq_topic_assignment place = places[0];
  tmq_free_assignment(places);
  EXPECT(tmq_position(tmq, "c_rows", vgroup) > 0);
  EXPECT(tmq_committed(tmq, "c_rows", vgroup) > 0);
  EXPECT(tmq_committed(tmq, "no_such_topic", vgroup) < 0);
  event it = EVENT;
  tmq_commit_async(tmq, NULL, tells_commit, &it);
  EXPECT(wait_for(&it) == 0);
  EXPECT(tmq_offset_seek(tmq, "c_rows", place.vgId, place.begin) == 0);
  EXPECT(tmq_position(tmq, "c_rows", place.vgId) == place.begin);
  EXPECT(tmq_offset_seek(tmq, "c_rows", place.vgId, place.end + 1000) < 0);
  EXPECT(tmq_get_connect(tmq) != NULL);
  EXPECT(tmq_unsubscribe(tmq) == 0);
  EXPECT(tmq_consumer_close(tmq) == 0);
}

static void replays(void) {
  EXPECT(exec("create database c_source wal_retention_period 3600") >= 0);
  EXPECT(exec("create database c_copy") >= 0);
  EXPECT(exec("create topic c_meta with meta as database c_source") >= 0);
  EXPECT(exec("create stable c_source.st (ts timestamp, i int) tags (t int)") >= 0);
  EXPECT(exec("insert into c_source.t1 using c_source.st tags(1) values (1700000000000, 1) (1700000000001, 2)") == 2);
  tmq_t *tmq = consumer("c_replays", "c_meta");
  EXPECT(tmq != NULL);
  EXPECT(taos_select_db(taos, "c_copy") == 0);
  int metas = 0, data = 0;
  for (int polls = 0; data == 0 && polls < 60; polls++) {
    TAOS_RES *message = tmq_consumer_poll(tmq, 500);
    if (!message) {
      continue;
    }
    int type = tmq_get_res_type(message);
    if (type == 2 || type == 3) {
      char *json = tmq_get_json_meta(message);
      EXPECT(json != NULL && strchr(json, '{') != NULL);
      tmq_free_json_meta(json);
      metas++;
    }
    data += type == 1 || type == 3;
    tmq_raw_data raw = {NULL, 0, 0};
    EXPECT(tmq_get_raw(message, &raw) == 0);
    EXPECT(raw.raw != NULL && raw.raw_len > 0);
    EXPECT(tmq_write_raw(taos, raw) == 0);
    tmq_free_raw(raw);
    taos_free_result(message);
  }
  EXPECT(metas > 0 && data > 0);
  EXPECT(number("select count(*) from c_copy.st") == 2);
  EXPECT(tmq_consumer_close(tmq) == 0);
  EXPECT(taos_select_db(taos, "c_judge") == 0);
}

void consumer_checks(void) {
  run("C: a consumer is configured, and wrong keys and values are told", configures);
  run("C: a consumer reads, commits and tells its places", reads);
  run("C: raw messages are replayed, passed by value", replays);
}

static void nulls(void) {
  TAOS_RES *res = taos_query(NULL, NULL);
  EXPECT(taos_errno(res) != 0);
  taos_free_result(res);
  EXPECT(taos_stmt_init(NULL) == NULL && taos_errno(NULL) != 0);
  EXPECT(taos_stmt2_init(NULL, NULL) == NULL && taos_errno(NULL) != 0);
  EXPECT(taos_stmt_prepare(NULL, NULL, 0) != 0);
  EXPECT(taos_stmt_bind_param(NULL, NULL) != 0);
  EXPECT(taos_stmt_execute(NULL) != 0);
  EXPECT(taos_stmt_use_result(NULL) == NULL);
  EXPECT(taos_stmt_errstr(NULL) != NULL);
  EXPECT(taos_stmt_close(NULL) != 0);
  taos_stmt_reclaim_fields(NULL, NULL);
  EXPECT(taos_stmt2_prepare(NULL, NULL, 0) != 0);
  EXPECT(taos_stmt2_bind_param(NULL, NULL, -1) != 0);
  EXPECT(taos_stmt2_bind_param_a(NULL, NULL, -1, NULL, NULL) != 0);
  EXPECT(taos_stmt2_exec(NULL, NULL) != 0);
  EXPECT(taos_stmt2_get_fields(NULL, NULL, NULL) != 0);
  EXPECT(taos_stmt2_result(NULL) == NULL);
  EXPECT(taos_stmt2_error(NULL) != NULL);
  EXPECT(taos_stmt2_close(NULL) != 0);
  taos_stmt2_free_fields(NULL, NULL);
  EXPECT(taos_schemaless_insert_raw(NULL, NULL, -1, NULL, 1, 0) == NULL);
  EXPECT(taos_write_raw_block(NULL, 0, NULL, NULL) != 0);
  EXPECT(tmq_write_raw(NULL, (tmq_raw_data){NULL, 0, 0}) != 0);
  EXPECT(tmq_consumer_poll(NULL, 0) == NULL);
  EXPECT(tmq_consumer_close(NULL) != 0);
  EXPECT(tmq_subscribe(NULL, NULL) != 0);
  EXPECT(tmq_commit_sync(NULL, NULL) != 0);
  EXPECT(tmq_get_res_type(NULL) == -1);
  EXPECT(taos_fetch_row(NULL) == NULL);
  EXPECT(taos_fetch_fields(NULL) == NULL);
  EXPECT(taos_select_db(NULL, NULL) != 0);
  EXPECT(taos_affected_rows(NULL) == 0);
  taos_free_result(NULL);
  tmq_conf_destroy(NULL);
  tmq_list_destroy(NULL);
  taos_close(NULL);
}

void null_checks(void) { run("C: NULL is refused everywhere", nulls); }
