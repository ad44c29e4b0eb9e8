//! Where `unsafe` may stand, and that its reason stands with it. The compiler's `forbid(unsafe_code)` and
//! clippy's lints say the same of what they are given; this reads every Rust file, whatever the build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::root;

/// The rooms that talk to C. The first two are modules, each a file or a folder.
const ROOMS: [&str; 3] = ["taos-optin/src/ffi", "taos-optin/src/raw", "taos-capi/"];
/// The crates that these rooms are in; every other one forbids `unsafe` as a whole.
const WITH_ROOMS: [&str; 2] = ["taos-optin", "taos-capi"];
/// Shorter reasons say nothing; `as above` just does.
const SHORTEST_REASON: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    /// Text, character or lifetime: what is in it is no code.
    Literal,
    Comment,
    Mark,
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
    line: usize,
}

impl Token<'_> {
    fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Mark) && self.text == text
    }
}

/// Cuts a source text into tokens. A text that is cut short ends the last one.
struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let space = self.rest.len() - self.rest.trim_start().len();
        self.take(space);
        let first = self.rest.chars().next()?;
        let line = self.line;
        let (kind, length) = self.measure(first);
        Some(Token {
            kind,
            text: self.take(length),
            line,
        })
    }
}

impl<'a> Lexer<'a> {
    const fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            line: 1,
        }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        taken
    }

    fn measure(&self, first: char) -> (Kind, usize) {
        let rest = self.rest;
        if rest.starts_with("//") {
            return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
        }
        if rest.starts_with("/*") {
            return (Kind::Comment, block_comment(rest));
        }
        match first {
            '"' => (Kind::Literal, quoted(rest, '"')),
            '\'' => (Kind::Literal, quote(rest)),
            first if first == '_' || first.is_alphanumeric() => {
                let word = word(rest);
                match literal_behind(&rest[..word], &rest[word..]) {
                    Some(more) => (Kind::Literal, word + more),
                    None => (Kind::Word, word),
                }
            }
            other => (Kind::Mark, other.len_utf8()),
        }
    }
}

fn word(text: &str) -> usize {
    text.find(|c: char| c != '_' && !c.is_alphanumeric())
        .unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            match rest.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => break,
            }
        }
    }
    text.len()
}

/// The length of a quoted text, whose escapes may hide its end.
fn quoted(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == end => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A character, or a lifetime.
fn quote(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(text, '\''),
        _ => 1 + word(&text[1..]),
    }
}

/// The rest of a literal whose prefix is `prefix`: `b"…"`, `r#"…"#`, `b'…'`.
fn literal_behind(prefix: &str, rest: &str) -> Option<usize> {
    if rest.starts_with('\'') && prefix == "b" {
        return Some(quoted(rest, '\''));
    }
    if rest.starts_with('"') && ["b", "c"].contains(&prefix) {
        return Some(quoted(rest, '"'));
    }
    if !["r", "br", "cr"].contains(&prefix) {
        return None;
    }
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    // `r#name` is a word.
    let inside = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &rest[..hashes]);
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(hashes + 1 + length)
}

/// What a use of `unsafe` is.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    /// A block or an implementation: somebody vouches here.
    Claim,
    /// A function or a trait that asks others to vouch, or an attribute.
    Demand,
    /// Only the type of a function.
    Type,
}

fn classify(behind: &[Token<'_>]) -> Use {
    let mut code = behind
        .iter()
        .filter(|token| token.kind != Kind::Comment)
        .peekable();
    let Some(first) = code.next() else {
        return Use::Demand;
    };
    if first.is("{") || first.is("impl") {
        return Use::Claim;
    }
    let mut function = first;
    if first.is("extern") {
        let mut next = code.next();
        if next.is_some_and(|token| token.kind == Kind::Literal) {
            next = code.next();
        }
        match next {
            // A block of foreign declarations.
            Some(token) if token.is("{") => return Use::Claim,
            Some(token) => function = token,
            None => return Use::Demand,
        }
    }
    if function.is("fn") && code.next().is_some_and(|token| token.is("(")) {
        return Use::Type;
    }
    Use::Demand
}

/// Whether the statement that ends in `before` begins behind a comment with a reason.
fn has_reason(before: &[Token<'_>]) -> bool {
    let mut tokens = before.iter().rev().peekable();
    // What stands right of the token at hand.
    let mut right: Option<&Token<'_>> = None;
    while let Some(token) = tokens.next() {
        if token.kind == Kind::Comment {
            let mut comment = vec![token.text];
            while let Some(above) = tokens.next_if(|token| token.kind == Kind::Comment) {
                comment.push(above.text);
            }
            comment.reverse();
            let comment = comment.join(" ");
            let reason = comment.split_once("SAFETY:").map(|(_, reason)| reason);
            return reason.is_some_and(|reason| reason.trim().len() >= SHORTEST_REASON);
        }
        if token.is("}") && right.is_some_and(goes_on) {
            let mut depth = 1_usize;
            while depth > 0 {
                let Some(inside) = tokens.next() else {
                    return false;
                };
                depth += usize::from(inside.is("}"));
                depth -= usize::from(inside.is("{"));
            }
        } else if token.is(";") || token.is("{") || token.is("}") {
            return false;
        }
        right = Some(token);
    }
    false
}

/// Whether a statement goes on with this token behind a block of its own.
fn goes_on(token: &Token<'_>) -> bool {
    [".", "?", ",", ")"].iter().any(|mark| token.is(mark))
}

fn in_a_room(file: &str) -> bool {
    ROOMS.iter().any(|room| {
        file.strip_prefix(room).is_some_and(|rest| {
            // `raw/` and `raw.rs`, and also `raw_block.rs`: all begin with the room's name.
            room.ends_with('/') || rest.starts_with(['/', '.', '_'])
        })
    })
}

/// What is wrong with a file, one line for each fault.
fn faults(file: &str, source: &str) -> Vec<String> {
    let tokens: Vec<Token<'_>> = Lexer::new(source).collect();
    let mut faults = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Word || token.text != "unsafe" {
            continue;
        }
        let place = format!("{file}:{}", token.line);
        match classify(&tokens[at + 1..]) {
            Use::Type => {}
            _ if !in_a_room(file) => faults.push(format!("{place}: `unsafe` outside of its rooms")),
            Use::Claim if !has_reason(&tokens[..at]) => {
                faults.push(format!("{place}: `unsafe` without a `// SAFETY:` reason"));
            }
            Use::Claim | Use::Demand => {}
        }
    }
    faults
}

/// Whether a file has the inner attribute `#![forbid(unsafe_code)]`, as code and not as text.
fn forbids(source: &str) -> bool {
    let wanted = ["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"];
    let tokens: Vec<Token<'_>> = Lexer::new(source)
        .filter(|token| token.kind != Kind::Comment)
        .collect();
    tokens
        .windows(wanted.len())
        .any(|some| some.iter().zip(wanted).all(|(token, text)| token.is(text)))
}

/// How many attributes of a file let `unsafe_code` pass, among other lints or for some builds only too.
fn lowered(source: &str) -> usize {
    let mut tokens = Lexer::new(source).filter(|token| token.kind != Kind::Comment);
    let mut count = 0;
    while let Some(token) = tokens.next() {
        if ["allow", "expect", "warn"]
            .iter()
            .any(|word| token.is(word))
        {
            let lints = tokens.by_ref().take_while(|token| !token.is(")"));
            count += lints.filter(|token| token.is("unsafe_code")).count();
        }
    }
    count
}

/// Every Rust file below `folder`, apart from what builds leave behind.
fn sources(folder: &Path, found: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path: PathBuf = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_symlink() || name.starts_with('.') || name == "target" || name == "node_modules"
        {
            continue;
        }
        if path.is_dir() {
            sources(&path, found)?;
        } else if name.ends_with(".rs") {
            let file = path
                .strip_prefix(root())?
                .to_string_lossy()
                .replace('\\', "/");
            let text = std::fs::read_to_string(&path).with_context(|| file.clone())?;
            found.insert(file, text);
        }
    }
    Ok(())
}

fn workspace() -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    sources(&root(), &mut found)?;
    Ok(found)
}

#[test]
fn unsafe_code_stands_only_in_its_rooms_and_with_a_reason() -> Result<()> {
    let files = workspace()?;
    assert!(files.contains_key("xtask/src/unsafe_code.rs"), "no sources");
    let faults: Vec<String> = files
        .iter()
        .flat_map(|(file, source)| faults(file, source))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    Ok(())
}

#[test]
fn every_crate_without_a_room_forbids_unsafe_code() -> Result<()> {
    let files = workspace()?;
    let mut checked = 0;
    for (file, source) in &files {
        let Some(package) = ["/src/lib.rs", "/src/main.rs"]
            .iter()
            .find_map(|end| file.strip_suffix(end))
        else {
            continue;
        };
        if package.starts_with("tests/third_party/") || WITH_ROOMS.contains(&package) {
            continue;
        }
        checked += 1;
        assert!(forbids(source), "{file} has no #![forbid(unsafe_code)]");
    }
    assert!(checked >= 8, "only {checked} crates found");
    Ok(())
}

#[test]
fn the_native_backend_denies_unsafe_code_outside_of_its_two_modules() -> Result<()> {
    let files = workspace()?;
    for (file, source) in &files {
        if !file.starts_with("taos-optin/") {
            continue;
        }
        let expected = if file == "taos-optin/src/lib.rs" {
            2
        } else {
            0
        };
        assert_eq!(lowered(source), expected, "allow(unsafe_code) in {file}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "taos-optin/src/raw/result.rs";

    #[test]
    fn a_block_needs_its_reason_right_above_the_statement() {
        for fine in [
            "fn f() {\n    // SAFETY: the pointer is alive.\n    unsafe { g() }\n}",
            "// SAFETY: it is only carried around,\n// never looked into\nunsafe impl Send for X {}",
            "fn f() { let x =\n // SAFETY: checked one line above\n unsafe { g() }; }",
            "fn f() {\n // SAFETY: as above, and not NULL\n let x = h(1, unsafe { g() }); }",
            "fn f() { /* SAFETY: the caller vouches */ unsafe { g() } }",
            "fn f() {\n // SAFETY: both are alive\n let x = unsafe { g() }.map(|g| unsafe { h(g) }); }",
            "fn f() {\n // SAFETY: both are alive\n k(unsafe { g() }, unsafe { h() }); }",
            "pub unsafe extern \"C\" fn f() {}",
            "#[unsafe(no_mangle)] fn f() {}",
            "type F = unsafe extern \"C\" fn(i32);",
        ] {
            assert_eq!(faults(ROOM, fine), Vec::<String>::new(), "{fine}");
        }
        for bad in [
            "fn f() { unsafe { g() } }",
            "unsafe impl Sync for X {}",
            "// SAFETY: this belongs to another statement\nlet a = 1; unsafe { g() }",
            "fn f() {\n // a remark that is no reason\n unsafe { g() } }",
            "fn f() {\n // SAFETY: ok\n unsafe { g() } }",
            "unsafe extern \"C\" { fn f(); }",
            "let a = \"// SAFETY: in a text it counts for nothing\"; unsafe { g() }",
            "// SAFETY: one reason for one block only\nunsafe { g() }\nunsafe { h() }",
        ] {
            assert_eq!(faults(ROOM, bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn outside_of_the_rooms_only_the_types_of_functions_may_be_unsafe() {
        let block = "fn f() {\n// SAFETY: this is a fine reason\nunsafe { g() } }";
        for (file, expected) in [
            ("taos-optin/src/raw.rs", 0),
            ("taos-optin/src/ffi/api.rs", 0),
            ("taos-optin/src/raw_block.rs", 0),
            ("taos-capi/tests/c.rs", 0),
            ("taos-optin/src/rawhide.rs", 1),
            ("taos-optin/src/lib.rs", 1),
            ("taos-optin/tests/raw/x.rs", 1),
            ("taos-query/src/raw/x.rs", 1),
        ] {
            assert_eq!(faults(file, block).len(), expected, "{file}");
        }
        let other = "taos-query/src/abi.rs";
        assert!(faults(other, "type F = unsafe extern \"C\" fn(i32);").is_empty());
        assert!(faults(other, "type F = unsafe fn(i32);").is_empty());
        for bad in [
            "unsafe fn f() {}",
            "unsafe trait T {}",
            "#[unsafe(no_mangle)] fn f() {}",
        ] {
            assert_eq!(faults(other, bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn the_word_in_texts_comments_and_names_is_no_code() {
        for fine in [
            "let a = \"unsafe { }\";",
            "let a = \"a \\\" unsafe { }\";",
            "let a = r#\"a \" unsafe { }\"#;",
            "let a = br##\"\"# unsafe { }\"##;",
            "let a = b\"unsafe { }\"; let b = c\"unsafe { }\";",
            "let a = '\"'; let b = '\\''; let c = b'\"'; // unsafe { }",
            "/* unsafe { /* unsafe */ } */ fn f<'a>() -> &'a str { loop {} }",
            "/// unsafe { }\n#![forbid(unsafe_code)]",
            "let r#unsafe_name = not_unsafe;",
            "let a = \"cut short unsafe { }",
        ] {
            assert_eq!(
                faults("taos/src/lib.rs", fine),
                Vec::<String>::new(),
                "{fine}"
            );
        }
        // What follows a text or a lifetime is code again.
        for bad in [
            "let a = '\"'; unsafe { g('\"') }",
            "fn f<'a>(x: &'a str) { unsafe { g() } }",
            "let a = r\"\\\"; unsafe { g() }",
        ] {
            assert_eq!(faults("taos/src/lib.rs", bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn the_attribute_counts_only_as_code() {
        assert!(forbids("//! A crate.\n#![forbid(unsafe_code)]\n"));
        assert!(!forbids("// #![forbid(unsafe_code)]\n"));
        assert!(!forbids("const A: &str = \"#![forbid(unsafe_code)]\";"));
        assert!(!forbids("#![deny(unsafe_code)]"));
    }

    #[test]
    fn every_way_to_let_unsafe_code_pass_is_counted() {
        for (text, expected) in [
            ("#[allow(unsafe_code)] mod a;", 1),
            ("#[allow(clippy::x, unsafe_code, reason = \"(\")] mod a;", 1),
            ("#[expect(unsafe_code)] mod a;", 1),
            ("#![warn(unsafe_code)]", 1),
            (
                "#[cfg_attr(unix, allow(dead_code), allow(unsafe_code))] mod a;",
                1,
            ),
            ("#![deny(unsafe_code)] // allow(unsafe_code)", 0),
            ("#[allow(dead_code)] const A: &str = \"unsafe_code\";", 0),
            (
                "fn f(x: &X) { x.expect(\"b\"); } #![forbid(unsafe_code)]",
                0,
            ),
        ] {
            assert_eq!(lowered(text), expected, "{text}");
        }
    }

    #[test]
    fn faults_name_the_line() {
        let text = "fn f() {}\n\nfn g() {\n    unsafe { h() }\n}\n";
        assert_eq!(
            faults(ROOM, text),
            [format!("{ROOM}:4: `unsafe` without a `// SAFETY:` reason")]
        );
    }
}
