package main

import (
	"fmt"
	"strings"

	_ "github.com/taosdata/driver-go/v3/taosRestful"
)

const restDatabase = "judge_go_rest"

func rest() {
	const client = "driver-go taosRestful"
	dsn := func(database string) string {
		return fmt.Sprintf("root:taosdata@http(%s)/%s", address, database)
	}
	db := open("taosRestful", dsn(""))
	defer db.Close()

	check(client, "asks for the version", func() {
		version := rows(db.Query("select server_version()"))[0][0].(string)
		equal(strings.Split(version, ".")[0], "3")
	})
	check(client, "creates a super table of every type and inserts into it", func() {
		affected := []int64{}
		for _, text := range setup(restDatabase) {
			affected = append(affected, exec(db, text))
		}
		equal(affected, []int64{0, 0, 0, 1, 1, 1})
	})
	check(client, "reads every type and NULLs of every type, compressed too", func() {
		for _, plain := range []bool{true, false} {
			here := open("taosRestful", dsn(restDatabase)+fmt.Sprintf("?disableCompression=%t", plain))
			defer here.Close()
			read := rows(here.Query("select * from d1 order by ts"))
			equal(read, [][]any{fullRow(0, false), fullRow(1000, true)})
		}
	})
	check(client, "reads tags and table names", func() {
		read := rows(db.Query("select tbname, place, floor from judge_go_rest.kinds where i32 is not null order by ts"))
		equal(read, [][]any{{"d1", "Gdańsk", int32(3)}, {"d2", nil, nil}})
	})
	check(client, "reads ten thousand rows in order", func() {
		read := rows(db.Query("select n from judge_go_ws.many order by ts"))
		equal(len(read), many)
		for n, row := range read {
			equal(row[0], int32(n))
		}
	})
	check(client, "puts arguments into the text", func() {
		read := rows(db.Query("select i32 from judge_go_rest.d1 where vc = ?", `'plain "text"'`))
		equal(read, [][]any{{int32(-2147483648)}})
	})
	check(client, "gets the server's codes and texts for what is wrong", func() {
		_, err := db.Query("select * from judge_go_rest.nowhere")
		refused(err, 0x2603, "Table does not exist")
		_, err = db.Exec("selec 1")
		refused(err, 0x2600, `syntax error near "selec 1"`)
	})
	check(client, "is refused with a wrong password, and with a database that is not there", func() {
		wrong := open("taosRestful", fmt.Sprintf("root:wrong@http(%s)/", address))
		defer wrong.Close()
		_, err := wrong.Query("select 1")
		refused(err, 0x357, "Authentication failure")
		missing := open("taosRestful", dsn("no_such_database"))
		defer missing.Close()
		_, err = missing.Query("show tables")
		refused(err, 0x388, "Database not exist")
	})
}
