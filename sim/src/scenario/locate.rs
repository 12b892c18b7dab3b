//! Which line of a file is wrong, where the reader of tables with a kind cannot tell: it has copied them before it looks into them.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Expect, Fault, HostSpec, LinkSpec, Timed, Work};

/// Reads one table as what it is to be; tells what is wrong with it.
type Attempt = fn(Table) -> Result<(), String>;

const TABLES: [(&str, Attempt); 5] = [
    ("hosts", attempt::<HostSpec>),
    ("links", attempt::<LinkSpec>),
    ("workload", attempt::<Timed<Work>>),
    ("plan", attempt::<Timed<Fault>>),
    ("expect", attempt::<Expect>),
];

/// The first table that cannot be read, if it has a heading: the line of the field that is to blame, or else that of the heading; and
/// what is wrong.
pub(super) fn first_fault(text: &str) -> Option<(usize, String)> {
    let document: Table = text.parse().ok()?;
    TABLES.iter().find_map(|(name, attempt)| {
        let tables = document.get(*name)?.as_array()?.iter().filter_map(Value::as_table);
        let (index, table, wrong) =
            tables.enumerate().find_map(|(index, table)| Some((index, table, attempt(table.clone()).err()?)))?;
        let heading = heading(text, &format!("[[{name}]]"), index)?;
        let field = to_blame(table, &wrong, *attempt);
        Some((field.and_then(|field| line_of(text, heading, field)).unwrap_or(heading), wrong))
    })
}

/// The line of the `index`th heading of this kind, counted from 1.
pub(super) fn heading(text: &str, heading: &str, index: usize) -> Option<usize> {
    let lines = text.lines().enumerate().filter(|(_, line)| line.trim().starts_with(heading));
    lines.map(|(number, _)| number + 1).nth(index)
}

fn attempt<T: DeserializeOwned>(table: Table) -> Result<(), String> {
    Value::Table(table).try_into::<T>().map(drop).map_err(|error| error.message().trim().to_owned())
}

/// The field that is to blame: without it something else would be wrong, or nothing. That a field is missing is nobody's fault, and
/// where only that would be wrong without it, those that say what the rest is to be come last.
fn to_blame<'t>(table: &'t Table, wrong: &str, attempt: Attempt) -> Option<&'t str> {
    let without = |field: &str| {
        let rest = table.iter().filter(|(name, _)| *name != field);
        attempt(rest.map(|(name, value)| (name.clone(), value.clone())).collect()).err()
    };
    let missing = |field: &str| Some(format!("missing field `{field}`"));
    let (mut first, mut then): (Option<&str>, Option<&str>) = (None, None);
    for field in table.keys().map(String::as_str) {
        match without(field) {
            same if same.as_deref() == Some(wrong) => {}
            only if only == missing(field) => {
                then = then.filter(|known| weight(known) >= weight(field)).or(Some(field));
            }
            _ => first = first.or(Some(field)),
        }
    }
    first.or(then.filter(|_| !wrong.starts_with("missing field")))
}

/// How much that says which is to blame that its absence would be wrong as well: of the fields without which no other is looked at,
/// little.
fn weight(field: &str) -> u8 {
    match field {
        "at_ms" => 0,
        "fault" | "kind" | "want" | "work" => 1,
        _ => 2,
    }
}

/// The line of a field below a heading.
fn line_of(text: &str, heading: usize, field: &str) -> Option<usize> {
    let below = text.lines().enumerate().skip(heading).take_while(|(_, line)| !line.trim_start().starts_with('['));
    let is_it = |line: &str| {
        let rest = line.trim_start().strip_prefix(field).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(['=', '.']))
    };
    below.filter(|(_, line)| is_it(line)).map(|(number, _)| number + 1).next()
}
