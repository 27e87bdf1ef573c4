//! The files that we leave on a host, as templates in the program.

/// Puts values in the places of `{{name}}`. A line that is left with nothing is left out.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    for line in template.lines() {
        let filled = values
            .iter()
            .fold(line.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value));
        if line.is_empty() || !filled.is_empty() {
            out.push_str(&filled);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_empty_ones_leave_no_line() {
        assert_eq!(fill("a {{x}}\n{{y}}\n\nb\n", &[("x", "1"), ("y", "")]), "a 1\n\nb\n");
    }
}
