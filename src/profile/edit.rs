//! Changing single values of a profile's text: comments, order and everything else stay as they were written.

use std::collections::VecDeque;

use similar::{ChangeTag, TextDiff};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use crate::t;

/// A value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum New {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A list of texts.
    List(Vec<String>),
}

impl std::fmt::Display for New {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Value::from(self).to_string().trim())
    }
}

impl From<&New> for Value {
    fn from(new: &New) -> Self {
        match new {
            New::Text(text) => text.as_str().into(),
            New::Number(number) => (*number).into(),
            New::List(items) => Self::Array(items.iter().map(String::as_str).collect::<Array>()),
        }
    }
}

/// The text with these values in place of those that it has, or in addition. The error is why it can't be changed.
pub fn set(text: &str, values: &[(&[&str], &New)]) -> Result<String, String> {
    let plain = text.replace("\r\n", "\n");
    let mut document: DocumentMut = plain.parse().map_err(|why| t!("it is no TOML: {why}", why = why))?;
    for (path, new) in values {
        let Some((name, folders)) = path.split_last() else { continue };
        let mut table: &mut dyn TableLike = document.as_table_mut();
        for folder in folders {
            let has_place = table.contains_key(folder);
            if !has_place {
                let mut made = Table::new();
                // A header of its own only where it has values of its own.
                made.set_implicit(true);
                table.insert(folder, Item::Table(made));
            }
            let item = table.get_mut(folder).filter(|item| item.is_table_like());
            table = item
                .and_then(Item::as_table_like_mut)
                .ok_or_else(|| t!("`{name}` is no section in it", name = *folder))?;
        }
        put(table, name, new);
    }
    Ok(with_line_ends_of(text, &plain, &document.to_string()))
}

/// A file from another system ends its lines otherwise: each keeps its end, changed or not, and one more gets that of the first.
fn with_line_ends_of(text: &str, plain: &str, new: &str) -> String {
    if plain == text {
        return new.to_owned();
    }
    let ends: Vec<&str> =
        text.split_inclusive('\n').map(|line| if line.ends_with("\r\n") { "\r\n" } else { "\n" }).collect();
    let lines = TextDiff::from_lines(plain, new);
    let (mut out, mut gone) = (String::with_capacity(new.len() + ends.len()), VecDeque::new());
    for change in lines.iter_all_changes() {
        let own = change.old_index().and_then(|at| ends.get(at).copied());
        let end = match change.tag() {
            ChangeTag::Delete => {
                gone.extend(own);
                continue;
            }
            ChangeTag::Insert => gone.pop_front(),
            ChangeTag::Equal => {
                gone.clear();
                own
            }
        };
        let line = change.value();
        out += line.strip_suffix('\n').unwrap_or(line);
        out += if line.ends_with('\n') { end.unwrap_or(ends[0]) } else { "" };
    }
    out
}

fn put(table: &mut dyn TableLike, name: &str, new: &New) {
    let mut value = Value::from(new);
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            // The blanks before it, and the comment behind it.
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(name, Item::Value(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_stays() {
        let text = "# Ours.\nname = \"x\"   # the name\n\n[zswap]\ncompressor = \"lz4\" # fast\nmax_pool_percent = 20\n\n\
                    # The model.\n[services.llm]\nthreads = \"max(1, cores - 1)\"\nmemory = \"6GiB\"\n";
        let (zstd, list, threads) =
            (New::Text("zstd".into()), New::List(vec!["zsmalloc".into(), "zbud".into()]), New::Number(4));
        let changes: [(&[&str], &New); 3] = [
            (&["zswap", "compressor"], &zstd),
            (&["zswap", "zpool"], &list),
            (&["services", "llm", "threads"], &threads),
        ];
        let wanted = text
            .replace("\"lz4\"", "\"zstd\"")
            .replace("= 20\n", "= 20\nzpool = [\"zsmalloc\", \"zbud\"]\n")
            .replace("\"max(1, cores - 1)\"", "4");
        assert_eq!(set(text, &changes).unwrap(), wanted);
        // What is there already is not touched.
        assert_eq!(set(&wanted, &changes).unwrap(), wanted);
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        let text = "# Ours.\r\nname = \"x\"\r\n\r\n[zswap]\r\ncompressor = \"lz4\" # fast\r\nnote = \"\"\"\r\na\r\n\"\"\"\r\n";
        let (zstd, list) = (New::Text("zstd".into()), New::List(vec!["zbud".into()]));
        let changes: [(&[&str], &New); 2] = [(&["zswap", "compressor"], &zstd), (&["zswap", "zpool"], &list)];
        let wanted = text.replace("lz4", "zstd") + "zpool = [\"zbud\"]\r\n";
        assert_eq!(set(text, &changes).unwrap(), wanted);
        // Where somebody's editor has mixed them, too.
        let mixed = text.replacen("\r\n", "\n", 1).replace("[zswap]\r\n", "[zswap]\n");
        let wanted = mixed.replace("lz4", "zstd") + "zpool = [\"zbud\"]\n";
        assert_eq!(set(&mixed, &changes).unwrap(), wanted);
    }

    #[test]
    fn sections_are_made_where_they_are_not() {
        let four = New::Number(4);
        let path: &[&str] = &["services", "llm", "threads"];
        assert_eq!(
            set("name = \"x\"\n", &[(path, &four)]).unwrap(),
            "name = \"x\"\n\n[services.llm]\nthreads = 4\n"
        );
        assert_eq!(
            set("services.llm.memory = \"1GiB\"\n", &[(path, &four)]).unwrap(),
            "services.llm.memory = \"1GiB\"\nservices.llm.threads = 4\n"
        );
        assert_eq!(
            set("services = { llm = { pids = 9 } }\n", &[(path, &four)]).unwrap(),
            "services = { llm = { pids = 9 , threads = 4 } }\n"
        );
        assert!(set("services = 1\n", &[(path, &four)]).is_err());
        assert!(set("a = [\n", &[(path, &four)]).is_err());
    }
}
