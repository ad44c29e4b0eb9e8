//! Numbers in front of a text, as C reads them.

/// An integer, and 0 where there is none; beyond 64 bits the nearest one.
pub(crate) fn leading_int(text: &str) -> i64 {
    let (negative, magnitude) = magnitude(text);
    let value = i128::try_from(magnitude).unwrap_or(i128::MAX);
    let value = if negative { -value } else { value };
    i64::try_from(value).unwrap_or(if negative { i64::MIN } else { i64::MAX })
}

/// The same without a sign: a negative number counts from the top of the range.
pub(crate) fn leading_unsigned(text: &str) -> u64 {
    let (negative, magnitude) = magnitude(text);
    match u64::try_from(magnitude) {
        Ok(value) if negative => value.wrapping_neg(),
        Ok(value) => value,
        Err(_) => u64::MAX,
    }
}

/// A number, 0 where there is none. `None` for the spellings that are none in SQL: hexadecimal ones and infinity.
pub(crate) fn leading_real(text: &str) -> Option<f64> {
    let text = trimmed(text);
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let word = |word: &str| {
        let front = unsigned.as_bytes().get(..word.len());
        front.is_some_and(|front| front.eq_ignore_ascii_case(word.as_bytes()))
    };
    if word("inf") || word("nan") || word("0x") {
        return None;
    }
    let mut end = text.len() - unsigned.len();
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let whole = digits(end);
    end += whole;
    let mut parts = 0;
    if bytes.get(end) == Some(&b'.') {
        parts = digits(end + 1);
        if whole + parts > 0 {
            end += 1 + parts;
        }
    }
    if whole + parts == 0 {
        return Some(0.0);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    text.get(..end)?.parse().ok()
}

fn trimmed(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r'])
}

fn magnitude(text: &str) -> (bool, u128) {
    let text = trimmed(text);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let value = digits
        .bytes()
        .take_while(u8::is_ascii_digit)
        .fold(0_u128, |value, digit| {
            value
                .saturating_mul(10)
                .saturating_add(u128::from(digit.saturating_sub(b'0')))
        });
    (text.starts_with('-'), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_in_front_of_a_text_is_read() {
        assert_eq!(leading_int(" 12abc"), 12);
        assert_eq!(leading_int("-7.9"), -7);
        assert_eq!(leading_int("abc"), 0);
        assert_eq!(leading_int("99999999999999999999"), i64::MAX);
        assert_eq!(leading_int("-99999999999999999999"), i64::MIN);
        assert_eq!(leading_unsigned("-1"), u64::MAX);
        assert_eq!(leading_unsigned("18446744073709551616"), u64::MAX);
        assert_eq!(leading_real("1e3x"), Some(1000.0));
        assert_eq!(leading_real("-.5"), Some(-0.5));
        assert_eq!(leading_real("5.e"), Some(5.0));
        assert_eq!(leading_real("1e"), Some(1.0));
        assert_eq!(leading_real("."), Some(0.0));
        assert_eq!(leading_real(""), Some(0.0));
        assert_eq!(leading_real("0x1F"), None);
    }
}
