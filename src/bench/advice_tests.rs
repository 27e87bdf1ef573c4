use super::*;
use crate::bench::Column;
use crate::profile::settings::{Service, Zswap};

fn spread(median: f64) -> Option<Spread> {
    Some(Spread { median, min: median * 0.95, max: median * 1.05, runs: 5 })
}

fn section(kind: Kind, name: &'static str, columns: &[&'static str], rows: &[(&[&str], &[f64])]) -> Section {
    let rows = rows.iter().map(|(words, figures)| {
        (
            words.iter().map(|word| (*word).to_owned()).collect(),
            figures.iter().map(|figure| spread(*figure)).collect(),
        )
    });
    let table = Table {
        name,
        title: String::new(),
        labels: Vec::new(),
        columns: columns.iter().map(|name| Column::new(name, "", "", 0)).collect(),
        chart: None,
        rows: rows.collect(),
    };
    Section { kind, tables: Ok(vec![table]), notes: Vec::new(), seconds: 0.0 }
}

/// lz4 is fast and holds little, zstd the other way round, as both are.
fn measured(disk_us: f64) -> Vec<Section> {
    let speeds = ["ratio", "compress_mb_s", "decompress_mb_s"];
    let mut zswap = section(
        Kind::Zswap,
        "compressors",
        &speeds,
        &[(&["memory", "lz4"], &[2.0, 400.0, 1500.0]), (&["memory", "zstd"], &[2.8, 120.0, 400.0])],
    );
    let held = section(
        Kind::Zswap,
        "allocators",
        &["pages_per_page", "holds_mib"],
        &[
            (&["memory", "lz4", "zbud"], &[1.4, 3300.0]),
            (&["memory", "lz4", "z3fold"], &[1.5, 3500.0]),
            (&["memory", "lz4", "zsmalloc"], &[1.9, 3600.0]),
            (&["memory", "zstd", "z3fold"], &[2.0, 4096.0]),
            (&["memory", "zstd", "zsmalloc"], &[2.6, 4096.0]),
        ],
    );
    if let (Ok(tables), Ok(more)) = (&mut zswap.tables, held.tables) {
        tables.extend(more);
    }
    vec![zswap, section(Kind::Disk, "random_4k", &["p50_us"], &[(&["read", "1"], &[disk_us])])]
}

fn settings() -> Settings {
    let mut settings = Settings {
        zswap: Zswap {
            manage: true,
            enabled: true,
            compressor: "lz4".to_owned(),
            zpool: vec!["z3fold".to_owned(), "zsmalloc".to_owned()],
            ..Zswap::default()
        },
        ..Settings::default()
    };
    settings.services.insert("llm".to_owned(), Service { threads: Some(4), ..Service::default() });
    settings
}

fn advice(sections: &[Section], kernel: Version) -> Vec<(String, String, Verdict)> {
    let settings = settings();
    let subject = Subject { settings: &settings, kernel, swap_bytes: 4 << 30 };
    let found = values(sections, &subject);
    found.iter().map(|a| (a.key.join("."), a.best.to_string(), a.verdict)).collect()
}

#[test]
fn a_slow_disk_wants_what_packs_well_and_a_fast_one_what_is_fast() {
    // 500 MiB more from a disk of 10 ms are 20 minutes; from one of 20 µs they are 2.5 s, and zstd costs 40 s.
    let of = |disk: f64| advice(&measured(disk), (6, 18));
    assert_eq!(of(10_000.0), [("zswap.compressor".to_owned(), "\"zstd\"".to_owned(), Verdict::Better)]);
    assert_eq!(of(20.0), [("zswap.compressor".to_owned(), "\"lz4\"".to_owned(), Verdict::NoDifference)]);
    // Without the disk it can't be told, since lz4's pool does not hold all.
    assert!(advice(&measured(20.0)[..1], (6, 18)).is_empty());
}

#[test]
fn allocators_where_there_is_a_choice() {
    let found = advice(&measured(20.0), (6, 8));
    assert_eq!(
        found[1],
        ("zswap.zpool".to_owned(), "[\"zsmalloc\", \"z3fold\"]".to_owned(), Verdict::Better)
    );
    // Before 6.3 zsmalloc can't write back, and zbud is no better than z3fold.
    assert_eq!(advice(&measured(20.0), (5, 15))[1].2, Verdict::NoDifference);
}

#[test]
fn threads_and_claims() {
    let columns = ["document_seconds"];
    let models = section(
        Kind::Llm,
        "models",
        &columns,
        &[
            (&["a", "Q4_0", "3", "quiet"], &[50.0]),
            (&["a", "Q4_0", "3", "busy"], &[55.0]),
            (&["a", "Q4_0", "4", "quiet"], &[40.0]),
            (&["a", "Q4_0", "4", "busy"], &[90.0]),
            (&["b", "Q4_K_M", "4", "quiet"], &[41.0]),
        ],
    );
    let sections = [models];
    assert_eq!(
        advice(&sections, (6, 8)),
        [("services.llm.threads".to_owned(), "3".to_owned(), Verdict::Better)]
    );
    let told: Vec<_> = claims(&sections).iter().map(|claim| (claim.id, claim.verdict)).collect();
    let wanted = [
        ("one_core_less_busy", Verdict::Better),
        ("one_core_less_quiet", Verdict::Worse),
        ("q4_0", Verdict::NoDifference),
    ];
    assert_eq!(told, wanted);
}
