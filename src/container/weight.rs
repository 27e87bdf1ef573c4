//! A weight of cgroup v2 through an API that knows only the shares of v1. What becomes of shares depends on the kernel and on
//! the runtime: the same number is another weight before and since runc 1.3.2.

/// How a runtime turns shares into what the kernel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// cgroup v1 has shares; 1024 are its default, as 100 is v2's.
    Shares,
    /// cgroup v2 before runc 1.3.2: `1 + (shares - 2) * 9999 / 262142`, so that 1024 shares are a weight of 39.
    Linear,
    /// cgroup v2 since runc 1.3.2: `ceil(10 ^ ((log2(shares)² + 125 log2(shares)) / 612 - 7/34))`, so that 1024 are 100.
    Logarithmic,
}

impl Scale {
    /// By the kernel's hierarchy and the runtime's version, as in `1.1.5+ds1`; a runtime that does not tell is a new one.
    pub fn of(is_v2: bool, runc: Option<&str>) -> Self {
        let number = |text: &str| {
            text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().ok()
        };
        let version: Option<Vec<u32>> = runc.map(|text| text.split('.').map_while(number).take(3).collect());
        match version {
            _ if !is_v2 => Self::Shares,
            Some(version) if !version.is_empty() && version < vec![1, 3, 2] => Self::Linear,
            _ => Self::Logarithmic,
        }
    }

    /// The shares that come to this weight, 1 to 10000; 0 stays 0, which is the default.
    pub fn shares(self, weight: u64) -> u64 {
        let weight = weight.min(10_000);
        if weight == 0 {
            return 0;
        }
        match self {
            Self::Shares => (weight * 1024 / 100).max(2),
            Self::Linear => ((weight - 1) * 262_142).div_ceil(9999) + 2,
            Self::Logarithmic => {
                // The formula's inverse, rounded down: the runtime rounds its result up.
                let exponent = f64::from(u32::try_from(weight).unwrap_or(10_000)).log10() + 7.0 / 34.0;
                let log2 = (f64::sqrt(125.0 * 125.0 + 4.0 * 612.0 * exponent) - 125.0) / 2.0;
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 2 to 262144
                let shares = log2.exp2().floor() as u64;
                shares.clamp(2, 262_144)
            }
        }
    }

    /// The weight that was asked for with these shares, or the nearest below.
    pub fn weight(self, shares: u64) -> u64 {
        if shares == 0 {
            return 0;
        }
        // It grows with the weight.
        let (mut low, mut high) = (1, 10_000);
        while low < high {
            let middle = u64::midpoint(low, high + 1);
            if self.shares(middle) <= shares { low = middle } else { high = middle - 1 }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for scale in [Scale::Shares, Scale::Linear, Scale::Logarithmic] {
            for weight in [0, 20, 39, 50, 100, 118, 200, 300, 1000, 10_000] {
                assert_eq!(scale.weight(scale.shares(weight)), weight, "{scale:?}");
            }
        }
    }

    #[test]
    fn as_the_runtimes_reckon() {
        for weight in [1, 2, 39, 100, 300, 10_000] {
            assert_eq!(1 + (Scale::Linear.shares(weight) - 2) * 9999 / 262_142, weight);
        }
        // What runc 1.4 was seen to make of 2000 shares.
        assert_eq!(Scale::Logarithmic.shares(170), 2000);
        assert_eq!(Scale::Logarithmic.shares(100), 1024);
        assert_eq!(Scale::Shares.shares(200), 2048);
    }

    #[test]
    fn by_version() {
        assert_eq!(Scale::of(false, Some("1.1.5+ds1")), Scale::Shares);
        assert_eq!(Scale::of(true, Some("1.1.5+ds1")), Scale::Linear);
        assert_eq!(Scale::of(true, Some("1.3.1")), Scale::Linear);
        for version in ["1.3.2", "1.3.10", "1.4.0-rc.1", "2.0"] {
            assert_eq!(Scale::of(true, Some(version)), Scale::Logarithmic, "{version}");
        }
        assert_eq!(Scale::of(true, None), Scale::Logarithmic);
    }
}
