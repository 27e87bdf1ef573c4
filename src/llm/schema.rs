//! The schema of an answer: compiled once, sealed off from everything outside of it, and asked for the place of an error
//! without its content.

use std::collections::HashSet;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::doubt::escape;
use super::error::Error;
use crate::t;

/// Schemas that come with the program: name and text.
pub const BUNDLED: [(&str, &str); 1] = [("carta", include_str!("../../templates/schemas/carta.json"))];

/// The largest schema, in bytes. It stands in every question, and a context has a few thousand tokens.
const MOST: usize = 64 << 10;

/// The bundled schema of that name.
pub fn bundled(name: &str) -> Option<Value> {
    let (_, text) = BUNDLED.iter().find(|(known, _)| *known == name)?;
    serde_json::from_str(text).ok()
}

/// Can an answer be asked for by this schema? It asks nobody; a server may still not be able to bind an answer with it.
pub fn check_schema(schema: &Value) -> Result<(), Error> {
    Schema::new(schema).map(|_| ())
}

/// A schema that can be validated with.
pub(super) struct Schema<'s> {
    pub(super) source: &'s Value,
    validator: Validator,
    /// Every name that a property has anywhere in it: such a name in a pointer tells nothing of the document.
    names: HashSet<&'s str>,
}

/// A rule of the schema that an answer breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) at: String,
    pub(super) rule: String,
}

impl<'s> Schema<'s> {
    pub(super) fn new(source: &'s Value) -> Result<Self, Error> {
        if !source.is_object() {
            return Err(Error::Schema { at: String::new(), why: t!("it is no object") });
        }
        let size = source.to_string().len();
        if size > MOST {
            let why = t!("it has {size} bytes, and {most} are the most", size = size, most = MOST);
            return Err(Error::Schema { at: String::new(), why });
        }
        let mut names = HashSet::new();
        let mut steps = 10_000;
        survey(source, source, "", &mut names, &mut steps)?;
        let refused = |error: jsonschema::ValidationError<'_>| Error::Schema {
            at: error.instance_path().to_string(),
            why: error.to_string(),
        };
        jsonschema::meta::options().validate(source).map_err(refused)?;
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            // An expression that takes for ever is refused instead of tried.
            .with_pattern_options(PatternOptions::regex())
            .build(source)
            .map_err(refused)?;
        Ok(Self { source, validator, names })
    }

    /// The first rule that the value breaks.
    pub(super) fn broken(&self, value: &Value) -> Option<Broken> {
        let error = self.validator.iter_errors(value).next()?;
        let at = self.mask(&error.instance_path().to_string());
        Some(Broken { at, rule: error.kind().keyword().to_owned() })
    }

    /// A pointer without names that the model made up.
    pub(super) fn mask(&self, pointer: &str) -> String {
        let mut masked = String::new();
        for name in pointer.split('/').skip(1) {
            let plain = name.replace("~1", "/").replace("~0", "~");
            let told = self.names.contains(plain.as_str()) || plain.parse::<u32>().is_ok_and(|n| n < 10_000);
            masked += "/";
            masked += if told { name } else { "*" };
        }
        masked
    }
}

/// Collects the names of properties, and refuses a reference that leads out of the schema: nothing is ever fetched for one.
fn survey<'s>(
    root: &'s Value,
    node: &'s Value,
    at: &str,
    names: &mut HashSet<&'s str>,
    steps: &mut u32,
) -> Result<(), Error> {
    match node {
        Value::Object(fields) => {
            loops(root, node, at, &mut Vec::new(), steps)?;
            for (name, value) in fields {
                let here = format!("{at}/{}", escape(name));
                if ["properties", "dependentSchemas"].contains(&name.as_str()) {
                    names.extend(value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()));
                }
                let refers = ["$ref", "$dynamicRef", "$recursiveRef"].contains(&name.as_str());
                if refers && value.as_str().is_some_and(|to| !to.starts_with('#')) {
                    let why = t!("it refers to something outside of the schema, and nothing is fetched");
                    return Err(Error::Schema { at: here, why });
                }
                survey(root, value, &here, names, steps)?;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                survey(root, item, &format!("{at}/{index}"), names, steps)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Refuses a schema that refers to itself without going deeper into the value, which would be validated for ever, and one
/// whose references multiply: `steps` are what is left of them.
fn loops<'s>(
    root: &'s Value,
    node: &'s Value,
    at: &str,
    through: &mut Vec<&'s str>,
    steps: &mut u32,
) -> Result<(), Error> {
    const SAME_VALUE: [&str; 8] =
        ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"];
    let refused = |why| Err(Error::Schema { at: at.to_owned(), why });
    let Value::Object(fields) = node else { return Ok(()) };
    *steps = steps.saturating_sub(1);
    if *steps == 0 {
        return refused(t!("its references multiply without end"));
    }
    if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
        if through.contains(&to) || through.len() > 64 {
            return refused(t!("it refers to itself in a circle"));
        }
        if let Some(target) = root.pointer(to.trim_start_matches('#')) {
            through.push(to);
            loops(root, target, at, through, steps)?;
            through.pop();
        }
    }
    for name in SAME_VALUE {
        match fields.get(name) {
            Some(Value::Array(nodes)) => {
                nodes.iter().try_for_each(|node| loops(root, node, at, through, steps))?;
            }
            Some(node) => loops(root, node, at, through, steps)?,
            None => {}
        }
    }
    Ok(())
}

/// What the schema says of a property, through references and alternatives.
pub(super) fn property<'s>(root: &'s Value, node: &'s Value, name: &str) -> Option<&'s Value> {
    find(root, node, &|node| node.get("properties")?.get(name), 0)
}

/// A keyword of a place, through references and alternatives.
pub(super) fn keyword<'s>(root: &'s Value, node: &'s Value, name: &str) -> Option<&'s Value> {
    find(root, node, &|node| node.get(name), 0)
}

fn find<'s>(
    root: &'s Value,
    node: &'s Value,
    own: &dyn Fn(&'s Value) -> Option<&'s Value>,
    depth: u32,
) -> Option<&'s Value> {
    if depth > 16 {
        return None;
    }
    let referred = node["$ref"].as_str().and_then(|to| root.pointer(to.strip_prefix('#')?));
    let others = ["allOf", "anyOf", "oneOf"].iter().filter_map(|key| node.get(*key)?.as_array()).flatten();
    own(node).or_else(|| referred.into_iter().chain(others).find_map(|node| find(root, node, own, depth + 1)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bundled_ones_can_be_used() {
        for (name, text) in BUNDLED {
            let schema: Value = serde_json::from_str(text).unwrap();
            check_schema(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(bundled(name), Some(schema));
        }
        assert_eq!(bundled("../carta"), None);
    }

    #[test]
    fn nothing_outside_is_referred_to() {
        let outside =
            ["https://example.com/x.json", "file:///etc/passwd", "other.json", "http://127.0.0.1:1/x#/a"];
        for to in outside {
            let schema = json!({ "properties": { "a": { "anyOf": [{ "$ref": to }] } } });
            let error = check_schema(&schema).unwrap_err();
            assert!(
                matches!(&error, Error::Schema { at, .. } if at == "/properties/a/anyOf/0/$ref"),
                "{error}"
            );
        }
        check_schema(&json!({ "$defs": { "d": { "type": "string" } }, "properties": { "a": { "$ref": "#/$defs/d" } } }))
            .unwrap();
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let deep = (0..40).fold(json!({}), |node, _| json!({ "items": node }));
        check_schema(&deep).unwrap();
        let mut defs = serde_json::Map::new();
        for n in 0..40 {
            let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
            defs.insert(format!("d{n}"), json!({ "allOf": [next.clone(), next] }));
        }
        defs.insert("d40".into(), json!({}));
        let many = json!({ "$ref": "#/$defs/d0", "$defs": defs });
        let bad = [
            json!(true),
            json!([1]),
            json!({ "type": "intger" }),
            json!({ "$ref": "#/nowhere" }),
            json!({ "type": "string", "pattern": "(" }),
            json!({ "type": "string", "pattern": "^(?=a)b$" }),
            json!({ "$ref": "#" }),
            json!({ "allOf": [{ "$ref": "#/$defs/a" }], "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/a" }] } } }),
            json!({ "properties": { "a": { "not": { "$ref": "#/properties/a" } } } }),
            json!({ "$schema": "https://example.com/meta.json" }),
            json!({ "description": "x".repeat(MOST) }),
            many,
        ];
        for schema in bad {
            let shown: String = schema.to_string().chars().take(80).collect();
            assert!(matches!(check_schema(&schema), Err(Error::Schema { .. })), "{shown}");
        }
    }

    #[test]
    fn a_broken_rule_is_told_without_content() {
        let schema = json!({
            "properties": { "fecha": { "type": "string", "format": "date" }, "a": { "items": { "type": "integer" } } },
            "additionalProperties": { "type": "integer" },
        });
        let schema = Schema::new(&schema).unwrap();
        let broken = |value| schema.broken(&value).map(|broken| (broken.at, broken.rule));
        assert_eq!(broken(json!({ "a": [1, "x"] })), Some(("/a/1".into(), "type".into())));
        assert_eq!(broken(json!({ "fecha": "2024-02-31" })), Some(("/fecha".into(), "format".into())));
        assert_eq!(broken(json!({ "Juan Pérez": "x" })), Some(("/*".into(), "type".into())));
        assert_eq!(broken(json!({ "fecha": "2024-02-29" })), None);
    }
}
