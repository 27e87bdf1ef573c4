//! Profiles: what a person wants of a host, in TOML.
pub mod settings;
pub use settings::Settings;
