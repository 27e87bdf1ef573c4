use super::*;
use crate::bench::Column;
use crate::bench::zswap::{Allocator, Codec, of_fixture};
use crate::profile::kernels::Version;
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
        &["pages_per_page", "holds_mib", "gained_mib"],
        &[
            (&["memory", "lz4", "zbud"], &[1.4, 3300.0, 943.0]),
            (&["memory", "lz4", "z3fold"], &[1.5, 3500.0, 1167.0]),
            (&["memory", "lz4", "zsmalloc"], &[1.9, 3600.0, 1705.0]),
            (&["memory", "zstd", "z3fold"], &[2.0, 4096.0, 2048.0]),
            (&["memory", "zstd", "zsmalloc"], &[2.6, 4096.0, 2521.0]),
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

/// A kernel with all that one of its version can have.
fn whole(kernel: Version, settings: &Settings) -> Here {
    let allocators = Allocator::of(kernel).to_vec();
    let has_choice = allocators.len() > 1;
    let first = settings.zswap.zpool.first().filter(|_| has_choice);
    Here {
        kernel,
        allocator: first.map_or("zsmalloc", String::as_str).to_owned(),
        allocators,
        has_choice,
        codecs: Codec::ALL.to_vec(),
        compressor: settings.zswap.compressor.clone(),
    }
}

fn subject<'a>(settings: &'a Settings, here: &'a Here, all: bool) -> Subject<'a> {
    Subject {
        settings,
        here,
        swap_bytes: 4 << 30,
        cores: 4,
        is_rule: &|path| path == ["services", "ruled", "threads"],
        compares_threads: true,
        quick: true,
        all,
    }
}

fn told(sections: &[Section], settings: &Settings, kernel: Version, all: bool) -> Vec<Advice> {
    values(sections, &subject(settings, &whole(kernel, settings), all))
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

#[test]
fn nothing_is_advised_that_the_kernel_does_not_have() {
    // Debian 13's could have z3fold and zstd by its version, has neither, and uses zsmalloc where z3fold comes first.
    let mut settings = settings();
    let here = of_fixture("debian-13", &settings);
    let mut sections = measured(10_000.0);
    for table in sections[0].tables.as_mut().unwrap() {
        table
            .rows
            .push((["memory", "lz4", "z3fold"].map(str::to_owned).to_vec(), vec![spread(9.0), spread(9e9)]));
    }
    let found = values(&sections, &subject(&settings, &here, false));
    assert_eq!((found[0].verdict, found[0].best.as_ref()), (Verdict::CouldNotTell, None), "{found:?}");
    assert!(!found[0].why.contains("zstd"), "{}", found[0].why);
    assert_eq!((found[1].now.as_str(), found[1].verdict), ("zsmalloc", Verdict::NoDifference), "{found:?}");
    assert!(found[1].why.contains("zbud") && !found[1].why.contains("z3fold"), "{}", found[1].why);
    // Before 6.3 `apply` passes over zsmalloc, wherever it stands in the list.
    settings.zswap.zpool.reverse();
    let here = of_fixture("ubuntu-22.04-milan", &settings);
    let found = values(&measured(20.0), &subject(&settings, &here, false));
    assert_eq!((found[1].now.as_str(), found[1].verdict), ("z3fold", Verdict::NoDifference), "{found:?}");
}

#[test]
fn what_an_allocator_refuses_is_not_gained() {
    // It packs what it takes best, and takes half of it.
    let mut sections = measured(20.0);
    for (words, cells) in &mut sections[0].tables.as_mut().unwrap()[1].rows {
        if words[1..] == ["lz4", "zbud"] {
            *cells = [3.0, 2048.0, 1365.0].map(spread).to_vec();
        }
    }
    let found = advice(&sections, (6, 8));
    assert_eq!((found[1].1.as_str(), found[1].2), ("[\"zsmalloc\", \"z3fold\"]", Verdict::Better));
}

#[test]
fn a_disk_that_was_asked_twice_says_nothing() {
    let with = |runs: usize, holds: f64| {
        let mut sections = measured(10_000.0);
        let disk = &mut sections[1].tables.as_mut().unwrap()[0].rows[0].1[0];
        disk.as_mut().unwrap().runs = runs;
        for (_, cells) in &mut sections[0].tables.as_mut().unwrap()[1].rows {
            cells[1] = spread(holds);
        }
        advice(&sections, (6, 18))[0].2
    };
    assert_eq!((with(2, 3600.0), with(3, 3600.0)), (Verdict::CouldNotTell, Verdict::NoDifference));
    // Where the pool holds all of the swap, nothing comes from the disk.
    assert_eq!(with(2, 8192.0), Verdict::NoDifference);
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
    claims(sections, &subject(&settings, &whole((6, 8), &settings), false))
        .into_iter()
        .map(|claim| (claim.id, claim.verdict, claim.why))
        .collect()
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
fn what_helps_where_one_number_of_threads_is_alone() {
    let hint = |now: u64, cpus: f64, quick: bool, rows: &[(&[&str], f64)]| {
        let mut settings = settings();
        let service = Service { threads: Some(now), cpus: Some(cpus), ..Service::default() };
        settings.services.insert("llm".to_owned(), service);
        let here = whole((6, 18), &settings);
        let of = |compares_threads| {
            let subject = Subject { compares_threads, quick, ..subject(&settings, &here, false) };
            values(&models(rows, &[]), &subject).remove(0).why.rsplit("; ").next().unwrap().to_owned()
        };
        (of(true), of(false))
    };
    let two = &FOUR[..];
    let one = &FOUR[..2];
    assert_eq!(hint(3, 3.0, true, two), hint(3, 3.0, true, two));
    assert_eq!(hint(3, 3.0, true, two).1, "without --quick each number is measured");
    assert_eq!(hint(3, 3.0, false, one).0, "give it more with --time");
    assert_eq!(hint(3, 3.0, true, one).1, "--server-program compares several");
    let single = [(&["a", "Q4_0", "1", "busy"][..], 90.0), (&["a", "Q4_0", "2", "busy"], 55.0)];
    assert_eq!(hint(1, 1.0, true, &single).0, "there is no other number");
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
