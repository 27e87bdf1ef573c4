//! One value of the file against what its key takes.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::finding::{Code, Finding, within};
use super::keys::{COMPRESSORS, Key, Kind, ZPOOLS};
use super::rule::{Dimension, Rule, Var};
use super::shape::Shape;
use super::source::Place;
use super::value::Value;
use super::{suggest, sysctl};
use crate::lang::say;
use crate::t;
use crate::units::Millis;

/// The most entries of a list. No list of the format needs a tenth of that.
const MAX_ITEMS: usize = 100;

type Decoded = Result<Value, Finding>;

/// The value, or all that is wrong with it. `name` is the last part of its path.
pub(super) fn decode(
    key: &Key,
    name: &str,
    value: &Spanned<DeValue<'_>>,
    place: &Place,
) -> Result<Value, Vec<Finding>> {
    let raw = value.get_ref();
    match key.kind {
        Kind::List(shape) => list(key, raw, shape, place).map(Value::List),
        Kind::Preference(shape) => preference(key, raw, shape, place),
        _ => single(key, name, raw, place).map_err(|finding| vec![finding]),
    }
}

fn single(key: &Key, name: &str, raw: &DeValue<'_>, place: &Place) -> Decoded {
    match key.kind {
        Kind::Bool => match raw {
            DeValue::Boolean(value) => Ok(Value::Bool(*value)),
            _ => Err(mismatch(&say("true or false"), raw, place).maybe_help(unquoted_bool(raw))),
        },
        Kind::Integer { min, max } => {
            let n = whole(raw, place)?;
            within_range(n, min, max, key.unit, place).map(Value::Integer)
        }
        Kind::Size { vars, .. } => size(raw, vars, place).map(Value::Size),
        Kind::Count { min, max } => count(raw, min, max, place).map(Value::Count),
        Kind::Duration { min_ms, max_ms } => duration(raw, min_ms, max_ms, place),
        Kind::Choice(words) => choice(raw, words, place),
        Kind::List(shape) | Kind::Preference(shape) | Kind::Text(shape) => {
            text(raw, place).and_then(|text| shaped(key, text, shape, place)).map(Value::Text)
        }
        Kind::Scalar(shape) => match raw {
            DeValue::Integer(_) => Ok(Value::Text(whole(raw, place)?.to_string())),
            DeValue::Boolean(value) => Ok(Value::Text(value.to_string())),
            DeValue::Float(n) => decimal(n.as_str(), place).map(Value::Text),
            _ => text(raw, place).and_then(|text| shaped(key, text, shape, place)).map(Value::Text),
        },
        Kind::Sysctl => kernel_parameter(name, raw, place),
        Kind::Date => date(raw, place),
    }
}

/// TOML has dates of its own; a quoted one is as good.
fn date(raw: &DeValue<'_>, place: &Place) -> Decoded {
    let written = match raw {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        _ => return Err(mismatch(&say("a day"), raw, place).help(say("for example \"2027-03-31\""))),
    };
    let day: Option<toml::value::Date> = written
        .parse::<toml::value::Datetime>()
        .ok()
        .filter(|date| date.time.is_none() && date.offset.is_none())
        .and_then(|date| date.date);
    match day {
        Some(day) => Ok(Value::Text(day.to_string())),
        None => Err(Finding::error(Code::Value, place, t!("`{written}` is not a day", written = written))
            .help(say("a day is written year-month-day, as in \"2027-03-31\""))),
    }
}

/// "`X` is wanted, this is Y".
fn mismatch(wanted: &str, found: &DeValue<'_>, place: &Place) -> Finding {
    Finding::error(
        Code::Type,
        place,
        t!("{wanted} is wanted here, and this is {found}", wanted = wanted, found = type_of(found)),
    )
}

/// What a value is, with its article.
pub(super) fn type_of(value: &DeValue<'_>) -> Cow<'static, str> {
    match value {
        DeValue::String(_) => say("a text"),
        DeValue::Integer(_) => say("a whole number"),
        DeValue::Float(_) => say("a decimal number"),
        DeValue::Boolean(_) => say("a truth value"),
        DeValue::Datetime(_) => say("a date"),
        DeValue::Array(_) => say("a list"),
        DeValue::Table(_) => say("a table"),
    }
}

fn unquoted_bool(raw: &DeValue<'_>) -> Option<String> {
    let on = match raw {
        DeValue::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => true,
            "false" | "no" | "off" | "n" | "0" => false,
            _ => return None,
        },
        DeValue::Integer(n) => match n.as_str() {
            "1" => true,
            "0" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(t!("write {value}, without quotes", value = on))
}

fn text<'v>(raw: &'v DeValue<'_>, place: &Place) -> Result<&'v str, Finding> {
    match raw {
        DeValue::String(text) => Ok(text),
        DeValue::Integer(n) => {
            Err(mismatch(&say("a text"), raw, place).help(t!("put it in quotes: \"{n}\"", n = n)))
        }
        _ => Err(mismatch(&say("a text"), raw, place)),
    }
}

fn whole(raw: &DeValue<'_>, place: &Place) -> Result<i64, Finding> {
    match raw {
        DeValue::Integer(n) => integer(n)
            .ok_or_else(|| Finding::error(Code::Range, place, say("the number does not fit into 64 bits"))),
        DeValue::String(text) if text.trim().parse::<i64>().is_ok() => {
            Err(mismatch(&say("a whole number"), raw, place)
                .help(t!("write {value}, without quotes", value = text.trim())))
        }
        _ => Err(mismatch(&say("a whole number"), raw, place)),
    }
}

/// A decimal number as it is written, for whoever reads it as a text.
fn decimal(written: &str, place: &Place) -> Result<String, Finding> {
    match written.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(written.trim_start_matches('+').to_owned()),
        _ => Err(Finding::error(Code::Value, place, t!("`{written}` is no number", written = written))),
    }
}

fn integer(n: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(n.as_str(), n.radix()).ok()
}

fn within_range(n: i64, min: i64, max: i64, unit: &str, place: &Place) -> Result<i64, Finding> {
    if (min..=max).contains(&n) {
        return Ok(n);
    }
    let unit = if unit.starts_with('%') { " %" } else { "" };
    let limits = match (n < min, max) {
        (true, _) => t!("the least is {least}{unit}", least = min, unit = unit),
        (false, _) => t!("the most is {most}{unit}", most = max, unit = unit),
    };
    Err(Finding::error(Code::Range, place, t!("{n} is out of range: {limits}", n = n, limits = limits))
        .help(t!("{min} to {max}{unit} are possible", min = min, max = max, unit = unit)))
}

fn size(raw: &DeValue<'_>, vars: &[Var], place: &Place) -> Result<Rule, Finding> {
    match raw {
        DeValue::Integer(n) => match integer(n).and_then(|n| u64::try_from(n).ok()) {
            Some(bytes) => Ok(Rule::bytes(bytes)),
            None => {
                Err(Finding::error(Code::Range, place, say("a size can't be negative or beyond 64 bits")))
            }
        },
        DeValue::String(text) => rule(text, Dimension::Size, vars, place),
        DeValue::Float(n) => {
            Err(mismatch(&say("a size"), raw, place).help(t!("give it a unit, in quotes: \"{n}GiB\"", n = n)))
        }
        _ => Err(mismatch(&say("a size"), raw, place).help(say("for example \"6500MiB\" or \"20% of ram\""))),
    }
}

fn count(raw: &DeValue<'_>, min: f64, max: f64, place: &Place) -> Result<Rule, Finding> {
    let (text, value) = match raw {
        DeValue::Integer(n) => (n.as_str().to_owned(), integer(n).map(|n| n.to_string())),
        DeValue::Float(n) => (n.as_str().to_owned(), Some(n.as_str().to_owned())),
        DeValue::String(text) => {
            return rule(text, Dimension::Number, &[Var::Ram, Var::Cores, Var::Disk], place);
        }
        _ => {
            return Err(
                mismatch(&say("a number"), raw, place).help(say("for example 2, 0.5 or \"cores - 1\""))
            );
        }
    };
    let number = value.as_deref().and_then(|v| v.parse::<f64>().ok()).filter(|n| (min..=max).contains(n));
    let Some(number) = number else {
        return Err(Finding::error(Code::Range, place, t!("{text} is out of range", text = text)).help(t!(
            "{min} to {max} are possible",
            min = min,
            max = max
        )));
    };
    // Six decimals, as in rules; the cast can't lose anything, since the range has been checked.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let millionths = (number * 1e6).round() as u128;
    Ok(Rule::millionths(millionths, &number.to_string()))
}

fn rule(text: &str, wanted: Dimension, vars: &[Var], place: &Place) -> Result<Rule, Finding> {
    Rule::parse(text, wanted, vars).map_err(|error| {
        let at = inside(place, text, &error.span);
        Finding::error(Code::Rule, &at, error.message).maybe_help(error.help)
    })
}

/// The place of a part of a string, if the string is written without escapes; else the whole string's place.
pub(super) fn inside(place: &Place, text: &str, part: &std::ops::Range<usize>) -> Place {
    let start = place.bytes.start + 1;
    let plain = place.source.text().get(start..start + text.len()) == Some(text);
    if !plain || place.bytes.len() != text.len() + 2 {
        return place.clone();
    }
    within(place, start + part.start..start + part.end)
}

fn duration(raw: &DeValue<'_>, min_ms: u64, max_ms: u64, place: &Place) -> Decoded {
    let DeValue::String(text) = raw else {
        let help = match raw {
            DeValue::Integer(n) => t!("write the unit, in quotes: \"{n}ms\"", n = n),
            _ => t!("for example \"1000ms\" or \"1s\""),
        };
        return Err(mismatch(&say("a span of time"), raw, place).help(help));
    };
    match text.parse::<Millis>() {
        Ok(value) if value.0 < min_ms => {
            Err(Finding::error(Code::Range, place, t!("{value} is too short", value = value))
                .help(t!("the least is {least}", least = Millis(min_ms),)))
        }
        Ok(value) if value.0 <= max_ms => Ok(Value::Duration(value)),
        Ok(value) => Err(Finding::error(Code::Range, place, t!("{value} is too long", value = value))
            .help(t!("the most is {most}", most = Millis(max_ms)))),
        Err(error) => Err(Finding::error(Code::Value, place, error.to_string())
            .help(say("for example \"1000ms\" or \"1s\""))),
    }
}

fn choice(raw: &DeValue<'_>, words: &[&str], place: &Place) -> Decoded {
    let text = text(raw, place)?;
    if words.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    let error = Finding::error(Code::Value, place, t!("`{text}` is not possible here", text = text));
    Err(match suggest::nearest(text, words.iter().copied()) {
        Some(near) => error.help(t!("did you mean \"{near}\"?", near = near)),
        None => error.help(t!("one of: {words}", words = words.join(", "))),
    })
}

fn shaped(key: &Key, text: &str, shape: Shape, place: &Place) -> Result<String, Finding> {
    match shape.check(text) {
        Ok(()) => Ok(text.to_owned()),
        Err((message, help)) => {
            let near = suggest::nearest(text, names_for(key))
                .map(|near| t!("did you mean \"{near}\"?", near = near));
            Err(Finding::error(Code::Value, place, message).maybe_help(near.or(help.map(Cow::into_owned))))
        }
    }
}

/// Names that a kernel may have at this key.
pub(super) fn names_for(key: &Key) -> Vec<&'static str> {
    match key.path {
        "zswap.compressor" => COMPRESSORS.to_vec(),
        "zswap.zpool" => ZPOOLS.to_vec(),
        _ => Vec::new(),
    }
}

fn list(key: &Key, raw: &DeValue<'_>, shape: Shape, place: &Place) -> Result<Vec<String>, Vec<Finding>> {
    let DeValue::Array(items) = raw else {
        let help = match raw {
            DeValue::String(text) => Some(t!("put it in brackets: [\"{text}\"]", text = text)),
            _ => None,
        };
        return Err(vec![mismatch(&say("a list of texts"), raw, place).maybe_help(help)]);
    };
    if items.len() > MAX_ITEMS {
        let message = t!(
            "the list has {count} entries, and at most {most} are taken",
            count = items.len(),
            most = MAX_ITEMS
        );
        return Err(vec![Finding::error(Code::Value, place, message)]);
    }
    let mut words = Vec::new();
    let mut findings = Vec::new();
    for item in items {
        let place = within(place, item.span());
        match text(item.get_ref(), &place).and_then(|text| shaped(key, text, shape, &place)) {
            // A command may say the same word twice: `--parallel 1 --threads 1`.
            Ok(word) if words.contains(&word) && shape != Shape::Argument => {
                findings.push(Finding::error(
                    Code::Value,
                    &place,
                    t!("`{word}` is in the list twice", word = word),
                ));
            }
            Ok(word) => words.push(word),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(words) } else { Err(findings) }
}

fn preference(key: &Key, raw: &DeValue<'_>, shape: Shape, place: &Place) -> Result<Value, Vec<Finding>> {
    let names = match raw {
        DeValue::Array(_) => list(key, raw, shape, place)?,
        DeValue::String(text) => vec![shaped(key, text, shape, place).map_err(|finding| vec![finding])?],
        _ => return Err(vec![mismatch(&say("a name or a list of names"), raw, place)]),
    };
    let objection = match names.as_slice() {
        [] => say("the list is empty"),
        [_, _, ..] if names.iter().any(|name| name == "auto") => say("`auto` can't be one of several"),
        _ => return Ok(Value::List(names)),
    };
    Err(vec![Finding::error(Code::Value, place, objection).help(say("write \"auto\" alone"))])
}

fn kernel_parameter(name: &str, raw: &DeValue<'_>, place: &Place) -> Decoded {
    let known = sysctl::of(name);
    let value = match raw {
        DeValue::Boolean(value) => i64::from(*value).to_string(),
        DeValue::Integer(_) => whole(raw, place)?.to_string(),
        DeValue::String(text) => {
            Shape::SysctlValue
                .check(text)
                .map_err(|(message, help)| Finding::error(Code::Value, place, message).maybe_help(help))?;
            let is_size = known.is_some_and(|known| known.unit.is_some());
            if is_size && text.trim().parse::<i64>().is_err() {
                return rule(text, Dimension::Size, &[Var::Ram, Var::Cores, Var::Disk], place)
                    .map(Value::Size);
            }
            text.trim().to_owned()
        }
        _ => return Err(mismatch(&say("a whole number, a truth value or a text"), raw, place)),
    };
    if let Some(known) = known {
        let Ok(number) = value.parse::<i64>() else {
            return Err(Finding::error(Code::Value, place, t!("{name} is a whole number", name = name)));
        };
        within_range(number, known.range.0, known.range.1, "", place)?;
    }
    Ok(Value::Text(value))
}
