use super::*;
use crate::bench::Column;
use crate::profile::settings::{Service, Zswap};

fn spread(median: f64) -> Option<Spread> {
    Some(Spread { median, min: median * 0.95, max: median * 1.05, runs: 5 })
}

/// A section of one table; each figure with a spread of 5 % over five runs.
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

fn told(sections: &[Section], settings: &Settings, kernel: Version, all: bool) -> Vec<Advice> {
    let is_rule = |path: &[&str]| path == ["services", "ruled", "threads"];
    values(sections, &Subject { settings, kernel, swap_bytes: 4 << 30, cores: 4, is_rule: &is_rule, all })
}

fn advice(sections: &[Section], kernel: Version) -> Vec<(String, String, Verdict)> {
    let found = told(sections, &settings(), kernel, false);
    let best = |advice: &Advice| advice.best.as_ref().map(ToString::to_string).unwrap_or_default();
    found.iter().map(|a| (a.key.join("."), best(a), a.verdict)).collect()
}

#[test]
fn a_slow_disk_wants_what_packs_well_and_a_fast_one_what_is_fast() {
    // 500 MiB more from a disk of 10 ms are 20 minutes; from one of 20 µs they are 2.5 s, and zstd costs 40 s.
    let of = |disk: f64| advice(&measured(disk), (6, 18));
    assert_eq!(of(10_000.0), [("zswap.compressor".to_owned(), "\"zstd\"".to_owned(), Verdict::Better)]);
    assert_eq!(of(20.0), [("zswap.compressor".to_owned(), "\"lz4\"".to_owned(), Verdict::NoDifference)]);
    // Without the disk it can't be told, since lz4's pool does not hold all: never that nothing differs.
    let found = told(&measured(20.0)[..1], &settings(), (6, 18), false);
    assert_eq!((found[0].verdict, found[0].best.as_ref()), (Verdict::CouldNotTell, None));
    assert!(found[0].why.contains("lz4") && found[0].why.contains("measure `disk`"), "{}", found[0].why);
}

#[test]
fn what_is_missing_is_told() {
    let settings = settings();
    // Nobody asked for it, and nothing is written: not a word.
    assert_eq!(told(&measured(20.0)[1..], &settings, (6, 18), false), []);
    let keys = |found: &[Advice]| found.iter().map(|a| (a.key.join("."), a.why.clone())).collect::<Vec<_>>();
    let found = told(&measured(20.0)[1..], &settings, (6, 8), true);
    let each = keys(&found);
    assert!(found.iter().all(|advice| advice.verdict == Verdict::CouldNotTell), "{each:?}");
    assert_eq!(each[0], ("zswap.compressor".to_owned(), "measure `zswap` in the same run".to_owned()));
    assert_eq!(each[1].0, "zswap.zpool");
    assert_eq!(each[2], ("services.llm.threads".to_owned(), "measure `llm` in the same run".to_owned()));
    // A section that failed is not asked for again.
    let failed = Section { kind: Kind::Zswap, tables: Err("no".to_owned()), notes: Vec::new(), seconds: 0.0 };
    let found = told(&[failed], &settings, (6, 18), false);
    assert_eq!(keys(&found), [("zswap.compressor".to_owned(), "`zswap` could not be measured".to_owned())]);
    // One that is alone has beaten nobody, and one that is not measured has lost against nobody.
    let mut other = settings.clone();
    other.zswap.compressor = "842".to_owned();
    assert_eq!(told(&measured(20.0), &other, (6, 18), false)[0].verdict, Verdict::CouldNotTell);
    let mut alone = measured(20.0);
    for table in alone[0].tables.as_mut().unwrap() {
        table.rows.retain(|(words, _)| words[1] == "lz4");
    }
    assert_eq!(told(&alone, &settings, (6, 18), false)[0].verdict, Verdict::CouldNotTell);
    // Two runs of each say nothing, however far they are apart.
    let mut few = measured(10_000.0);
    for cell in
        few[0].tables.as_mut().unwrap().iter_mut().flat_map(|t| &mut t.rows).flat_map(|row| &mut row.1)
    {
        cell.as_mut().unwrap().runs = 2;
    }
    let found = told(&few, &settings, (6, 18), false);
    assert_eq!(found[0].verdict, Verdict::CouldNotTell);
    assert!(found[0].why.contains("--time"), "{}", found[0].why);
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

/// Rows as the model's table has them, and each model's family.
fn models(rows: &[(&[&str], f64)], families: &[[&str; 3]]) -> Vec<Section> {
    let rows: Vec<(&[&str], &[f64])> =
        rows.iter().map(|(words, cost)| (*words, std::slice::from_ref(cost))).collect();
    let mut found = section(Kind::Llm, "models", &["document_seconds"], &rows);
    let files: Vec<(&[&str], &[f64])> =
        families.iter().map(|words| (words.as_slice(), [].as_slice())).collect();
    let files = section(Kind::Llm, "files", &[], &files);
    if let (Ok(tables), Ok(more)) = (&mut found.tables, files.tables) {
        tables.extend(more);
    }
    vec![found]
}

fn claimed(sections: &[Section]) -> Vec<(&'static str, Verdict, String)> {
    let settings = settings();
    let subject = Subject {
        settings: &settings,
        kernel: (6, 8),
        swap_bytes: 0,
        cores: 4,
        is_rule: &|_| false,
        all: false,
    };
    claims(sections, &subject).into_iter().map(|claim| (claim.id, claim.verdict, claim.why)).collect()
}

const FOUR: [(&[&str], f64); 4] = [
    (&["a", "Q4_0", "3", "quiet"], 50.0),
    (&["a", "Q4_0", "3", "busy"], 55.0),
    (&["a", "Q4_0", "4", "quiet"], 40.0),
    (&["a", "Q4_0", "4", "busy"], 90.0),
];

#[test]
fn threads_and_claims() {
    let sections = models(&FOUR, &[]);
    assert_eq!(
        advice(&sections, (6, 8)),
        [("services.llm.threads".to_owned(), "3".to_owned(), Verdict::Better)]
    );
    let told: Vec<_> = claimed(&sections).into_iter().map(|(id, verdict, _)| (id, verdict)).collect();
    assert_eq!(told, [("one_core_less_busy", Verdict::Better), ("one_core_less_quiet", Verdict::Worse)]);
}

#[test]
fn the_cores_are_the_hosts_and_not_the_most_that_were_measured() {
    // The server with all four did not load: three are no "all", and two no "one less".
    let rows = [(&["a", "Q4_0", "2", "busy"][..], 90.0), (&["a", "Q4_0", "3", "busy"], 55.0)];
    let sections = models(&rows, &[]);
    let found = told(&sections, &settings(), (6, 8), false);
    assert_eq!(found[0].verdict, Verdict::CouldNotTell);
    assert!(found[0].why.contains("4 threads"), "{}", found[0].why);
    let claims = claimed(&sections);
    assert_eq!((claims.len(), claims[0].1), (1, Verdict::CouldNotTell));
    assert!(claims[0].2.contains("4 threads"), "{claims:?}");
    // One number alone is compared with nothing; a server that nobody started here does not tell its threads.
    for words in [["a", "Q4_0", "4", "busy"], ["a", "Q4_0", "?", "busy"]] {
        let alone = models(&[(&words, 90.0)], &[]);
        assert_eq!(told(&alone, &settings(), (6, 8), false)[0].verdict, Verdict::CouldNotTell, "{words:?}");
    }
    assert!(claimed(&models(&[(&["a", "Q4_0", "?", "busy"], 90.0)], &[])).is_empty());
}

#[test]
fn threads_of_the_profiles_model_within_its_limit_and_by_its_rule() {
    let with = |name: &str, service: Service| {
        let mut settings = settings();
        settings.services.clear();
        settings
            .services
            .insert(name.to_owned(), Service { role: Some("llama-server".to_owned()), ..service });
        settings
    };
    let best = |sections: &[Section], settings: &Settings| {
        let found = told(sections, settings, (6, 8), false).remove(0);
        (found.best.map(|best| best.to_string()), found.verdict, found.why)
    };
    let sections = models(&FOUR, &[]);
    // Another model says nothing of the profile's.
    let other =
        with("llm", Service { model: Some("/srv/b".to_owned()), threads: Some(4), ..Service::default() });
    let (found, verdict, why) = best(&sections, &other);
    assert_eq!((found, verdict), (None, Verdict::CouldNotTell));
    assert!(why.contains("b, and measured was a"), "{why}");
    let named = |threads, cpus| Service {
        model: Some("/srv/a".to_owned()),
        threads: Some(threads),
        cpus,
        ..Service::default()
    };
    assert_eq!(best(&sections, &with("llm", named(4, None))).0.as_deref(), Some("3"));
    // A rule stays one.
    let (found, verdict, _) = best(&sections, &with("ruled", named(4, None)));
    assert_eq!((found.as_deref(), verdict), (Some("\"max(1, cores - 1)\""), Verdict::Better));
    let (found, verdict, _) = best(&sections, &with("ruled", named(3, None)));
    assert_eq!((found.as_deref(), verdict), (Some("\"max(1, cores - 1)\""), Verdict::NoDifference));
    // With all four it would be faster, and its limit is three processors and a half.
    let rows = [
        (&["a", "Q4_0", "2", "busy"][..], 90.0),
        (&["a", "Q4_0", "3", "busy"], 55.0),
        (&["a", "Q4_0", "4", "busy"], 30.0),
    ];
    let sections = models(&rows, &[]);
    assert_eq!(best(&sections, &with("llm", named(2, None))).0.as_deref(), Some("4"));
    let (found, verdict, why) = best(&sections, &with("llm", named(2, Some(3.5))));
    assert_eq!((found.as_deref(), verdict), (Some("3"), Verdict::Better));
    assert!(why.contains("services.llm.cpus is 3.5"), "{why}");
}

#[test]
fn packings_are_compared_within_one_family() {
    let rows = [
        (&["a-q4_0", "Q4_0", "4", "quiet"][..], 20.0),
        (&["a-q4_k_m", "Q4_K_M", "4", "quiet"], 41.0),
        (&["small", "Q4_K_M", "4", "quiet"], 2.0),
    ];
    let (a, small) = ("llama 32×4096", "llama 16×2048");
    let told = |families: &[[&str; 3]]| claimed(&models(&rows, families)).pop().unwrap();
    let all = [["a-q4_0", "Q4_0", a], ["a-q4_k_m", "Q4_K_M", a], ["small", "Q4_K_M", small]];
    let (id, verdict, why) = told(&all);
    assert_eq!((id, verdict), ("q4_0", Verdict::Better));
    assert!(why.contains("a-q4_k_m") && !why.contains("small"), "{why}");
    // A small model in the one packing beside a large one in the other is no comparison, nor is one that nobody knows.
    for other in [["a-q4_k_m", "Q4_K_M", small], ["a-q4_k_m", "Q4_K_M", "?"]] {
        let (_, verdict, why) = told(&[all[0], other, all[2]]);
        assert_eq!(verdict, Verdict::CouldNotTell);
        assert!(why.contains("a-q4_0 and small"), "{why}");
    }
}
