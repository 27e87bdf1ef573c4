//! The containers of a profile: what they should be ([`desired`]), what the engine has ([`observed`]), and what it takes to
//! get from one to the other ([`plan`]). All of it is data; only [`crate::engine`] calls Docker.

pub mod compose;
pub mod desired;
mod difference;
pub mod fingerprint;
pub mod images;
pub mod kubernetes;
mod kubernetes_pod;
pub mod mode;
mod notes;
pub mod observed;
mod peers;
pub mod plan;
pub mod quadlet;
pub mod role;
pub mod settings;
pub mod swarm;
pub mod weight;
pub mod work;

/// Labels on all that we make: whose it is, and by which description it was made.
pub mod label {
    /// The deployment's name.
    pub const DEPLOYMENT: &str = "civicum-tune.deployment";
    /// The template that an image was made from.
    pub const TEMPLATE: &str = "civicum-tune.template";
    /// The day of the packages in an image, `YYYY-MM-DD`: that on which its base was made.
    pub const PACKAGES: &str = "civicum-tune.packages";
    /// The service's name in the profile.
    pub const SERVICE: &str = "civicum-tune.service";
    /// The [`super::fingerprint`] of all that can't be changed while it runs.
    pub const FINGERPRINT: &str = "civicum-tune.fingerprint";
    /// The description itself, as JSON, so that a difference can be shown and not only told.
    pub const DESCRIPTION: &str = "civicum-tune.description";
}

/// A log that has an end, for an engine that gives it none: 50 MB for each container.
pub mod log {
    /// What keeps it.
    pub const DRIVER: &str = "json-file";
    /// How much.
    pub const OPTIONS: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "5")];
}
