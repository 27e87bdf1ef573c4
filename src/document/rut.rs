//! The RUT: the number by which Chile knows a person or a company, with a check digit by modulo 11.

use std::collections::VecDeque;
use std::ops::Range;

/// A number and its check digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rut {
    /// 100 000 to 99 999 999.
    pub number: u32,
    /// `0` to `9`, or `K`.
    pub check: char,
}

/// Something written as a RUT is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As it stands in the text.
    pub text: String,
    /// What it says.
    pub rut: Rut,
    /// Its check digit is the one of its number.
    pub valid: bool,
    /// Where it stands, in bytes.
    pub at: Range<usize>,
}

/// The check digit of a number.
pub fn check_digit(number: u32) -> char {
    let (mut rest, mut factor, mut sum) = (number, 2, 0);
    while rest > 0 {
        sum += rest % 10 * factor;
        factor = if factor == 7 { 2 } else { factor + 1 };
        rest /= 10;
    }
    match 11 - sum % 11 {
        11 => '0',
        10 => 'K',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}

/// All that stand in a text: `12.345.678-5`, `12345678-5`, with any dash, of six to eight digits, in the order of the text.
pub fn find(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut before: Option<char> = None;
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let begins =
            at >= from && c.is_ascii_digit() && !before.is_some_and(|b| b.is_alphanumeric() || b == '.');
        before = Some(c);
        if let Some((rut, length)) = begins.then(|| read(&text[at..])).flatten() {
            from = at + length;
            found.push(Found {
                text: text[at..from].to_owned(),
                rut,
                valid: check_digit(rut.number) == rut.check,
                at: at..from,
            });
        }
    }
    found
}

/// The RUT that a text begins with, and its length in bytes.
fn read(text: &str) -> Option<(Rut, usize)> {
    let mut digits = String::new();
    let mut groups: VecDeque<usize> = VecDeque::from([0]);
    let mut rest = text.char_indices();
    let dash = loop {
        let (at, c) = rest.next()?;
        match c {
            '0'..='9' if digits.len() < 8 => {
                digits.push(c);
                *groups.back_mut()? += 1;
            }
            '.' => groups.push_back(0),
            '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' => break at + c.len_utf8(),
            _ => return None,
        }
    };
    let first = groups.pop_front()?;
    let grouped = groups.is_empty() || (1..=3).contains(&first) && groups.iter().all(|count| *count == 3);
    let (_, check) = rest.next()?;
    let check = check.to_ascii_uppercase();
    let ends = rest.next().is_none_or(|(_, next)| !next.is_alphanumeric());
    let whole = grouped && digits.len() >= 6 && (check.is_ascii_digit() || check == 'K') && ends;
    let number = digits.parse().ok()?;
    whole.then_some((Rut { number, check }, dash + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        for (number, check) in
            [(12_345_678, '5'), (11_111_111, '1'), (6, 'K'), (76_192_083, '9'), (20_961_605, 'K')]
        {
            assert_eq!(check_digit(number), check, "{number}");
        }
    }

    #[test]
    fn they_are_found_as_people_write_them() {
        let text = "RUT 12.345.678-5, Ñuñoa; 11111111–1. Rol 1234-5 y 12.345.678-9; 123.456.78-5; 112.345.678-5; tel 2-22334455";
        let found = find(text);
        let seen: Vec<(&str, bool)> = found.iter().map(|f| (f.text.as_str(), f.valid)).collect();
        assert_eq!(seen, [("12.345.678-5", true), ("11111111–1", true), ("12.345.678-9", false)]);
        assert!(found.iter().all(|f| text[f.at.clone()] == f.text));
        assert!(find("12.345.678-55 12345678-5x 12345678- ").is_empty());
    }
}
