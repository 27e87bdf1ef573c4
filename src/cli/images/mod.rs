//! `images`: made here, loaded from a file, listed.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde_json::json;

mod base;

use super::output::Out;
use super::progress::line_that_stays;
use super::session::open_host;
use super::{Answer, Global, Outcome};
use crate::container::images::{TEMPLATES, Template};
use crate::engine::{Client, images};
use crate::host::Host;
use crate::render::style::printable;
use crate::t;
use crate::units::MIB;

/// Make, load and list the container images
#[derive(Debug, Args)]
pub(super) struct ImagesCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the bundled images on this host, from a base and the packages of its distribution
    Build {
        /// Only these: llm, postgres, proxy, worker
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// What they begin with: an image pinned by its digest; default: civicum/base, made here from the packages of this
        /// host's own distribution (it takes mmdebstrap)
        #[arg(long, value_name = "IMAGE")]
        base: Option<String>,
        /// The mirror of Debian that the model's server comes from; default: the one that this host's apt has
        #[arg(long, value_name = "URL", value_parser = base::mirror, conflicts_with = "base")]
        debian_mirror: Option<String>,
        /// The folder that holds ONNX Runtime and the models of PP-OCR, for the worker's image; without it the worker reads with
        /// Tesseract alone
        #[arg(long, value_name = "DIR", default_value = OCR_MODELS)]
        ocr: PathBuf,
        /// Make the base and every step anew, with the packages of today; without it what is there already is used again
        #[arg(long)]
        no_cache: bool,
    },
    /// Load images that `docker save` wrote, for a host that reaches no registry
    Load {
        /// The file: tar, also packed by gzip, xz or bzip2
        file: PathBuf,
    },
    /// List the images that are on this host
    List,
}

impl ImagesCommand {
    pub(super) fn run(&self, global: &Global, out: &Out) -> Outcome {
        if global.root.is_some() {
            bail!(t!(
                "{command} is for the running machine: --root has files, and no Docker engine",
                command = "images"
            ));
        }
        let host = open_host(global)?;
        match &self.verb {
            Verb::Build { names, base, debian_mirror, ocr, no_cache } => {
                let from = From {
                    base: base.as_deref(),
                    debian_mirror: debian_mirror.as_deref(),
                    ocr,
                    no_cache: *no_cache,
                };
                build(&host, names, &from, out)
            }
            Verb::Load { file } => load(&host, file, out),
            Verb::List => list(&host, out),
        }
    }
}

/// Where the models are looked for, on the host and in the image.
const OCR_MODELS: &str = "/usr/lib/civicum-tune/ocr";

/// What images are made from.
struct From<'a> {
    base: Option<&'a str>,
    debian_mirror: Option<&'a str>,
    ocr: &'a Path,
    no_cache: bool,
}

fn build(host: &Host, names: &[String], from: &From<'_>, out: &Out) -> Outcome {
    let known: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!(t!(
            "there is no image {name} to be made; there are {names}",
            name = name,
            names = known.join(", ")
        ));
    }
    if let Some(base) = from.base {
        use crate::profile::container::{Image, image};
        if !matches!(image(base), Some(Image::Pinned | Image::Local | Image::Template)) {
            bail!(t!(
                "{base} means another image every day; pin it by its digest, as in debian:12@sha256:…",
                base = base
            ));
        }
    }
    let wanted: Vec<&Template> =
        TEMPLATES.iter().filter(|t| names.is_empty() || names.iter().any(|name| name == t.name)).collect();
    let client = Client::connect(host)?;
    let mut steps = Steps::new(out);
    // The bases that need not be made: of today, or of any day.
    let mut there: Vec<String> = Vec::new();
    if !from.no_cache {
        there.extend(images::list(&client)?.into_iter().flat_map(|image| image.tags));
    }
    let mut made = Vec::new();
    for template in wanted {
        let own = template.base.image();
        if from.base.is_none() && !there.contains(&format!("{own}:latest")) {
            steps.begin(own);
            base::make(host, &client, template.base, from.debian_mirror, &mut steps)?;
            steps.done(own);
            there.push(format!("{own}:latest"));
        }
        let image = template.image();
        steps.begin(&image);
        let ours = if template.holds_us() { our_files(host, from.ocr, out)? } else { Vec::new() };
        let of = images::Ingredients {
            base: from.base.unwrap_or(own),
            is_own_base: from.base.is_none(),
            files: &ours,
            no_cache: from.no_cache,
        };
        let id = images::build(&client, template, &of, &mut |line| steps.line(line))?;
        steps.done(&image);
        made.push(json!({ "image": image, "id": id, "base": of.base }));
    }
    drop(steps);
    if from.no_cache {
        out.say(&t!("What runs gets them with: {command}", command = "sudo civicum-tune deploy"));
        out.say(&t!(
            "What was there before stays on the disk until: {command}",
            command = "docker image prune"
        ));
    }
    if out.json {
        out.document(&json!({ "schema": "civicum-tune/images-build/1", "made": made }));
    }
    Ok(Answer::Yes)
}

/// This very program, and what recognises text: so that the worker's image needs no release of its own.
fn our_files(host: &Host, ocr: &Path, out: &Out) -> anyhow::Result<Vec<(String, u32, Vec<u8>)>> {
    let own = host.own_program().with_context(|| t!("this program's own file is not known"))?;
    let mut files = vec![("files/usr/bin/civicum-tune".to_owned(), 0o755, whole(host, &own)?)];
    if crate::ocr::STATIC {
        out.say(&t!(
            "this is the static civicum-tune, which has no PP-OCR: the worker will read with Tesseract alone"
        ));
        return Ok(files);
    }
    let folder = std::path::absolute(ocr)?.to_string_lossy().into_owned();
    let names = host.list(&folder)?;
    if names.is_empty() {
        out.say(&t!(
            "{folder} holds no models: the worker will read with Tesseract alone; docs/ocr.md says how to get them",
            folder = folder
        ));
    }
    for name in names {
        let bytes = whole(host, &format!("{folder}/{name}"))?;
        files.push((format!("files{OCR_MODELS}/{name}"), 0o644, bytes));
    }
    Ok(files)
}

fn whole(host: &Host, path: &str) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    host.open_large(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn load(host: &Host, file: &Path, out: &Out) -> Outcome {
    let shown = file.display().to_string();
    let absolute = std::path::absolute(file)?;
    let mut content = host.open_large(&absolute.to_string_lossy())?;
    let mut head = Vec::new();
    content
        .by_ref()
        .take(512)
        .read_to_end(&mut head)
        .with_context(|| t!("{file} can't be read", file = shown))?;
    if !is_packed(&head) {
        bail!(t!("{file} is no tar, packed or not: it takes what `docker save` wrote", file = shown));
    }
    let content = std::io::Cursor::new(head).chain(content);
    let client = Client::connect(host)?;
    let mut steps = Steps::new(out);
    steps.begin(&shown);
    let loaded = images::load(&client, &shown, content)?;
    steps.done(&shown);
    drop(steps);
    if out.json {
        out.document(&json!({ "schema": "civicum-tune/images-load/1", "loaded": loaded }));
    } else {
        for image in loaded {
            out.data(&format!("{}\n", printable(&image)));
        }
    }
    Ok(Answer::Yes)
}

/// Does a file begin like a tar, as it is or packed by what the engine unpacks?
fn is_packed(head: &[u8]) -> bool {
    const PACKERS: [&[u8]; 4] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
    head.get(257..262) == Some(b"ustar".as_slice()) || PACKERS.iter().any(|packer| head.starts_with(packer))
}

fn list(host: &Host, out: &Out) -> Outcome {
    let found = images::list(&Client::connect(host)?)?;
    if out.json {
        out.document(&json!({ "schema": "civicum-tune/images/1", "images": found }));
        return Ok(Answer::Yes);
    }
    if found.is_empty() {
        out.data(&t!(
            "There is no image on this host; `civicum-tune images build` makes the bundled ones.\n"
        ));
        return Ok(Answer::Yes);
    }
    for image in &found {
        let name = image.tags.first().or_else(|| image.digests.first()).map_or("–", String::as_str);
        let short: String = image.id.chars().take("sha256:".len() + 12).collect();
        let size = format!("{} MiB", image.size / MIB);
        out.data(&format!("{:<36} {short} {size:>10}  {}\n", printable(name), day(image.created)));
        for digest in &image.digests {
            out.data(&format!("  {}\n", out.style.dim(&printable(digest))));
        }
    }
    Ok(Answer::Yes)
}

/// A day as `YYYY-MM-DD`; a dash where an image tells none that can be, as those do that are to be the same each time they are made.
fn day(seconds: i64) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| (1..YEAR_10000).contains(seconds));
    let moment = seconds.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let text = moment.map(|moment| humantime::format_rfc3339_seconds(moment).to_string());
    text.as_deref().and_then(|text| text.get(..10)).unwrap_or("–").to_owned()
}

/// What is being made, and its last line.
struct Steps<'a> {
    out: &'a Out,
    bar: Option<ProgressBar>,
    begin: Instant,
}

impl<'a> Steps<'a> {
    fn new(out: &'a Out) -> Self {
        Self { out, bar: line_that_stays(out), begin: Instant::now() }
    }

    fn begin(&mut self, name: &str) {
        self.begin = Instant::now();
        match &self.bar {
            Some(bar) => bar.set_prefix(printable(name)),
            None => self.out.say(&format!("{} …", printable(name))),
        }
    }

    fn line(&mut self, line: &str) {
        match &self.bar {
            Some(bar) if self.out.verbose => bar.println(format!("  {}", printable(line))),
            Some(bar) => bar.set_message(printable(line)),
            None if self.out.verbose => self.out.say(&format!("  {}", printable(line))),
            None => {}
        }
    }

    fn done(&mut self, name: &str) {
        let style = self.out.err_style;
        self.say(format!("{} {} {} s", style.green("✓"), printable(name), self.begin.elapsed().as_secs()));
    }

    fn say(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.out.say(&text),
        }
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        assert_eq!(day(1_795_000_000), "2026-11-18");
        assert_eq!([day(0), day(-1), day(253_402_387_139), day(i64::MAX)], ["–"; 4]);
    }

    #[test]
    fn what_looks_like_a_tar() {
        let mut tar = vec![0u8; 512];
        assert!(!is_packed(&tar) && !is_packed(b"") && !is_packed(b"FROM scratch\n"));
        tar[257..262].copy_from_slice(b"ustar");
        assert!(is_packed(&tar) && is_packed(b"\x1f\x8b\x08"));
    }
}
