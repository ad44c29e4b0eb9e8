package main

import (
	"time"

	"github.com/taosdata/driver-go/v3/ws/schemaless"
)

const linesDatabase = "judge_go_lines"

func schemalessLines() {
	const client = "driver-go ws/schemaless"
	db := open("taosWS", wsDSN(""))
	defer db.Close()
	connect := func(password, database string) (*schemaless.Schemaless, error) {
		return schemaless.NewSchemaless(schemaless.NewConfig("ws://"+address, 1,
			schemaless.SetUser("root"), schemaless.SetPassword(password), schemaless.SetDb(database),
			schemaless.SetReadTimeout(10*time.Second), schemaless.SetWriteTimeout(10*time.Second)))
	}
	var writer *schemaless.Schemaless

	check(client, "connects to a database", func() {
		exec(db, "create database "+linesDatabase+" precision 'ms'")
		writer = got(connect("taosdata", linesDatabase))
	})
	if writer == nil {
		return
	}
	defer writer.Close()
	check(client, "writes lines, whose names and types make the tables", func() {
		lines := `meters,room=hall,site=Łódź current=10.5f64,ok=t,n=-7i32,u=255u8,name=L"żółw",text="plain words" 1700000000000
meters,room=hall,site=Łódź current=11 1700000001000
meters,room=attic current=12,late=1i64 1700000002000`
		must(writer.Insert(lines, schemaless.InfluxDBLineProtocol, "ms", 0, 1))
		equal(rows(db.Query("select * from judge_go_lines.meters order by _ts")), [][]any{
			{at(0), 10.5, true, int32(-7), uint8(255), "żółw", "plain words", nil, "hall", "Łódź"},
			{at(1000), 11.0, nil, nil, nil, nil, nil, nil, "hall", "Łódź"},
			{at(2000), 12.0, nil, nil, nil, nil, nil, int64(1), "attic", nil},
		})
		equal(rows(db.Query("select count(*) from (select distinct tbname from judge_go_lines.meters)")), [][]any{{int64(2)}})
	})
	check(client, "writes telnet lines", func() {
		lines := "cpu.load 1700000000 0.5 node=a\ncpu.load 1700000001 0.75 node=b"
		must(writer.Insert(lines, schemaless.OpenTSDBTelnetLineProtocol, "s", 0, 2))
		equal(rows(db.Query("select _ts, _value, node from judge_go_lines.cpu_load order by _ts")), [][]any{
			{at(0), 0.5, "a"}, {at(1000), 0.75, "b"},
		})
	})
	check(client, "writes JSON", func() {
		points := `[{"metric":"temp","timestamp":1700000000000,"value":21.5,"tags":{"room":"hall","floor":2}},
			{"metric":"temp","timestamp":1700000001000,"value":22.5,"tags":{"room":"attic","floor":3}}]`
		must(writer.Insert(points, schemaless.OpenTSDBJsonFormatProtocol, "ms", 0, 3))
		equal(rows(db.Query("select _ts, _value, room, floor from judge_go_lines.temp order by _ts")), [][]any{
			{at(0), 21.5, "hall", 2.0}, {at(1000), 22.5, "attic", 3.0},
		})
	})
	check(client, "is told of a bad line, and goes on", func() {
		refused(writer.Insert("not a line", schemaless.InfluxDBLineProtocol, "ms", 0, 4), 0x3002, "SML line invalid data: line")
		must(writer.Insert("meters,room=hall,site=Łódź current=13 1700000003000", schemaless.InfluxDBLineProtocol, "ms", 0, 5))
	})
	check(client, "is refused with a wrong password, and with a database that is not there", func() {
		_, err := connect("wrong", linesDatabase)
		equal(err.Error(), "connect ws error: [0x357] Authentication failure")
		_, err = connect("taosdata", "no_such_database")
		equal(err.Error(), "connect ws error: [0x388] Database not exist")
	})
}
