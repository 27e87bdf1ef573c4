//! `explain` knows every key of a profile, and speaks of it in the reader's language, as do `profile init` and `profile schema`.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::process::Command;

use civicum_tune::profile::keys::KEYS;
use serde_json::Value;

struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

fn run(args: &[&str], language: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
    let output = command.args(args).env_clear().env("LANG", language).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn explain(id: &str) -> Said {
    run(&["explain", id], "C")
}

/// Where a profile may have this key.
fn place(key: &str) -> String {
    match key {
        "sysctl.*" => "sysctl.vm.swappiness".to_owned(),
        key if key.starts_with("waivers") => key.replace('*', "CT-ZRAM-001"),
        key if key.contains("settings") => "services.postgres.settings.work_mem".to_owned(),
        key => key.replace("services.*", "services.worker").replace('*', "A_NAME"),
    }
}

#[test]
fn every_key_is_explained_where_a_profile_has_it() {
    for key in &KEYS {
        let path = place(key.path);
        let said = explain(&path);
        let first = said.out.split("\n  Takes").next().unwrap().replace("\n  ", " ");
        assert_eq!((said.status, first), (Some(0), format!("{path}  {}", key.doc)));
        assert!(said.out.contains(&format!("  Without it {}\n", key.default)), "{}", said.out);
    }
    // A parameter's own range, quoted as in a profile or not; no other one's value.
    for id in ["sysctl.vm.watermark_scale_factor", "sysctl.\"vm.watermark_scale_factor\""] {
        let said = explain(id).out;
        assert!(said.contains("whole number, 1 to 1000\n") && !said.contains("Example"), "{said}");
    }
    assert!(
        explain("sysctl.\"vm/dirty_bytes\"").out.contains("4GiB, or the kernel's own number, 8192 or more;")
    );
    assert!(explain("deployment.deadline").out.contains("  Takes      a span of time, 1s to 1h: a number"));
    assert!(
        explain("services.db.settings.\"pg_stat_statements.max\"")
            .out
            .contains("statements.max\" = \"256MB\"\n")
    );
    assert!(
        explain("services.llm.memory_swap")
            .out
            .contains("a rule with ram, cores, disk,\n             memory")
    );
}

/// What is shown as an example is one, for the name that was asked for.
#[test]
fn every_example_is_taken_by_validate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    for key in &KEYS {
        let said = explain(&place(key.path)).out;
        let example = said
            .lines()
            .find_map(|line| line.strip_prefix("  Example    "))
            .unwrap_or_else(|| panic!("{said}"));
        // A waiver has two keys, and some limits say something of another one.
        let beside = match key.path {
            "waivers.*.reason" => "waivers.CT-ZRAM-001.until = 2027-03-31",
            "waivers.*.until" => "waivers.CT-ZRAM-001.reason = 'x'",
            "extends" => "",
            "services.*.memory" => "extends = 'minimal'",
            path if path.starts_with("services.*") => {
                "extends = 'civicum-12g'\nservices.worker.memory = '2GiB'"
            }
            _ => "",
        };
        fs::write(&file, format!("{example}\n{beside}\n")).unwrap();
        let said = run(&["validate", file.to_str().unwrap()], "C");
        assert!(!said.err.contains("error["), "{example}: {}", said.err);
    }
}

#[test]
fn a_section_is_the_list_of_its_keys() {
    for id in ["services.worker.reading", "[services.worker.reading]"] {
        let said = explain(id);
        let keys: Vec<&str> = said.out.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert!(said.out.starts_with("[services.worker.reading]\n  policy        Who reads"), "{}", said.out);
        assert!(keys.iter().any(|line| line.starts_with("text_layer    Whether a PDF's")), "{keys:?}");
    }
    let said = run(&["explain", "services.worker", "--format", "json"], "C").out;
    let document: Value = serde_json::from_str(&said).unwrap();
    let ids: Vec<&str> =
        document["entries"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert!(
        ids.contains(&"services.worker.memory") && ids.contains(&"services.worker.retention.archive"),
        "{ids:?}"
    );
    // A tunable of that name goes first, and names its keys.
    assert!(explain("swap").out.contains("  Keys      swap.size, swap.path, swap.priority, swap.persist\n"));
    // The list of all has every section, and each of them can be asked for.
    let all = run(&["explain"], "C").out;
    let (_, sections) = all.split_once("Keys of a profile, by sections\n").unwrap();
    let names = sections
        .lines()
        .filter(|line| !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap());
    let names: Vec<&str> = names.filter(|name| !name.starts_with('(')).collect();
    assert!(names.len() > 10, "{names:?}");
    let tunables = ["zswap", "swap", "sysctl", "zram", "boot", "mglru"];
    for name in names {
        let said = explain(name).out;
        // A section of one key is that key.
        let head = said.starts_with(&format!("[{name}]\n"))
            || said.starts_with(&format!("{}.", name.replace("NAME", "*")));
        assert!(head || tunables.contains(&name) && said.starts_with(&format!("{name}  ")), "{name}: {said}");
    }
    let columns: Vec<usize> =
        sections.lines().map(|line| line.len() - line[27.min(line.len())..].trim_start().len()).collect();
    assert!(columns.iter().all(|column| *column == 29), "{columns:?}");
    // Each tunable names the keys that it follows.
    for (tunable, keys) in
        [("psi", "boot.psi"), ("cgroup", "boot.cgroup_v2"), ("boot", "boot.manage, boot.kernel_args")]
    {
        assert!(explain(tunable).out.contains(&format!("  Keys      {keys}\n")), "{tunable}");
    }
}

#[test]
fn what_is_not_there_is_said_with_what_was_meant() {
    let near = |id: &str| explain(id).err;
    assert!(near("services.worker.readin.jobs").contains("did you mean `services.worker.reading.jobs`?"));
    assert!(near("zswap.compresor").contains("did you mean `zswap.compressor`?"));
    assert!(near("services.worker.readin").contains("did you mean `services.worker.reading`?"));
    assert!(near("services.'worker'.memry").contains("did you mean `services.worker.memory`?"));
    assert!(near("sysctl.vm.swapiness").is_empty(), "the kernel may have it");
    let odd = [
        "",
        ".",
        "services..",
        "services.worker.nothing",
        "[]",
        "services.a\x1b[2J.memory",
        "sysctl.a b",
        "sysctl..",
        "services.Worker.memory",
        "services.-x.memory",
        "waivers.NOPE.reason",
        "services.worker.environment.foo-bar",
        "services.a = 1\nname",
    ];
    for id in odd {
        let said = explain(id);
        assert_eq!(said.status, Some(2), "{id:?}: {}", said.out);
        assert!(
            ["explain` lists all", "did you mean"].iter().any(|words| said.err.contains(words))
                && !said.err.contains('\x1b'),
            "{id:?}: {}",
            said.err
        );
    }
}

#[test]
fn a_spanish_profile_is_explained_in_spanish_and_valid() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let host = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hosts/ubuntu-24.04-cloud/tree");
    let said = run(&["--root", host, "profile", "init", file.to_str().unwrap()], "es_CL.UTF-8");
    assert_eq!(said.status, Some(0), "{}", said.err);
    let text = fs::read_to_string(&file).unwrap();
    for words in [
        "# Un perfil para este host",
        "procesador",
        "# Límite duro;",
        "# un ejemplo; sin ella:",
        " aquí\n",
        "CPU y ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let english =
        ["written by", "What is not said", "without it", " here\n", "not told", " of RAM", "The ", "How "];
    for words in english {
        assert!(!text.contains(words), "{words}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 140), "{text}");
    let is_told = |key: &str| key.starts_with("command = ") || key.starts_with("writable = ");
    let taken: String = text
        .lines()
        .map(|line| match line.strip_prefix('#').filter(|key| !key.starts_with(' ') && !is_told(key)) {
            Some(key) => format!("{key}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    for text in [text, taken] {
        fs::write(&file, &text).unwrap();
        let said = run(&["validate", file.to_str().unwrap()], "es_CL.UTF-8");
        assert_eq!(said.status, Some(0), "{}{}", said.out, said.err);
    }
    let schema: Value = serde_json::from_str(&run(&["profile", "schema"], "es_CL.UTF-8").out).unwrap();
    let said = &schema["properties"]["zswap"]["properties"]["max_pool_percent"]["description"];
    assert_eq!(said, "El máximo de RAM que puede ocupar el pool comprimido. Sin ella: 20.");
}
