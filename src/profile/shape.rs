//! What a text may look like. These texts end up on a boot line, in unit files, in paths and in kernel files:
//! each shape lets through only what can't break out of its place.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{container, mount, path};
use crate::lang::say;
use crate::t;

/// The form of a text value or of a free key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One line of prose.
    Line,
    /// A profile's name.
    ProfileName,
    /// A bundled profile's name, or a file beside this one.
    Extends,
    /// The path of a key in this format.
    KeyPath,
    /// A kernel's name for an algorithm or a module.
    KernelName,
    /// An absolute path for a swap file.
    SwapPath,
    /// One argument of the kernel command line.
    KernelArgument,
    /// A service's name.
    ServiceName,
    /// A name of an environment variable.
    EnvironmentName,
    /// An environment variable's value.
    EnvironmentValue,
    /// A sysctl's name.
    SysctlKey,
    /// A sysctl's value.
    SysctlValue,
    /// An IP address.
    Address,
    /// A container's image.
    Image,
    /// A port that the host opens.
    Publish,
    /// One argument of a command.
    Argument,
    /// A user and a group in numbers.
    User,
    /// A volume or a folder, and where a container sees it.
    Volume,
    /// A folder in memory.
    Tmpfs,
    /// A Linux capability, without its `CAP_`.
    Capability,
    /// The name of a PostgreSQL setting.
    SettingName,
    /// A model's file on the host.
    ModelPath,
    /// A folder of the host.
    Folder,
    /// Tesseract's names of languages.
    Languages,
    /// The id of a check of `doctor`.
    CheckId,
}

/// What is wrong, and what to do.
pub(super) type Objection = (String, Option<Cow<'static, str>>);

impl Shape {
    /// As an ECMA 262 regular expression that covers the whole text, for the JSON Schema. Where a rule can't be
    /// said as an expression, the schema is the more lenient of the two.
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Line | Self::EnvironmentValue | Self::SysctlValue => r"^[^\u0000-\u001f\u007f]*$",
            Self::ProfileName | Self::ServiceName => "^[a-z0-9][a-z0-9_-]{0,62}$",
            Self::Extends => r"^([a-z0-9][a-z0-9_-]{0,62}|[^\u0000-\u001f\u007f]+\.toml)$",
            Self::KeyPath => r"^[^\u0000-\u001f\u007f]+$",
            Self::KernelName => "^[a-z0-9_-]{1,63}$",
            Self::SwapPath => r"^/([^/\s\u0000-\u001f\u007f]+/)*[^/\s\u0000-\u001f\u007f]+$",
            Self::KernelArgument => r"^[A-Za-z0-9_.:,=/@%+-]+$",
            Self::EnvironmentName => "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
            Self::SysctlKey => "^[a-z0-9_-]+([./][a-z0-9_-]+)+$",
            Self::Address => "^[0-9A-Fa-f.:]+$",
            Self::Image => {
                r"^(sha256:[0-9a-f]{64}|civicum/[a-z0-9._-]+(:[A-Za-z0-9_.-]{1,128})?|[A-Za-z0-9._:/-]+@sha256:[0-9a-f]{64})$"
            }
            Self::Publish => {
                r"^([0-9.]+:|\[[0-9A-Fa-f:.]+\]:)?([1-9][0-9]{0,4}:)?[1-9][0-9]{0,4}(/(tcp|udp))?$"
            }
            Self::CheckId => "^CT-[A-Z]{2,12}-[0-9]{3}$",
            Self::Argument => r"^[^\u0000-\u001f\u007f]+$",
            Self::User => "^[0-9]{1,7}:[0-9]{1,7}$",
            Self::Volume => {
                r"^(/[^:\u0000-\u001f\u007f]+|[a-z0-9][a-z0-9_-]{0,62}):/[^:\u0000-\u001f\u007f]+(:ro)?$"
            }
            Self::Tmpfs => r"^/[^:\u0000-\u001f\u007f]+(:[0-9]+(\.[0-9]+)? ?([KMGT]i?B?|B)?)?$",
            Self::ModelPath => r"^/[^:\u0000-\u001f\u007f]+\.gguf$",
            Self::Folder => r"^/[^:\u0000-\u001f\u007f]+$",
            Self::Languages => r"^[A-Za-z0-9][A-Za-z0-9_]{1,39}([+][A-Za-z0-9][A-Za-z0-9_]{1,39})*$",
            Self::Capability => "^[A-Z][A-Z_]{2,30}$",
            Self::SettingName => "^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)?$",
        }
    }

    /// Whether `text` has this form.
    pub fn check(self, text: &str) -> Result<(), Objection> {
        match self {
            Self::Line | Self::EnvironmentValue => one_line(text),
            Self::KeyPath if text.trim().is_empty() => Err((t!("the name of a key is empty"), None)),
            Self::KeyPath => one_line(text),
            Self::SysctlValue => one_line(text).and_then(|()| {
                if text.trim().is_empty() { Err((t!("the value is empty"), None)) } else { Ok(()) }
            }),
            Self::ProfileName | Self::ServiceName => made_of(
                text,
                63,
                |c, first| c.is_ascii_lowercase() || c.is_ascii_digit() || (!first && "_-".contains(c)),
                || say("a name has 1 to 63 of a-z, 0-9, `-` and `_`, and starts with a letter or digit"),
            ),
            Self::KernelName => made_of(
                text,
                63,
                |c, _| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c),
                || say("the kernel's names have only a-z, 0-9, `_` and `-`"),
            ),
            Self::EnvironmentName => made_of(
                text,
                128,
                |c, first| c == '_' || c.is_ascii_alphabetic() || (!first && c.is_ascii_digit()),
                || say("a variable's name has only A-Z, a-z, 0-9 and `_`, and no digit at the start"),
            ),
            Self::KernelArgument => kernel_argument(text),
            Self::SysctlKey => sysctl_key(text),
            Self::SwapPath => path::swap_path(text),
            Self::Extends => path::extends(text),
            Self::Address => match text.parse::<IpAddr>() {
                Ok(_) => Ok(()),
                Err(_) => Err((
                    t!("`{text}` is not an IP address", text = text),
                    Some(say("for example 127.0.0.1 or ::1")),
                )),
            },
            Self::Image => match container::image(text) {
                Some(_) => Ok(()),
                None => Err((
                    t!("`{text}` is not the name of an image", text = shortened(text)),
                    Some(say("as in postgres:17@sha256:…, sha256:… for one on the host, or civicum/NAME")),
                )),
            },
            Self::Publish => {
                container::Publish::parse(text, container::LOOPBACK).map(|_| ()).map_err(|why| {
                    (why, Some(say("as in \"443\", \"8080:80\", \"127.0.0.1:8080:80\" or \"53:53/udp\"")))
                })
            }
            Self::CheckId => check_id(text),
            Self::Argument if text.is_empty() => Err((t!("an argument is empty"), None)),
            Self::Argument => one_line(text),
            Self::User => match mount::user(text) {
                Some(_) => Ok(()),
                None => Err((
                    t!("`{text}` is no user in numbers", text = shortened(text)),
                    Some(say("as in \"999:999\"; names mean another number in every image")),
                )),
            },
            Self::Volume => mount::Volume::parse(text).map(|_| ()).map_err(|why| {
                (why, Some(say("as in \"data:/var/lib/data\", or \"/srv/models:/models:ro\"")))
            }),
            Self::ModelPath => match text.strip_suffix(".gguf") {
                None => Err((
                    t!("`{text}` does not end in .gguf", text = shortened(text)),
                    Some(say("as in \"/srv/models/model.gguf\"")),
                )),
                Some(_) => path::mounted(text, || say("as in \"/srv/models/model.gguf\"")),
            },
            Self::Tmpfs => mount::Tmpfs::parse(text)
                .map(|_| ())
                .map_err(|why| (why, Some(say("as in \"/tmp\" or \"/tmp:64MiB\"")))),
            Self::Folder => path::mounted(text, || say("as in \"/srv/schemas\"")),
            Self::Languages => text.split('+').try_for_each(|name| {
                made_of(
                    name,
                    40,
                    |c, first| c.is_ascii_alphanumeric() || (!first && c == '_'),
                    || say("as Tesseract names them, joined by `+`: spa, spa+eng"),
                )
            }),
            Self::Capability => made_of(
                text,
                31,
                |c, _| c.is_ascii_uppercase() || c == '_',
                || say("as capabilities(7) spells it, without CAP_: NET_BIND_SERVICE"),
            ),
            Self::SettingName => made_of(
                text,
                63,
                |c, first| c.is_ascii_lowercase() || (!first && (c.is_ascii_digit() || "_.".contains(c))),
                || say("as PostgreSQL spells it, in lower case: shared_buffers"),
            ),
        }
    }
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(70).collect()
}

pub(super) fn one_line(text: &str) -> Result<(), Objection> {
    match text.chars().find(|c| c.is_control()) {
        None if text.len() <= 4096 => Ok(()),
        None => Err((t!("the text has more than 4096 bytes"), None)),
        Some(c) => Err((
            t!("the text contains the control character {code}", code = format!("U+{:04X}", u32::from(c))),
            Some(say("it must be one line without control characters")),
        )),
    }
}

fn made_of(
    text: &str,
    most: usize,
    fits: impl Fn(char, bool) -> bool,
    rule: fn() -> Cow<'static, str>,
) -> Result<(), Objection> {
    if text.is_empty() || text.len() > most {
        return Err((t!("`{text}` is empty or too long", text = shortened(text)), Some(rule())));
    }
    match text.char_indices().find(|(at, c)| !fits(*c, *at == 0)) {
        None => Ok(()),
        Some((_, c)) => Err((t!("`{c}` can't be in `{text}`", c = c, text = text), Some(rule()))),
    }
}

fn check_id(text: &str) -> Result<(), Objection> {
    let mut parts = text.split('-');
    let area = |part: &str| (2..=12).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase());
    let number = |part: &str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit());
    let fits =
        parts.next() == Some("CT") && parts.next().is_some_and(area) && parts.next().is_some_and(number);
    if fits && parts.next().is_none() {
        return Ok(());
    }
    Err((
        t!("`{text}` is not the id of a check", text = shortened(text)),
        Some(say("`civicum-tune doctor -v` lists them, as CT-ZRAM-001")),
    ))
}

/// It is put into a double-quoted shell variable of GRUB's and from there onto a line split at blanks: an allow-list
/// is the only safe thing.
fn kernel_argument(text: &str) -> Result<(), Objection> {
    made_of(
        text,
        256,
        |c, first| c.is_ascii_alphanumeric() || (!first && "_.:,=/@%+-".contains(c)),
        || say("one argument a string, as in \"mitigations=auto\": letters, digits and _ . : , = / @ % + -"),
    )
}

fn sysctl_key(text: &str) -> Result<(), Objection> {
    fn rule() -> Cow<'static, str> {
        say("a sysctl is named like vm.swappiness: a-z, 0-9, `_` and `-`, parted by single dots")
    }

    made_of(text, 128, |c, _| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-./".contains(c), rule)?;
    let parts: Vec<&str> = text.split(['.', '/']).collect();
    if parts.len() < 2 || parts.iter().any(|part| part.is_empty()) {
        return Err((t!("`{text}` is not the name of a sysctl", text = text), Some(rule())));
    }
    Ok(())
}

/// Does this name a file, and not a bundled profile?
pub fn is_file(name: &str) -> bool {
    name.contains('/')
        || std::path::Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}

/// The same file's name as one that is taken for a file everywhere.
pub fn as_file(name: &str) -> String {
    if is_file(name) { name.to_owned() } else { format!("./{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(shape: Shape, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(shape.check(text), Ok(()), "{shape:?} should take {text:?}");
        }
        for text in bad {
            assert!(shape.check(text).is_err(), "{shape:?} should refuse {text:?}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_a_boot_line() {
        fits(
            Shape::KernelArgument,
            &["quiet", "mitigations=auto", "console=ttyS0,115200n8", "root=/dev/vda1", "isolcpus=0-1"],
            &["", "a b", "a\"b", "a'b", "$(x)", "`x`", "a\\", "a;b", "=x", "-x", "a\nb", "a\u{a0}b", "ä"],
        );
    }

    #[test]
    fn a_sysctl_is_never_a_path_elsewhere() {
        fits(
            Shape::SysctlKey,
            &[
                "vm.swappiness",
                "vm/swappiness",
                "net.ipv4.conf.eth0/100.rp_filter",
                "fs.inotify.max_user_watches",
            ],
            &["", "vm", "vm..x", "../x", "vm./x", ".vm.x", "vm.x.", "vm.x y", "VM.X", "vm.x\n", "/vm/x"],
        );
    }

    #[test]
    fn a_swap_file_lives_on_a_disk() {
        fits(
            Shape::SwapPath,
            &["/civicum.swap", "/var/swap/a-b_c.1", "/device/x", "/temp"],
            &[
                "", "x", "/", "/a/", "/a//b", "/a/../b", "/a/./b", "/a b", "/dev/x", "/tmp", "/run/x",
                "/a$b", "/a\tb",
            ],
        );
    }

    #[test]
    fn the_rest() {
        fits(Shape::KernelName, &["lz4", "lzo-rle", "842"], &["", "LZ4", "lz4 ", "a/b", "a.b"]);
        fits(Shape::EnvironmentName, &["A", "_x", "OMP_THREAD_LIMIT"], &["", "1A", "A-B", "A=B", "A B"]);
        fits(Shape::EnvironmentValue, &["", "a b $x"], &["a\nb", "\u{1b}[0m", "\0"]);
        fits(Shape::Address, &["127.0.0.1", "::1"], &["localhost", "1.2.3", ""]);
        fits(Shape::CheckId, &["CT-ZRAM-001"], &["", "CT-ZRAM", "ct-zram-001", "CT-ZRAM-1", "CT-ZRAM-001-X"]);
        fits(Shape::Publish, &["80", "0.0.0.0:443:443/udp"], &["", "eighty", "80-90"]);
        fits(Shape::Image, &["postgres:17", "civicum/ocr"], &["", "Postgres", "a b"]);
        fits(Shape::ServiceName, &["llm", "a-1"], &["", "-a", "A", "a/b", "a.b"]);
        fits(
            Shape::Extends,
            &["civicum-12g", "./base.toml", "base.toml", "sub/base.toml", "/etc/x/base.toml"],
            &["", "../base.toml", "a/../../b.toml", "Civicum", "a b"],
        );
    }
}
