//! apt's configuration (`apt.conf(5)`), as far as one value at a time goes.

/// A value, with the line where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// From 1.
    pub line: usize,
    /// Its full name in lower case: `unattended-upgrade::automatic-reboot`.
    pub name: String,
    /// What it is set to.
    pub value: String,
}

/// Every `Name "value";`, in blocks or not. Comments are `//`, `/* */`, and `#` at the start of a line.
pub fn parse(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut blocks: Vec<String> = Vec::new();
    let (mut name, mut value): (String, Option<String>) = (String::new(), None);
    let mut commented = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            if commented {
                if c == '*' && chars.peek() == Some(&'/') {
                    chars.next();
                    commented = false;
                }
                continue;
            }
            match c {
                '/' if chars.peek() == Some(&'/') => break,
                '/' if chars.peek() == Some(&'*') => commented = true,
                '"' => value = Some(chars.by_ref().take_while(|c| *c != '"').collect()),
                '{' => {
                    blocks.push(std::mem::take(&mut name));
                    value = None;
                }
                '}' => {
                    blocks.pop();
                    name.clear();
                    value = None;
                }
                ';' => {
                    if let Some(value) = value.take().filter(|_| !name.is_empty() && blocks.len() < 16) {
                        let mut parts: Vec<&str> = blocks.iter().map(String::as_str).collect();
                        parts.push(&name);
                        let name = parts.join("::").to_ascii_lowercase();
                        found.push(Value { line: at + 1, name, value });
                    }
                    name.clear();
                }
                c if c.is_whitespace() => {}
                c if value.is_none() => name.push(c),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_it() {
        let text = "// Unattended-Upgrade::Automatic-Reboot \"false\";\n# x\nUnattended-Upgrade::Automatic-Reboot \"true\";\n\
                    /* a \"b\"; */\nUnattended-Upgrade { Allowed-Origins { \"a:b\"; }; Automatic-Reboot-Time\n \"02:00\"; };\n};\"";
        let found: Vec<_> = parse(text).into_iter().map(|v| (v.line, v.name, v.value)).collect();
        assert_eq!(
            found,
            [
                (3, "unattended-upgrade::automatic-reboot".to_owned(), "true".to_owned()),
                (6, "unattended-upgrade::automatic-reboot-time".to_owned(), "02:00".to_owned()),
            ]
        );
    }
}
