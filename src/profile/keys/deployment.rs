//! All containers together, what may leave the host, and findings that are accepted.

use super::super::shape::Shape;
use super::{Key, Kind, key};

/// All containers together, what may leave the host, and findings that are accepted.
pub(super) const DEPLOYMENT: [Key; 7] = [
    key(
        "deployment.name",
        Kind::Text(Shape::ServiceName),
        "",
        "civicum",
        "\"civicum\"",
        "What the names of containers, networks and volumes begin with; two deployments on one engine need two names.",
    ),
    key(
        "deployment.deadline",
        Kind::Duration { min_ms: 1000, max_ms: 3_600_000 },
        "ms",
        "5 min",
        "\"10min\"",
        "How long deploy waits for a service to become healthy before it takes the change back.",
    ),
    key("sovereignty.egress", Kind::Bool, "", "false", "false", "Whether containers may reach the outside."),
    key(
        "sovereignty.publish_address",
        Kind::Text(Shape::Address),
        "",
        "127.0.0.1",
        "\"127.0.0.1\"",
        "The host's address that published ports bind to where they name none.",
    ),
    key(
        "sovereignty.public",
        Kind::List(Shape::ServiceName),
        "",
        "nothing",
        "[\"proxy\"]",
        "Services whose published ports may be open to the outside, on purpose.",
    ),
    key(
        "waivers.*.reason",
        Kind::Text(Shape::Line),
        "",
        "a waiver needs one",
        "\"the provider's image needs it\"",
        "Why a finding of `doctor` is accepted; the section is named after the check, as in [waivers.CT-ZRAM-001].",
    ),
    key(
        "waivers.*.until",
        Kind::Date,
        "",
        "a waiver needs one",
        "\"2027-03-31\"",
        "The last day on which the finding is accepted; from then on the waiver itself is a finding.",
    ),
];
