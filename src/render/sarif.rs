//! SARIF 2.1.0, the exchange format of static analysis: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::diagnostic::{Answer, Artifact, Base, Diagnostic, Log, Place, Region, Rule};
use crate::host::sha256_hex;
use crate::lang;
use crate::t;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Files as they were named on the command line are relative to it.
const HERE: &str = "SRCROOT";
/// Files of the audited host are relative to it.
const HOST: &str = "HOST";

/// The document. It holds nothing of the moment: the same findings give the same bytes.
pub fn document(log: &Log) -> Value {
    let index: HashMap<&str, usize> = log.rules.iter().enumerate().map(|(at, rule)| (rule.id, at)).collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut results = Vec::new();
    for diagnostic in log.diagnostics() {
        let digest = sha256_hex(format!("{}\0{}", diagnostic.rule, diagnostic.key).as_bytes());
        let count = seen.entry(digest.clone()).or_default();
        *count += 1;
        results.push(result(diagnostic, index.get(diagnostic.rule), &format!("{digest}:{count}")));
    }
    let artifacts: Vec<Value> = log
        .groups
        .iter()
        .filter_map(|group| group.file.as_ref())
        .filter(|file| file.base != Base::Bundled)
        .map(|file| json!({ "location": location(file), "roles": ["analysisTarget"], "sourceLanguage": "toml" }))
        .collect();
    let mut run = frame(log.command, &log.rules.iter().map(rule).collect::<Vec<_>>());
    run.insert(
        "invocations".to_owned(),
        json!([{ "executionSuccessful": true, "exitCode": log.status, "exitCodeDescription": log.summary }]),
    );
    run.insert("originalUriBaseIds".to_owned(), bases(log));
    if !artifacts.is_empty() {
        run.insert("artifacts".to_owned(), artifacts.into());
    }
    run.insert("results".to_owned(), results.into());
    if !log.properties.is_empty() {
        run.insert("properties".to_owned(), log.properties.clone().into());
    }
    whole(&run)
}

/// What stdout gets when the command failed. It has no results, which is not the same as an empty list of them.
pub fn failure(command: &str, message: &str) -> Value {
    let mut run = frame(command, &[]);
    let notification = json!({
        "descriptor": { "id": "civicum-tune/error" },
        "level": "error",
        "message": { "text": message },
    });
    run.insert(
        "invocations".to_owned(),
        json!([{ "executionSuccessful": false, "exitCode": 2, "toolExecutionNotifications": [notification] }]),
    );
    whole(&run)
}

fn whole(run: &Map<String, Value>) -> Value {
    json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] })
}

fn frame(command: &str, rules: &[Value]) -> Map<String, Value> {
    let mut run = Map::new();
    run.insert(
        "tool".to_owned(),
        json!({ "driver": {
            "name": "civicum-tune",
            "version": env!("CARGO_PKG_VERSION"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "language": lang::spoken().code(),
            "shortDescription": { "text": env!("CARGO_PKG_DESCRIPTION") },
            "notifications": [{ "id": "civicum-tune/error", "shortDescription": { "text": t!("The command failed.") } }],
            "rules": rules,
        }}),
    );
    // The part before the last slash is what GitHub takes for the category.
    run.insert("automationDetails".to_owned(), json!({ "id": format!("civicum-tune/{command}/") }));
    run.insert("columnKind".to_owned(), "unicodeCodePoints".into());
    run
}

fn bases(log: &Log) -> Value {
    let here = t!("The folder in which civicum-tune was started.");
    let mut bases = json!({ HERE: { "description": { "text": here } } });
    if log.command == "doctor" {
        let mut host = json!({ "description": { "text": t!("The root of the audited host.") } });
        if log.live {
            host["uri"] = "file:///".into();
        }
        bases[HOST] = host;
    }
    bases
}

fn rule(rule: &Rule) -> Value {
    let mut out = json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "help": { "text": rule.help },
        "defaultConfiguration": { "level": rule.level.word() },
    });
    if rule.text != rule.title {
        out["fullDescription"] = json!({ "text": rule.text });
    }
    if let Some(uri) = rule.uri {
        out["helpUri"] = uri.into();
    }
    if !rule.properties.is_empty() {
        out["properties"] = rule.properties.clone().into();
    }
    out
}

fn result(diagnostic: &Diagnostic, index: Option<&usize>, fingerprint: &str) -> Value {
    let (kind, level) = match &diagnostic.answer {
        Answer::Found(level) | Answer::Waived(level, _) => ("fail", level.word()),
        Answer::Pass => ("pass", "none"),
        Answer::NotApplicable(_) => ("notApplicable", "none"),
        Answer::CouldNotTell(_) => ("open", "none"),
    };
    let mut out = json!({ "ruleId": diagnostic.rule });
    if let Some(index) = index {
        out["ruleIndex"] = (*index).into();
    }
    out["kind"] = kind.into();
    out["level"] = level.into();
    out["message"] = json!({ "text": diagnostic.message });
    // The first place that a viewer can show is the finding's; all of them are evidence.
    let first = diagnostic.places.iter().find(|place| place.artifact.is_some());
    out["locations"] = first.map(seen).into_iter().collect();
    let more = |place: &Place| place.content.is_some() || place.artifact.is_none();
    if kind == "fail" && (diagnostic.places.len() > 1 || diagnostic.places.iter().any(more)) {
        out["relatedLocations"] = diagnostic
            .places
            .iter()
            .enumerate()
            .map(|(at, place)| {
                let mut related = seen(place);
                related["id"] = at.into();
                related["message"] = json!({ "text": place.words });
                related
            })
            .collect();
    }
    if let Answer::Waived(_, reason) = &diagnostic.answer {
        out["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": reason }]);
    }
    out["partialFingerprints"] = json!({ "finding/v1": fingerprint });
    if !diagnostic.properties.is_empty() {
        out["properties"] = diagnostic.properties.clone().into();
    }
    out
}

fn seen(place: &Place) -> Value {
    match &place.artifact {
        None => json!({}),
        Some(Artifact { base: Base::Bundled, path }) => {
            json!({ "logicalLocations": [{ "fullyQualifiedName": path, "kind": "resource" }] })
        }
        Some(artifact) => {
            let mut physical = json!({ "artifactLocation": location(artifact) });
            if let Some(region) = &place.region {
                physical["region"] = stretch(region, place.content.as_deref());
            }
            json!({ "physicalLocation": physical })
        }
    }
}

fn stretch(region: &Region, content: Option<&str>) -> Value {
    let mut out = json!({ "startLine": region.line });
    if let Some(column) = region.column {
        out["startColumn"] = column.into();
    }
    if region.end_line != region.line {
        out["endLine"] = region.end_line.into();
    }
    if let Some(column) = region.end_column {
        out["endColumn"] = column.into();
    }
    if let Some(content) = content {
        out["snippet"] = json!({ "text": content });
    }
    out
}

fn location(artifact: &Artifact) -> Value {
    let path = &artifact.path;
    if artifact.base == Base::Host {
        return json!({ "uri": encode(&tidy(path)), "uriBaseId": HOST });
    }
    let tidy = tidy(path);
    if path.starts_with('/') {
        json!({ "uri": format!("file:///{}", encode(&tidy)) })
    } else if tidy.split('/').next() == Some("..") {
        // Beside the folder, not below it.
        json!({ "uri": encode(&tidy) })
    } else {
        json!({ "uri": encode(&tidy), "uriBaseId": HERE })
    }
}

/// Without a slash at the beginning, empty parts and `.`.
fn tidy(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// A path as a URI writes it.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'/'
            | b'+'
            | b'@'
            | b'=' => {
                out.push(char::from(byte));
            }
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: Base, path: &str) -> String {
        let location = location(&Artifact { base, path: path.to_owned() });
        let base = location.get("uriBaseId").and_then(Value::as_str).unwrap_or("-");
        format!("{base} {}", location["uri"].as_str().unwrap())
    }

    #[test]
    fn locations() {
        assert_eq!(at(Base::Here, "./a//b c.toml"), "SRCROOT a/b%20c.toml");
        assert_eq!(at(Base::Here, "c:ñ#?.toml"), "SRCROOT c%3A%C3%B1%23%3F.toml");
        assert_eq!(at(Base::Here, "../a.toml"), "- ../a.toml");
        assert_eq!(at(Base::Here, "/root/mine.toml"), "- file:///root/mine.toml");
        assert_eq!(at(Base::Host, "/etc/fstab"), "HOST etc/fstab");
    }
}
