//! Programs are linked against `libtaos.so`, whatever the file is called while it is built.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let name = match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => "-soname,libtaos.so",
        Ok("macos") => "-install_name,@rpath/libtaos.dylib",
        _ => return,
    };
    println!("cargo:rustc-cdylib-link-arg=-Wl,{name}");
}
