//! The header, as strict compilers see it.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::library::scratch;
use crate::steps::check;
use crate::workspace_root;

/// Warnings are errors, in whatever includes the header.
pub(super) const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Compiler, language and standard.
const COMPILERS: [[&str; 3]; 4] =
    [["gcc", "c", "c11"], ["clang", "c", "c11"], ["g++", "c++", "c++17"], ["clang++", "c++", "c++17"]];

/// Includes it twice, and uses what has a body.
const PROGRAM: &str = "#include \"moorline.h\"
#include \"moorline.h\"

int main(void)
{
    return moorline_text(\"text\").length == 4 && moorline_text(0).length == 0 ? MOORLINE_OK : 1;
}
";

/// C11 and C++17, with every warning.
pub(super) fn compiles() -> Result<()> {
    let folder = scratch()?.join("header");
    fs::create_dir_all(&folder)?;
    let (source, program) = (folder.join("header.c"), folder.join("header"));
    fs::write(&source, PROGRAM)?;
    for [compiler, language, standard] in COMPILERS {
        let mut command = Command::new(compiler);
        command.args(STRICT).args(["-x", language, &format!("-std={standard}"), "-I"]);
        check(command.arg(workspace_root().join("ffi/include")).arg(&source).arg("-o").arg(&program))?;
        check(&mut Command::new(&program))?;
    }
    Ok(())
}
