//! What images begin with: the smallest root file system of a release, made here from its packages.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::Steps;
use crate::container::images::Base;
use crate::engine::{Client, images};
use crate::host::{Host, STATE};
use crate::t;

/// What comes from any mirror of Debian is held to Debian's keys.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A mirror that somebody names.
pub(super) fn mirror(url: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+".contains(c);
    let known = ["http://", "https://", "file:/"].iter().any(|scheme| url.starts_with(scheme));
    if !known || !url.chars().all(plain) {
        return Err(t!("a mirror is an address that begins with http://, https:// or file:/"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// Makes it, and hands it to the engine.
pub(super) fn make(
    host: &Host,
    client: &Client,
    base: Base,
    debian_mirror: Option<&str>,
    steps: &mut Steps<'_>,
) -> anyhow::Result<()> {
    if host.program("mmdebstrap").is_none() {
        bail!(t!(
            "the base image is made with mmdebstrap, which is not here; install it (apt install mmdebstrap), or name an image: --base IMAGE"
        ));
    }
    if !host.may_change() {
        bail!(t!(
            "only root can make the base image; run: {command}",
            command = "sudo civicum-tune images build"
        ));
    }
    let known = known_to_apt(host)?;
    let (suite, sources) = match base {
        Base::Host => own_release(host, &known)?,
        Base::Sid => {
            if !host.exists(KEYS) {
                bail!(t!(
                    "{image} is made of Debian's packages, and its keys are not here: apt install debian-archive-keyring",
                    image = base.image()
                ));
            }
            let site = debian_mirror.or_else(|| of_debian(&known)).with_context(|| {
                t!(
                    "{image} is made of Debian's packages, and this host's apt knows no mirror of Debian; name one: --debian-mirror URL, or an image: --base IMAGE",
                    image = base.image()
                )
            })?;
            steps.say(t!(
                "{image} is made of Debian's packages, from {site}",
                image = base.image(),
                site = site
            ));
            ("sid".to_owned(), vec![format!("deb [signed-by={KEYS}] {site} sid main")])
        }
    };
    let folder = format!("{STATE}/images");
    host.make_state_folder()?;
    host.make_folder(&folder, 0o700)?;
    let tar = format!("{folder}/base.tar");
    let options = apt_options(host)?;
    let mut args = vec!["--variant=minbase", "--format=tar"];
    args.extend(options.iter().map(String::as_str));
    args.extend([suite.as_str(), tar.as_str()]);
    args.extend(sources.iter().map(String::as_str));
    let made = host.run("mmdebstrap", &args, Duration::from_secs(1800), &mut |line| steps.line(line));
    let imported = made.map_err(anyhow::Error::from).and_then(|_| {
        let file = host.open_large(&tar)?;
        images::import(client, base.image(), file).map_err(anyhow::Error::from)
    });
    host.replace(&tar, &crate::host::Image::Absent)?;
    imported
}

/// How this host's apt reaches its mirror: through a proxy, or on a mirror that stands still.
fn apt_options(host: &Host) -> anyhow::Result<Vec<String>> {
    let wanted = ["Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until"];
    let args = [&["dump", "--format", "%F \"%v\";%n"], wanted.as_slice()].concat();
    let told = host.run("apt-config", &args, Duration::from_secs(60), &mut |_| {})?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let set = told
        .lines()
        .filter(|line| wanted.iter().any(|key| line.starts_with(key)) && !line.ends_with("\"\";"));
    Ok(set.map(|line| format!("--aptopt={line}")).collect())
}

/// One index that apt knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Index {
    site: String,
    release: String,
    component: String,
    /// Who makes it, in its own words: others have a `/debian` too.
    origin: String,
}

/// All that this host's apt knows, each from a plain mirror: Debian's cloud images have a file of mirrors in its place, which
/// an image does not have.
fn known_to_apt(host: &Host) -> anyhow::Result<Vec<Index>> {
    let format =
        ["indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT) $(ORIGIN)", "Created-By: Packages"];
    let told = host.run("apt-get", &format, Duration::from_secs(60), &mut |_| {})?;
    let mut known = indexes(&String::from_utf8_lossy(&told.stdout));
    for index in &mut known {
        if let Some(list) = list_of_mirrors(&index.site) {
            let text = host.read_text(list)?.unwrap_or_default();
            index.site = first_mirror(&text)
                .with_context(|| t!("{file}, which apt is told to find a mirror in, has none", file = list))?
                .to_owned();
        }
    }
    known.sort();
    known.dedup();
    Ok(known)
}

fn indexes(told: &str) -> Vec<Index> {
    let index = |line: &str| {
        let mut parts = line.split_whitespace().map(str::to_owned);
        let site = parts.next()?.trim_end_matches('/').to_owned();
        let (release, component) = (parts.next()?, parts.next()?);
        Some(Index { site, release, component, origin: parts.next().unwrap_or_default() })
    };
    told.lines().filter_map(index).collect()
}

/// `mirror+file:/etc/apt/mirrors/debian.list`: the file that it names.
fn list_of_mirrors(site: &str) -> Option<&str> {
    let path = site.strip_prefix("mirror+file:").or_else(|| site.strip_prefix("mirror:file:"))?;
    Some(path.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(path))
}

/// An address in each line, with its priority and the like behind a tab: apt-transport-mirror(1).
fn first_mirror(list: &str) -> Option<&str> {
    let addresses = list.lines().filter_map(|line| line.split_whitespace().next());
    let mut plain = addresses.filter(|word| word.starts_with("http://") || word.starts_with("https://"));
    plain.next().map(|address| address.trim_end_matches('/'))
}

/// A mirror of Debian among them.
fn of_debian(known: &[Index]) -> Option<&str> {
    let debian = |index: &&Index| index.origin == "Debian" && index.site.ends_with("/debian");
    known.iter().filter(debian).map(|index| index.site.as_str()).find(|site| mirror(site).is_ok())
}

/// The name of this host's own release, and where its packages come from.
fn own_release(host: &Host, known: &[Index]) -> anyhow::Result<(String, Vec<String>)> {
    let release = host.read_text("/etc/os-release")?.unwrap_or_default();
    let suite =
        release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).map(|s| s.trim_matches('"'));
    let suite =
        suite.with_context(|| t!("/etc/os-release does not tell the release's code name"))?.to_owned();
    let sources = sources(known, &suite);
    if sources.is_empty() {
        bail!(t!("apt knows no mirror of {suite}; look at /etc/apt/sources.list", suite = suite));
    }
    Ok((suite, sources))
}

/// The lines for `sources.list` of one release.
fn sources(known: &[Index], suite: &str) -> Vec<String> {
    let ours = |index: &&Index| {
        // Others call theirs alike: `bookworm-pgdg`.
        let rest = index.release.strip_prefix(suite);
        rest.is_some_and(|rest| ["", "-updates", "-security"].contains(&rest))
            && ["main", "universe"].contains(&index.component.as_str())
    };
    let line = |index: &Index| format!("deb {} {} {}", index.site, index.release, index.component);
    known.iter().filter(ours).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_mirrors() {
        let told = "http://a/debian bookworm main Debian\nhttp://a/debian bookworm-updates main Debian\n\
                    http://s/ bookworm-security main Debian\nhttp://a/debian bookworm contrib Debian\n\
                    http://a/debian bookworm-backports main Debian Backports\nhttp://a/debian sid main Debian\n\
                    http://0/pgdg bookworm-pgdg main apt.postgresql.org\nhttp://0/linux/debian bookworm stable Docker\n";
        let known = indexes(told);
        assert_eq!(
            sources(&known, "bookworm"),
            [
                "deb http://a/debian bookworm main",
                "deb http://a/debian bookworm-updates main",
                "deb http://s bookworm-security main"
            ]
        );
        assert_eq!(of_debian(&known), Some("http://a/debian"));
        assert_eq!(of_debian(&indexes("http://archive.ubuntu.com/ubuntu noble main\n")), None);
    }

    #[test]
    fn mirrors_that_stand_in_a_file() {
        assert_eq!(
            list_of_mirrors("mirror+file:/etc/apt/mirrors/debian.list"),
            Some("/etc/apt/mirrors/debian.list")
        );
        assert_eq!(list_of_mirrors("mirror+file:///etc/x.list"), Some("/etc/x.list"));
        assert_eq!(list_of_mirrors("http://a/debian"), None);
        let list = "# near by\nhttps://b/debian/\tpriority:1\nhttp://a/debian\n";
        assert_eq!(first_mirror(list), Some("https://b/debian"));
        assert_eq!(first_mirror("\n"), None);
    }

    #[test]
    fn what_is_a_mirror() {
        assert_eq!(mirror("https://b/debian/").as_deref(), Ok("https://b/debian"));
        for bad in ["", "b/debian", "http://b/debian sid", "http://b/]x", "ftp://b", "http://b/\ndeb"] {
            assert!(mirror(bad).is_err(), "{bad:?}");
        }
    }
}
