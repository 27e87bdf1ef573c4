//! Images: made from our templates, loaded from a file, listed.

use std::collections::HashMap;
use std::io::{self, Read};

use bollard::errors::Error;
use bollard::query_parameters::{
    BuildImageOptionsBuilder, CreateImageOptions, CreateImageOptionsBuilder, ImportImageOptionsBuilder,
    ListImagesOptionsBuilder,
};
use bollard::{body_full, body_try_stream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::client::Client;
use super::error::EngineError;
use crate::container::images::Template;
use crate::container::label;
use crate::t;

/// An image on the host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// `sha256:…`
    pub id: String,
    /// `NAME:TAG`, each.
    pub tags: Vec<String>,
    /// `NAME@sha256:…`, each.
    pub digests: Vec<String>,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub created: i64,
    /// The template that it was made from.
    pub template: Option<String>,
}

/// All images that have a name, or were made here.
pub fn list(client: &Client) -> Result<Vec<Found>, EngineError> {
    let all = client.docker.list_images(Some(ListImagesOptionsBuilder::default().build()));
    let found = client.run(t!("the images can't be listed"), all)?;
    let mut found: Vec<Found> = found
        .into_iter()
        .map(|image| Found {
            id: image.id,
            tags: image.repo_tags.into_iter().filter(|tag| tag != "<none>:<none>").collect(),
            digests: image.repo_digests.into_iter().filter(|digest| digest != "<none>@<none>").collect(),
            size: u64::try_from(image.size).unwrap_or(0),
            created: image.created,
            template: image.labels.get(label::TEMPLATE).cloned(),
        })
        .collect();
    found.sort_by(|a, b| (&a.tags, &a.id).cmp(&(&b.tags, &b.id)));
    Ok(found)
}

/// What an image is made of, besides its template.
#[derive(Debug)]
pub struct Ingredients<'a> {
    /// What it begins with.
    pub base: &'a str,
    /// The base is made here, so that its day is that of the packages.
    pub is_own_base: bool,
    /// Files that come with the template's: name, mode, content.
    pub files: &'a [(String, u32, Vec<u8>)],
    /// Every step is done anew. Else the engine keeps each, so that one that is there already costs nothing, and brings nothing new.
    pub no_cache: bool,
}

/// Makes an image from a template. `heard` gets each line of the build. Gives back its id.
pub fn build(
    client: &Client,
    template: &Template,
    of: &Ingredients<'_>,
    heard: &mut dyn FnMut(&str),
) -> Result<String, EngineError> {
    let image = template.image();
    let action = || t!("the image {image} can't be made", image = image);
    let context = pack(template, of.files).map_err(|error| EngineError::new(action(), error.to_string()))?;
    let mut labels = HashMap::from([(label::TEMPLATE, template.name)]);
    let day = if of.is_own_base { day(client, of.base)? } else { None };
    labels.extend(day.as_deref().map(|day| (label::PACKAGES, day)));
    let options = BuildImageOptionsBuilder::default()
        .dockerfile("Dockerfile")
        .t(&image)
        .rm(true)
        .forcerm(true)
        // The host's own way to its package mirror, name server and all.
        .networkmode("host")
        .nocache(of.no_cache)
        .buildargs(&HashMap::from([("BASE", of.base)]))
        .labels(&labels)
        .build();
    let mut tail: Vec<String> = Vec::new();
    let mut keep = |text: &str| {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            heard(line);
            tail.push(line.to_owned());
            if tail.len() > 12 {
                tail.remove(0);
            }
        }
    };
    let built = client.run(action(), async {
        let mut steps =
            std::pin::pin!(client.streams.build_image(options, None, Some(body_full(context.into()))));
        while let Some(step) = steps.next().await {
            if let Some(text) = step?.stream {
                keep(&text);
            }
        }
        Ok(())
    });
    built.map_err(|error| {
        let said: String = tail.iter().map(|line| format!("\n  | {line}")).collect();
        EngineError { reason: format!("{}{said}", error.reason), ..error }
    })?;
    let made = client.run(action(), client.docker.inspect_image(&image))?;
    Ok(made.id.unwrap_or_default())
}

/// The day on which an image was made.
fn day(client: &Client, image: &str) -> Result<Option<String>, EngineError> {
    let found = client
        .run(t!("the image {image} can't be looked at", image = image), client.docker.inspect_image(image))?;
    Ok(found.created.and_then(|time| time.get(..10).map(str::to_owned)))
}

/// The template's files and what comes with them, as the engine takes them.
fn pack(template: &Template, extra: &[(String, u32, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let files = template.files.iter().map(|(name, mode, text)| (*name, *mode, text.as_bytes()));
    for (name, mode, bytes) in
        files.chain(extra.iter().map(|(name, mode, bytes)| (name.as_str(), *mode, bytes.as_slice())))
    {
        // No time and no owner: equal files are equal contexts, and the engine's cache holds.
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_mtime(0);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes)?;
    }
    tar.into_inner()
}

/// Makes an image of a root file system, packed as a tar.
pub fn import(client: &Client, image: &str, tar: impl Read + Send + 'static) -> Result<(), EngineError> {
    let options: CreateImageOptions = CreateImageOptionsBuilder::default()
        .from_src("-")
        .repo(image)
        .changes(vec![format!("LABEL {}=base", label::TEMPLATE)])
        .build();
    client.run(t!("the image {image} can't be made", image = image), async {
        let body = body_try_stream(parts(tar));
        let mut steps = std::pin::pin!(client.streams.create_image(Some(options), Some(body), None));
        while let Some(step) = steps.next().await {
            step?;
        }
        Ok(())
    })
}

/// Loads what `docker save` wrote. Gives back the names and ids that the engine tells.
pub fn load(
    client: &Client,
    name: &str,
    tar: impl Read + Send + 'static,
) -> Result<Vec<String>, EngineError> {
    let action = t!("the images of {file} can't be loaded", file = name);
    let loaded = client.run(action.clone(), async {
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let body = body_try_stream(parts(tar));
        let mut steps = std::pin::pin!(client.streams.import_image(options, body, None));
        let mut told = Vec::new();
        while let Some(step) = steps.next().await {
            let text = step?.stream.unwrap_or_default();
            told.extend(text.lines().filter_map(|line| line.strip_prefix("Loaded image").map(str::to_owned)));
        }
        Ok::<_, Error>(told)
    })?;
    let loaded: Vec<String> = loaded
        .iter()
        .map(|line| line.trim_start_matches(" ID").trim_start_matches(':').trim().to_owned())
        .collect();
    if loaded.is_empty() {
        return Err(EngineError::new(action, t!("there is no image in it; `docker save` writes such files")));
    }
    Ok(loaded)
}

fn parts(mut from: impl Read + Send + 'static) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let mut buffer = vec![0u8; 256 << 10];
    futures_util::stream::iter(std::iter::from_fn(move || match from.read(&mut buffer) {
        Ok(0) => None,
        Ok(n) => Some(Ok(Bytes::copy_from_slice(&buffer[..n]))),
        Err(error) => Some(Err(error)),
    }))
}
