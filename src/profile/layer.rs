//! One profile file: TOML walked along the table of keys, every finding collected.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::broken::Broken;
use super::decode::{decode, names_for, type_of};
use super::finding::{Code, Finding, Severity, cap, part};
use super::hints::{elsewhere, otherwise};
use super::keys::{Lookup, lookup, name_shape, siblings};
use super::nesting::{MAX_NESTING, too_deep};
use super::parser_words::in_words;
use super::source::{Place, Source};
use super::value::{KeyPath, Leaf, Value, toml_key};
use super::{suggest, sysctl};
use crate::lang::say;
use crate::t;

/// The largest profile, in bytes. A real one has a few KiB.
pub(super) const MAX_SIZE: usize = 1 << 20;
/// After so many findings nobody reads on; a binary file would give a million.
pub(super) const MAX_FINDINGS: usize = 100;

/// The values of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) leaves: BTreeMap<KeyPath, Leaf>,
    /// Where the names that the user chose stand, as `services.llm` in a header.
    pub(super) names: BTreeMap<KeyPath, Place>,
    /// The sections in which something could not be understood, so that a value may be missing there.
    pub(super) broken: Broken,
}

/// Bytes as a source, if they can be one.
pub(super) fn source(name: &str, bytes: Vec<u8>) -> Result<Arc<Source>, Finding> {
    if bytes.len() > MAX_SIZE {
        let message = t!(
            "the file has {size} bytes, and a profile at most {most}",
            size = bytes.len(),
            most = MAX_SIZE
        );
        return Err(Finding::about(Code::TooLarge, name, message).help(say("is it the right file?")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(Source::new(name, text))),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(at).copied().unwrap_or(0);
            // Up to the bad byte the lossy text is the file's own, so the place is right.
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let place =
                Place { source: Arc::new(Source::new(name, text)), bytes: at..at + '\u{fffd}'.len_utf8() };
            Err(Finding::error(
                Code::NotUtf8,
                &place,
                t!("the byte {byte} is not UTF-8", byte = format!("0x{byte:02x}")),
            )
            .help(say("save the file as UTF-8")))
        }
    }
}

/// Reads a profile's text. The layer has what could be understood.
pub(super) fn read(source: &Arc<Source>) -> (Layer, Vec<Finding>) {
    let mut reader = Reader { source, findings: Vec::new(), layer: Layer::default(), doubts: 0 };
    if let Some(at) = too_deep(source.text()) {
        let place = reader.place(at..at + 1);
        let message = t!("brackets are nested more than {most} deep", most = MAX_NESTING);
        let finding = Finding::error(Code::Syntax, &place, message);
        reader.findings.push(finding.help(t!("a profile nests three levels at most")));
        return (reader.layer, reader.findings);
    }
    let (document, errors) = DeTable::parse_recoverable(source.text());
    for error in errors.iter().take(MAX_FINDINGS) {
        reader.syntax(error);
    }
    let broken: Vec<_> = reader
        .findings
        .iter()
        .filter(|f| f.code == Code::Syntax)
        .filter_map(|f| f.span.map(|s| s.line..=s.end_line))
        .collect();
    let before = reader.findings.len();
    let mut path = KeyPath::default();
    reader.table(document.get_ref(), &mut path);
    // What the parser made of a broken line is a guess: don't blame the user for it, nor for what follows a
    // line that may have been a header.
    let header_broken = broken.iter().any(|lines| source.line(*lines.start()).trim_start().starts_with('['));
    let mut index = 0;
    reader.findings.retain(|finding| {
        index += 1;
        let guess = finding.span.is_some_and(|span| {
            broken.iter().any(|lines| lines.contains(&span.line))
                || (header_broken && broken.iter().any(|lines| *lines.start() < span.line))
        });
        index <= before || !guess
    });
    cap(&mut reader.findings, MAX_FINDINGS);
    (reader.layer, reader.findings)
}

struct Reader<'s> {
    source: &'s Arc<Source>,
    findings: Vec<Finding>,
    layer: Layer,
    /// Parameters that may be mistyped.
    doubts: usize,
}

impl Reader<'_> {
    fn place(&self, bytes: std::ops::Range<usize>) -> Place {
        Place { source: Arc::clone(self.source), bytes }
    }

    fn syntax(&mut self, error: &toml::de::Error) {
        let length = self.source.text().len();
        let end = self.source.text().trim_end().len();
        let span = error.span().unwrap_or(end..end);
        // At the end of the file there is nothing to see; the last line that says something is more use.
        let span = if span.start >= length { end..end } else { span };
        let place = self.place(span.clone());
        let message = error.message();
        if message.starts_with("duplicate key") {
            self.layer.broken.note_any();
            let name = self.source.text().get(span).unwrap_or("").trim();
            self.findings.push(
                Finding::error(Code::DuplicateKey, &place, t!("`{name}` is given twice", name = name))
                    .help(say("remove one of the two")),
            );
            return;
        }
        let written = self.source.text().get(span).unwrap_or("").trim();
        if message.starts_with("string values must be quoted") {
            let finding = match written {
                "" => Finding::error(Code::Syntax, &place, say("the value is missing"))
                    .help(say("each line is: key = value")),
                text if text.starts_with(|c: char| c.is_alphabetic()) => {
                    Finding::error(Code::Syntax, &place, say("a text must be in quotes"))
                        .help(t!("write \"{text}\"", text = text))
                }
                _ => {
                    Finding::error(Code::Syntax, &place, say("this is neither a number nor a text in quotes"))
                }
            };
            self.findings.push(finding);
            return;
        }
        let help = match message {
            m if m.contains("recursion") || m.contains("recurse") => {
                say("a profile nests three levels at most")
            }
            m if m.contains("quote") || m.contains("string") => {
                say("a text stands in double quotes on one line")
            }
            m if m.contains('=') => say("each line is: key = value"),
            _ => Cow::Borrowed(""),
        };
        let help = (!help.is_empty()).then_some(help);
        self.findings.push(Finding::error(Code::Syntax, &place, in_words(message)).maybe_help(help));
    }

    fn table(&mut self, table: &DeTable<'_>, path: &mut KeyPath) {
        for (key, value) in table {
            if self.findings.len() > 2 * MAX_FINDINGS {
                cap(&mut self.findings, MAX_FINDINGS);
                // An error behind a hundred warnings is an error all the same.
                if self.findings.iter().all(Finding::is_error) {
                    return;
                }
            }
            path.0.push(key.get_ref().clone().into_owned());
            if path.0.len() == 1 && path.0[0] == "sysctl" {
                self.parameters(value, path);
            } else {
                self.entry(key, value, path);
            }
            path.0.pop();
        }
    }

    fn entry(&mut self, key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>, path: &mut KeyPath) {
        match lookup(&path.0) {
            Lookup::Unknown => {
                self.unknown(&self.place(key.span()), path);
                // A mistyped name of a section hides that section; a mistyped `extends` hides all that it would bring.
                let hides = |name: &str| suggest::nearest(name, ["extends", "without"]).is_some();
                if path.0.len() > 1 || matches!(value.get_ref(), DeValue::Table(_)) || hides(&path.0[0]) {
                    self.layer.broken.note(path);
                }
            }
            Lookup::Section => {
                self.name(&self.place(key.span()), path);
                match value.get_ref() {
                    DeValue::Table(inner) => self.table(inner, path),
                    other => {
                        let place = self.place(value.span());
                        let message = t!(
                            "`{path}` is a section, and this is {found}",
                            path = path,
                            found = type_of(other)
                        );
                        let double =
                            self.source.text().get(value.span()).is_some_and(|t| t.starts_with("[["));
                        let help = match other {
                            DeValue::Array(_) if double => {
                                t!("write [{path}] with single brackets", path = path)
                            }
                            _ => t!("write [{path}] on a line of its own, and its keys below", path = path),
                        };
                        self.findings.push(Finding::error(Code::Type, &place, message).help(help));
                        self.layer.broken.note(path);
                    }
                }
            }
            Lookup::Key(format) => {
                self.name(&self.place(key.span()), path);
                let place = self.place(value.span());
                let name = path.0.last().map_or("", String::as_str);
                match decode(format, name, value, &place) {
                    Ok(value) => {
                        self.unfamiliar(format, &value, &place);
                        self.layer.leaves.insert(path.clone(), Leaf { key: format, value, place });
                    }
                    Err(findings) => {
                        self.findings.extend(findings);
                        self.layer.broken.note(path);
                    }
                }
            }
        }
    }

    /// `[sysctl]` is flattened: names may be quoted whole or be dotted tables.
    fn parameters(&mut self, value: &Spanned<DeValue<'_>>, path: &KeyPath) {
        let DeValue::Table(table) = value.get_ref() else {
            let place = self.place(value.span());
            let message = t!(
                "`{path}` is a section, and this is {found}",
                path = path,
                found = type_of(value.get_ref())
            );
            self.findings.push(Finding::error(Code::Type, &place, message));
            self.layer.broken.note(path);
            return;
        };
        for (key, value) in table {
            if self.findings.len() > 2 * MAX_FINDINGS {
                cap(&mut self.findings, MAX_FINDINGS);
            }
            let name = key.get_ref().as_ref();
            let name = if path.0.len() > 1 { format!("{}.{name}", path.0[1]) } else { name.to_owned() };
            let mut path = KeyPath::of(&["sysctl", &name]);
            if let DeValue::Table(_) = value.get_ref() {
                if sysctl::of(&name).is_some() {
                    let message = t!("{name} is one parameter, and this is a table", name = name);
                    self.findings.push(Finding::error(Code::Type, &self.place(value.span()), message));
                    continue;
                }
                self.parameters(value, &path);
                continue;
            }
            let name = crate::sysctl_name::dotted(&name);
            path.0[1].clone_from(&name);
            if let Some(other) = self.layer.leaves.get(&path) {
                // The parser hands keys over by name: which of the two comes first, their places tell.
                let (mut first, mut second) = (other.place.clone(), self.place(value.span()));
                if first.bytes.start > second.bytes.start {
                    std::mem::swap(&mut first, &mut second);
                }
                let message = t!(
                    "`{name}` is given twice, first on line {line}",
                    name = name,
                    line = first.span().line
                );
                let finding = Finding::error(Code::DuplicateKey, &second, message);
                let stays = first == other.place;
                self.findings.push(finding.help(say("remove one of the two")));
                if stays {
                    continue;
                }
            }
            // Nobody reads more suggestions than that.
            if sysctl::of(&name).is_none() && self.doubts < MAX_FINDINGS {
                if let Some(near) = suggest::nearest(&name, sysctl::KNOWN.iter().map(|k| k.name)) {
                    let finding = Finding::warning(
                        Code::UnknownKey,
                        &self.place(key.span()),
                        t!("`{name}` is not a parameter that we know", name = name),
                    );
                    self.findings.push(finding.help(t!("did you mean \"{near}\"?", near = near)));
                    self.doubts += 1;
                }
            }
            self.entry(key, value, &mut path);
        }
    }

    fn name(&mut self, place: &Place, path: &KeyPath) {
        let (Some(shape), Some(name)) = (name_shape(&path.0), path.0.last()) else { return };
        self.layer.names.insert(path.clone(), place.clone());
        if let Err((message, help)) = shape.check(name) {
            self.findings.push(Finding::error(Code::Value, place, message).maybe_help(help));
            self.layer.broken.note(path);
        }
    }

    /// A name that no kernel so far has, and that is nearly one that some have.
    fn unfamiliar(&mut self, key: &super::keys::Key, value: &Value, place: &Place) {
        let names = names_for(key);
        let words = match value {
            Value::Text(word) => std::slice::from_ref(word),
            Value::List(words) => words.as_slice(),
            _ => return,
        };
        for word in words.iter().filter(|word| !names.is_empty() && !names.contains(&word.as_str())) {
            let place = part(place, word);
            let message = t!("`{word}` is not a name that we know from a kernel", word = word);
            let near = suggest::nearest(word, names.iter().copied());
            let help = near.map_or_else(
                || t!("kernels have: {names}", names = names.join(", ")),
                |near| t!("did you mean \"{near}\"?", near = near),
            );
            // What is nearly a known name is a slip; anything else may be of a kernel to come.
            let severity = if near.is_some() { Severity::Error } else { Severity::Warning };
            let mut finding = Finding::error(Code::Value, &place, message).help(help);
            finding.severity = severity;
            self.findings.push(finding);
        }
    }

    fn unknown(&mut self, place: &Place, path: &KeyPath) {
        let (name, folder) = match path.0.split_last() {
            Some((name, folder)) => (name.as_str(), KeyPath(folder.to_vec())),
            None => return,
        };
        let shown = toml_key(name);
        let message = if folder.0.is_empty() {
            t!("unknown key `{shown}`", shown = shown)
        } else {
            t!("unknown key `{shown}` in [{folder}]", shown = shown, folder = folder)
        };
        let known = siblings(&path.0);
        let help = suggest::nearest(name, known.iter().copied())
            .or_else(|| otherwise(name).filter(|ours| known.contains(ours)))
            .map(|near| t!("did you mean `{near}`?", near = near))
            .or_else(|| elsewhere(name))
            .unwrap_or_else(|| t!("possible here: {known}", known = known.join(", ")));
        self.findings.push(Finding::error(Code::UnknownKey, place, message).help(help));
    }
}
