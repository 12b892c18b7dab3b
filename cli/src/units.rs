//! Sizes, rates and times for people.

use std::time::Duration;

/// `1.4 GiB`: three significant digits at most, binary units.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would print as 1024.0: step up before that.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    if value >= 99.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// `94 MiB/s`, from bytes a second.
pub(crate) fn rate(bytes_per_second: f64) -> String {
    if !bytes_per_second.is_finite() || bytes_per_second < 0.0 {
        return "- B/s".to_owned();
    }
    format!("{}/s", bytes(bytes_per_second as u64))
}

/// `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`, `4 d 03 h`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let s = seconds.round() as u64;
    match s {
        ..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {:02} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// `0:42`, `3:05`, `2:10:00`: time left, short enough for a progress bar.
pub(crate) fn clock(time: Duration) -> String {
    let s = time.as_secs_f64().ceil().min(359_999.0) as u64;
    if s < 3600 {
        format!("{}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// Longest time that [`parse_duration`] accepts: a year.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Reads `90`, `1.5`, `90s`, `500ms`, `10m`, `2h` (a bare number is seconds).
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let value: f64 =
        number.parse().map_err(|_| format!("`{text}` is not a time: write 90, 1.5, 90s, 500ms, 10m or 2h"))?;
    let seconds = match unit.trim() {
        "" | "s" | "sec" => value,
        "ms" => value / 1000.0,
        "m" | "min" => value * 60.0,
        "h" => value * 3600.0,
        other => return Err(format!("`{other}` is not a unit of time: use ms, s, m or h")),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= LONGEST => Ok(time),
        _ => Err(format!("`{text}` is too long: at most a year")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well_at_every_edge() {
        let cases = [
            (0, "0 B"),
            (1, "1 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (102_400, "100 KiB"),
            (1_048_575, "1.0 MiB"),
            (1 << 20, "1.0 MiB"),
            (64 << 20, "64.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (n, text) in cases {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn times_read_well_at_every_edge() {
        let cases = [
            (0.0, "0.0 s"),
            (0.44, "0.4 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (60.0, "1 min 00 s"),
            (3599.0, "59 min 59 s"),
            (3600.0, "1 h 00 min"),
            (90_000.0, "1 d 01 h"),
        ];
        for (s, text) in cases {
            assert_eq!(duration(Duration::from_secs_f64(s)), text);
        }
        assert_eq!(clock(Duration::from_millis(41_001)), "0:42");
        assert_eq!(clock(Duration::from_secs(7800)), "2:10:00");
        assert_eq!(clock(Duration::MAX), "99:59:59");
    }

    #[test]
    fn rates_survive_nonsense() {
        assert_eq!(rate(f64::NAN), "- B/s");
        assert_eq!(rate(f64::INFINITY), "- B/s");
        assert_eq!(rate(-1.0), "- B/s");
        assert_eq!(rate(2048.0), "2.0 KiB/s");
    }

    #[test]
    fn durations_parse_or_say_what_to_write() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse_duration("8760h"), Ok(LONGEST));
        for bad in ["", "soon", "-1", "8761h", "5 parsecs", "1e400", "..", "99999999999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plurals() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(0, "file"), "0 files");
    }
}
