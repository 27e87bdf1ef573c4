//! What the TOML parser says, in the language that is spoken.

use std::borrow::Cow;

use crate::lang::{self, say};
use crate::t;

/// The commonest of the parser's messages, in the language that is spoken; the others stay as they are.
pub(super) fn in_words(message: &str) -> Cow<'_, str> {
    if lang::spoken() == lang::Language::En {
        return Cow::Borrowed(message);
    }
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    let what = match what {
        "unexpected key or value" => say("unexpected key or value"),
        "unexpected content" => say("unexpected content"),
        "unclosed table" => say("unclosed table"),
        "unclosed array table" => say("unclosed array table"),
        "unclosed inline table" => say("unclosed inline table"),
        "unclosed array" => say("unclosed array"),
        "invalid basic string" => say("invalid basic string"),
        "invalid multi-line basic string" => say("invalid multi-line basic string"),
        "invalid literal string" => say("invalid literal string"),
        "invalid multi-line literal string" => say("invalid multi-line literal string"),
        "missing opening quote" => say("missing opening quote"),
        "missing escaped value" => say("missing escaped value"),
        "missing comma between array elements" => say("missing comma between array elements"),
        "missing comma between key-value pairs" => say("missing comma between key-value pairs"),
        "missing assignment between key-value pairs" => say("missing assignment between key-value pairs"),
        "extra assignment between key-value pairs" => say("extra assignment between key-value pairs"),
        "extra `=`" => say("extra `=`"),
        "extra comma in array" => say("extra comma in array"),
        "extra comma in inline table" => say("extra comma in inline table"),
        "missing value for key" => say("missing value for key"),
        "key with no value" => say("key with no value"),
        "invalid unquoted key" => say("invalid unquoted key"),
        "unquoted keys cannot be empty" => say("unquoted keys cannot be empty"),
        "unexpected leading zero" => say("unexpected leading zero"),
        "`_` may only go between digits" => say("`_` may only go between digits"),
        "cannot recurse further; max recursion depth met" => {
            say("cannot recurse further; max recursion depth met")
        }
        "carriage return must be followed by newline" => say("carriage return must be followed by newline"),
        "invalid comment character" => say("invalid comment character"),
        other => Cow::Borrowed(other),
    };
    let Some(expected) = expected else { return what };
    let expected: Vec<Cow<'_, str>> = expected.split(", ").map(expectation).collect();
    Cow::Owned(t!("{what}, expected {expected}", what = what, expected = expected.join(", ")))
}

/// One of the things that the parser would have taken.
fn expectation(word: &str) -> Cow<'_, str> {
    match word {
        "newline" => say("newline"),
        "nothing" => say("nothing"),
        other => Cow::Borrowed(other),
    }
}
