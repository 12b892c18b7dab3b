//! Reproducible chance: SplitMix64 (Steele, Lea and Flood, 2014). Not for secrets.

use std::time::Duration;

pub(super) struct Dice(u64);

impl Dice {
    /// The same seed, names and number give the same dice.
    pub(super) fn new(seed: u64, names: [&str; 2], number: u64) -> Dice {
        let mut dice = Dice(seed);
        for byte in names.iter().flat_map(|name| name.bytes().chain([0xff])) {
            dice.0 ^= u64::from(byte);
            dice.next();
        }
        dice.0 ^= number;
        dice.next();
        dice
    }

    /// Whether something of probability `p` happens.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        // 53 bits are what an f64 holds exactly; 1 is never reached, so p = 1 always happens and p = 0 never.
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < p
    }

    /// A time from `min` to `max`, both included.
    pub(super) fn between(&mut self, min: Duration, max: Duration) -> Duration {
        let span = u64::try_from(max.saturating_sub(min).as_nanos()).unwrap_or(u64::MAX);
        let offset = if span == u64::MAX { self.next() } else { self.next() % (span + 1) };
        min + Duration::from_nanos(offset)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        let mut dice = Dice(1_234_567);
        assert_eq!([dice.next(), dice.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn certain_things_happen_and_impossible_ones_do_not() {
        let mut dice = Dice::new(7, ["a", "b"], 0);
        assert!((0..1000).all(|_| dice.chance(1.0) && !dice.chance(0.0)));
        let often = (0..1000).filter(|_| dice.chance(0.25)).count();
        assert!((200..300).contains(&often), "{often}");
    }

    #[test]
    fn delays_stay_in_their_range() {
        let (min, max) = (Duration::from_millis(1), Duration::from_millis(3));
        let mut dice = Dice::new(7, ["a", "b"], 0);
        assert!((0..1000).all(|_| (min..=max).contains(&dice.between(min, max))));
        assert_eq!(dice.between(min, min), min);
        assert_eq!(dice.between(max, min), max, "a range the wrong way round is its first end");
    }
}
