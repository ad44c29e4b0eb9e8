package main

import (
	"fmt"
	"strings"
)

// column is one of each type that a table can have.
type column struct {
	name, kind string
	// As INSERT takes it, and as it must come back.
	literal string
	value   any
}

var point = []byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40}

var kinds = []column{
	{"b", "BOOL", "true", true},
	{"i8", "TINYINT", "-128", int8(-128)},
	{"i16", "SMALLINT", "-32768", int16(-32768)},
	{"i32", "INT", "-2147483648", int32(-2147483648)},
	{"i64", "BIGINT", "-9223372036854775807", int64(-9223372036854775807)},
	{"u8", "TINYINT UNSIGNED", "255", uint8(255)},
	{"u16", "SMALLINT UNSIGNED", "65535", uint16(65535)},
	{"u32", "INT UNSIGNED", "4294967295", uint32(4294967295)},
	{"u64", "BIGINT UNSIGNED", "18446744073709551615", uint64(18446744073709551615)},
	{"f32", "FLOAT", "1.5", float32(1.5)},
	{"f64", "DOUBLE", "2.25", 2.25},
	{"vc", "VARCHAR(32)", `'plain "text"'`, `plain "text"`},
	{"nc", "NCHAR(32)", "'żółw 🐢'", "żółw 🐢"},
	{"vb", "VARBINARY(16)", `'\x00ff10'`, []byte{0, 0xff, 0x10}},
	{"geo", "GEOMETRY(64)", "'POINT(1 2)'", point},
	{"d64", "DECIMAL(10,2)", "123.45", "123.45"},
	{"d128", "DECIMAL(38,6)", "12345678901234567890.123456", "12345678901234567890.123456"},
}

func list(of func(column) string) string {
	parts := make([]string, len(kinds))
	for i, kind := range kinds {
		parts[i] = of(kind)
	}
	return strings.Join(parts, ", ")
}

// fullRow is what a row of literals reads as; with null only its time is there.
func fullRow(milliseconds int64, null bool) []any {
	row := []any{at(milliseconds)}
	for _, kind := range kinds {
		if null {
			row = append(row, nil)
		} else {
			row = append(row, kind.value)
		}
	}
	return row
}

// setup makes a super table of all types; d1 has a full row and one of NULLs, d2 one row.
func setup(database string) []string {
	columns := list(func(kind column) string { return kind.name + " " + kind.kind })
	values := list(func(kind column) string { return kind.literal })
	nulls := list(func(column) string { return "null" })
	return []string{
		fmt.Sprintf("create database %s precision 'ms'", database),
		fmt.Sprintf("create table %s.kinds (ts timestamp, %s) tags (place varchar(24), floor int)", database, columns),
		fmt.Sprintf("create table %s.d1 using %s.kinds tags ('Gdańsk', 3)", database, database),
		fmt.Sprintf("insert into %s.d1 values (1700000000000, %s)", database, values),
		fmt.Sprintf("insert into %s.d1 values (1700000001000, %s)", database, nulls),
		fmt.Sprintf("insert into %s.d2 using %s.kinds tags (null, null) values (1700000002000, %s)", database, database, values),
	}
}
