//! The Docker engine, through its own API on its Unix socket. One small runtime lives here, and nowhere else.

mod ask;
mod transport;

pub use ask::ask;
