//! One line that says by which description a container or a network was made. It is written on what we make, and
//! compared later: a difference means a new one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::desired::{Fixed, Network};
use crate::host::sha256_hex;

/// The version of what goes into it. A program that knows a newer one still reckons with the older ones, so that an
/// upgrade of the program alone makes nothing anew.
const VERSION: u32 = 1;

/// All that can't be changed while a container runs.
#[derive(Serialize)]
struct Container<'a> {
    image_id: &'a str,
    fixed: &'a Fixed,
    /// The SHA-256 of each secret.
    secrets: BTreeMap<&'a str, &'a str>,
}

/// Of a container.
pub fn of_container(fixed: &Fixed, image_id: &str, secrets: &BTreeMap<String, String>) -> String {
    let secrets = fixed.secrets.iter().map(|name| {
        let digest = secrets.get(name).map_or("", String::as_str);
        (name.as_str(), digest)
    });
    sealed(&Container { image_id, fixed, secrets: secrets.collect() })
}

/// Of a network.
pub fn of_network(network: &Network) -> String {
    sealed(network)
}

fn sealed(what: &impl Serialize) -> String {
    // Maps are sorted and numbers whole, so equal things have equal texts.
    let text = serde_json::to_string(what).unwrap_or_default();
    format!("{VERSION}:{}", &sha256_hex(text.as_bytes())[..32])
}
