//! `profile`.
