//! Text to tokens, one at a time and without copying: a statement may be 1 MiB of values.

use super::SqlError;
use super::ast::{DurationUnit, Span};
use super::error::{clip, code};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// A name in backquotes.
    Quoted,
    /// A word with letters of other scripts, without backquotes.
    Alias,
    Integer,
    Float,
    /// `0x1F`, `0b101`: known to INSERT only.
    Radix,
    /// `1d`.
    Duration,
    Text,
    LParen,
    RParen,
    Comma,
    Semicolon,
    Dot,
    Star,
    Plus,
    Minus,
    Slash,
    Percent,
    Amp,
    Pipe,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Arrow,
    Question,
    End,
    /// No token at all.
    Bad,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Lexer<'a> {
    sql: &'a str,
    pos: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) const fn new(sql: &'a str) -> Self {
        Self { sql, pos: 0 }
    }

    fn byte(&self, at: usize) -> u8 {
        self.sql.as_bytes().get(at).copied().unwrap_or(0)
    }

    pub(crate) fn next_token(&mut self) -> Token {
        self.skip_blanks();
        let start = self.pos;
        let kind = self.scan();
        Token {
            kind,
            span: Span {
                start: u32::try_from(start).unwrap_or(u32::MAX),
                end: u32::try_from(self.pos).unwrap_or(u32::MAX),
            },
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            match (self.byte(self.pos), self.byte(self.pos + 1)) {
                (b' ' | b'\t' | b'\n' | b'\r' | 0x0c, _) => self.pos += 1,
                (b'-', b'-') => {
                    let rest = self.sql.get(self.pos..).unwrap_or_default();
                    self.pos += rest.find('\n').unwrap_or(rest.len());
                }
                (b'/', b'*') => {
                    let rest = self.sql.get(self.pos + 2..).unwrap_or_default();
                    match rest.find("*/") {
                        Some(end) => self.pos += end + 4,
                        None => return,
                    }
                }
                _ => return,
            }
        }
    }

    fn scan(&mut self) -> Kind {
        if self.pos >= self.sql.len() {
            return Kind::End;
        }
        let first = self.byte(self.pos);
        let second = self.byte(self.pos + 1);
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(Kind::Word),
            b'0'..=b'9' => self.number(),
            b'.' if second.is_ascii_digit() => self.number(),
            b'\'' | b'"' => self.quoted_text(first),
            b'`' => self.backquoted(),
            0x80.. => self.word(Kind::Alias),
            _ => self.symbol(first, second),
        }
    }

    /// Letters of other scripts make a word that can only be an alias.
    fn word(&mut self, plain: Kind) -> Kind {
        let end = self.while_from(self.pos, is_word);
        self.pos = self.while_from(self.pos, |byte| is_word(byte) || !byte.is_ascii());
        if self.pos == end { plain } else { Kind::Alias }
    }

    fn symbol(&mut self, first: u8, second: u8) -> Kind {
        let (kind, width) = match (first, second) {
            (b'<', b'=') => (Kind::LessEqual, 2),
            (b'>', b'=') => (Kind::GreaterEqual, 2),
            (b'<', b'>') | (b'!', b'=') => (Kind::NotEqual, 2),
            (b'=', b'=') => (Kind::Equal, 2),
            (b'-', b'>') => (Kind::Arrow, 2),
            (b'(', _) => (Kind::LParen, 1),
            (b')', _) => (Kind::RParen, 1),
            (b',', _) => (Kind::Comma, 1),
            (b';', _) => (Kind::Semicolon, 1),
            (b'.', _) => (Kind::Dot, 1),
            (b'*', _) => (Kind::Star, 1),
            (b'+', _) => (Kind::Plus, 1),
            (b'-', _) => (Kind::Minus, 1),
            (b'/', _) => (Kind::Slash, 1),
            (b'%', _) => (Kind::Percent, 1),
            (b'&', _) => (Kind::Amp, 1),
            (b'|', _) => (Kind::Pipe, 1),
            (b'=', _) => (Kind::Equal, 1),
            (b'<', _) => (Kind::Less, 1),
            (b'>', _) => (Kind::Greater, 1),
            (b'?', _) => (Kind::Question, 1),
            _ => return Kind::Bad,
        };
        self.pos += width;
        kind
    }

    fn while_from(&self, from: usize, test: impl Fn(u8) -> bool) -> usize {
        let rest = self.sql.as_bytes().get(from..).unwrap_or_default();
        from + rest
            .iter()
            .position(|&byte| !test(byte))
            .unwrap_or(rest.len())
    }

    fn number(&mut self) -> Kind {
        let start = self.pos;
        let second = self.byte(start + 1).to_ascii_lowercase();
        if self.byte(start) == b'0' && (second == b'x' || second == b'b') {
            let digits: fn(u8) -> bool = if second == b'x' {
                |byte| byte.is_ascii_hexdigit()
            } else {
                |byte| matches!(byte, b'0' | b'1')
            };
            let end = self.while_from(start + 2, digits);
            if end > start + 2 {
                self.pos = end;
                return Kind::Radix;
            }
        }
        let mut end = self.while_from(start, |byte| byte.is_ascii_digit());
        let letter = self.byte(end);
        if end > start && DurationUnit::of_letter(letter).is_some() && !is_word(self.byte(end + 1))
        {
            self.pos = end + 1;
            return Kind::Duration;
        }
        let mut kind = Kind::Integer;
        if self.byte(end) == b'.' {
            kind = Kind::Float;
            end = self.while_from(end + 1, |byte| byte.is_ascii_digit());
        }
        if matches!(self.byte(end), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(end + 1), b'+' | b'-'));
            if self.byte(end + 1 + sign).is_ascii_digit() {
                kind = Kind::Float;
                end = self.while_from(end + 1 + sign, |byte| byte.is_ascii_digit());
            }
        }
        self.pos = end;
        kind
    }

    fn quoted_text(&mut self, quote: u8) -> Kind {
        let bytes = self.sql.as_bytes();
        let mut at = self.pos + 1;
        while let Some(&byte) = bytes.get(at) {
            if byte == b'\\' {
                at += 2;
            } else if byte != quote {
                at += 1;
            } else if self.byte(at + 1) == quote {
                at += 2;
            } else {
                self.pos = at + 1;
                return Kind::Text;
            }
        }
        Kind::Bad
    }

    fn backquoted(&mut self) -> Kind {
        let rest = self.sql.get(self.pos + 1..).unwrap_or_default();
        match rest.find('`') {
            Some(end) => {
                self.pos += end + 2;
                Kind::Quoted
            }
            None => Kind::Bad,
        }
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The error for a token that cannot stand where it does.
pub(crate) fn unexpected(sql: &str, token: Token) -> SqlError {
    match token.kind {
        Kind::End => SqlError::incomplete(),
        Kind::Bad => SqlError::new(
            code::SYNTAX,
            format!(
                "syntax error: unrecognized token: \"{}\"",
                clip(token.span.rest(sql), 120)
            ),
        ),
        _ => SqlError::syntax(token.span.rest(sql)),
    }
}
