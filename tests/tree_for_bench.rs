//! Not a test: makes the tree that the benchmark works on.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use std::fs;
use std::path::PathBuf;

#[test]
#[ignore = "it is called by tests/bench/start.sh"]
fn make() {
    let Some(to) = std::env::var_os("CIVICUM_TUNE_BENCH_TREE").map(PathBuf::from) else { return };
    for (path, text) in trees::BASE {
        let path = to.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    std::os::unix::fs::symlink("usr/lib", to.join("lib")).unwrap();
}
