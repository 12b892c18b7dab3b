//! Names the shared library as programs will look for it, and keeps it loaded once it is: threads of libraries below may still be
//! returning from their last function when `dispose` is done, and thread-local destructors of the host's threads belong to it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmoorline.so.0");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
