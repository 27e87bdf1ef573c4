//! How deep brackets stand in one another, told before the parser sees the text.

/// The deepest nesting of brackets; the format needs four.
pub(super) const MAX_NESTING: usize = 32;

/// Where brackets or braces are nested deeper than any profile has them. The parser refuses that too, but takes its time:
/// it tells of every single one.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'#' => at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at),
            b'"' | b'\'' => at = end_of_text(bytes, at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The last byte of the text whose quotes begin at `start`; an open one ends with its line, or with the file.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let three = [quote; 3];
    let long = bytes[start..].starts_with(&three);
    let mut at = start + if long { 3 } else { 1 };
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !long => return at,
            byte if *byte == quote && !long => return at,
            byte if *byte == quote && bytes[at..].starts_with(&three) => return at + 2,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_that_nest_are_counted() {
        let deep = "[".repeat(MAX_NESTING + 1);
        for text in [
            format!(
                "# {deep}\na = '{deep}'\nb = \"\\\"{deep}\"\nc = '''\n'{deep}'''\nd = \"\"\"\"{deep}\\\"\"\"\"\n"
            ),
            "[[a]]\n".repeat(1000),
            format!("a = {}{}", "[".repeat(MAX_NESTING), "]".repeat(MAX_NESTING)),
            "a = 'open\n".repeat(10),
            "\"".to_owned(),
            "'''".to_owned(),
            "\"\\".to_owned(),
        ] {
            assert_eq!(too_deep(&text), None, "{text}");
        }
        assert_eq!(too_deep(&format!("a = {deep}")), Some(4 + MAX_NESTING));
        assert_eq!(too_deep(&format!("a = 'x'\n{}", "{a=".repeat(40))), Some(8 + 3 * MAX_NESTING));
    }
}
