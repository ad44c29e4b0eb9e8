//! The C library: its header, made from the Rust sources, and its installation.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cbindgen::{Builder, Config, DocumentationStyle, Language, SortKey, Style};

use crate::native;
use crate::process::{cargo, root, run, target};

/// Names in Rust and in C.
const NAMES: &[(&str, &str)] = &[
    (
        "DualStackWhitelistCallback",
        "__taos_async_whitelist_dual_stack_fn_t",
    ),
    ("NAME_LEN", "TSDB_COL_NAME_LEN"),
    ("NotifyCallback", "__taos_notify_fn_t"),
    ("SetConfRet", "setConfRet"),
    ("SqlLen", "taos_sql_len"),
    ("Taos", "TAOS"),
    ("TaosCallback", "__taos_async_fn_t"),
    ("TaosDbRouteInfo", "TAOS_DB_ROUTE_INFO"),
    ("TaosField", "TAOS_FIELD"),
    ("TaosFieldAll", "TAOS_FIELD_ALL"),
    ("TaosFieldE", "TAOS_FIELD_E"),
    ("TaosMultiBind", "TAOS_MULTI_BIND"),
    ("TaosRes", "TAOS_RES"),
    ("TaosRow", "TAOS_ROW"),
    ("TaosStmt", "TAOS_STMT"),
    ("TaosStmt2", "TAOS_STMT2"),
    ("TaosStmt2Bind", "TAOS_STMT2_BIND"),
    ("TaosStmt2Bindv", "TAOS_STMT2_BINDV"),
    ("TaosStmt2Option", "TAOS_STMT2_OPTION"),
    ("TaosStmtOptions", "TAOS_STMT_OPTIONS"),
    ("TaosVgroupHashInfo", "TAOS_VGROUP_HASH_INFO"),
    ("Tmq", "tmq_t"),
    ("TmqCommitCb", "tmq_commit_cb_fn"),
    ("TmqConf", "tmq_conf_t"),
    ("TmqList", "tmq_list_t"),
    ("TmqRawData", "tmq_raw_data"),
    ("TmqTopicAssignment", "tmq_topic_assignment"),
    ("WhitelistCallback", "__taos_async_whitelist_fn_t"),
];

/// Kinds of numbers, which no function names in Rust.
const ENUMS: &[&str] = &[
    "SET_CONF_RET_CODE",
    "TAOS_CONN_MODE",
    "TAOS_FIELD_T",
    "TAOS_NOTIFY_TYPE",
    "TSDB_CONNECTION_INFO",
    "TSDB_OPTION",
    "TSDB_OPTION_CONNECTION",
    "TSDB_SERVER_STATUS",
    "TSDB_SML_PROTOCOL_TYPE",
    "TSDB_SML_TIMESTAMP_TYPE",
    "tmq_conf_res_t",
    "tmq_res_t",
];

/// Rust cannot declare what takes any number of arguments, nor a function itself as a type.
const BEYOND_RUST: &str = r#"/**
 * A function that takes the end of a commit.
 */
typedef void(tmq_commit_cb)(tmq_t *tmq, int32_t code, void *param);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sets an option of the process, one of TSDB_OPTION, to the text behind `arg`; nothing behind it is read.
 * Gives 0 or a negative code.
 */
int taos_options(int option, const void *arg, ...);

/**
 * Sets an option of a connection, one of TSDB_OPTION_CONNECTION, to the text behind `arg`, or back to its
 * default if that is NULL; nothing behind it is read. Gives 0 or a negative code.
 */
int taos_options_connection(TAOS *taos, int option, const void *arg, ...);

#ifdef __cplusplus
}
#endif
"#;

fn committed() -> PathBuf {
    root().join("taos-capi/include/taos.h")
}

/// All sources of a directory and of those in it, in the order of their names.
fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut found: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    found.sort();
    let mut sources = Vec::new();
    for path in found {
        if path.is_dir() {
            sources.extend(self::sources(&path)?);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            sources.push(path);
        }
    }
    Ok(sources)
}

/// A function that may be missing is NULL in C, so that both are one type.
fn without_options(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("Option<") {
        out.push_str(before);
        rest = after;
        if let Some((name, behind)) = after.split_once('>')
            && NAMES.iter().any(|(rust, _)| *rust == name)
        {
            out.push_str(name);
            rest = behind;
        } else {
            out.push_str("Option<");
        }
    }
    out.push_str(rest);
    out
}

/// The header, as the sources say it.
fn header() -> Result<String> {
    let mut config = Config {
        language: Language::C,
        style: Style::Both,
        cpp_compat: true,
        include_guard: Some("TAOS_H".to_owned()),
        no_includes: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(str::to_owned).to_vec(),
        header: Some(
            "/* The C interface of this library. Made from its sources by `cargo xtask header`; do not edit. */"
                .to_owned(),
        ),
        trailer: Some(BEYOND_RUST.to_owned()),
        documentation_style: DocumentationStyle::Doxy,
        usize_is_size_t: true,
        line_length: 100,
        ..Config::default()
    };
    config.function.sort_by = Some(SortKey::None);
    config.export.include = ENUMS.iter().map(|name| (*name).to_owned()).collect();
    config.export.exclude = ["taos_options", "taos_options_connection"]
        .map(str::to_owned)
        .to_vec();
    config.export.rename = NAMES
        .iter()
        .map(|(rust, c)| ((*rust).to_owned(), (*c).to_owned()))
        .collect();
    // Of this process alone, as tests run side by side.
    let scratch = target().join(format!("header-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let mut builder = Builder::new().with_config(config);
    let mut all = vec![root().join("taos-query/src/abi.rs")];
    all.extend(sources(&root().join("taos-capi/src"))?);
    for (number, path) in all.iter().enumerate() {
        let text = std::fs::read_to_string(path)?;
        let copy = scratch.join(format!("{number}.rs"));
        std::fs::write(&copy, without_options(&text))?;
        builder = builder.with_src(copy);
    }
    let bindings = builder.generate().context("cbindgen")?;
    std::fs::remove_dir_all(&scratch)?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(String::from_utf8(text)?)
}

/// Writes the header into its place.
pub(crate) fn write_header() -> Result<()> {
    let path = committed();
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(&path, header()?)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// The name under which programs look for the library.
pub(crate) fn file() -> String {
    format!("{DLL_PREFIX}taos{DLL_SUFFIX}")
}

/// Copies a file into a directory, in one step: a program that has the old one loaded keeps that, where a copy
/// into its place would change it under the program's feet.
pub(crate) fn place(from: &Path, directory: &Path, name: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let to = directory.join(name);
    let fresh = directory.join(format!(".{name}.{}", std::process::id()));
    let placed = std::fs::copy(from, &fresh).and_then(|_| std::fs::rename(&fresh, &to));
    if placed.is_err() {
        // Nothing half written stays; what went wrong is said below.
        let _ = std::fs::remove_file(&fresh);
    }
    placed.with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(to)
}

/// Puts the library `built`, and its header, below `prefix`; gives where they are.
pub(crate) fn put(built: &Path, prefix: &Path) -> Result<Vec<PathBuf>> {
    let lib = prefix.join("lib");
    let mut placed = vec![
        place(built, &lib, &file())?,
        place(&committed(), &prefix.join("include"), "taos.h")?,
    ];
    // What linkers of Windows want instead of the library itself.
    let import = built.with_extension("dll.lib");
    if cfg!(windows) && import.exists() {
        placed.push(place(&import, &lib, "taos.lib")?);
    }
    Ok(placed)
}

/// Builds the library and puts it, with its header, where programs find it.
pub(crate) fn install(prefix: &Path) -> Result<()> {
    run(&mut cargo([
        "build",
        "--release",
        "--locked",
        "-p",
        "taos-capi",
    ]))?;
    for placed in put(&native::library("release"), prefix)? {
        println!("installed {}", placed.display());
    }
    let (lib, include) = (prefix.join("lib"), prefix.join("include"));
    println!(
        "\nCompile:   cc program.c -I{include} -L{lib} -ltaos\n\
         Run:       LD_LIBRARY_PATH={lib} ./a.out     (macOS: DYLD_LIBRARY_PATH)\n\
         Connect:   to taosAdapter, port 6041 unless the program says another; without a host where\n\
         \x20          taos.cfg in /etc/taos or TAOS_CONFIG_DIR says (adapterList host:port, or firstEp),\n\
         \x20          or TAOS_ADAPTER_LIST, else to localhost",
        include = include.display(),
        lib = lib.display(),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Read as _;

    #[test]
    fn installing_again_leaves_what_a_program_has_open_as_it_is() -> Result<()> {
        let prefix = target().join(format!("installed-{}", std::process::id()));
        let (old, new) = (prefix.join("old"), prefix.join("new"));
        fs::create_dir_all(&prefix)?;
        fs::write(&old, "the library of yesterday")?;
        fs::write(&new, "and today's")?;
        put(&old, &prefix)?;
        let mut open = File::open(prefix.join("lib").join(file()))?;
        let installed = put(&new, &prefix)?;
        let mut kept = String::new();
        open.read_to_string(&mut kept)?;
        assert_eq!(kept, "the library of yesterday");
        assert_eq!(
            installed,
            [
                prefix.join("lib").join(file()),
                prefix.join("include/taos.h")
            ]
        );
        assert_eq!(fs::read_to_string(&installed[0])?, "and today's");
        let names = fs::read_dir(prefix.join("lib"))?.count();
        assert_eq!(names, 1, "something half written has stayed");
        fs::remove_dir_all(&prefix)?;
        Ok(())
    }

    #[test]
    fn the_committed_header_is_what_the_sources_say() -> Result<()> {
        let committed = fs::read_to_string(committed()).unwrap_or_default();
        assert!(
            header()? == committed,
            "taos-capi/include/taos.h is not current: run `cargo xtask header`"
        );
        Ok(())
    }
}
