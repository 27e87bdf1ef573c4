//! The format for editors, made from the table of keys.

use serde_json::{Map, Value as Json, json};

use super::keys::{KEYS, Key, Kind, NAMES};
use super::rule::MAX_LENGTH;
use super::shape::Shape;
use super::sysctl;
use crate::lang::say;
use crate::t;

/// The JSON Schema of a profile. It is declared as draft 7, and uses only what drafts 4 to 2020-12 have in common:
/// taplo, which checks TOML in editors, knows no more than draft 4.
pub fn schema() -> Json {
    let mut root = table();
    for key in &KEYS {
        place(&mut root, "", key.path, of(key));
    }
    let mut root = Json::Object(root);
    root["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    root["title"] = t!("A profile of civicum-tune").into();
    root["description"] = t!("What a host should be like: memory, kernel parameters, containers.").into();
    // A kernel parameter may stand in nested tables, as deep as its name has parts.
    let value = root["properties"]["sysctl"]["patternProperties"][Shape::SysctlKey.pattern()].clone();
    root["definitions"] = json!({ "parameter": {
        "anyOf": [value, { "type": "object", "additionalProperties": { "$ref": "#/definitions/parameter" } }],
    }});
    let known: Map<String, Json> =
        sysctl::KNOWN.iter().map(|known| (known.name.to_owned(), parameter(known))).collect();
    root["properties"]["sysctl"] = json!({
        "type": "object",
        "description": t!("Kernel parameters by their sysctl names, quoted (\"vm.swappiness\") or as dotted tables."),
        "properties": known,
        "additionalProperties": { "$ref": "#/definitions/parameter" },
    });
    root
}

fn table() -> Map<String, Json> {
    let mut table = Map::new();
    table.insert("type".to_owned(), "object".into());
    table.insert("additionalProperties".to_owned(), false.into());
    table
}

/// Puts a key's schema where its path leads; tables on the way are made.
fn place(into: &mut Map<String, Json>, before: &str, path: &str, value: Json) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let here = if before.is_empty() { name.to_owned() } else { format!("{before}.{name}") };
    let (list, name) = match NAMES.iter().find(|(pattern, _)| *pattern == here) {
        Some((_, shape)) => ("patternProperties", shape.pattern()),
        None => ("properties", name),
    };
    let Some(list) = into.entry(list).or_insert_with(|| json!({})).as_object_mut() else { return };
    match rest {
        None => {
            list.insert(name.to_owned(), value);
        }
        Some(rest) => {
            if let Some(inner) = list.entry(name).or_insert_with(|| Json::Object(table())).as_object_mut() {
                place(inner, &here, rest, value);
            }
        }
    }
}

fn of(key: &Key) -> Json {
    let mut schema = match key.kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Size { .. } => json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, rule()] }),
        Kind::Count { min, max } => {
            json!({ "anyOf": [{ "type": "number", "minimum": min, "maximum": max }, rule()] })
        }
        Kind::Duration { .. } => {
            json!({ "type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|min|h)\s*$" })
        }
        Kind::Choice(words) => json!({ "type": "string", "enum": words }),
        // Taplo and others take TOML's own dates for strings of this format.
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Text(shape) => text(shape),
        Kind::List(shape) => list(shape, 0),
        Kind::Preference(shape) => json!({ "anyOf": [text(shape), list(shape, 1)] }),
        Kind::Scalar(shape) => {
            json!({ "anyOf": [text(shape), { "type": "number" }, { "type": "boolean" }] })
        }
        Kind::Sysctl => {
            json!({ "anyOf": [{ "type": "integer" }, { "type": "boolean" }, text(Shape::SysctlValue)] })
        }
    };
    schema["description"] =
        t!("{doc} Without it: {default}.", doc = say(key.doc), default = say(key.default)).into();
    schema
}

fn rule() -> Json {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_LENGTH })
}

fn text(shape: Shape) -> Json {
    json!({ "type": "string", "pattern": shape.pattern() })
}

fn list(shape: Shape, least: usize) -> Json {
    json!({ "type": "array", "items": text(shape), "uniqueItems": true, "minItems": least })
}

fn parameter(known: &sysctl::Known) -> Json {
    let (min, max) = known.range;
    let number = json!({ "type": "integer", "minimum": min, "maximum": max });
    let text = text(Shape::SysctlValue);
    json!({ "anyOf": [number, { "type": "boolean" }, text] })
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::super::bundled::BUNDLED;
    use super::*;

    /// As much of a validator as the schema needs; patterns are left to `Shape`, whose own tests they have.
    fn fits(root: &Json, schema: &Json, value: &Json) -> Result<(), String> {
        if let Some(pointer) = schema["$ref"].as_str() {
            return fits(root, root.pointer(&pointer[1..]).unwrap(), value);
        }
        if let Some(options) = schema["anyOf"].as_array() {
            let tried: Vec<_> = options.iter().map(|option| fits(root, option, value)).collect();
            return if tried.iter().any(Result::is_ok) { Ok(()) } else { Err(format!("{value}: {tried:?}")) };
        }
        let right = match schema["type"].as_str().unwrap() {
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value
                .as_array()
                .is_some_and(|items| items.iter().all(|i| fits(root, &schema["items"], i).is_ok())),
            "object" => value.is_object(),
            other => panic!("the schema has a type {other}"),
        };
        let low = schema["minimum"].as_f64().is_some_and(|min| value.as_f64().is_some_and(|v| v < min));
        let high = schema["maximum"].as_f64().is_some_and(|max| value.as_f64().is_some_and(|v| v > max));
        let listed = schema["enum"].as_array().is_none_or(|words| words.contains(value));
        if !right || low || high || !listed {
            return Err(format!("{value} is not {schema}"));
        }
        for (key, inner) in value.as_object().into_iter().flatten() {
            let pattern = schema["patternProperties"].as_object().and_then(|p| p.values().next());
            let wanted = schema["properties"].get(key).or(pattern).or_else(|| {
                Some(&schema["additionalProperties"]).filter(|additional| additional.is_object())
            });
            match wanted {
                Some(wanted) => fits(root, wanted, inner).map_err(|e| format!("{key}: {e}"))?,
                None => return Err(format!("unknown key {key}")),
            }
        }
        Ok(())
    }

    fn valid(text: &str) -> Result<(), String> {
        let schema = schema();
        fits(&schema, &schema, &toml::from_str(text).unwrap())
    }

    #[test]
    fn every_bundled_profile_fits_the_schema() {
        for bundled in &BUNDLED {
            assert_eq!(valid(bundled.text), Ok(()), "{}", bundled.name);
        }
    }

    #[test]
    fn what_the_schema_refuses() {
        for text in [
            "x = 1",
            "zswap.compresor = 'lz4'",
            "zswap.enabled = 'yes'",
            "zswap.max_pool_percent = 101",
            "swap.persist = 'no'",
            "services.a.cpus = 0",
            "services.a.environment.X = [1]",
            "sysctl.\"vm.swappiness\" = 201",
            "sysctl.vm.swappiness = 1.5",
        ] {
            assert!(valid(text).is_err(), "{text}");
        }
        assert_eq!(valid("[sysctl.vm]\nswappiness = 60\n[sysctl.net.core]\nsomaxconn = '1'"), Ok(()));
    }

    #[test]
    fn every_example_is_a_profile_and_fits_the_schema() {
        for key in &KEYS {
            let path = match key.path {
                "sysctl.*" => "sysctl.\"vm.swappiness\"".to_owned(),
                path => path
                    .replace("environment.*", "environment.X")
                    .replace("waivers.*", "waivers.CT-ZRAM-001")
                    .replace('*', "a"),
            };
            let text = format!("{path} = {}\n", key.example);
            assert_eq!(valid(&text), Ok(()), "{text}");
            // Some keys are nothing by themselves.
            let beside = match path.rsplit('.').next().unwrap() {
                "needs" => "services.postgres.memory = '1GiB'\n",
                _ if path == "services.a.reading.memory" => "services.a.memory = '4GiB'\n",
                _ if path.starts_with("services.a.settings.") => "services.a.role = 'postgres'\n",
                "memory_reservation" | "memory_swap" | "memory_reading" => "services.a.memory = '4GiB'\n",
                "reason" => "waivers.CT-ZRAM-001.until = 2027-03-31\n",
                "until" => "waivers.CT-ZRAM-001.reason = 'x'\n",
                _ => "",
            };
            let profile = Profile::parse(&format!("{text}{beside}"), "x.toml").unwrap();
            assert_eq!(profile.settle(&profile.nominal()).err(), None, "{text}");
        }
    }
}
