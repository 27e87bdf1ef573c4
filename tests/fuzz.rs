//! Every parser of host files and the profile, on generated and mutated input: never a panic, never a hang. `cargo test`
//! runs each target for a moment; by hand, longer: `CIVICUM_TUNE_FUZZ_SECONDS=600 cargo test --release --test fuzz`.
//! A failure prints the input; put it under `tests/fuzz/` and it is tried first from then on.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use civicum_tune::facts::Facts;
use civicum_tune::plan::SavedPlan;
use civicum_tune::profile::{Numbers, Profile};
use proptest::prelude::RngCore as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use trees::{Tree, plan, settings};

fn seconds() -> Duration {
    let told = std::env::var("CIVICUM_TUNE_FUZZ_SECONDS").ok().and_then(|n| n.parse().ok());
    Duration::from_secs_f64(told.unwrap_or(2.0))
}

/// Words that mean something to one parser or another.
const WORDS: [&[u8]; 40] = [
    b"[zswap]\n",
    b"enabled = true\n",
    b"\"vm.swappiness\" = ",
    b"size = \"min(ram / 2, 4GiB)\"\n",
    b"extends = \"minimal\"\n",
    b"[services.llm]\n",
    b"memory = \"6500MiB\"\n",
    b"((((((((((",
    b"[[[[[[",
    b"\"\"\"",
    b"'''",
    b"18446744073709551615",
    b"-1",
    b"% of ram",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"\\040",
    b"= \n",
    b"#",
    b"\t",
    b"processor\t: 0\n",
    b"flags\t\t: fpu avx512f\n",
    b"MemTotal: 1 kB\n",
    b"MemAvailable: 99999999999999999999 kB\n",
    b"/dev/zram0 partition 1 1 1\n",
    b" - ext4 / rw\n",
    b"linux /vmlinuz zswap.enabled=1\n",
    b"menuentry",
    b"ID=\"",
    b"CONFIG_ZSWAP=y\n",
    b"# CONFIG_Z3FOLD is not set\n",
    b"kernel/crypto/lz4.ko.zst:",
    b"# civicum-tune: begin",
    b"# civicum-tune: end",
    b"swap:\n",
    b"[always] madvise never",
    b"e",
    b"\"",
    b"{",
];

/// Mutates one of the seeds: words put in, parts cut, repeated, bytes flipped.
fn mutate(rng: &mut TestRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let pick = |rng: &mut TestRng, n: usize| if n == 0 { 0 } else { rng.next_u32() as usize % n };
    let mut bytes = if seeds.is_empty() { Vec::new() } else { seeds[pick(rng, seeds.len())].clone() };
    for _ in 0..=pick(rng, 8) {
        let at = pick(rng, bytes.len() + 1);
        match rng.next_u32() % 6 {
            0 | 1 => {
                let word = WORDS[pick(rng, WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            2 => bytes.truncate(at),
            3 => {
                let end = (at + pick(rng, 40)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + pick(rng, 60)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                for _ in 0..pick(rng, 12) {
                    bytes.splice(at..at, part.iter().copied());
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = rng.next_u32().to_le_bytes()[0];
                }
            }
        }
        bytes.truncate(1 << 16);
    }
    bytes
}

/// Feeds one target until its time is up; the inputs kept from earlier failures come first.
fn fuzz(name: &str, seeds: &[Vec<u8>], mut target: impl FnMut(&[u8])) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let kept = fs::read_dir(kept).into_iter().flatten().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let mut first: Vec<Vec<u8>> = kept.chain(seeds.iter().cloned()).collect();
    let now = Instant::now();
    let mut seed = [0u8; 32];
    seed[..name.len().min(32)].copy_from_slice(&name.as_bytes()[..name.len().min(32)]);
    if std::env::var_os("CIVICUM_TUNE_FUZZ_SECONDS").is_some() {
        // By hand each run takes another way; the clock is as good a die as any.
        let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        seed[16..].copy_from_slice(&nanos.to_le_bytes());
    }
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut tried = 0u64;
    while now.elapsed() < seconds() {
        let input = first.pop().unwrap_or_else(|| mutate(&mut rng, seeds));
        let begin = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| target(&input)));
        assert!(result.is_ok(), "{name} panics on {:?}", String::from_utf8_lossy(&input));
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "{name} takes too long on {:?}",
            String::from_utf8_lossy(&input)
        );
        tried += 1;
    }
    println!("{name}: {tried} inputs");
    assert!(tried > 20, "{name}: only {tried} inputs");
}

fn bundled() -> Vec<Vec<u8>> {
    civicum_tune::profile::BUNDLED.iter().map(|b| b.text.as_bytes().to_vec()).collect()
}

#[test]
fn profile() {
    let numbers = Numbers { ram_bytes: 12 << 30, cores: 4, disk_bytes: 100 << 30 };
    fuzz("profile", &bundled(), |input| {
        let read = |_: &Path| Ok(input.to_vec());
        match Profile::load("./fuzz.toml", &read) {
            Ok(profile) => {
                let _ = profile.check(&numbers);
                // What is shown and what is kept read back to the same settings.
                if let Ok(settings) = profile.settle(&numbers) {
                    for text in [profile.show(Some(&numbers)).join("\n"), profile.keepsake()] {
                        let again =
                            Profile::parse(&text, "again.toml").unwrap_or_else(|f| panic!("{text}\n{f:?}"));
                        assert_eq!(again.settle(&numbers).unwrap(), settings, "{text}");
                    }
                }
            }
            Err(findings) => {
                assert!(!findings.is_empty());
                let _ = civicum_tune::profile::excerpt::render_all(&findings);
            }
        }
    });
}

/// Each file that we look at in turn holds anything: facts, plan, and the plan's own page are made all the same.
#[test]
fn host_files() {
    let files = [
        "proc/meminfo",
        "proc/cpuinfo",
        "proc/swaps",
        "proc/self/mountinfo",
        "proc/cmdline",
        "proc/1/environ",
        "etc/os-release",
        "etc/fstab",
        "etc/initramfs-tools/modules",
        "etc/default/zramswap",
        "etc/cloud/cloud.cfg",
        "etc/sysctl.d/50-x.conf",
        "boot/grub/grub.cfg",
        "boot/config-6.8.0-45-generic",
        "usr/lib/modules/6.8.0-45-generic/modules.dep",
        "usr/lib/modules/6.8.0-45-generic/modules.builtin",
        "sys/kernel/mm/transparent_hugepage/enabled",
        "sys/kernel/mm/lru_gen/enabled",
        "sys/block/zram0/mm_stat",
        "sys/block/vda/size",
        "sys/class/dmi/id/sys_vendor",
        "var/lib/dpkg/status",
    ];
    let tree = Tree::base();
    let wish = settings(trees::SMALL_PROFILE);
    let seeds: Vec<Vec<u8>> = trees::BASE.iter().map(|(_, text)| text.as_bytes().to_vec()).collect();
    let mut turn = 0;
    fuzz("host files", &seeds, |input| {
        turn += 1;
        let file = files[turn % files.len()];
        tree.put(file, input);
        let host = tree.host();
        let facts = Facts::read(&host).unwrap();
        let _ = civicum_tune::render::facts::human(&facts, None, civicum_tune::render::Style::default());
        let _ = serde_json::to_string(&facts).unwrap();
        let plan = plan(&host, &wish);
        let page = civicum_tune::render::plan::human(&plan, civicum_tune::render::Style::default());
        assert!(page.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()), "{file}: {page:?}");
    });
}

#[test]
fn saved_plan_and_journal() {
    let tree = Tree::base();
    let wish = settings(trees::SMALL_PROFILE);
    let host = tree.host();
    let saved = SavedPlan::new(plan(&host, &wish), wish, None, std::collections::BTreeMap::new());
    let seeds =
        vec![saved.to_json().into_bytes(), b"{\"at\":\"x\",\"event\":\"done\",\"step\":0}\n".to_vec()];
    tree.put("var/lib/civicum-tune/generations/0001/journal", "");
    fuzz("saved plan and journal", &seeds, |input| {
        let _ = SavedPlan::from_json(input);
        tree.put("var/lib/civicum-tune/generations/0001/generation.json", input);
        tree.put("var/lib/civicum-tune/generations/0001/journal", input);
        if let Err(error) = civicum_tune::apply::Generations::read(&host) {
            assert!(error.to_string().contains("generation.json"));
        }
    });
}
