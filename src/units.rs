//! Sizes and durations as people write them, and as we show them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::lang::say;
use crate::t;

/// One kibibyte in bytes.
pub const KIB: u64 = 1 << 10;
/// One mebibyte in bytes.
pub const MIB: u64 = 1 << 20;
/// One gibibyte in bytes.
pub const GIB: u64 = 1 << 30;

/// A number of bytes. Written as `"6500MiB"`, `"4GiB"`, `"500MB"` (decimal) or a plain number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SizeError {
    /// There is no number at the start.
    NoNumber,
    /// The unit is not one that we know.
    Unit(String),
    /// More bytes than 64 bits hold.
    TooLarge,
}

impl std::error::Error for SizeError {}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::NoNumber => say("a size starts with a number, as in \"512MiB\""),
            Self::Unit(unit) => Cow::Owned(t!(
                "unknown unit `{unit}`; use B, KiB, MiB, GiB, TiB, or the decimal KB, MB, GB, TB",
                unit = unit
            )),
            Self::TooLarge => say("the size is larger than 16 EiB"),
        })
    }
}

impl Bytes {
    /// `n` mebibytes.
    pub const fn mib(n: u64) -> Self {
        Self(n * MIB)
    }

    /// The number in mebibytes, rounded down.
    pub const fn as_mib(self) -> u64 {
        self.0 / MIB
    }
}

impl FromStr for Bytes {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: String = number.chars().filter(|c| *c != '_').collect();
        let factor = match unit.trim() {
            "" | "B" => 1,
            "KiB" | "Ki" | "K" | "k" => KIB,
            "MiB" | "Mi" | "M" | "m" => MIB,
            "GiB" | "Gi" | "G" | "g" => GIB,
            "TiB" | "Ti" | "T" => GIB << 10,
            "KB" | "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            other => return Err(SizeError::Unit(other.to_owned())),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        if whole.is_empty() || fraction.contains('.') {
            return Err(SizeError::NoNumber);
        }
        let whole: u64 = whole.parse().map_err(|_| SizeError::TooLarge)?;
        // All digits at once, so that 1.5GiB is exact; those beyond the 18th are less than a byte.
        let fraction = &fraction[..fraction.len().min(18)];
        let digits: u64 =
            if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| SizeError::TooLarge)? };
        let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        let total = u128::from(whole) * u128::from(factor) + u128::from(digits) * u128::from(factor) / scale;
        u64::try_from(total).map(Self).map_err(|_| SizeError::TooLarge)
    }
}

impl fmt::Display for Bytes {
    /// The largest binary unit that keeps the number exact, else one decimal: `4GiB`, `6500MiB`, `1.4GiB`, `37B`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        let text = match n {
            0 => "0B".to_owned(),
            _ if n % GIB == 0 => format!("{}GiB", n / GIB),
            _ if n % MIB == 0 => format!("{}MiB", n / MIB),
            _ if n >= GIB => tenths(n, GIB, "GiB"),
            _ if n >= MIB => tenths(n, MIB, "MiB"),
            _ if n % KIB == 0 => format!("{}KiB", n / KIB),
            _ if n >= KIB => tenths(n, KIB, "KiB"),
            _ => format!("{n}B"),
        };
        f.pad(&text)
    }
}

fn tenths(n: u64, unit: u64, name: &str) -> String {
    let scaled = u128::from(n) * 10 / u128::from(unit);
    format!("{}.{}{name}", scaled / 10, scaled % 10)
}

/// A span of time in ms. Written as `"1000ms"`, `"1s"`, `"1.5s"` or `"2min"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// Why a text is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DurationError {
    /// There is no number at the start.
    NoNumber,
    /// The unit is missing, or not one that we know.
    Unit(String),
    /// More than 64 bits hold.
    TooLong,
}

impl std::error::Error for DurationError {}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::NoNumber => say("a span of time starts with a number, as in \"1000ms\""),
            Self::Unit(unit) if unit.is_empty() => say("the unit is missing; use ms, s, min or h"),
            Self::Unit(unit) => Cow::Owned(t!("unknown unit `{unit}`; use ms, s, min or h", unit = unit)),
            Self::TooLong => say("the span of time is too long"),
        })
    }
}

impl FromStr for Millis {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.contains('.') {
            return Err(DurationError::NoNumber);
        }
        let factor: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "min" => 60_000,
            "h" => 3_600_000,
            other => return Err(DurationError::Unit(other.to_owned())),
        };
        let whole: u64 = whole.parse().map_err(|_| DurationError::TooLong)?;
        let mut total = whole.checked_mul(factor).ok_or(DurationError::TooLong)?;
        let mut scale = factor;
        for digit in fraction.bytes() {
            scale /= 10;
            total = total.checked_add(scale * u64::from(digit - b'0')).ok_or(DurationError::TooLong)?;
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Millis {
    /// Whole seconds as `5s`, all else as `1500ms`; one second is `1000ms`, as the kernel's own file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            n if n > 1000 && n % 1000 == 0 => format!("{}s", n / 1000),
            n => format!("{n}ms"),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!("6500MiB".parse(), Ok(Bytes::mib(6500)));
        assert_eq!("4GiB".parse(), Ok(Bytes(4 * GIB)));
        assert_eq!("1.5 GiB".parse(), Ok(Bytes(GIB + GIB / 2)));
        assert_eq!("12GB".parse(), Ok(Bytes(12_000_000_000)));
        assert_eq!("4096".parse(), Ok(Bytes(4096)));
        assert_eq!("MiB".parse::<Bytes>(), Err(SizeError::NoNumber));
        assert_eq!("4 apples".parse::<Bytes>(), Err(SizeError::Unit("apples".into())));
        assert_eq!("99999999999TiB".parse::<Bytes>(), Err(SizeError::TooLarge));
    }

    #[test]
    fn shows_what_it_reads_back() {
        for text in ["4GiB", "6500MiB", "0B", "37B", "12KiB"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
        assert_eq!(Bytes(GIB + GIB / 2 + 7).to_string(), "1.5GiB");
    }

    #[test]
    fn spans_of_time() {
        for (text, ms) in [("1000ms", 1000), ("1s", 1000), ("1.5 s", 1500), ("2min", 120_000), ("0ms", 0)] {
            assert_eq!(text.parse(), Ok(Millis(ms)), "{text}");
        }
        assert_eq!("1000".parse::<Millis>(), Err(DurationError::Unit(String::new())));
        assert_eq!("1 moon".parse::<Millis>(), Err(DurationError::Unit("moon".into())));
        assert_eq!("s".parse::<Millis>(), Err(DurationError::NoNumber));
        assert_eq!("99999999999999999h".parse::<Millis>(), Err(DurationError::TooLong));
        assert_eq!((Millis(1000).to_string(), Millis(5000).to_string()), ("1000ms".into(), "5s".into()));
    }
}
