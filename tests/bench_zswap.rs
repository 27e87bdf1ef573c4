//! `bench zswap` on the memory of this host, whatever it is: whether figures are high or low is nobody's failure here.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/measured.rs"]
mod measured;

use std::process::{Command, Stdio};

use serde_json::Value;

use measured::{bench, err, left_out, median, row, rows};

#[test]
fn zswap_on_the_memory_of_this_host_and_a_file() {
    // 64 MiB of lines that compress, held by another process, with words in them that must not get out.
    let marker = "clave-secreta-del-vecino-7311";
    let script = format!(
        "x = [('{marker} %d ' % n) * 100 for n in range(25000)]; print('ready', flush=True); __import__('sys').stdin.read()"
    );
    let mut holder = Command::new("python3")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
    let model = env!("CARGO_BIN_EXE_civicum-tune");
    let (output, document) = bench(&["zswap", "--quick", "--time", "60s", "--models", model, "-v"]);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(document["schema"], "civicum-tune/bench/1");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(marker) && !err(&output).contains(marker));
    for pages in ["memory", "model"] {
        let speeds = rows(&document, "zswap", "compressors");
        let allocators = rows(&document, "zswap", "allocators");
        let names = |rows: &[Value], key: &str, name: &str| rows.iter().any(|row| row[key] == name);
        let all = ["lz4", "lzo", "zstd"].iter().all(|name| names(speeds, "compressor", name));
        if !all || !names(allocators, "allocator", "zsmalloc") {
            return left_out(
                "what compresses best, since this kernel has not all of lz4, lzo, zstd and zsmalloc",
            );
        }
        let ratio = |name: &str| median(row(speeds, &[("pages", pages), ("compressor", name)]), "ratio");
        assert!(ratio("zstd") > ratio("lz4") && ratio("lz4") > 1.0, "{speeds:#?}");
        assert!((ratio("lzo") / ratio("lz4") - 1.0).abs() < 0.25, "{speeds:#?}");
        // What is not the kernel's code has no speed that anything could be chosen by.
        let lzo = row(speeds, &[("pages", pages), ("compressor", "lzo")]);
        assert!(lzo["compress_mb_s"].is_null() && lzo["decompress_mb_s"].is_null(), "{lzo:#}");
        let lz4 = row(speeds, &[("pages", pages), ("compressor", "lz4")]);
        assert!(median(lz4, "decompress_mb_s") > median(lz4, "compress_mb_s") / 2.0, "{lz4:#}");
        let held = rows(&document, "zswap", "allocators");
        let per_page = |name: &str| {
            median(
                row(held, &[("pages", pages), ("compressor", "zstd"), ("allocator", name)]),
                "pages_per_page",
            )
        };
        // None packs closer than the compressor, and zsmalloc comes closest.
        assert!(per_page("zsmalloc") <= ratio("zstd") * 1.05, "{held:#?}");
        let first = row(held, &[("pages", pages), ("compressor", "lz4"), ("allocator", "zsmalloc")]);
        let figure = &first["pages_per_page"];
        assert!(figure["parts"] == 5 && figure["runs"].is_null() && lz4["compress_mb_s"]["runs"].is_u64());
        let kernel = document["machine"]["kernel"].as_str().unwrap();
        let version: Vec<u32> = kernel.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
        let has = |name: &str| held.iter().any(|row| row["allocator"] == name);
        // What is in the table is in the kernel, though not all of its version need be.
        assert!(version < vec![6, 15] || !(has("zbud") || has("z3fold")), "{kernel}: {held:#?}");
        if has("zbud") {
            assert!(per_page("zbud") <= 2.0, "{held:#?}");
            assert!(per_page("zsmalloc") > per_page("zbud") * 0.99, "{held:#?}");
        }
        assert!(!has("z3fold") || per_page("z3fold") <= 3.0, "{held:#?}");
        // Since 6.18 what does not shrink is kept, too.
        let refused = median(first, "refused_percent");
        assert!(version < vec![6, 18] || refused < 1e-9, "{refused}");
    }
}

#[test]
fn a_sample_that_can_be_locked_or_a_word_that_it_is_not() {
    if !nix::unistd::geteuid().is_root() {
        return left_out("samples within a limit on locked memory, since only root can drop CAP_IPC_LOCK");
    }
    for (limit, words) in [("8388608", "a small sample"), ("65536", "can't be locked (limit: 64KiB)")] {
        let output = Command::new("prlimit")
            .args([&format!("--memlock={limit}:{limit}"), "setpriv", "--inh-caps=-ipc_lock"])
            .args(["--bounding-set=-ipc_lock", env!("CARGO_BIN_EXE_civicum-tune")])
            .args(["bench", "zswap", "--quick", "--time", "20s", "--force-under-load", "--format", "json"])
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let notes = document["sections"][0]["notes"].to_string();
        assert!(notes.contains(words), "{notes}");
    }
}

#[test]
fn all_processes_are_looked_at_with_few_open_files() {
    if !nix::unistd::geteuid().is_root() {
        return left_out("the memory of many processes, since only root may read it");
    }
    // More of them than files may be open.
    let mut many: Vec<_> = (0..30).map(|_| Command::new("sleep").arg("60").spawn().unwrap()).collect();
    let output = Command::new("prlimit")
        .args(["--nofile=24:24", env!("CARGO_BIN_EXE_civicum-tune")])
        .args(["bench", "zswap", "--quick", "--time", "10s", "--force-under-load", "--format", "json"])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    for child in &mut many {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let notes: Vec<&str> =
        document["sections"][0]["notes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let of = notes.iter().find(|note| note.contains("of anonymous memory of")).unwrap();
    let processes =
        of.split("memory of ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    assert!(processes >= Some(30), "{of}");
    assert!(!notes.iter().any(|note| note.contains("open files")), "{notes:?}");
}
