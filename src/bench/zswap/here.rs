//! What zswap is on this kernel: what it has, and what `apply` takes of it.

use super::{Allocator, Codec};
use crate::profile::kernels::{Version, ZSMALLOC_WRITES_BACK};
use crate::tunable::{Context, zswap};

/// zswap as the running kernel has it.
#[derive(Debug, Clone)]
pub struct Here {
    /// The version of the kernel.
    pub kernel: Version,
    /// Allocators that it has.
    pub allocators: Vec<Allocator>,
    /// Can one of them be chosen?
    pub has_choice: bool,
    /// The one that it uses with what the profile wants.
    pub allocator: String,
    /// Compressors that it has, of those that can be measured.
    pub codecs: Vec<Codec>,
    /// The one that it uses with what the profile wants.
    pub compressor: String,
}

impl Here {
    /// By the same facts as `apply`. Where the host does not tell what its kernel has, that is what one of its version can have.
    pub fn of(cx: &Context<'_>) -> Self {
        let kernel = cx.facts.kernel.version;
        let has_choice = zswap::has_zpool(cx);
        let of_version = if has_choice { Allocator::of(kernel) } else { &[Allocator::Zsmalloc] };
        let has = |name: &str| zswap::may_have(cx, name);
        let allocators = present(of_version, |one| !has_choice || has(one.word()));
        let first = || allocators.first().map_or("", |one| one.word()).to_owned();
        Self {
            kernel,
            has_choice: has_choice && allocators.len() > 1,
            allocator: zswap::allocator(cx).unwrap_or_else(first),
            codecs: present(&Codec::ALL, |one| has(one.word()) || (*one == Codec::Lzo && has("lzo-rle"))),
            compressor: zswap::compressor_used(cx),
            allocators,
        }
    }

    /// What can be measured and this kernel does not have.
    pub(super) fn lacks(&self) -> Vec<&'static str> {
        let allocators = Allocator::ALL.iter().filter(|one| !self.allocators.contains(one));
        let codecs = Codec::ALL.iter().filter(|one| !self.codecs.contains(one));
        allocators.map(|one| one.word()).chain(codecs.map(|one| one.word())).collect()
    }

    /// Those that can take another's place: a full pool that can't write back turns new pages away.
    pub fn choices(&self) -> impl Iterator<Item = Allocator> + '_ {
        let writes_back =
            |one: &Allocator| *one != Allocator::Zsmalloc || self.kernel >= ZSMALLOC_WRITES_BACK;
        self.allocators.iter().copied().filter(move |one| writes_back(one) || one.word() == self.allocator)
    }
}

/// Those that are there; all, where a list of modules has none of what there must be.
fn present<T: Copy>(all: &[T], has: impl Fn(&T) -> bool) -> Vec<T> {
    let found: Vec<T> = all.iter().copied().filter(|one| has(one)).collect();
    if found.is_empty() { all.to_vec() } else { found }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;
    use crate::facts::Facts;
    use crate::host::Host;
    use crate::profile::Settings;

    /// Of a host of tests/hosts, with what a profile wants.
    pub(crate) fn of_fixture(name: &str, settings: &Settings) -> Here {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts").join(name).join("tree");
        let host = Host::at(&tree).unwrap();
        let facts = Facts::read(&host).unwrap();
        Here::of(&Context { wish: settings, facts: &facts, host: &host, remember: None })
    }

    fn wanted(compressor: &str, zpool: &[&str]) -> Settings {
        let mut settings = Settings::default();
        settings.zswap.compressor = compressor.to_owned();
        settings.zswap.zpool = zpool.iter().map(|name| (*name).to_owned()).collect();
        settings
    }

    #[test]
    fn what_the_kernel_has_and_what_apply_takes_of_it() {
        // Debian 13 is 6.12, which could have z3fold and zstd, and this one has neither.
        let here = of_fixture("debian-13", &wanted("zstd", &["z3fold", "zsmalloc", "zbud"]));
        assert_eq!(here.allocators, [Allocator::Zbud, Allocator::Zsmalloc]);
        assert_eq!((here.allocator.as_str(), here.has_choice), ("zsmalloc", true));
        assert_eq!(
            (here.codecs.as_slice(), here.compressor.as_str()),
            (&[Codec::Lz4, Codec::Lzo][..], "lz4")
        );
        assert_eq!(here.lacks(), ["z3fold", "zstd"]);
        // Before 6.3 zsmalloc can't write back, and `apply` passes over it.
        let here = of_fixture("ubuntu-22.04-milan", &wanted("lz4", &["zsmalloc", "z3fold"]));
        assert!(here.kernel < ZSMALLOC_WRITES_BACK, "{here:?}");
        assert_eq!(
            (here.allocator.as_str(), here.choices().any(|one| one == Allocator::Zsmalloc)),
            ("z3fold", false)
        );
    }
}
