//! The fuzz targets' corpora as plain tests: every seed, and every input that ever broke something.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a corpus that cannot be read fails the test, and the path printed shows which seed did"
)]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/checks.rs"]
mod checks;

fn each_seed(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut seeds = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        // Shown only if the check panics.
        println!("{}", path.display());
        check(&data);
        // A decoder that works on whole inputs must also survive their beginnings.
        for end in (0..data.len()).step_by(1 + data.len() / 64) {
            check(&data[..end]);
        }
        seeds += 1;
    }
    assert!(seeds >= 10, "only {seeds} seeds in {}", folder.display());
}

#[test]
fn no_block_of_the_corpus_breaks_its_reader() {
    each_seed("raw_block", checks::raw_block);
}

#[test]
fn no_dump_of_the_corpus_breaks_its_reader_or_changes_when_written() {
    each_seed("dump", checks::dump);
}

#[test]
fn no_dsn_of_the_corpus_breaks_its_parser_or_changes_in_print() {
    each_seed("dsn", checks::dsn);
}

#[test]
fn no_frame_of_the_corpus_breaks_a_decoder() {
    each_seed("reply", checks::reply);
}

#[test]
fn no_bound_data_of_the_corpus_breaks_its_reader() {
    each_seed("bind", checks::bind);
}

#[test]
fn no_schemaless_data_of_the_corpus_breaks_a_reader() {
    each_seed("schemaless", checks::schemaless);
}

#[test]
fn no_message_of_the_corpus_about_tables_breaks_its_reader_or_changes_when_written() {
    each_seed("topic_message", checks::topic_message);
}

#[test]
fn no_message_of_rows_of_the_corpus_breaks_its_reader_or_changes_when_written() {
    each_seed("data_message", checks::data_message);
}

#[test]
fn no_json_of_the_corpus_about_tables_breaks_its_reader_or_changes_when_written() {
    each_seed("json_meta", checks::json_meta);
}

#[test]
fn no_compressed_message_of_the_corpus_breaks_the_inflater_or_passes_its_limit() {
    each_seed("inflate", checks::inflate);
}

#[test]
fn no_answers_of_the_corpus_break_the_reader_of_qwp_results() {
    each_seed("qwp_answers", checks::qwp_answers);
}
