//! Where a JSON value ends, found while its bytes arrive.

/// A value that is being looked at. Positions count from its first byte.
#[derive(Debug, Default)]
pub(super) struct Scan {
    at: usize,
    depth: usize,
    in_string: bool,
    /// The commas between the elements of an array at the top.
    commas: Vec<usize>,
}

/// True for the bytes that mean something outside of strings.
const fn structural() -> [bool; 256] {
    let mut table = [false; 256];
    let mut rest: &[u8] = b"\"[]{},: \t\r\n";
    while let [byte, tail @ ..] = rest {
        table[*byte as usize] = true;
        rest = tail;
    }
    table
}
const STRUCTURAL: [bool; 256] = structural();

fn is_structural(byte: u8) -> bool {
    STRUCTURAL
        .get(usize::from(byte))
        .copied()
        .unwrap_or_default()
}

impl Scan {
    /// Forgets the value.
    pub(super) fn clear(&mut self) {
        self.at = 0;
        self.depth = 0;
        self.in_string = false;
        self.commas.clear();
    }

    pub(super) fn commas(&self) -> &[usize] {
        &self.commas
    }

    /// The length of the value at the beginning of `data`, which has grown since the last call;
    /// `None` until its end is there. A number or word ends before the byte that cannot belong to it.
    pub(super) fn end(&mut self, data: &[u8]) -> Option<usize> {
        loop {
            if self.in_string {
                self.skip_string(data)?;
                self.in_string = false;
                if self.depth == 0 {
                    return Some(self.at);
                }
                continue;
            }
            let rest = data.get(self.at..)?;
            let Some(skip) = rest.iter().position(|byte| is_structural(*byte)) else {
                self.at = data.len();
                return None;
            };
            self.at += skip;
            let byte = data.get(self.at).copied()?;
            if self.depth == 0 && self.at > 0 {
                return Some(self.at);
            }
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' if self.depth <= 1 => {
                    // Without an opening bracket, an empty value; with one, its end.
                    return Some(self.at + self.depth);
                }
                b']' | b'}' => self.depth -= 1,
                b',' if self.depth == 0 => return Some(self.at),
                b',' if self.depth == 1 => self.commas.push(self.at),
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Goes behind the closing quote.
    fn skip_string(&mut self, data: &[u8]) -> Option<()> {
        loop {
            let rest = data.get(self.at..)?;
            let Some(skip) = rest.iter().position(|b| matches!(b, b'"' | b'\\')) else {
                self.at = data.len();
                return None;
            };
            self.at += skip;
            if data.get(self.at) == Some(&b'"') {
                self.at += 1;
                return Some(());
            }
            // The escaped byte has to be there, else the backslash is looked at again.
            data.get(self.at + 1)?;
            self.at += 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Option<usize> {
        let mut scan = Scan::default();
        let whole = scan.end(text.as_bytes());
        let mut slowly = Scan::default();
        let grown = (0..=text.len()).find_map(|n| slowly.end(&text.as_bytes()[..n]));
        assert_eq!(whole, grown, "{text}");
        assert_eq!(scan.commas(), slowly.commas(), "{text}");
        whole
    }

    #[test]
    fn values_end_where_they_end() {
        assert_eq!(end(r#"[1,"a]\"",[2,3]],"#), Some(16));
        assert_eq!(end(r#""x\\" "#), Some(5));
        assert_eq!(end("12,"), Some(2));
        assert_eq!(end("true}"), Some(4));
        assert_eq!(end(r#"{"a":[]}"#), Some(8));
        assert_eq!(end("]"), Some(0));
    }

    #[test]
    fn values_without_an_end_ask_for_more() {
        for text in ["[1,", r#""a\"#, r#""a\""#, "12", r#"{"a":1"#, ""] {
            assert_eq!(end(text), None, "{text}");
        }
    }
}
