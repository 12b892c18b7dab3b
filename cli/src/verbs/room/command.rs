//! What a line typed in a room asks for.

/// A line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// A message to everyone.
    Say(&'a [u8]),
    /// A message to one participant.
    To { whom: &'a str, text: &'a str },
    /// Announces a value; empty: removes it.
    Set { key: &'a str, value: &'a str },
    /// Changes this participant's name.
    Name(String),
    /// Calls a participant.
    Call { whom: &'a str, method: &'a str, text: &'a str },
    /// Who is here.
    Who,
    /// Leaves.
    Quit,
}

const COMMANDS: &str =
    "/who, /to NAME TEXT, /set KEY VALUE, /name NAME, /call NAME METHOD TEXT, /quit; //TEXT sends /TEXT";

/// Reads a line. The error is a hint.
pub(super) fn parse(line: &[u8]) -> Result<Command<'_>, String> {
    // A line that is no text is no command either.
    let text = std::str::from_utf8(line).ok();
    let Some(command) = text.and_then(|text| text.strip_prefix('/')) else { return Ok(Command::Say(line)) };
    if command.starts_with('/') {
        return Ok(Command::Say(command.as_bytes()));
    }
    let (verb, rest) = split(command);
    match verb {
        "who" if rest.is_empty() => Ok(Command::Who),
        "quit" if rest.is_empty() => Ok(Command::Quit),
        "to" => match word(rest)? {
            (whom, text) if !whom.is_empty() && !text.is_empty() => Ok(Command::To { whom, text }),
            _ => Err("write /to NAME TEXT; a name with spaces stands in \"quotes\"".to_owned()),
        },
        "set" => match word(rest)? {
            ("", _) => Err("write /set KEY VALUE; without VALUE the key is removed".to_owned()),
            (key, value) => Ok(Command::Set { key, value }),
        },
        "name" => crate::args::parse_name(rest).map(Command::Name).map_err(|why| format!("{why}: write /name NAME")),
        "call" => {
            let (whom, rest) = word(rest)?;
            match split(rest) {
                (method, text) if !whom.is_empty() && !method.is_empty() => Ok(Command::Call { whom, method, text }),
                _ => Err("write /call NAME METHOD TEXT; a name with spaces stands in \"quotes\"".to_owned()),
            }
        }
        _ => Err(format!("there is no command /{}; there are {COMMANDS}", crate::text::name(verb))),
    }
}

/// The first word, and what stands after the space behind it.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start_matches([' ', '\t']))
}

/// As [`split`], where quotes hold a word with spaces together.
fn word(text: &str) -> Result<(&str, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else { return Ok(split(text)) };
    let (word, rest) = quoted.split_once('"').ok_or("the second quote is missing")?;
    Ok((word, rest.trim_start_matches([' ', '\t'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command<'_> {
        parse(line.as_bytes()).expect(line)
    }

    #[test]
    fn a_line_is_a_message_unless_it_starts_with_a_slash() {
        assert_eq!(parsed("hello /who"), Command::Say(b"hello /who"));
        assert_eq!(parsed(""), Command::Say(b""));
        assert_eq!(parsed(" /who"), Command::Say(b" /who"));
        assert_eq!(parsed("//who"), Command::Say(b"/who"));
        assert_eq!(parsed("///"), Command::Say(b"//"));
        assert_eq!(parse(b"/\xff"), Ok(Command::Say(b"/\xff")), "no text, no command");
    }

    #[test]
    fn commands_take_their_words() {
        assert_eq!(parsed("/who"), Command::Who);
        assert_eq!(parsed("/quit"), Command::Quit);
        assert_eq!(parsed("/to ada  hi there "), Command::To { whom: "ada", text: "hi there " });
        assert_eq!(parsed("/to \"my laptop\" hi"), Command::To { whom: "my laptop", text: "hi" });
        assert_eq!(parsed("/set mood very good"), Command::Set { key: "mood", value: "very good" });
        assert_eq!(parsed("/set mood"), Command::Set { key: "mood", value: "" });
        assert_eq!(parsed("/name Ada Lovelace"), Command::Name("Ada Lovelace".to_owned()));
        assert_eq!(parsed("/call ada echo a b"), Command::Call { whom: "ada", method: "echo", text: "a b" });
        assert_eq!(parsed("/call \"a b\" echo"), Command::Call { whom: "a b", method: "echo", text: "" });
    }

    #[test]
    fn anything_else_gets_a_hint() {
        for line in [
            "/",
            "/ who",
            "/whoami",
            "/who is",
            "/quit now",
            "/to",
            "/to ada",
            "/to \"ada hi",
            "/to \"\" hi",
            "/set",
            "/name",
            "/name a\u{202e}b",
            "/call ada",
            "/call",
            "/WHO",
            "/\u{1b}[2J",
        ] {
            let hint = parse(line.as_bytes()).expect_err(line);
            assert!(!hint.is_empty() && !hint.chars().any(crate::text::misleads), "{line}: {hint}");
        }
    }
}
