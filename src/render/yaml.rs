//! JSON as YAML in block style. A JSON scalar is a YAML scalar, so only the shape has to be written anew.

use serde_json::Value;

/// The text, with a line break at its end.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                out.push_str(&format!("{pad}{}:", word(key)));
                below(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                if is_nested(item) {
                    // The first line of the item stands behind its dash.
                    let mut inner = String::new();
                    write(item, depth + 1, &mut inner);
                    out.push_str(&format!("{pad}- {}", inner.trim_start()));
                } else {
                    out.push_str(&format!("{pad}- {item}\n"));
                }
            }
        }
        scalar => out.push_str(&format!("{pad}{scalar}\n")),
    }
}

fn below(value: &Value, depth: usize, out: &mut String) {
    if is_nested(value) {
        out.push('\n');
        write(value, depth + 1, out);
    } else {
        out.push_str(&format!(" {value}\n"));
    }
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// A key: bare where nobody could take it for anything else.
fn word(key: &str) -> String {
    // YAML 1.1 takes these for truth values, in some readers to this day.
    const TAKEN: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && !TAKEN.contains(&key.to_ascii_lowercase().as_str())
        && key != "null";
    if plain { key.to_owned() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saphyr::{LoadableYamlNode as _, Yaml};
    use serde_json::json;

    #[test]
    fn reads_back_as_it_was_written() {
        let value = json!({
            "a": [1, "x: y", { "b": [], "c": [[1], { "d": null }] }],
            "on": { "1": "no", "deep": { "er": "line\nbreak \u{7f} \"q\" # no comment" } },
            "empty": {}, "text": "~", "number": 1.5, "true": true,
        });
        let text = text(&value);
        let yaml = Yaml::load_from_str(&text).unwrap();
        assert_eq!(back(&yaml[0]), value, "{text}");
    }

    fn back(yaml: &Yaml<'_>) -> Value {
        if let Some(map) = yaml.as_mapping() {
            return map.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), back(value))).collect();
        }
        if let Some(items) = yaml.as_sequence() {
            return items.iter().map(back).collect();
        }
        if let Some(text) = yaml.as_str() {
            return json!(text);
        }
        if let Some(number) = yaml.as_integer() {
            return json!(number);
        }
        if let Some(number) = yaml.as_floating_point() {
            return json!(number);
        }
        yaml.as_bool().map_or(Value::Null, Value::from)
    }
}
