//! What people read, in their language.
//!
//! The English text stands in the code, where it is said: `t!("{path} is gone", path = path)`. A catalogue in gettext's
//! format (`es.po`) gives the same sentence in another language; it is opened only where that language is asked for. A
//! test finds every sentence of the program and compares: none is missing, none is left over, every placeholder fits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::OnceLock;

/// A language that the program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// English
    En,
    /// Español
    Es,
}

/// The Spanish catalogue, as gettext writes it.
pub const SPANISH: &str = include_str!("es.po");

static CATALOGUE: OnceLock<HashMap<String, String>> = OnceLock::new();

/// From here on everything is said in this language. It is chosen once, at the start of the program.
pub fn speak(language: Language) {
    if language == Language::Es {
        let _ = CATALOGUE.set(po::parse(SPANISH).into_iter().collect());
    }
}

impl Language {
    /// Its code in ISO 639.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
        }
    }

    /// The language of a locale's name, for example `es_CL.UTF-8`; English for all that we don't speak.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("es") { Self::Es } else { Self::En }
    }
}

/// The language that is spoken.
pub fn spoken() -> Language {
    if CATALOGUE.get().is_some() { Language::Es } else { Language::En }
}

/// The same sentence in the language that is spoken; `None` where that is English.
pub fn translation(english: &str) -> Option<&'static str> {
    CATALOGUE.get()?.get(english).map(String::as_str)
}

/// A text without placeholders in the language that is spoken.
pub fn say(english: &str) -> Cow<'_, str> {
    translation(english).map_or(Cow::Borrowed(english), Cow::Borrowed)
}

/// Puts values in the place of `{name}`; `{{` and `}}` stand for braces.
pub fn fill(template: &str, values: &[(&str, &dyn Display)]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
        } else if let Some(end) = rest.find('}').filter(|_| brace == "{") {
            if let Some((_, value)) = values.iter().find(|(name, _)| *name == &rest[..end]) {
                let _ = write!(out, "{value}");
            }
            rest = &rest[end + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// A sentence for people, in their language: a template, and a value for each `{name}` in it.
///
/// The template is a literal and every value is named, so that the tests can find both.
#[macro_export]
macro_rules! t {
    ($template:literal $(, $name:ident = $value:expr)* $(,)?) => {
        match $crate::lang::translation($template) {
            // Behind `concat!` a template can't take a value that is not named here.
            None => format!(concat!($template) $(, $name = $value)*),
            Some(translated) => {
                $crate::lang::fill(translated, &[$((stringify!($name), &$value as &dyn std::fmt::Display)),*])
            }
        }
    };
}

pub mod po {
    //! Reading gettext's PO format: `msgid` and `msgstr`, each one or more quoted lines. No contexts, no plurals.

    /// All pairs, in their order; those without a translation, and the header, are left out.
    pub fn parse(text: &str) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let (mut id, mut said) = (String::new(), String::new());
        let mut into_id = true;
        for line in text.lines().map(str::trim).chain(std::iter::once("msgid \"\"")) {
            let quoted = if let Some(rest) = line.strip_prefix("msgid ") {
                if !id.is_empty() && !said.is_empty() {
                    pairs.push((std::mem::take(&mut id), std::mem::take(&mut said)));
                }
                id.clear();
                said.clear();
                into_id = true;
                rest
            } else if let Some(rest) = line.strip_prefix("msgstr ") {
                into_id = false;
                rest
            } else {
                line
            };
            if let Some(inner) = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                if into_id { &mut id } else { &mut said }.push_str(&unescape(inner));
            }
        }
        pairs
    }

    fn unescape(text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some(other) => out.push(other),
                    None => {}
                },
                _ => out.push(c),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales() {
        assert_eq!(Language::of_locale("es_CL.UTF-8"), Language::Es);
        assert_eq!(Language::of_locale("es"), Language::Es);
        for other in ["C.UTF-8", "en_US", "", "est_EE", "eo"] {
            assert_eq!(Language::of_locale(other), Language::En, "{other}");
        }
    }

    #[test]
    fn templates_are_filled_as_format_does() {
        let values: [(&str, &dyn Display); 2] = [("a", &1), ("b", &"{a}")];
        assert_eq!(fill("{a} of {{{b}}}, {a}", &values), "1 of {{a}}, 1");
        assert_eq!(fill("no end {a", &values), "no end a");
        assert_eq!(t!("{path} is gone: {{}}", path = "/x"), "/x is gone: {}");
    }

    #[test]
    fn catalogues() {
        let text = "# c\nmsgid \"\"\nmsgstr \"Language: es\\n\"\n\nmsgid \"a \\\"b\\\"\"\nmsgstr \"c\\n\"\n\nmsgid \"\"\n\"long \"\n\"id\"\nmsgstr \"\"\n\"l\"\n\"i\"\n\nmsgid \"none\"\nmsgstr \"\"\n";
        let pairs = po::parse(text);
        assert_eq!(pairs, [("a \"b\"".into(), "c\n".into()), ("long id".into(), "li".into())]);
    }
}
