//! Chilean tax numbers (RUT) in a text, and whether their check digit is right.

/// A RUT as it stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rut {
    /// As it is written, blanks and all.
    pub text: String,
    /// In its plain form: `12345678-5`, with a capital K.
    pub plain: String,
    /// Is the check digit right?
    pub valid: bool,
}

/// The check digit of a number: modulo 11, with weights 2 to 7 from the right.
pub fn check_digit(number: u32) -> char {
    let (mut rest, mut sum, mut weight) = (number, 0, 2);
    while rest > 0 {
        sum += rest % 10 * weight;
        rest /= 10;
        weight = if weight == 7 { 2 } else { weight + 1 };
    }
    match 11 - sum % 11 {
        11 => '0',
        10 => 'K',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}

/// All that looks like a RUT, in the text's order: seven or eight digits, with or without dots, a dash, and the check digit.
/// What scanning does to them is forgiven: blanks around dots and dash, commas for dots, other dashes.
pub fn find(text: &str) -> Vec<Rut> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let starts = chars[at].is_ascii_digit() && (at == 0 || !joins(&chars, at - 1));
        match starts.then(|| one(&chars, at)).flatten() {
            Some((rut, end)) => {
                found.push(rut);
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// A letter or digit, or a dot that hangs on one: what follows it is the middle of something else.
fn joins(chars: &[char], at: usize) -> bool {
    let alone = |c: char| !c.is_alphanumeric();
    !alone(chars[at]) || (".,-".contains(chars[at]) && at > 0 && chars[at - 1].is_ascii_digit())
}

fn one(chars: &[char], start: usize) -> Option<(Rut, usize)> {
    let digits = |from: usize| chars[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    let first = digits(start);
    let mut number: String = chars[start..start + first].iter().collect();
    let mut at = start + first;
    match first {
        7 | 8 => {}
        1 | 2 => {
            for _ in 0..2 {
                at = separator(chars, at)?;
                if digits(at) != 3 {
                    return None;
                }
                number.extend(&chars[at..at + 3]);
                at += 3;
            }
        }
        _ => return None,
    }
    at = blanks(chars, at);
    if !"-–—−‐‑".contains(*chars.get(at)?) {
        return None;
    }
    at = blanks(chars, at + 1);
    let check = chars.get(at)?.to_ascii_uppercase();
    let ends = chars.get(at + 1).is_none_or(|next| !next.is_alphanumeric())
        // `1.234.567-8.901` is something else.
        && !(chars.get(at + 1).is_some_and(|next| ".,-".contains(*next)) && chars.get(at + 2).is_some_and(char::is_ascii_digit));
    if !(check.is_ascii_digit() || check == 'K') || !ends {
        return None;
    }
    let number: u32 = number.parse().ok().filter(|number| *number >= 100_000)?;
    let rut = Rut {
        text: chars[start..=at].iter().collect(),
        plain: format!("{number}-{check}"),
        valid: check_digit(number) == check,
    };
    Some((rut, at + 1))
}

/// Up to two blanks.
fn blanks(chars: &[char], at: usize) -> usize {
    at + chars[at.min(chars.len())..].iter().take(2).take_while(|c| **c == ' ' || **c == '\u{a0}').count()
}

/// A dot or comma with blanks around it, or one blank alone.
fn separator(chars: &[char], at: usize) -> Option<usize> {
    let mark = blanks(chars, at);
    if ".,·".contains(*chars.get(mark)?) {
        Some(blanks(chars, mark + 1))
    } else {
        (mark == at + 1).then_some(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<(String, bool)> {
        find(text).into_iter().map(|rut| (rut.plain, rut.valid)).collect()
    }

    #[test]
    fn check_digits() {
        for (number, digit) in [
            (12_345_678, '5'),
            (76_543_210, '3'),
            (9_876_543, '3'),
            (11_111_111, '1'),
            (1_000_005, 'K'),
            (6, 'K'),
        ] {
            assert_eq!(check_digit(number), digit, "{number}");
        }
    }

    #[test]
    fn as_they_are_written_and_as_they_are_scanned() {
        for text in
            ["RUT 12.345.678-5,", "12345678-5", "(12 .345. 678 - 5)", "RUT:12,345,678–5.", "RUN 12 345 678-5"]
        {
            assert_eq!(plain(text), [("12345678-5".to_owned(), true)], "{text}");
        }
        assert_eq!(
            plain("1.000.005-k y 76.543.210-4"),
            [("1000005-K".into(), true), ("76543210-4".into(), false)]
        );
        assert_eq!(find("a 9.876.543 -K b")[0].text, "9.876.543 -K");
    }

    #[test]
    fn what_is_none() {
        for text in [
            "Rol Nº 5.120-2014",
            "$ 4.218.906.533",
            "+56 2 2345 6789",
            "2024-01-15",
            "112.345.678-5",
            "12.345.678-55",
            "x12345678-5",
            "12.345.67-5",
            "12345678",
            "1.12.345.678-5",
            "",
            "12.345.678-",
            "12345678-5.333",
        ] {
            assert_eq!(plain(text), [], "{text}");
        }
    }
}
