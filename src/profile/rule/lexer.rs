//! The words of a rule.

use std::ops::Range;

use super::super::suggest;
use super::{MILLION, RuleError};
use crate::lang::say;
use crate::t;
use crate::units::Bytes;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Word,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// A literal with a unit, in bytes.
    Size(u128),
    /// A literal without, in millionths.
    Number(u128),
    Name(String),
    /// One of `+-*/(),%`.
    Sign(char),
}

const UNITS: [&str; 9] = ["B", "KiB", "MiB", "GiB", "TiB", "KB", "MB", "GB", "TB"];

/// The words of `text`; blanks part them and mean nothing else.
pub(super) fn words(text: &str) -> Result<Vec<Token>, RuleError> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let kind = match c {
            ' ' => {
                at += 1;
                continue;
            }
            '0'..='9' => literal(text, &mut at)?,
            'a'..='z' | 'A'..='Z' | '_' => Word::Name(take(text, &mut at, is_name).to_owned()),
            '+' | '-' | '*' | '/' | '(' | ')' | ',' | '%' => {
                at += 1;
                Word::Sign(c)
            }
            _ => return Err(strange(c, at)),
        };
        words.push(Token { kind, span: start..at });
    }
    Ok(words)
}

fn strange(c: char, at: usize) -> RuleError {
    let error = RuleError::new(at..at + c.len_utf8(), t!("`{sign}` has no meaning in a rule", sign = c));
    match c {
        '×' | 'x' => error.help(say("multiply with `*`")),
        '÷' | ':' => error.help(say("divide with `/`")),
        '.' => error.help(say("write a digit before the point, as in 0.5")),
        _ => {
            error.help(say("a rule is made of sizes, `ram`, `cores`, `disk`, + - * /, min(), max() and % of"))
        }
    }
}

fn literal(text: &str, at: &mut usize) -> Result<Word, RuleError> {
    let start = *at;
    let number = take(text, at, |c| c.is_ascii_digit() || c == '_' || c == '.');
    let end = *at;
    let mut after = end;
    take(text, &mut after, |c| c == ' ');
    let unit = take(text, &mut after, is_name);
    if unit.is_empty() {
        return number_of(number).map(Word::Number).map_err(|why| RuleError::new(start..end, why));
    }
    *at = after;
    match format!("{number}{unit}").parse::<Bytes>() {
        Ok(bytes) => Ok(Word::Size(bytes.0.into())),
        Err(why) => {
            let error = RuleError::new(start..after, why.to_string());
            Err(match suggest::nearest(unit, UNITS) {
                // A number too large for its unit needs no other unit.
                Some(near) if near == unit => error,
                Some(near) => error.help(t!("did you mean `{number}{near}`?", number = number, near = near)),
                None if unit == "of" => error.help(t!("did you mean `{number}% of`?", number = number)),
                None => error,
            })
        }
    }
}

fn number_of(text: &str) -> Result<u128, String> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if fraction.contains('.') || text.ends_with('.') {
        return Err(t!("`{text}` is not a number", text = text));
    }
    if fraction.len() > 6 {
        return Err(t!("a number has at most six decimals"));
    }
    // Nothing on a host comes near 2^64; what fits there can't overflow below.
    let whole: u64 = whole.parse().map_err(|_| t!("the number is too large"))?;
    let fraction: u32 =
        format!("{fraction:0<6}").parse().map_err(|_| t!("`{text}` is not a number", text = text))?;
    Ok(u128::from(whole) * MILLION + u128::from(fraction))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn take<'t>(text: &'t str, at: &mut usize, wanted: impl Fn(char) -> bool) -> &'t str {
    let start = *at;
    let length = text[start..].find(|c| !wanted(c)).unwrap_or(text.len() - start);
    *at = start + length;
    &text[start..*at]
}
