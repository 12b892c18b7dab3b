//! `ffi/python/moorline/_abi.py`: constants, structs and signatures for ctypes.

use std::fmt::Write;

use super::interface::{Callback, Interface, Struct, Type};

const TOP: &str = r#""""The C interface as ctypes sees it. Generated from ffi/src by `cargo xtask codegen`: change that, and not this file.

Names are those of moorline.h without the prefix. What each thing means is said there.
"""

from __future__ import annotations

from ctypes import CDLL, CFUNCTYPE, POINTER, Structure, c_char_p, c_int32, c_uint8, c_uint32, c_uint64, c_void_p

"#;

const BIND: &str = "

def bind(library: CDLL) -> CDLL:
    \"\"\"Tells ctypes the signature of every function of the library. An AttributeError if one is missing.\"\"\"
    for name, parameters in FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes = parameters
        function.restype = c_int32
    return library
";

/// Longer lines are broken.
const LONGEST_LINE: usize = 120;

/// Fields that are words of Python get an underscore.
const KEYWORDS: [&str; 1] = ["from"];

/// Constants that get a dictionary from number to word: its name, and how they begin.
const WORDS: [(&str, &str, &str); 3] = [
    ("STATUS_NAMES", "E_", "Each status as a word."),
    ("EVENT_NAMES", "EVENT_", "Each kind of event as a word."),
    ("RECORD_NAMES", "RECORD_", "Each kind of record as a word."),
];

pub(super) fn generate(interface: &Interface) -> String {
    let mut text = TOP.to_owned();
    for constant in &interface.constants {
        let _ = writeln!(text, "{} = {}", constant.short(), constant.value);
    }
    for (name, group, what) in WORDS {
        let _ = writeln!(text, "\n#: {what}\n{name} = {{");
        if group == "E_" {
            text.push_str("    OK: \"ok\",\n");
        }
        for constant in &interface.constants {
            if let Some(word) = constant.word_in(group) {
                let _ = writeln!(text, "    {}: \"{word}\",", constant.short());
            }
        }
        text.push_str("}\n");
    }
    for record in &interface.structs {
        structure(&mut text, record);
    }
    for callback in &interface.callbacks {
        function_type(&mut text, callback);
    }
    text.push_str("\n\n#: The parameters of each function. All return a status.\nFUNCTIONS = {\n");
    for function in &interface.functions {
        let types: Vec<String> = function.parameters.iter().map(|parameter| argument(&parameter.ty)).collect();
        let types = types.join(", ");
        let line = format!("    \"{}\": [{types}],", function.name);
        let broken = format!("    \"{}\": [\n        {types}\n    ],", function.name);
        let _ = writeln!(text, "{}", if line.len() > LONGEST_LINE { broken } else { line });
    }
    text.push_str("}\n");
    text.push_str(BIND);
    text
}

fn structure(text: &mut String, record: &Struct) {
    let _ = writeln!(text, "\n\nclass {}(Structure):\n    \"\"\"{}\"\"\"\n", record.name, record.docs.join("\n    "));
    text.push_str("    _fields_ = [\n");
    for field in &record.fields {
        let underscore = if KEYWORDS.contains(&field.name.as_str()) { "_" } else { "" };
        let _ = writeln!(text, "        (\"{}{underscore}\", {}),", field.name, in_place(&field.ty));
    }
    text.push_str("    ]\n");
}

fn function_type(text: &mut String, callback: &Callback) {
    let types: Vec<String> = callback.parameters.iter().map(|parameter| in_place(&parameter.ty)).collect();
    let docs: Vec<String> = callback.docs.iter().map(|line| format!("#: {line}")).collect();
    let _ = writeln!(text, "\n\n{}\n{} = CFUNCTYPE(None, {})", docs.join("\n"), callback.name, types.join(", "));
}

/// A field, or what a callback is given: bytes are not terminated, so they stay an address.
fn in_place(ty: &Type) -> String {
    match ty {
        Type::Pointer(to) if matches!(**to, Type::U8 | Type::Void) => "c_void_p".to_owned(),
        _ => plain(ty),
    }
}

/// A parameter: bytes may be handed in as `bytes`.
fn argument(ty: &Type) -> String {
    match ty {
        Type::Pointer(to) if **to == Type::U8 => "c_char_p".to_owned(),
        _ => in_place(ty),
    }
}

fn plain(ty: &Type) -> String {
    match ty {
        Type::U8 => "c_uint8".to_owned(),
        Type::U32 => "c_uint32".to_owned(),
        Type::U64 | Type::Usize => "c_uint64".to_owned(),
        Type::I32 => "c_int32".to_owned(),
        Type::Void => "None".to_owned(),
        Type::Struct(name) | Type::Callback(name) => name.clone(),
        Type::Pointer(to) => format!("POINTER({})", plain(to)),
        Type::Array(of, length) => format!("{} * {length}", plain(of)),
    }
}
