//! What the allocators of zswap take for compressed pages, by the rules of the kernel's own sources.
//!
//! zbud and z3fold part a page into 64 chunks (`NCHUNKS_ORDER` 6 in `mm/zbud.c` and `mm/z3fold.c`); zsmalloc has classes of sizes,
//! each with the chain of pages that wastes least (`mm/zsmalloc.c`, `Documentation/mm/zsmalloc.rst`). A test holds them against
//! what the kernel's documentation says of them.

use crate::profile::kernels::{KEEPS_WHAT_DOES_NOT_SHRINK, OLD_ALLOCATORS_GONE, Version};

/// Bytes of a page.
pub const PAGE: usize = 4096;
/// Chunks of a page, and the bytes of one.
const CHUNKS: usize = 64;
const CHUNK: usize = PAGE / CHUNKS;

/// An allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocator {
    /// Two compressed pages in one (until 6.14).
    Zbud,
    /// Three (until 6.14).
    Z3fold,
    /// As many as fit.
    Zsmalloc,
}

/// What became of pages that were to be held.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Held {
    /// Those that are held.
    pub stored: usize,
    /// Those that it does not take: they go to the disk.
    pub refused: usize,
    /// Pages of memory for those that are held. A class of zsmalloc that is not full to its last page counts with the part that
    /// is: with the many pages of a real pool the rest does not matter.
    pub taken: f64,
}

impl Held {
    /// Pages that one page of memory holds; 0 where nothing is held.
    #[allow(clippy::cast_precision_loss)]
    pub fn per_page(self) -> f64 {
        if self.taken > 0.0 { self.stored as f64 / self.taken } else { 0.0 }
    }
}

impl Allocator {
    /// All.
    pub const ALL: [Self; 3] = [Self::Zbud, Self::Z3fold, Self::Zsmalloc];

    /// Those that a kernel of this version has.
    pub fn of(kernel: Version) -> &'static [Self] {
        if kernel >= OLD_ALLOCATORS_GONE { &[Self::Zsmalloc] } else { &Self::ALL }
    }

    /// The name that the kernel knows it by.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Zbud => "zbud",
            Self::Z3fold => "z3fold",
            Self::Zsmalloc => "zsmalloc",
        }
    }

    /// Holds compressed pages of these sizes in bytes, one after the other, as a kernel of this version does.
    pub fn hold(self, sizes: &[usize], kernel: Version) -> Held {
        match self {
            // One chunk is the header's; a page that leaves no chunk for a second one is refused.
            Self::Zbud => fold(sizes, &Fold { header: 1, most: 2, headless: false }),
            // `struct z3fold_header` has 88 bytes, two chunks; what leaves less than one is a page of its own, without header.
            Self::Z3fold => fold(sizes, &Fold { header: 2, most: 3, headless: true }),
            Self::Zsmalloc => Classes::new(chain(kernel)).hold(sizes, kernel >= KEEPS_WHAT_DOES_NOT_SHRINK),
        }
    }
}

/// How zbud and z3fold put pages together.
struct Fold {
    /// Chunks of the header.
    header: usize,
    /// Compressed pages in a page.
    most: usize,
    /// A page that is too large for company gets one of its own.
    headless: bool,
}

/// Pages that have room left, by how much: the least that fits is taken, and of those the newest.
fn fold(sizes: &[usize], rules: &Fold) -> Held {
    let room = CHUNKS - rules.header;
    let largest = PAGE - rules.header * CHUNK - CHUNK;
    let mut open: Vec<Vec<Partly>> = vec![Vec::new(); room + 1];
    let mut held = Held::default();
    for size in sizes {
        if *size > largest {
            if rules.headless && *size < PAGE {
                held.stored += 1;
                held.taken += 1.0;
            } else {
                held.refused += 1;
            }
            continue;
        }
        let chunks = size.div_ceil(CHUNK).max(1);
        // A list of pages that are wholly free does not exist: they are given back.
        let found = (chunks..room).find_map(|free| open[free].pop());
        let mut page = found.unwrap_or_else(|| {
            held.taken += 1.0;
            Partly { parts: [0; 3] }
        });
        page.put(chunks);
        held.stored += 1;
        let (count, free) = (page.count(), page.free(room));
        if count < rules.most {
            open[free].push(page);
        }
    }
    held
}

/// A page with its parts in chunks: first, middle (z3fold's alone) and last.
#[derive(Debug, Clone, Copy)]
struct Partly {
    parts: [usize; 3],
}

impl Partly {
    fn count(&self) -> usize {
        self.parts.iter().filter(|part| **part > 0).count()
    }

    /// First, then last, and the middle when both are there (`get_free_buddy`).
    fn put(&mut self, chunks: usize) {
        let at = [0, 2, 1].into_iter().find(|at| self.parts[*at] == 0);
        if let Some(at) = at {
            self.parts[at] = chunks;
        }
    }

    fn free(&self, room: usize) -> usize {
        room.saturating_sub(self.parts.iter().sum())
    }
}

/// The most pages of a chain before 6.3 (`ZS_MAX_ZSPAGE_ORDER` 2), and since then as kernels are configured
/// (`CONFIG_ZSMALLOC_CHAIN_SIZE`).
const OLD_CHAIN: usize = 4;
const CHAIN: usize = 8;

fn chain(kernel: Version) -> usize {
    if kernel >= (6, 3) { CHAIN } else { OLD_CHAIN }
}

/// Bytes that the handle takes of each object.
const HANDLE: usize = 8;
/// The smallest object, and the step from one class to the next (`PAGE_SIZE >> CLASS_BITS`).
const SMALLEST: usize = 32;
const STEP: usize = PAGE >> 8;

/// zsmalloc's classes: bytes, pages of a chain, objects in it.
struct Classes(Vec<(usize, usize, usize)>);

impl Classes {
    fn new(chain: usize) -> Self {
        Self::by(chain, chain == OLD_CHAIN)
    }

    /// `percents`: chains are compared by the part of them that is used, in whole percents, as kernels before 6.3 did.
    fn by(chain: usize, percents: bool) -> Self {
        let sizes = (0..=(PAGE - SMALLEST) / STEP).map(|index| SMALLEST + index * STEP);
        Self(sizes.map(|size| Self::class(size, chain, percents)).collect())
    }

    /// The chain that wastes least; of several the shortest.
    fn class(size: usize, chain: usize, percents: bool) -> (usize, usize, usize) {
        let used = |pages: &usize| (pages * PAGE - pages * PAGE % size) * 100 / (pages * PAGE);
        let pages = if percents {
            (1..=chain).rev().max_by_key(used).unwrap_or(1)
        } else {
            (1..=chain).min_by_key(|pages| pages * PAGE % size).unwrap_or(1)
        };
        (size, pages, pages * PAGE / size)
    }

    /// The class for an object: the smallest that it fits into. The kernel merges neighbours with the same pages and objects,
    /// which changes nothing of what they take.
    fn of(&self, size: usize) -> (usize, usize, usize) {
        let index = (size + HANDLE).saturating_sub(SMALLEST).div_ceil(STEP).min(self.0.len() - 1);
        self.0[index]
    }

    /// `whole`: what does not shrink gets a page of its own.
    fn hold(&self, sizes: &[usize], whole: bool) -> Held {
        let mut held = Held::default();
        for size in sizes {
            if *size >= PAGE && !whole {
                held.refused += 1;
                continue;
            }
            let (_, pages, objects) = self.of(*size);
            held.stored += 1;
            #[allow(clippy::cast_precision_loss)]
            let part = pages as f64 / objects as f64;
            held.taken += part;
        }
        held
    }

    /// Groups of classes with the same pages and objects; the smallest size that has a page of its own.
    #[cfg(test)]
    fn shape(&self) -> (usize, usize) {
        let groups = self.0.chunk_by(|one, other| (one.1, one.2) == (other.1, other.2)).count();
        let largest =
            self.0.iter().rev().find(|class| (class.1, class.2) != (1, 1)).map_or(0, |class| class.0);
        (groups, largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Version = (6, 1);
    const NEW: Version = (6, 6);

    fn per_page(allocator: Allocator, size: usize) -> f64 {
        (allocator.hold(&[size; 1260], NEW).per_page() * 100.0).round() / 100.0
    }

    #[test]
    fn zsmalloc_has_the_classes_that_the_kernel_documents() {
        // Documentation/mm/zsmalloc.rst lists for chains of 4 to 8 pages how many groups of classes there are, and the largest
        // size that shares a page. Its groups were counted before the waste of whole chains was compared, its sizes still hold.
        let documented = [(4, 69, 3264), (5, 86, 3408), (6, 93, 3504), (7, 112, 3584), (8, 123, 3632)];
        for (chain, groups, largest) in documented {
            assert_eq!(Classes::by(chain, true).shape(), (groups, largest));
            assert_eq!(Classes::by(chain, false).shape().1, largest);
        }
        // From its table: class 254 (4096) one object in one page; 3632 nine in eight; 3264 five in four.
        let classes = Classes::new(8);
        let class = |size: usize| *classes.0.iter().find(|class| class.0 == size).unwrap();
        assert_eq!((class(3632), class(3264)), ((3632, 8, 9), (3264, 4, 5)));
        assert_eq!(class(2720), (2720, 2, 3));
    }

    #[test]
    #[allow(clippy::float_cmp)] // Rounded to what is compared.
    fn two_thirds_of_a_page() {
        // lz4's 1.5 to 1: neither zbud nor z3fold puts two such pages together, zsmalloc puts three in two.
        assert_eq!(per_page(Allocator::Zbud, 2700), 1.0);
        assert_eq!(per_page(Allocator::Z3fold, 2700), 1.0);
        assert_eq!(per_page(Allocator::Zsmalloc, 2700), 1.5);
        // A page that shrinks to half of it, less the header, has company; one byte more, and it has none in z3fold.
        assert_eq!(per_page(Allocator::Zbud, 31 * 64), 2.0);
        assert_eq!(per_page(Allocator::Z3fold, 31 * 64), 2.0);
        assert_eq!(per_page(Allocator::Z3fold, 31 * 64 + 1), 1.0);
        assert_eq!(per_page(Allocator::Z3fold, 20 * 64), 3.0);
        assert_eq!(per_page(Allocator::Z3fold, 21 * 64), 2.0);
        assert_eq!(per_page(Allocator::Zbud, 20 * 64), 2.0);
    }

    #[test]
    #[allow(clippy::float_cmp)] // Whole pages.
    fn what_hardly_shrinks() {
        // zbud: size > PAGE_SIZE - ZHDR_SIZE_ALIGNED - CHUNK_SIZE is -ENOSPC.
        assert_eq!(Allocator::Zbud.hold(&[3968, 3969], NEW), Held { stored: 1, refused: 1, taken: 1.0 });
        assert_eq!(
            Allocator::Z3fold.hold(&[3904, 3905, 4095, 4096], NEW),
            Held { stored: 3, refused: 1, taken: 3.0 }
        );
        assert_eq!(
            Allocator::Zsmalloc.hold(&[3625, 4095, 4096], NEW),
            Held { stored: 2, refused: 1, taken: 2.0 }
        );
        // Since 6.18 what does not shrink is kept as it is.
        assert_eq!(
            Allocator::Zsmalloc.hold(&[3625, 4095, 4096], (6, 18)),
            Held { stored: 3, refused: 0, taken: 3.0 }
        );
        assert_eq!((Allocator::of((6, 14)).len(), Allocator::of((6, 15))), (3, &[Allocator::Zsmalloc][..]));
        // 3624 and its handle are 3632: nine in eight pages, where chains have eight.
        assert!(
            Allocator::Zsmalloc.hold(&[3624], NEW).taken < 0.9
                && Allocator::Zsmalloc.hold(&[3624], OLD).taken == 1.0
        );
    }

    #[test]
    #[allow(clippy::float_cmp)] // Whole pages.
    fn pages_find_company_that_fits() {
        let of = |chunks: &[usize]| chunks.iter().map(|chunks| chunks * 64).collect::<Vec<_>>();
        assert_eq!(Allocator::Zbud.hold(&of(&[40, 30, 23, 33]), NEW).taken, 2.0);
        assert_eq!(Allocator::Z3fold.hold(&of(&[40, 12, 10, 30, 22, 10]), NEW).taken, 2.0);
        assert_eq!(Allocator::Zbud.hold(&[], NEW).per_page(), 0.0);
    }
}
