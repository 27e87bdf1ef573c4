//! What a model is given to read.

/// A text of some 330 tokens.
pub(super) const TEXT: &str = include_str!("text.txt");

/// So much of the text, less what stands between it and the middle of a sentence: behind its end a model has nothing to say.
pub(super) fn beginning(bytes: usize) -> &'static str {
    let end = (0..=bytes.min(TEXT.len())).rev().find(|at| TEXT.is_char_boundary(*at)).unwrap_or(0);
    let mut text = &TEXT[..end];
    while let Some((before, _)) = text.rsplit_once(' ') {
        text = before;
        if text.ends_with(char::is_alphanumeric) {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ends_in_the_middle_of_a_sentence() {
        // A short text, one whose last word begins a sentence, and the whole one.
        for bytes in [80, 255, TEXT.len() / 12, TEXT.len() / 2, TEXT.len(), usize::MAX] {
            let text = beginning(bytes);
            assert!(text.ends_with(char::is_alphanumeric) && TEXT.starts_with(text), "{bytes}: {text}");
            assert!(
                TEXT[text.len()..].starts_with(' ') && bytes.min(TEXT.len()) - text.len() < 40,
                "{bytes}: {text}"
            );
        }
    }
}
