package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	_ "github.com/taosdata/driver-go/v3/taosWS"
)

const (
	wsDatabase = "judge_go_ws"
	many       = 10_000
)

func wsDSN(database string) string {
	return fmt.Sprintf("root:taosdata@ws(%s)/%s", address, database)
}

func websocket() {
	const client = "driver-go taosWS"
	db := open("taosWS", wsDSN(""))
	defer db.Close()

	check(client, "connects, and asks for the version", func() {
		must(db.Ping())
		version := rows(db.Query("select server_version()"))[0][0].(string)
		equal(strings.Split(version, ".")[0], "3")
	})
	check(client, "creates a super table of every type and inserts into it", func() {
		affected := []int64{}
		for _, text := range setup(wsDatabase) {
			affected = append(affected, exec(db, text))
		}
		equal(affected, []int64{0, 0, 0, 1, 1, 1})
	})
	check(client, "reads every type and NULLs of every type", func() {
		read := rows(db.Query("select * from judge_go_ws.d1 order by ts"))
		equal(read, [][]any{fullRow(0, false), fullRow(1000, true)})
	})
	check(client, "learns the columns' names, types and decimal sizes", func() {
		result := got(db.Query("select tbname, d64, place as place_of from judge_go_ws.d1"))
		defer result.Close()
		names, types := []string{}, []string{}
		for _, column := range got(result.ColumnTypes()) {
			names = append(names, column.Name())
			types = append(types, column.DatabaseTypeName())
		}
		equal(names, []string{"tbname", "d64", "place_of"})
		equal(types, []string{"VARCHAR", "DECIMAL", "VARCHAR"})
		precision, scale, _ := got(result.ColumnTypes())[1].DecimalSize()
		equal([]int64{precision, scale}, []int64{10, 2})
	})
	check(client, "reads tags and table names", func() {
		here := open("taosWS", wsDSN(wsDatabase))
		defer here.Close()
		read := rows(here.Query("select tbname, place, floor from kinds where i32 is not null order by ts"))
		equal(read, [][]any{{"d1", "Gdańsk", int32(3)}, {"d2", nil, nil}})
	})
	check(client, "reads JSON tags", func() {
		exec(db, "create table judge_go_ws.places (ts timestamp, n int) tags (info json)")
		exec(db, `insert into judge_go_ws.p1 using judge_go_ws.places tags ('{"city":"Łódź"}') values (1700000000000, 1)`)
		equal(rows(db.Query("select info from judge_go_ws.places")), [][]any{{[]byte(`{"city":"Łódź"}`)}})
	})
	check(client, "reads BLOBs", func() {
		exec(db, "create table judge_go_ws.blobs (ts timestamp, b blob)")
		exec(db, `insert into judge_go_ws.blobs values (1700000000000, '\x00ff10') (1700000000001, '') (1700000000002, null)`)
		read := rows(db.Query("select b from judge_go_ws.blobs order by ts"))
		equal(read, [][]any{{[]byte{0, 0xff, 0x10}}, {[]byte{}}, {nil}})
	})
	check(client, "reads and writes times in a zone", func() {
		here := open("taosWS", wsDSN(wsDatabase)+"?timezone=Asia%2FTokyo")
		defer here.Close()
		exec(here, "create table zoned (ts timestamp, n int)")
		exec(here, "insert into zoned values ('2023-11-15 07:13:20', 1)")
		equal(rows(here.Query("select ts from zoned")), [][]any{{at(0)}})
	})
	check(client, "reads times of each precision", func() {
		for i, precision := range []string{"us", "ns"} {
			exec(db, fmt.Sprintf("create database judge_go_%s precision '%s'", precision, precision))
			exec(db, fmt.Sprintf("create table judge_go_%s.t (ts timestamp, n int)", precision))
			stamp := []string{"1700000000123456", "1700000000123456789"}[i]
			exec(db, fmt.Sprintf("insert into judge_go_%s.t values (%s, 1)", precision, stamp))
			nanoseconds := []int64{123_456_000, 123_456_789}[i]
			read := rows(db.Query(fmt.Sprintf("select ts from judge_go_%s.t", precision)))
			equal(read, [][]any{{time.Unix(1_700_000_000, nanoseconds).UTC()}})
		}
	})
	check(client, "reads ten thousand rows in several blocks, with compression on offer too", func() {
		exec(db, "create table judge_go_ws.many (ts timestamp, n int)")
		for start := 0; start < many; start += 1000 {
			text := strings.Builder{}
			text.WriteString("insert into judge_go_ws.many values")
			for n := start; n < start+1000; n++ {
				fmt.Fprintf(&text, " (%d, %d)", 1_700_000_000_000+n, n)
			}
			equal(exec(db, text.String()), int64(1000))
		}
		for _, compressed := range []bool{false, true} {
			here := open("taosWS", wsDSN(wsDatabase)+fmt.Sprintf("?enableCompression=%t", compressed))
			defer here.Close()
			read := rows(here.Query("select n from many order by ts"))
			equal(len(read), many)
			for n, row := range read {
				equal(row[0], int32(n))
			}
		}
	})
	check(client, "closes a result before its end and goes on", func() {
		here := open("taosWS", wsDSN(wsDatabase))
		defer here.Close()
		here.SetMaxOpenConns(1)
		for i := 0; i < 3; i++ {
			result := got(here.Query("select n from many order by ts"))
			equal(result.Next(), true)
			must(result.Close())
		}
		equal(rows(here.Query("select count(*) from many")), [][]any{{int64(many)}})
	})
	check(client, "serves eight connections at once", func() {
		here := open("taosWS", wsDSN(wsDatabase))
		defer here.Close()
		var all sync.WaitGroup
		failures := make(chan any, 8)
		for task := 0; task < 8; task++ {
			all.Add(1)
			go func(task int) {
				defer all.Done()
				defer func() {
					if reason := recover(); reason != nil {
						failures <- reason
					}
				}()
				for n := 0; n < 20; n++ {
					read := rows(here.Query(fmt.Sprintf("select n from many where n = %d", task*20+n)))
					equal(read, [][]any{{int32(task*20 + n)}})
				}
			}(task)
		}
		all.Wait()
		close(failures)
		for reason := range failures {
			panic(reason)
		}
	})
	check(client, "puts arguments into the text", func() {
		read := rows(db.Query("select n from judge_go_ws.many where n between ? and ? order by ts", 5, 7))
		equal(read, [][]any{{int32(5)}, {int32(6)}, {int32(7)}})
	})
	check(client, "gets the server's codes and texts for what is wrong", func() {
		_, err := db.Query("select * from judge_go_ws.nowhere")
		refused(err, 0x2603, "Table does not exist")
		_, err = db.Exec("selec 1")
		refused(err, 0x2600, `syntax error near "selec 1"`)
		equal(rows(db.Query("select 1")), [][]any{{int64(1)}})
	})
	check(client, "is refused with a wrong password, and with a database that is not there", func() {
		wrong := open("taosWS", fmt.Sprintf("root:wrong@ws(%s)/", address))
		defer wrong.Close()
		refused(wrong.Ping(), 0x357, "Authentication failure")
		missing := open("taosWS", wsDSN("no_such_database"))
		defer missing.Close()
		refused(missing.Ping(), 0x388, "Database not exist")
	})
	check(client, "prepares an insert, and executes it row by row", func() { preparedInsert(db) })
	check(client, "prepares a query, and asks it with several arguments", func() { preparedQuery(db) })
}

// preparedInsert binds what the client can bind: everything but decimals.
func preparedInsert(db *sql.DB) {
	bound := kinds[:len(kinds)-2]
	columns := []string{"ts timestamp"}
	for _, kind := range bound {
		columns = append(columns, kind.name+" "+kind.kind)
	}
	exec(db, "create table judge_go_ws.bound ("+strings.Join(columns, ", ")+")")
	marks := strings.Repeat(", ?", len(bound))
	insert := got(db.Prepare("insert into judge_go_ws.bound values (?" + marks + ")"))
	defer insert.Close()
	for _, null := range []bool{false, true} {
		arguments := []any{at(0)}
		if null {
			arguments[0] = at(1)
		}
		for _, kind := range bound {
			if null {
				arguments = append(arguments, nil)
			} else {
				arguments = append(arguments, kind.value)
			}
		}
		result := got(insert.ExecContext(context.Background(), arguments...))
		equal(got(result.RowsAffected()), int64(1))
	}
	read := rows(db.Query("select * from judge_go_ws.bound order by ts"))
	equal(read, [][]any{fullRow(0, false)[:len(bound)+1], fullRow(1, true)[:len(bound)+1]})
}

func preparedQuery(db *sql.DB) {
	query := got(db.Prepare("select n from judge_go_ws.many where n >= ? and n < ? order by ts"))
	defer query.Close()
	equal(rows(query.Query(3, 5)), [][]any{{int32(3)}, {int32(4)}})
	equal(rows(query.Query(many-1, 2*many)), [][]any{{int32(many - 1)}})
	equal(rows(query.Query(many, 2*many)), [][]any{})
	equal(len(rows(query.Query(0, many))), many)
	text := got(db.Prepare("select i32 from judge_go_ws.kinds where place = ? and ts = ?"))
	defer text.Close()
	equal(rows(text.Query("Gdańsk", at(0))), [][]any{{int32(-2147483648)}})
}
