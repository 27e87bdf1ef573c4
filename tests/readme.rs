//! Every command of the README is carried out, in its order, on a host of the test's own; every line that the README
//! shows is printed.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod trees;

use trees::live::Live;
use trees::{Tree, pages};

#[test]
fn every_example_of_the_readme() {
    let Some(live) = Live::for_pages() else { return };
    let blocks = pages::blocks(&pages::read("README.md"));
    let examples: Vec<_> =
        blocks.iter().filter(|block| block.language == "console").flat_map(pages::examples).collect();
    assert!(examples.len() > 12, "the README has lost its examples");
    for example in examples {
        pages::carry_out(&live, "README.md", &example, "C.UTF-8");
    }
}

#[test]
fn every_profile_of_the_readme_is_valid() {
    let blocks = pages::blocks(&pages::read("README.md"));
    let profiles: Vec<_> = blocks.iter().filter(|block| block.language == "toml").collect();
    assert!(profiles.len() >= 2, "the README has lost its profiles");
    for block in profiles {
        let tree = Tree::empty();
        tree.put("mine.toml", &block.text);
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_civicum-tune"))
            .arg("validate")
            .arg(tree.at("mine.toml"))
            .status()
            .unwrap();
        assert!(status.success(), "{}", block.text);
    }
}
