//! Every struct has its fields at the same places in C and in the table for ctypes. (Python prints its own as assertions in C.)

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::header::STRICT;
use super::library::scratch;
use crate::steps::check;
use crate::workspace_root;

const PRINT: &str = r#"
import ctypes, re, runpy, sys

print('#include <assert.h>\n#include <stddef.h>\n#include "moorline.h"')
for name, record in runpy.run_path(sys.argv[1]).items():
    if isinstance(record, type) and issubclass(record, ctypes.Structure) and record is not ctypes.Structure:
        c_name = "moorline" + re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)
        print(f'static_assert(sizeof({c_name}) == {ctypes.sizeof(record)}, "{name}");')
        for field, _ in record._fields_:
            offset = getattr(record, field).offset
            field = "from" if field == "from_" else field
            print(f'static_assert(offsetof({c_name}, {field}) == {offset}, "{name}.{field}");')
"#;

pub(super) fn agrees() -> Result<()> {
    let table = workspace_root().join("ffi/python/moorline/_abi.py");
    let printed =
        Command::new("python3").args(["-B", "-c", PRINT]).arg(table).output().context("cannot start python3")?;
    if !printed.status.success() {
        bail!("the table for ctypes cannot be read: {}", String::from_utf8_lossy(&printed.stderr));
    }
    let source = scratch()?.join("layout.c");
    fs::write(&source, printed.stdout)?;
    let mut compiler = Command::new("gcc");
    compiler.args(STRICT).args(["-std=c11", "-fsyntax-only", "-I"]).arg(workspace_root().join("ffi/include"));
    check(compiler.arg(source))
}
