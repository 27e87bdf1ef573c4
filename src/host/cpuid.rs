//! The processor's own answers: CPUID, and which registers the operating system saves.

/// What the processor says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cpuid {
    /// Vendor string.
    pub vendor: String,
    /// Family, extended family included.
    pub family: u32,
    /// Model, extended model included.
    pub model: u32,
    /// AVX-512 subsets, spelled as `/proc/cpuinfo` spells them.
    pub avx512: Vec<String>,
    /// XCR0: which register sets the operating system saves; `None` without OSXSAVE.
    pub xcr0: Option<u64>,
}

/// Asks the processor. `None` on one that is not `x86_64`.
#[cfg(target_arch = "x86_64")]
pub fn ask() -> Option<Cpuid> {
    let cpuid = raw_cpuid::CpuId::new();
    let vendor = cpuid.get_vendor_info()?.as_str().to_owned();
    let features = cpuid.get_feature_info()?;
    let mut avx512 = Vec::new();
    if let Some(extended) = cpuid.get_extended_feature_info() {
        let subsets = [
            ("avx512f", extended.has_avx512f()),
            ("avx512dq", extended.has_avx512dq()),
            ("avx512ifma", extended.has_avx512_ifma()),
            ("avx512cd", extended.has_avx512cd()),
            ("avx512bw", extended.has_avx512bw()),
            ("avx512vl", extended.has_avx512vl()),
            ("avx512_bf16", extended.has_avx512_bf16()),
            ("avx512vbmi", extended.has_avx512vbmi()),
            ("avx512_vbmi2", extended.has_avx512vbmi2()),
            ("avx512_vnni", extended.has_avx512vnni()),
            ("avx512_bitalg", extended.has_avx512bitalg()),
            ("avx512_vpopcntdq", extended.has_avx512vpopcntdq()),
            ("avx512_vp2intersect", extended.has_avx512_vp2intersect()),
            ("avx512_fp16", extended.has_avx512_fp16()),
        ];
        avx512 = subsets.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect();
    }
    Some(Cpuid {
        vendor,
        family: u32::from(features.family_id()),
        model: u32::from(features.model_id()),
        avx512,
        xcr0: features.has_oxsave().then(read_xcr0),
    })
}

/// Asks the processor. `None` on one that is not `x86_64`.
#[cfg(not(target_arch = "x86_64"))]
pub fn ask() -> Option<Cpuid> {
    None
}

#[cfg(target_arch = "x86_64")]
fn read_xcr0() -> u64 {
    // `unsafe`, since Rust 1.85 has such functions in no other way.
    #[allow(unsafe_code)]
    #[target_feature(enable = "xsave")]
    unsafe fn read() -> u64 {
        // SAFETY: register 0 (XCR0) exists wherever XGETBV does.
        unsafe { std::arch::x86_64::_xgetbv(0) }
    }
    // SAFETY: called only where CPUID reports OSXSAVE, so that XGETBV is enabled.
    #[allow(unsafe_code)]
    unsafe {
        read()
    }
}
