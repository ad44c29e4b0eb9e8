package main

import (
	"database/sql/driver"
	"fmt"
	"io"
	"time"

	"github.com/taosdata/driver-go/v3/common"
	"github.com/taosdata/driver-go/v3/common/param"
	"github.com/taosdata/driver-go/v3/ws/stmt"
)

const stmtDatabase = "judge_go_stmt"

func statements() {
	const client = "driver-go ws/stmt"
	db := open("taosWS", wsDSN(""))
	defer db.Close()
	config := stmt.NewConfig("ws://"+address, 0)
	must(config.SetConnectUser("root"))
	must(config.SetConnectPass("taosdata"))
	var connector *stmt.Connector

	check(client, "connects to a database", func() {
		for _, text := range setup(stmtDatabase)[:2] {
			exec(db, text)
		}
		must(config.SetConnectDB(stmtDatabase))
		connector = got(stmt.NewConnector(config))
	})
	if connector == nil {
		return
	}
	defer connector.Close()
	check(client, "binds tags and columns of every type it can bind, and NULLs, for two tables", func() {
		insert := got(connector.Init())
		defer insert.Close()
		names := "ts, b, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, vc, nc, vb, geo"
		must(insert.Prepare("insert into ? using kinds tags (?, ?) (" + names + ") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"))
		tags := param.NewColumnType(2).AddBinary(24).AddInt()
		must(insert.SetTableName("d1"))
		must(insert.SetTags(param.NewParam(2).AddBinary([]byte("Gdańsk")).AddInt(3), tags))
		bindTwo(insert, 0)
		must(insert.AddBatch())
		must(insert.SetTableName("d2"))
		must(insert.SetTags(param.NewParam(2).AddNull().AddNull(), tags))
		bindTwo(insert, 2000)
		must(insert.AddBatch())
		must(insert.Exec())
		equal(insert.GetAffectedRows(), 4)

		width := 16
		read := rows(db.Query("select " + names + " from judge_go_stmt.kinds order by ts"))
		equal(read, [][]any{
			fullRow(0, false)[:width], fullRow(1000, true)[:width],
			fullRow(2000, false)[:width], fullRow(3000, true)[:width],
		})
		equal(
			rows(db.Query("select distinct tbname, place, floor from judge_go_stmt.kinds where tbname = 'd1'")),
			[][]any{{"d1", "Gdańsk", int32(3)}},
		)
		equal(
			rows(db.Query("select distinct tbname, place, floor from judge_go_stmt.kinds where tbname = 'd2'")),
			[][]any{{"d2", nil, nil}},
		)
	})
	check(client, "binds a JSON tag and times in nanoseconds", func() {
		exec(db, "create database judge_go_stmt_ns precision 'ns'")
		exec(db, "create table judge_go_stmt_ns.places (ts timestamp, n int) tags (info json)")
		insert := got(connector.Init())
		defer insert.Close()
		must(insert.Prepare("insert into ? using judge_go_stmt_ns.places tags (?) values (?, ?)"))
		must(insert.SetTableName("judge_go_stmt_ns.p1"))
		info := `{"city":"Łódź"}`
		must(insert.SetTags(param.NewParam(1).AddJson([]byte(info)), param.NewColumnType(1).AddJson(64)))
		moment := time.Unix(1_700_000_000, 123_456_789).UTC()
		must(insert.BindParam([]*param.Param{
			param.NewParam(1).AddTimestamp(moment, common.PrecisionNanoSecond), param.NewParam(1).AddInt(1),
		}, param.NewColumnType(2).AddTimestamp().AddInt()))
		must(insert.AddBatch())
		must(insert.Exec())
		equal(rows(db.Query("select ts, n, info from judge_go_stmt_ns.places")), [][]any{{moment, int32(1), []byte(info)}})
	})
	check(client, "binds one statement again and again, with compression on offer, counting only the last execution", func() {
		exec(db, "create table judge_go_stmt.many (ts timestamp, n int)")
		config.SetEnableCompression(true)
		compressed := got(stmt.NewConnector(config))
		defer compressed.Close()
		insert := got(compressed.Init())
		defer insert.Close()
		must(insert.Prepare("insert into many values (?, ?)"))
		for start := 0; start < many; start += 2500 {
			times, numbers := param.NewParam(2500), param.NewParam(2500)
			for n := start; n < start+2500; n++ {
				times.AddTimestamp(at(int64(n)), common.PrecisionMilliSecond)
				numbers.AddInt(n)
			}
			must(insert.BindParam([]*param.Param{times, numbers}, param.NewColumnType(2).AddTimestamp().AddInt()))
			must(insert.AddBatch())
			must(insert.Exec())
			equal(insert.GetAffectedRows(), 2500)
		}
		equal(rows(db.Query("select count(*), sum(n) from judge_go_stmt.many")), [][]any{{int64(many), int64(many * (many - 1) / 2)}})
	})
	check(client, "queries with parameters, and reads several blocks", func() {
		query := got(connector.Init())
		defer query.Close()
		must(query.Prepare("select ts, n from many where n >= ? order by ts"))
		for _, from := range []int{9_998, 100} {
			must(query.BindParam([]*param.Param{param.NewParam(1).AddInt(from)}, param.NewColumnType(1).AddInt()))
			must(query.AddBatch())
			must(query.Exec())
			result := got(query.UseResult())
			equal(result.Columns(), []string{"ts", "n"})
			row := make([]driver.Value, 2)
			for n := from; n < many; n++ {
				must(result.Next(row))
				equal(row[1], int32(n))
			}
			equal(result.Next(row), io.EOF)
			must(result.Close())
		}
	})
	check(client, "gets the server's codes for what is wrong, and goes on", func() {
		statement := got(connector.Init())
		defer statement.Close()
		must(statement.Prepare("insert into ? values (?, ?)"))
		refused(statement.SetTableName("nowhere"), 0x2603, "Table does not exist")
		other := got(connector.Init())
		defer other.Close()
		must(other.Prepare("insert into many values (?, ?)"))
	})
	check(client, "is refused with a wrong password, and with a database that is not there", func() {
		wrong := stmt.NewConfig("ws://"+address, 0)
		must(wrong.SetConnectUser("root"))
		must(wrong.SetConnectPass("wrong"))
		_, err := stmt.NewConnector(wrong)
		refused(err, 0x357, "Authentication failure")
		must(wrong.SetConnectPass("taosdata"))
		must(wrong.SetConnectDB("no_such_database"))
		_, err = stmt.NewConnector(wrong)
		refused(err, 0x388, "Database not exist")
	})
}

// bindTwo binds a full row, and a second later one of NULLs.
func bindTwo(insert *stmt.Stmt, milliseconds int64) {
	rows := func() *param.Param { return param.NewParam(2) }
	params := []*param.Param{
		rows().AddTimestamp(at(milliseconds), common.PrecisionMilliSecond).AddTimestamp(at(milliseconds+1000), common.PrecisionMilliSecond),
		rows().AddBool(true).AddNull(),
		rows().AddTinyint(-128).AddNull(),
		rows().AddSmallint(-32768).AddNull(),
		rows().AddInt(-2147483648).AddNull(),
		rows().AddBigint(-9223372036854775807).AddNull(),
		rows().AddUTinyint(255).AddNull(),
		rows().AddUSmallint(65535).AddNull(),
		rows().AddUInt(4294967295).AddNull(),
		rows().AddUBigint(18446744073709551615).AddNull(),
		rows().AddFloat(1.5).AddNull(),
		rows().AddDouble(2.25).AddNull(),
		rows().AddBinary([]byte(`plain "text"`)).AddNull(),
		rows().AddNchar("żółw 🐢").AddNull(),
		rows().AddVarBinary([]byte{0, 0xff, 0x10}).AddNull(),
		rows().AddGeometry(point).AddNull(),
	}
	types := param.NewColumnType(16).
		AddTimestamp().AddBool().AddTinyint().AddSmallint().AddInt().AddBigint().
		AddUTinyint().AddUSmallint().AddUInt().AddUBigint().AddFloat().AddDouble().
		AddBinary(32).AddNchar(32).AddVarBinary(16).AddGeometry(64)
	if err := insert.BindParam(params, types); err != nil {
		panic(fmt.Errorf("bind: %w", err))
	}
}
