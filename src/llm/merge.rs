//! Joining the answers to the chunks of one document: lists are put together without doubles, objects field by field, and of
//! single values the first that says something counts. Texts whose schema says `"x-merge": "join"` are put together too.

use serde_json::Value;

use super::doubt::{Doubt, Kind, escape};
use super::schema::{Schema, keyword, property};

/// One value of many; a contradiction is a doubt.
pub(super) fn merge(values: Vec<Value>, schema: &Schema<'_>, doubts: &mut Vec<Doubt>) -> Value {
    let mut values = values.into_iter();
    let mut joined = values.next().unwrap_or_default();
    for value in values {
        join(&mut joined, value, &At { schema, node: Some(schema.source), pointer: String::new() }, doubts);
    }
    doubts.sort();
    doubts.dedup();
    joined
}

/// A place in the value, and what the schema says of it.
struct At<'a> {
    schema: &'a Schema<'a>,
    node: Option<&'a Value>,
    pointer: String,
}

impl At<'_> {
    fn field(&self, name: &str) -> Self {
        let node = self.node.and_then(|node| property(self.schema.source, node, name));
        At { schema: self.schema, node, pointer: format!("{}/{}", self.pointer, escape(name)) }
    }

    fn is_joined(&self) -> bool {
        let how = self.node.and_then(|node| keyword(self.schema.source, node, "x-merge"));
        how.is_some_and(|how| how == "join")
    }
}

fn join(into: &mut Value, value: Value, at: &At<'_>, doubts: &mut Vec<Doubt>) {
    match (into, value) {
        (into, value) if says_nothing(&value) => {
            // An empty list is more than null.
            if into.is_null() {
                *into = value;
            }
        }
        (into, value) if says_nothing(into) => *into = value,
        (Value::Object(fields), Value::Object(others)) => {
            for (name, value) in others {
                let here = at.field(&name);
                match fields.get_mut(&name) {
                    Some(field) => join(field, value, &here, doubts),
                    None => {
                        fields.insert(name, value);
                    }
                }
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            for value in others {
                if !items.iter().any(|item| is_same(item, &value)) {
                    items.push(value);
                }
            }
        }
        (into, value) if is_same(into, &value) => {}
        (Value::String(text), Value::String(other)) if at.is_joined() => {
            if !text.contains(&other) {
                text.push('\n');
                text.push_str(&other);
            }
        }
        _ => doubts.push(Doubt { pointer: at.schema.mask(&at.pointer), kind: Kind::Conflict }),
    }
}

/// Null, or as good as that. `false` and 0 say something.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Equal, but for blanks and capitals in texts.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => plain(one) == plain(other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| is_same(value, other)))
        }
        _ => one == other,
    }
}

fn plain(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn by_their_kinds() {
        let source = json!({
            "$defs": { "text": { "type": "string", "x-merge": "join" } },
            "properties": {
                "nombre": {}, "fecha": {}, "lista": {}, "vacia": {}, "pagado": {}, "no": {},
                "resumen": { "anyOf": [{ "type": "null" }, {}], "$ref": "#/$defs/text" },
                "persona": { "properties": { "rut": {}, "edad": {} } },
            },
        });
        let schema = Schema::new(&source).unwrap();
        let mut doubts = Vec::new();
        let merged = merge(
            vec![
                json!({ "nombre": null, "fecha": "2024-01-01", "lista": ["a", {"b": "c"}], "vacia": null, "pagado": false, "resumen": "Uno.", "persona": { "rut": null, "edad": 3 }, "x": 1 }),
                json!({ "nombre": "", "fecha": "2024-01-02", "lista": ["A ", "d"], "vacia": [], "pagado": false, "resumen": "Dos.", "persona": { "rut": "1-9", "edad": 3 }, "x": 2 }),
                json!({ "nombre": "Ana", "fecha": "2024-01-03", "lista": [{"b": "C"}], "vacia": [], "pagado": true, "resumen": "Uno.", "persona": null, "no": [] }),
            ],
            &schema,
            &mut doubts,
        );
        assert_eq!(
            merged,
            json!({ "nombre": "Ana", "fecha": "2024-01-01", "lista": ["a", {"b": "c"}, "d"], "vacia": [], "pagado": false, "resumen": "Uno.\nDos.", "persona": { "rut": "1-9", "edad": 3 }, "x": 1, "no": [] })
        );
        let at: Vec<&str> = doubts.iter().map(|doubt| doubt.pointer.as_str()).collect();
        assert_eq!(at, ["/*", "/fecha", "/pagado"]);
    }
}
