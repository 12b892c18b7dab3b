//! The C interface as data: what the tables for other languages are made of.

use super::contract::Contract;

/// Everything that crosses the boundary.
#[derive(Default)]
pub(crate) struct Interface {
    pub(crate) constants: Vec<Constant>,
    pub(crate) structs: Vec<Struct>,
    pub(crate) callbacks: Vec<Callback>,
    pub(crate) functions: Vec<Function>,
}

pub(crate) struct Constant {
    /// As C has it, with its prefix.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) value: u64,
}

pub(crate) struct Struct {
    /// As Rust has it.
    pub(crate) name: String,
    pub(crate) docs: Vec<String>,
    pub(crate) fields: Vec<Variable>,
}

/// The type of a function that the caller hands in. It returns nothing.
pub(crate) struct Callback {
    pub(crate) name: String,
    pub(crate) docs: Vec<String>,
    pub(crate) parameters: Vec<Variable>,
}

/// An exported function. It returns a status.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) contract: Contract,
    pub(crate) parameters: Vec<Variable>,
}

/// A field or a parameter.
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) ty: Type,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    U8,
    U32,
    U64,
    I32,
    Usize,
    /// `void`, behind a pointer.
    Void,
    Struct(String),
    Callback(String),
    Pointer(Box<Self>),
    /// So many of something, in the place itself.
    Array(Box<Self>, u64),
}

/// What the name of everything exported begins with.
const PREFIX: &str = "moorline_";

impl Interface {
    /// The exported functions, sorted.
    pub(crate) fn symbols(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.functions.iter().map(|function| function.name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

impl Constant {
    /// Without the prefix.
    pub(crate) fn short(&self) -> &str {
        &self.name[PREFIX.len()..]
    }

    /// The last part of a name in a group, as a word: `bad_handle` for `MOORLINE_E_BAD_HANDLE`, when asked for the group `E_`.
    pub(crate) fn word_in(&self, group: &str) -> Option<String> {
        self.short().strip_prefix(group).map(str::to_lowercase)
    }
}

impl Function {
    /// Without the prefix.
    pub(crate) fn short(&self) -> &str {
        &self.name[PREFIX.len()..]
    }
}

/// `ready_timeout_ms` as `ReadyTimeoutMs`.
pub(crate) fn pascal(name: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    name.split('_').map(capitalised).collect()
}
