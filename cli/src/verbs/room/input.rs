//! Lines from stdin, one after the other, none longer than a message may be.

use std::io::{self, BufRead};

use moorline_signaling::limits;
use tokio::sync::mpsc;

/// Lines that are read ahead.
const AHEAD: usize = 64;

/// A line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counts from 1.
    pub(super) number: u64,
    /// Not more than a message may be long, unless `too_long`. Not always UTF-8.
    pub(super) bytes: Vec<u8>,
    /// Longer than a message may be: the rest was left out.
    pub(super) too_long: bool,
}

/// Starts to read stdin. The queue ends with it.
pub(super) fn lines() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    // Who stops it: the end of stdin, or of the queue at the next line; a read that waits for either ends with the program.
    tokio::task::spawn_blocking(move || {
        let mut stdin = io::stdin().lock();
        let mut number = 0;
        // Stdin that cannot be read has ended.
        while let Ok(Some((bytes, too_long))) = next_line(&mut stdin, limits::MAX_PAYLOAD) {
            number += 1;
            if sender.blocking_send(Line { number, bytes, too_long }).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A queue without lines, which ends with its sender.
pub(super) fn silence() -> (Option<mpsc::Sender<Line>>, mpsc::Receiver<Line>) {
    let (sender, receiver) = mpsc::channel(1);
    (Some(sender), receiver)
}

/// The next line without its end, and whether it was longer than `max`, which it is cut to then. `None` at the end of input.
fn next_line(reader: &mut impl BufRead, max: usize) -> io::Result<Option<(Vec<u8>, bool)>> {
    let mut line = Vec::new();
    let mut too_long = false;
    let mut any = false;
    loop {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            break;
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (part, used) = end.map_or((buffer, buffer.len()), |end| (&buffer[..end], end + 1));
        // One byte more than fits: it may be the \r of the line's end.
        let room = (max + 1).saturating_sub(line.len());
        too_long |= part.len() > room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') && !too_long {
        line.pop();
    }
    too_long |= line.len() > max;
    line.truncate(max);
    Ok(any.then_some((line, too_long)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], buffer: usize) -> Vec<(String, bool)> {
        let mut reader = io::BufReader::with_capacity(buffer, input);
        let mut lines = Vec::new();
        while let Some((line, too_long)) = next_line(&mut reader, 4).expect("reads") {
            lines.push((String::from_utf8(line).expect("text"), too_long));
        }
        lines
    }

    #[test]
    fn lines_end_in_every_way_and_empty_ones_count() {
        for buffer in [1, 2, 3, 64] {
            let lines = all(b"a\n\nb\r\nc", buffer);
            assert_eq!(lines, ["a", "", "b", "c"].map(|line| (line.to_owned(), false)), "{buffer}");
        }
        assert_eq!(all(b"", 8), []);
        assert_eq!(all(b"a\n", 8), [("a".to_owned(), false)]);
    }

    #[test]
    fn a_line_has_an_edge_and_the_next_one_is_whole() {
        for buffer in [1, 2, 3, 64] {
            let lines = all(b"1234\n1234\r\n12345\n12345678\r\nab\n", buffer);
            let cut = ("1234".to_owned(), true);
            let whole = ("1234".to_owned(), false);
            assert_eq!(lines, [whole.clone(), whole, cut.clone(), cut, ("ab".to_owned(), false)], "{buffer}");
        }
    }
}
