//! Which token is for which room: a token names one room, so each `--room` has its own.

use std::ffi::OsString;

use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};
use crate::token::{self, Token};

/// For each room of the options its token, if there are tokens.
pub(super) fn of_rooms(net: &NetArgs) -> Result<Vec<Option<Token>>> {
    resolve(net, std::env::var_os(token::VARIABLE))
}

fn resolve(net: &NetArgs, environment: Option<OsString>) -> Result<Vec<Option<Token>>> {
    let rooms = net.rooms.len();
    let (tokens, files) = (&net.room_tokens, &net.room_token_files);
    for (given, option) in [(tokens.len(), "--room-token"), (files.len(), "--room-token-file")] {
        if given != 0 && given != rooms {
            let message = format!("{option} is given {given} times, and --room {rooms} times");
            return Err(Failure::new(Code::Usage, message).hint(ONE_EACH));
        }
    }
    let environment = environment.filter(|value| !value.is_empty() && tokens.is_empty() && files.is_empty());
    if environment.is_some() && rooms > 1 {
        let message = format!("{} holds one token, and there are {rooms} rooms", token::VARIABLE);
        return Err(Failure::new(Code::Usage, message).hint(ONE_EACH));
    }
    let token = |index: usize| {
        let file = files.get(index).map(std::path::PathBuf::as_path);
        Token::find(tokens.get(index), "--room-token", file, environment.clone())
    };
    (0..rooms).map(token).collect()
}

const ONE_EACH: &str =
    "A token is good for one room only: give each --room its own --room-token-file or --room-token, in the same order.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Secret;
    use crate::session::parse_meeting;

    fn net(rooms: usize, tokens: &[&str]) -> NetArgs {
        NetArgs {
            rooms: (0..rooms).map(|n| parse_meeting(&format!("ws://a/room{n}")).expect("a room")).collect(),
            room_tokens: tokens.iter().map(|text| Secret((*text).to_owned())).collect(),
            ..NetArgs::default()
        }
    }

    fn fixed(text: &str) -> Option<Token> {
        Some(Token::Fixed(Secret(text.to_owned())))
    }

    #[test]
    fn each_room_has_the_token_that_stands_in_its_place() {
        assert_eq!(resolve(&net(2, &["a", "b"]), None).expect("fits"), [fixed("a"), fixed("b")]);
        assert_eq!(resolve(&net(2, &[]), None).expect("fits"), [None, None]);
        assert_eq!(resolve(&net(0, &[]), Some("x".into())).expect("no rooms"), []);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| std::fs::write(path, "token\n").expect("writes"));
        let files = NetArgs { room_token_files: paths.to_vec(), ..net(2, &[]) };
        assert_eq!(resolve(&files, Some("x".into())).expect("fits"), paths.map(|path| Some(Token::File(path))));
    }

    #[test]
    fn the_environment_is_for_one_room_and_asked_last() {
        assert_eq!(resolve(&net(1, &[]), Some("env".into())).expect("fits"), [fixed("env")]);
        assert_eq!(resolve(&net(1, &["a"]), Some("env".into())).expect("fits"), [fixed("a")]);
        assert_eq!(resolve(&net(2, &[]), Some("".into())).expect("an empty one is none"), [None, None]);
    }

    #[test]
    fn a_token_that_cannot_fit_is_a_mistake_and_told_with_what_to_do() {
        for (net, environment) in
            [(net(2, &["a"]), None), (net(1, &["a", "b"]), None), (net(2, &[]), Some("env".into()))]
        {
            let failure = resolve(&net, environment).expect_err("does not fit");
            assert_eq!(failure.code, Code::Usage);
            assert!(failure.hint.expect("what to do").contains("--room-token-file"));
        }
    }
}
