//! What changed for zswap from kernel to kernel.

/// Major and minor number.
pub type Version = (u32, u32);

/// From here on z3fold and zbud are gone (deprecated since 6.12).
pub const OLD_ALLOCATORS_GONE: Version = (6, 15);
/// From here on there is no `zpool` parameter: zsmalloc is the only allocator.
pub const ZPOOL_PARAMETER_GONE: Version = (6, 18);
/// From here on zswap keeps a page that does not shrink as it is, wherever pages may be written back (`zswap_compress` in
/// `mm/zswap.c`); before it, such a page goes to the disk.
pub const KEEPS_WHAT_DOES_NOT_SHRINK: Version = (6, 18);
/// Before it, zsmalloc can't write pages back to disk, and a full pool turns new pages away.
pub const ZSMALLOC_WRITES_BACK: Version = (6, 3);
/// Pages in a pool for one page of RAM, as lz4 packs ordinary memory: three for two.
pub const PAGES_HELD: (u64, u64) = (3, 2);
