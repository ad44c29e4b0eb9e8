package main

import (
	"database/sql"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/taosdata/driver-go/v3/common/tmq"
	consuming "github.com/taosdata/driver-go/v3/ws/tmq"
)

const (
	consumerClient   = "driver-go ws/tmq"
	consumerDatabase = "judge_go_tmq"
	// Enough of them that each of the four vgroups has some.
	tables   = 8
	rowsEach = 5
	// How long to wait for what must come, and for what must not.
	patience = 30 * time.Second
	silence  = 300
)

// consumer belongs to a group; more are further settings, in pairs.
func consumer(group string, more ...string) *consuming.Consumer {
	settings := tmq.ConfigMap{
		"ws.url":             "ws://" + address,
		"ws.message.timeout": 20 * time.Second,
		"td.connect.user":    "root",
		"td.connect.pass":    "taosdata",
		"group.id":           group,
		"client.id":          group + "_client",
		"auto.offset.reset":  "earliest",
		"enable.auto.commit": "false",
	}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return got(consuming.NewConsumer(&settings))
}

func subscribed(group, topic string, more ...string) *consuming.Consumer {
	reader := consumer(group, more...)
	must(reader.Subscribe(topic, nil))
	return reader
}

// entry is a row and where it came from; a table is named only by topics of tables.
type entry struct {
	partition tmq.TopicPartition
	table     string
	row       []any
}

// poll gives the rows of one message, what it says of tables, and whether there was one.
func poll(reader *consuming.Consumer, milliseconds int) (rows []entry, meta *tmq.Meta, came bool) {
	add := func(partition tmq.TopicPartition, parts []*tmq.Data) {
		for _, part := range parts {
			for _, values := range part.Data {
				row := make([]any, len(values))
				for i, value := range values {
					row[i] = value
					if moment, is := value.(time.Time); is {
						row[i] = moment.UTC()
					}
				}
				rows = append(rows, entry{partition, part.TableName, row})
			}
		}
	}
	switch event := reader.Poll(milliseconds).(type) {
	case nil:
		return nil, nil, false
	case *tmq.DataMessage:
		add(event.TopicPartition, event.Value().([]*tmq.Data))
	case *tmq.MetaMessage:
		meta = event.Value().(*tmq.Meta)
	case *tmq.MetaDataMessage:
		both := event.Value().(*tmq.MetaData)
		add(event.TopicPartition, both.Data)
		meta = both.Meta
	default:
		panic(event)
	}
	return rows, meta, true
}

// drain reads until there were so many rows, and a moment longer for one too many.
func drain(reader *consuming.Consumer, missing int) ([]entry, []*tmq.Meta) {
	var all []entry
	var metas []*tmq.Meta
	take := func(milliseconds int) bool {
		rows, meta, came := poll(reader, milliseconds)
		all = append(all, rows...)
		if meta != nil {
			metas = append(metas, meta)
		}
		return came
	}
	for deadline := time.Now().Add(patience); len(all) < missing && time.Now().Before(deadline); {
		take(500)
	}
	for take(silence) {
	}
	return all, metas
}

// eventually asks again and again, since the server may take a moment.
func eventually(what string, holds func() bool) {
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			panic("it never came true that " + what)
		}
	}
}

// numbers makes a super table of numbered rows and a topic of the same name, which selects them.
func numbers(db *sql.DB, name string) [][]any {
	exec(db, fmt.Sprintf("create table %s.%s (ts timestamp, n int) tags (id int)", consumerDatabase, name))
	exec(db, fmt.Sprintf("create topic %s as select tbname, ts, n, id from %s.%s", name, consumerDatabase, name))
	var all [][]any
	for table := 0; table < tables; table++ {
		all = append(all, write(db, name, table, 0, rowsEach)...)
	}
	return all
}

// write gives the rows that it wrote to one table as a consumer reads them.
func write(db *sql.DB, name string, table, from, count int) [][]any {
	var values strings.Builder
	var all [][]any
	for n := from; n < from+count; n++ {
		fmt.Fprintf(&values, " (%d, %d)", 1_700_000_000_000+1000*table+n, 100*table+n)
		all = append(all, []any{fmt.Sprintf("%s_%d", name, table), at(int64(1000*table + n)), int32(100*table + n), int32(table)})
	}
	exec(db, fmt.Sprintf("insert into %s.%s_%d using %s.%s tags (%d) values%s",
		consumerDatabase, name, table, consumerDatabase, name, table, values.String()))
	return all
}

// numbered are the rows of a topic of numbers in their order.
func numbered(entries []entry) [][]any {
	all := make([][]any, len(entries))
	for i, entry := range entries {
		all[i] = entry.row
	}
	sort.Slice(all, func(a, b int) bool { return all[a][2].(int32) < all[b][2].(int32) })
	return all
}

func consumers() {
	db := open("taosWS", wsDSN(""))
	defer db.Close()
	check(consumerClient, "creates a database of four vgroups, and topics of each kind", func() { createTopics(db) })
	check(consumerClient, "reads every type, NULLs, names and tags from a topic of a query", readQueryTopic)
	check(consumerClient, "reads the rows of a super table with the names of their tables", func() { readTables("go_stable", false) })
	check(consumerClient, "reads a database's topic", func() { readTables("go_database", false) })
	check(consumerClient, "reads a database's topic with what made its tables", func() { readTables("go_meta", true) })
	check(consumerClient, "is told what changes tables", func() { readChanges(db) })
	check(consumerClient, "lists four vgroups, seeks to their begin and reads all again", func() { seekBack(db) })
	check(consumerClient, "commits an offset of its own choice, and is told it", func() { commitOffsets(db) })
	check(consumerClient, "commits; another consumer of the group goes on behind", func() { resume(db) })
	check(consumerClient, "commits by itself, when asked to", func() { commitByItself(db) })
	check(consumerClient, "sees only what is written after it came, when it starts at latest", func() { startAtLatest(db) })
	check(consumerClient, "shares four vgroups with another consumer of its group, two each", func() { share(db) })
	check(consumerClient, "keeps a topic from being dropped until it unsubscribes", func() { dropTopic(db) })
	check(consumerClient, "is told of a topic that is not there, and can subscribe to another", func() { unknownTopic(db) })
	check(consumerClient, "subscribes to another topic after it unsubscribed", func() { subscribeAgain(db) })
	check(consumerClient, "is refused with a wrong password", func() {
		refusal := consumer("login", "td.connect.pass", "wrong").Subscribe("go_select", nil)
		if refusal == nil {
			panic("it was not refused")
		}
		equal(refusal.Error(), "init tscObj failed")
	})
	check(consumerClient, "consumes with compression on offer", func() { compressed(db) })
}

func createTopics(db *sql.DB) {
	columns := list(func(kind column) string { return kind.name + " " + kind.kind })
	names := list(func(kind column) string { return kind.name })
	kindsTable := consumerDatabase + ".kinds"
	exec(db, "create database "+consumerDatabase+" precision 'ms' vgroups 4 wal_retention_period 3600")
	exec(db, fmt.Sprintf("create table %s (ts timestamp, %s) tags (place varchar(24), floor int)", kindsTable, columns))
	exec(db, fmt.Sprintf("create topic go_select as select tbname, ts, %s, place, floor from %s", names, kindsTable))
	exec(db, "create topic go_stable as stable "+kindsTable)
	exec(db, "create topic go_database as database "+consumerDatabase)
	exec(db, "create topic go_meta with meta as database "+consumerDatabase)
	values := list(func(kind column) string { return kind.literal })
	nulls := list(func(column) string { return "null" })
	for table := 0; table < tables; table++ {
		tags := fmt.Sprintf("'Gdańsk 🐢', %d", table)
		if table == 0 {
			tags = "null, null"
		}
		exec(db, fmt.Sprintf("insert into %s.k%d using %s tags (%s) values (%d, %s) (%d, %s)", consumerDatabase, table, kindsTable,
			tags, 1_700_000_000_000+1000*table, values, 1_700_000_000_001+1000*table, nulls))
	}
}

// kindRows are the rows that createTopics wrote, in the order of their times.
func kindRows(head, tail func(table int) []any) [][]any {
	var all [][]any
	for table := 0; table < tables; table++ {
		for n, null := range []bool{false, true} {
			row := append(head(table), fullRow(int64(1000*table+n), null)...)
			all = append(all, append(row, tail(table)...))
		}
	}
	return all
}

func byTime(entries []entry, place int) [][]any {
	all := make([][]any, len(entries))
	for i, entry := range entries {
		all[i] = entry.row
	}
	sort.Slice(all, func(a, b int) bool { return all[a][place].(time.Time).Before(all[b][place].(time.Time)) })
	return all
}

func readQueryTopic() {
	reader := subscribed("select", "go_select")
	defer reader.Close()
	entries, _ := drain(reader, 2*tables)
	vgroups := map[int32]bool{}
	for _, entry := range entries {
		equal(*entry.partition.Topic, "go_select")
		vgroups[entry.partition.Partition] = true
	}
	equal(len(vgroups), 4)
	name := func(table int) []any { return []any{fmt.Sprintf("k%d", table)} }
	tags := func(table int) []any {
		if table == 0 {
			return []any{nil, nil}
		}
		return []any{"Gdańsk 🐢", int32(table)}
	}
	equal(byTime(entries, 1), kindRows(name, tags))
}

func readTables(topic string, withMeta bool) {
	reader := subscribed("tables", topic)
	defer reader.Close()
	entries, metas := drain(reader, 2*tables)
	for _, entry := range entries {
		table := entry.row[0].(time.Time).Sub(at(0)) / time.Second
		equal(entry.table, fmt.Sprintf("k%d", table))
	}
	nothing := func(int) []any { return nil }
	equal(byTime(entries, 0), kindRows(nothing, nothing))
	if !withMeta {
		equal(len(metas), 0)
		return
	}
	made := map[string]*tmq.CreateItem{}
	for _, meta := range metas {
		if meta.TableType == "super" {
			equal([]string{meta.Type, meta.TableName}, []string{"create", "kinds"})
			equal([]int{len(meta.Columns), len(meta.Tags)}, []int{1 + len(kinds), 2})
			equal([]any{meta.Columns[12].Name, meta.Columns[12].Type, meta.Columns[12].Length}, []any{"vc", 8, 32})
			continue
		}
		for _, child := range children(meta) {
			equal([]any{meta.Type, meta.TableType, child.Using}, []any{"create", "child", "kinds"})
			made[child.TableName] = child
		}
	}
	equal(len(made), tables)
	equal(len(made["k0"].Tags), 0)
	equal([]any{made["k3"].Tags[0].Value, made["k3"].Tags[1].Value}, []any{`"Gdańsk 🐢"`, 3.0})
}

// children are the tables that a creation names: many in its list, or one.
func children(meta *tmq.Meta) []*tmq.CreateItem {
	if len(meta.CreateList) > 0 {
		return meta.CreateList
	}
	return []*tmq.CreateItem{{TableName: meta.TableName, Using: meta.Using, TagNum: meta.TagNum, Tags: meta.Tags}}
}

func readChanges(db *sql.DB) {
	database := consumerDatabase + "_changes"
	exec(db, "create database "+database+" vgroups 1")
	exec(db, "create topic go_changes with meta as database "+database)
	for _, text := range []string{
		"create table %s.plain (ts timestamp, n int)",
		"alter table %s.plain add column more nchar(8)",
		"alter table %s.plain modify column more nchar(16)",
		"create table %s.tops (ts timestamp, n int) tags (id int)",
		"alter table %s.tops add tag name varchar(8)",
		"create table %[1]s.t1 using %[1]s.tops (id) tags (1)",
		"alter table %s.t1 set tag name = 'żółw'",
		"insert into %s.t1 values (1700000000000, 1)",
		"delete from %s.t1 where ts <= 1700000000000",
		"create table %[1]s.t2 using %[1]s.tops tags (2, null)",
		"drop table %s.t2",
		"create table %s.gone (ts timestamp, n int) tags (id int)",
		"drop table %s.gone",
	} {
		exec(db, fmt.Sprintf(text, database))
	}
	reader := subscribed("changes", "go_changes")
	defer reader.Close()
	entries, metas := drain(reader, 1)
	equal(len(entries), 1)
	equal(entries[0].row, []any{at(0), int32(1)})
	var said []string
	for _, meta := range metas {
		said = append(said, strings.TrimSpace(fmt.Sprintf("%s %s %s%s %d %s %d", meta.Type, meta.TableType, meta.TableName,
			strings.Join(meta.TableNameList, ","), meta.AlterType, meta.ColName+meta.ColValue, meta.ColLength)))
	}
	equal(said, []string{
		"create normal plain 0  0",
		"alter normal plain 5 more 8",
		"alter normal plain 7 more 16",
		"create super tops 0  0",
		"alter super tops 1 name 8",
		"create child t1 0  0",
		`alter child t1 4 name"żółw" 0`,
		"delete   0  0",
		"create child t2 0  0",
		"drop  t2 0  0",
		"create super gone 0  0",
		"drop super gone 0  0",
	})
}

func offsets(partitions []tmq.TopicPartition) map[int32]tmq.Offset {
	all := map[int32]tmq.Offset{}
	for _, partition := range partitions {
		all[partition.Partition] = partition.Offset
	}
	return all
}

func seekBack(db *sql.DB) {
	expected := numbers(db, "go_seek")
	reader := subscribed("seek", "go_seek")
	defer reader.Close()
	begin := got(reader.Assignment())
	equal(len(offsets(begin)), 4)
	entries, _ := drain(reader, len(expected))
	equal(numbered(entries), expected)
	for vgroup, position := range offsets(got(reader.Position(begin))) {
		if position <= offsets(begin)[vgroup] {
			panic(fmt.Sprintf("vgroup %d stands at %d, where it began", vgroup, position))
		}
	}
	for _, partition := range begin {
		must(reader.Seek(partition, 0))
	}
	entries, _ = drain(reader, len(expected))
	equal(numbered(entries), expected)
	must(reader.Unsubscribe())
}

func commitOffsets(db *sql.DB) {
	expected := numbers(db, "go_offsets")
	reader := subscribed("offsets", "go_offsets")
	defer reader.Close()
	begin := got(reader.Assignment())
	entries, _ := drain(reader, len(expected))
	equal(numbered(entries), expected)
	end := got(reader.Position(begin))
	for _, wanted := range [][]tmq.TopicPartition{end, begin} {
		equal(offsets(got(reader.CommitOffsets(wanted))), offsets(wanted))
		equal(offsets(got(reader.Committed(wanted, 0))), offsets(wanted))
	}
	must(reader.Unsubscribe())
	again := subscribed("offsets", "go_offsets")
	defer again.Close()
	entries, _ = drain(again, len(expected))
	equal(numbered(entries), expected)
}

func resume(db *sql.DB) {
	expected := numbers(db, "go_resume")
	first := subscribed("resume", "go_resume")
	var taken []entry
	for messages := 0; messages < 2; {
		rows, _, came := poll(first, int(patience.Milliseconds()))
		if !came {
			panic("nothing came")
		}
		taken = append(taken, rows...)
		messages++
	}
	partitions := got(first.Commit())
	positions := offsets(got(first.Position(partitions)))
	for _, row := range taken {
		vgroup := row.partition.Partition
		equal(offsets(partitions)[vgroup], positions[vgroup])
	}
	// Closing a socket without a word ends a consumer as well.
	must(first.Close())
	second := subscribed("resume", "go_resume")
	rest, _ := drain(second, len(expected)-len(taken))
	equal([]bool{len(taken) > 0, len(rest) > 0}, []bool{true, true})
	equal(numbered(append(taken, rest...)), expected)
	must(second.Unsubscribe())
	must(second.Close())
	other := subscribed("resume_other", "go_resume")
	defer other.Close()
	all, _ := drain(other, len(expected))
	equal(numbered(all), expected)
}

func commitByItself(db *sql.DB) {
	expected := numbers(db, "go_auto")
	automatic := []string{"enable.auto.commit", "true", "auto.commit.interval.ms", "1"}
	reader := subscribed("auto", "go_auto", automatic...)
	entries, _ := drain(reader, len(expected))
	equal(numbered(entries), expected)
	eventually("all is committed", func() bool {
		poll(reader, 1)
		partitions := got(reader.Assignment())
		committed, positions := offsets(got(reader.Committed(partitions, 0))), offsets(got(reader.Position(partitions)))
		for vgroup, position := range positions {
			if committed[vgroup] != position {
				return false
			}
		}
		return true
	})
	must(reader.Close())
	more := write(db, "go_auto", 3, 50, 3)
	second := subscribed("auto", "go_auto", automatic...)
	defer second.Close()
	entries, _ = drain(second, len(more))
	equal(numbered(entries), more)
}

func startAtLatest(db *sql.DB) {
	numbers(db, "go_latest")
	reader := subscribed("latest", "go_latest", "auto.offset.reset", "latest")
	defer reader.Close()
	early, _ := drain(reader, 0)
	equal(len(early), 0)
	more := append(write(db, "go_latest", 1, 60, 3), write(db, "go_latest", 6, 60, 2)...)
	entries, _ := drain(reader, len(more))
	equal(numbered(entries), more)
}

func share(db *sql.DB) {
	expected := numbers(db, "go_shared")
	one, two := subscribed("shared", "go_shared"), subscribed("shared", "go_shared")
	defer one.Close()
	seen := map[int32]entry{}
	read := func() {
		for _, reader := range []*consuming.Consumer{one, two} {
			rows, _, _ := poll(reader, 50)
			for _, row := range rows {
				seen[row.row[2].(int32)] = row
			}
		}
	}
	eventually("each consumer has two vgroups", func() bool {
		read()
		first, second := offsets(got(one.Assignment())), offsets(got(two.Assignment()))
		all := len(first) == 2 && len(second) == 2
		for vgroup := range first {
			_, both := second[vgroup]
			all = all && !both
		}
		return all
	})
	eventually("every row was read", func() bool { read(); return len(seen) == len(expected) })
	var all []entry
	for _, row := range seen {
		all = append(all, row)
	}
	equal(numbered(all), expected)
	must(two.Unsubscribe())
	must(two.Close())
	eventually("the other takes over", func() bool { poll(one, 50); return len(offsets(got(one.Assignment()))) == 4 })
}

func dropTopic(db *sql.DB) {
	numbers(db, "go_dropped")
	reader := subscribed("dropped", "go_dropped")
	if _, _, came := poll(reader, int(patience.Milliseconds())); !came {
		panic("nothing came")
	}
	drop := func() error { _, err := db.Exec("drop topic go_dropped"); return err }
	refusal := drop()
	if refusal == nil || !strings.HasPrefix(refusal.Error(), "[0x3eb]") {
		panic(fmt.Sprint("expected code 1003, got ", refusal))
	}
	must(reader.Unsubscribe())
	must(reader.Close())
	eventually("the topic can be dropped", func() bool { return drop() == nil })
}

func unknownTopic(db *sql.DB) {
	expected := numbers(db, "go_known")
	reader := consumer("unknown")
	defer reader.Close()
	refusal := reader.Subscribe("no_such_topic", nil)
	if refusal == nil || !strings.HasPrefix(refusal.Error(), "[0x3e1]") {
		panic(fmt.Sprint("expected code 993, got ", refusal))
	}
	must(reader.Subscribe("go_known", nil))
	entries, _ := drain(reader, len(expected))
	equal(numbered(entries), expected)
}

func subscribeAgain(db *sql.DB) {
	reader := consumer("again")
	defer reader.Close()
	for _, topic := range []string{"go_again", "go_again_other"} {
		expected := numbers(db, topic)
		must(reader.Subscribe(topic, nil))
		entries, _ := drain(reader, len(expected))
		equal(numbered(entries), expected)
		must(reader.Unsubscribe())
	}
}

func compressed(db *sql.DB) {
	expected := numbers(db, "go_compressed")
	settings := tmq.ConfigMap{
		"ws.url": "ws://" + address, "ws.message.enableCompression": true, "td.connect.user": "root",
		"td.connect.pass": "taosdata", "group.id": "compressed", "auto.offset.reset": "earliest",
	}
	reader := got(consuming.NewConsumer(&settings))
	defer reader.Close()
	must(reader.Subscribe("go_compressed", nil))
	entries, _ := drain(reader, len(expected))
	equal(numbered(entries), expected)
}
