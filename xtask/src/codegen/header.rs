//! `ffi/include/moorline.h`: cbindgen writes the declarations, the rest is what a reader has to know before calling any of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::contract;
use super::interface::Interface;
use super::read::{self, SOURCES};

/// What holds for all functions.
const PREAMBLE: &str = include_str!("preamble.txt");

/// What stands behind the declarations.
const TRAILER: &str = "
// A text that ends with a zero, as a span. Null is an empty span.
static inline moorline_span moorline_text(const char *text)
{
    moorline_span span;
    span.data = (const uint8_t *)text;
    span.length = text ? strlen(text) : 0;
    return span;
}

#endif // MOORLINE_H
";

pub(super) fn generate(root: &Path, interface: &Interface) -> Result<String> {
    let mut config = cbindgen::Config::from_file(root.join("ffi/cbindgen.toml"))
        .map_err(|error| anyhow::anyhow!("ffi/cbindgen.toml: {error}"))?;
    // Not cbindgen's own include guard: that would end in front of the trailer.
    config.header = Some(format!("{}\n#ifndef MOORLINE_H\n#define MOORLINE_H\n", top(interface)));
    config.trailer = Some(TRAILER.trim_end().to_owned());

    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(read::folder(root).join(source));
    }
    let bindings = builder.generate().context("cbindgen cannot make a header of ffi/src")?;
    let mut header = Vec::new();
    bindings.write(&mut header);
    let header = with_headings(&String::from_utf8(header)?, root)?;
    // cbindgen leaves out, with a warning that nobody sees, what it does not understand.
    for name in interface.symbols() {
        ensure!(header.contains(&format!(" {name}(")), "cbindgen left out {name}");
    }
    for constant in &interface.constants {
        ensure!(header.contains(&format!("#define {} ", constant.name)), "cbindgen left out {}", constant.name);
    }
    Ok(header)
}

/// The comment at the top.
fn top(interface: &Interface) -> String {
    let text = format!("{PREAMBLE}\n{}", contract::table(interface));
    text.lines().map(|line| format!("// {line}").trim_end().to_owned() + "\n").collect()
}

/// The lines `// ...` that head a group of constants in the sources stand in the header, too. The parser does not see them.
fn with_headings(header: &str, root: &Path) -> Result<String> {
    let mut blocks: Vec<String> = header.split("\n\n").map(str::to_owned).collect();
    for source in SOURCES {
        let text = fs::read_to_string(read::folder(root).join(source))?;
        let mut heading = None;
        for line in text.lines() {
            if let Some(found) = line.strip_prefix("// ") {
                heading = Some(found);
            } else if let Some(constant) = line.strip_prefix("pub const ") {
                let Some(heading) = heading.take() else { continue };
                let name = constant.split(':').next().unwrap_or_default();
                let define = format!("#define {name} ");
                let block = blocks.iter_mut().find(|block| block.contains(&define));
                let block = block.with_context(|| format!("{name} is not in the header"))?;
                *block = format!("// ---- {heading}\n\n{block}");
            }
        }
    }
    Ok(blocks.join("\n\n"))
}
