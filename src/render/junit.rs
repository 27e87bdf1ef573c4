//! JUnit's XML, as Jenkins and GitLab read it: a suite for each file or area, a case for each finding or check.
//!
//! A failure is what makes the exit status 1, and nothing else is: advice is a skipped case that says so.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::diagnostic::{Answer, Diagnostic, Group, Level, Log};
use crate::lang::say;
use crate::t;

/// The document.
pub fn document(log: &Log) -> String {
    write(|out| {
        let cases: Vec<(String, Vec<Case>)> =
            log.groups.iter().map(|group| (clean(&group.name), cases(log.command, group))).collect();
        suites(out, &format!("civicum-tune {}", log.command), &cases)
    })
}

/// What stdout gets when the command failed.
pub fn failure(command: &str, message: &str) -> String {
    let name = format!("civicum-tune {command}");
    let case = Case {
        name: clean(command),
        class: "civicum-tune".to_owned(),
        told: Some(("error", "civicum-tune/error".to_owned(), first_line(message), clean(message))),
    };
    write(|out| suites(out, &name, &[(name.clone(), vec![case])]))
}

struct Case {
    name: String,
    class: String,
    /// The element (`failure`, `skipped`, `error`), its type, its message and its text.
    told: Option<(&'static str, String, String, String)>,
}

fn cases(command: &str, group: &Group) -> Vec<Case> {
    let class = match &group.file {
        Some(file) => clean(&file.path),
        None => format!("civicum-tune.{command}"),
    };
    let mut cases: Vec<Case> = group
        .diagnostics
        .iter()
        .map(|diagnostic| Case {
            // The rule's id stands before the name of a check; a finding's name begins with it.
            name: if diagnostic.name.starts_with(diagnostic.rule) {
                clean(&diagnostic.name)
            } else {
                clean(&format!("{} {}", diagnostic.rule, diagnostic.name))
            },
            class: class.clone(),
            told: told(diagnostic),
        })
        .collect();
    let is_error = |diagnostic: &Diagnostic| diagnostic.answer == Answer::Found(Level::Error);
    if group.file.is_some() && !group.diagnostics.iter().any(is_error) {
        cases.insert(0, Case { name: say("valid").into_owned(), class, told: None });
    }
    cases
}

fn told(diagnostic: &Diagnostic) -> Option<(&'static str, String, String, String)> {
    let first = first_line(&diagnostic.message);
    let (element, message) = match &diagnostic.answer {
        Answer::Pass => return None,
        Answer::Found(Level::Error) => ("failure", first),
        Answer::Found(level) => ("skipped", format!("{}: {first}", say(level.word()))),
        Answer::Waived(_, reason) => ("skipped", t!("Waived: {reason}", reason = reason)),
        Answer::NotApplicable(reason) => ("skipped", t!("Does not apply: {what}", what = reason)),
        Answer::CouldNotTell(reason) => ("skipped", t!("Could not tell: {what}", what = reason)),
    };
    Some((element, diagnostic.rule.to_owned(), clean(&message), clean(&diagnostic.detail)))
}

fn first_line(text: &str) -> String {
    clean(text.lines().next().unwrap_or_default())
}

fn write(content: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>) -> String {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory does not fail.
    let _ = out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let _ = content(&mut out);
    String::from_utf8_lossy(&out.into_inner()).into_owned() + "\n"
}

fn suites(out: &mut Writer<Vec<u8>>, name: &str, groups: &[(String, Vec<Case>)]) -> io::Result<()> {
    let count = |cases: &[Case], element: &str| {
        cases
            .iter()
            .filter(|case| case.told.as_ref().is_some_and(|told| told.0 == element))
            .count()
            .to_string()
    };
    let sum = |element: &str| -> String {
        let all = groups.iter().flat_map(|(_, cases)| cases);
        all.filter(|case| case.told.as_ref().is_some_and(|told| told.0 == element)).count().to_string()
    };
    let total = groups.iter().map(|(_, cases)| cases.len()).sum::<usize>().to_string();
    let (failures, errors) = (sum("failure"), sum("error"));
    out.create_element("testsuites")
        .with_attributes([
            ("name", name),
            ("tests", total.as_str()),
            ("failures", failures.as_str()),
            ("errors", errors.as_str()),
        ])
        .write_inner_content(|out| {
            for (name, cases) in groups {
                let [failures, errors, skipped] =
                    ["failure", "error", "skipped"].map(|element| count(cases, element));
                out.create_element("testsuite")
                    .with_attributes([
                        ("name", name.as_str()),
                        ("tests", cases.len().to_string().as_str()),
                        ("failures", failures.as_str()),
                        ("errors", errors.as_str()),
                        ("skipped", skipped.as_str()),
                    ])
                    .write_inner_content(|out| cases.iter().try_for_each(|case| one(out, case)))?;
            }
            Ok(())
        })?;
    Ok(())
}

fn one(out: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let element = out
        .create_element("testcase")
        .with_attributes([("name", case.name.as_str()), ("classname", case.class.as_str())]);
    let Some((name, kind, message, text)) = &case.told else {
        element.write_empty()?;
        return Ok(());
    };
    element.write_inner_content(|out| {
        out.create_element(*name)
            .with_attributes([("type", kind.as_str()), ("message", message.as_str())])
            .write_text_content(BytesText::new(text))?;
        Ok(())
    })?;
    Ok(())
}

/// Only what XML 1.0 can hold; the rest is written out as `\u{1}`.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => {
                out.push(c);
            }
            '\u{10000}'.. => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_can_hold_it() {
        assert_eq!(clean("a\tb\nñ€🦀"), "a\tb\nñ€🦀");
        assert_eq!(clean("\0\u{1b}\r\u{85}\u{ffff}"), "\\u{0}\\u{1b}\\u{d}\\u{85}\\u{ffff}");
    }

    #[test]
    fn a_failure_is_one_error() {
        let document = failure("doctor", "no <profile> & no \"host\"\nbecause: \u{1}");
        assert!(document.contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{document}");
        assert!(document.contains("message=\"no &lt;profile&gt; &amp; no &quot;host&quot;\""), "{document}");
        assert!(document.contains("because: \\u{1}</error>"), "{document}");
    }
}
