use super::*;

const MS: Precision = Precision::Millisecond;

fn shown(at: i64, format: &str) -> String {
    write(at, format, MS, None).unwrap().unwrap()
}

fn told(text: &str, format: &str) -> Result<i64, u32> {
    read(text, format, MS, None).map_err(|error| error.code)
}

// 2024-02-03 14:05:06.789
const AT: i64 = 1_706_969_106_789;

#[test]
fn every_word_of_a_format_is_written() {
    assert_eq!(
        shown(AT, "Month Mon MON month mon mm"),
        "February  Feb FEB february  feb 02"
    );
    assert_eq!(
        shown(AT, "Day Dy DAY dd ddd d dy DY day"),
        "Saturday  Sat SATURDAY  03 034 7 sat SAT saturday "
    );
    assert_eq!(
        shown(AT, r#"yyyy yyy yy y "yyyy" tzh"#),
        "2024 024 24 4 yyyy +00"
    );
    assert_eq!(
        shown(AT, "hh24:mi:ss.ms us ns hh12 HH am AM p.m. A.M."),
        "14:05:06.789 789000 789000000 02 02 pm PM p.m. P.M."
    );
    assert_eq!(shown(0, "hh12 am"), "12 am");
    assert_eq!(shown(AT, r"\yyyyy \\ é"), r"y2024 \ é");
    assert_eq!(shown(AT, "ddth"), "03th");
}

#[test]
fn times_are_read_back() {
    let format = "yyyy-mm-dd hh24:mi:ss.ms";
    assert_eq!(told("2024-02-03 14:05:06.789", format), Ok(AT));
    assert_eq!(told("2024-2-3 14:5:6.7", format), Ok(AT - 89));
    assert_eq!(
        told("20240203 14:05:06.789", "yyyymmdd hh24:mi:ss.ms"),
        Ok(AT)
    );
    assert_eq!(told("03/Feb/24", "dd/mon/yy"), Ok(1_706_918_400_000));
    assert_eq!(
        told("February 3 2024 02 pm", "month dd yyyy hh12 am"),
        Ok(1_706_968_800_000)
    );
    assert_eq!(told("2024-02-30", "yyyy-mm-dd"), Ok(1_709_251_200_000));
    assert_eq!(
        told("2024-02-03", "yyyy-mm-dd hh24:mi"),
        Ok(1_706_918_400_000)
    );
    assert_eq!(
        told("2000-01-01 00:00:00+08", "yyyy-mm-dd hh24:mi:sstzh"),
        Ok(946_656_000_000)
    );
}

#[test]
fn what_is_no_time_says_why() {
    assert_eq!(told("x", "mon"), Err(0x2806));
    assert_eq!(told("2023-1", "yyyy-mmdd"), Err(0x2806));
    assert_eq!(told("13 pm", "hh12 am"), Err(0x2806));
    assert_eq!(told("2024-13-01", "yyyy-mm-dd"), Err(0x2807));
    assert_eq!(told("2024-034", "yyyy-ddd"), Err(0x2808));
}
