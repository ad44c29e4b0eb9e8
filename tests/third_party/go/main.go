// Checks of the published Go client against the server at TAOS_ADDRESS: its drivers of database/sql
// over WebSocket and REST, and its own interfaces for statements, schemaless lines and subscriptions.
package main

import (
	"database/sql"
	"fmt"
	"os"
	"reflect"
	"time"
)

var (
	address = os.Getenv("TAOS_ADDRESS")
	failed  = false
)

// check prints one line that begins with `ok` or `FAILED`; a body fails by panicking.
func check(client, name string, body func()) {
	defer func() {
		if reason := recover(); reason != nil {
			failed = true
			fmt.Printf("FAILED %s: %s\n%v\n", client, name, reason)
			return
		}
		fmt.Printf("ok %s: %s\n", client, name)
	}()
	body()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func got[T any](value T, err error) T {
	must(err)
	return value
}

func equal(got, expected any) {
	if !reflect.DeepEqual(got, expected) {
		panic(fmt.Sprintf("expected %#v\n     got %#v", expected, got))
	}
}

// refused wants the server's code and text.
func refused(err error, code int32, text string) {
	if err == nil {
		panic("it was not refused")
	}
	equal(err.Error(), fmt.Sprintf("[0x%x] %s", code, text))
}

func open(driver, dsn string) *sql.DB {
	return got(sql.Open(driver, dsn))
}

func exec(db *sql.DB, text string, arguments ...any) int64 {
	result, err := db.Exec(text, arguments...)
	if err != nil {
		panic(fmt.Errorf("%s: %w", text, err))
	}
	return got(result.RowsAffected())
}

// rows reads everything; times come in UTC.
func rows(result *sql.Rows, err error) [][]any {
	must(err)
	defer result.Close()
	all := [][]any{}
	for result.Next() {
		row := make([]any, len(got(result.Columns())))
		places := make([]any, len(row))
		for i := range row {
			places[i] = &row[i]
		}
		must(result.Scan(places...))
		for i, value := range row {
			if moment, is := value.(time.Time); is {
				row[i] = moment.UTC()
			}
		}
		all = append(all, row)
	}
	must(result.Err())
	return all
}

// at is a time of the tests: so many milliseconds after their first.
func at(milliseconds int64) time.Time {
	return time.UnixMilli(1_700_000_000_000 + milliseconds).UTC()
}

func main() {
	websocket()
	rest()
	statements()
	schemalessLines()
	consumers()
	if failed {
		os.Exit(1)
	}
}
