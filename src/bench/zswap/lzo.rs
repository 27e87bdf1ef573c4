//! LZO1X-1 for single pages, after the description of its format in the kernel's `Documentation/staging/lzo.rst`.
//!
//! The libraries that pack LZO as the kernel does are under the GPL, and the free one that is not (lzokay, which unpacks here)
//! searches for the best match instead of the first one: a tenth of the speed, and a ratio that no kernel has.

/// Bits of the table that remembers where four bytes stood.
const BITS: u32 = 13;
/// The farthest and the longest match that has the short form, in bytes.
const NEAR: usize = 0x800;
const SHORT: usize = 8;
/// The longest match of the long form without a count of its own.
const LONG: usize = 33;
/// What stands at the end of every stream.
const END: [u8; 3] = [0x11, 0, 0];

/// Packs pages; the table is kept from one to the next.
pub(super) struct Lzo {
    table: Box<[u16; 1 << BITS]>,
}

impl Lzo {
    pub(super) fn new() -> Self {
        Self { table: Box::new([0; 1 << BITS]) }
    }

    /// Packs a page of at most 16 KiB into `room`, and gives how much it takes: more than the room has where it is too small.
    pub(super) fn pack(&mut self, page: &[u8], room: &mut [u8]) -> usize {
        let out = &mut Out { room, used: 0 };
        self.table.fill(0);
        let (mut at, mut literals) = (4, 0);
        while at + 4 <= page.len() {
            let four = u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
            let slot = (four.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize;
            let before = usize::from(self.table[slot]);
            self.table[slot] = u16::try_from(at).unwrap_or(u16::MAX);
            if page[before..before + 4] != page[at..at + 4] {
                // The longer nothing is found, the larger the steps.
                at += 1 + (at - literals) / 32;
                continue;
            }
            let same = page[before + 4..]
                .iter()
                .zip(&page[at + 4..])
                .take_while(|(one, other)| one == other)
                .count();
            put_literals(&page[literals..at], out);
            put_match(at - before, same + 4, out);
            at += same + 4;
            literals = at;
        }
        put_literals(&page[literals..], out);
        out.extend(&END);
        out.used
    }
}

/// Where it goes: no memory of its own, since that would be neither locked nor overwritten.
struct Out<'o> {
    room: &'o mut [u8],
    used: usize,
}

impl Out<'_> {
    fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    fn extend(&mut self, bytes: &[u8]) {
        if let Some(place) = self.room.get_mut(self.used..self.used + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.used += bytes.len();
    }
}

fn put_literals(bytes: &[u8], out: &mut Out<'_>) {
    let count = bytes.len();
    match count {
        0 => {}
        _ if out.used == 0 && count <= 238 => out.push(byte(17 + count)),
        // They fit into the match before them, two bytes back.
        1..=3 => {
            if let Some(before) = out.used.checked_sub(2).and_then(|at| out.room.get_mut(at)) {
                *before |= byte(count);
            }
        }
        4..=18 => out.push(byte(count - 3)),
        _ => {
            out.push(0);
            put_rest(count - 18, out);
        }
    }
    out.extend(bytes);
}

fn put_match(distance: usize, length: usize, out: &mut Out<'_>) {
    let far = distance - 1;
    if length <= SHORT && distance <= NEAR {
        out.push(byte(((length - 1) << 5) | ((far & 7) << 2)));
        out.push(byte(far >> 3));
        return;
    }
    if length <= LONG {
        out.push(byte(0x20 | (length - 2)));
    } else {
        out.push(0x20);
        put_rest(length - LONG, out);
    }
    out.push(byte((far << 2) & 0xff));
    out.push(byte(far >> 6));
}

/// A count as so many 255s that are written as 0, and the rest.
fn put_rest(mut count: usize, out: &mut Out<'_>) {
    while count > 255 {
        out.push(0);
        count -= 255;
    }
    out.push(byte(count));
}

#[allow(clippy::cast_possible_truncation)] // Each caller has masked or bounded it.
const fn byte(value: usize) -> u8 {
    value as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(page: &[u8]) -> usize {
        let (mut packed, mut back) = (vec![0; 2 * page.len() + 64], vec![0; page.len()]);
        let used = Lzo::new().pack(page, &mut packed);
        packed.truncate(used);
        // Without room it says how much it would take, and writes nothing behind it.
        assert_eq!(Lzo::new().pack(page, &mut vec![0; used / 2]), used);
        let size = lzokay::decompress::decompress(&packed, &mut back).unwrap();
        assert_eq!((size, back.as_slice()), (page.len(), page));
        packed.len()
    }

    #[test]
    fn what_another_library_unpacks() {
        assert!(there_and_back(&[7; 4096]) < 40);
        let text: String = (0..400).map(|n| format!("línea {n} de un texto\n")).collect();
        assert!(there_and_back(&text.as_bytes()[..4096]) < 2100);
        let mut seed = 1u32;
        let noise: Vec<u8> = (0..4096)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                byte((seed >> 24) as usize)
            })
            .collect();
        assert!(there_and_back(&noise) > 4096);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_page(parts in proptest::collection::vec((any::<u8>(), 1usize..600, any::<bool>()), 1..60)) {
            let mut page = Vec::new();
            for (byte, count, runs) in parts {
                let at = page.len();
                page.extend((0..count).map(|n| if runs { byte } else { self::byte((n * n + usize::from(byte) + at) & 0xff) }));
            }
            page.truncate(4096);
            there_and_back(&page);
        }
    }
}
