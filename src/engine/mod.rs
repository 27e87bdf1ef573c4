//! The Docker engine, through its own API on its Unix socket. One small runtime lives here, and nowhere else.

mod ask;
mod client;
mod create;
mod database;
mod deploy;
mod down;
mod error;
mod events;
mod exec;
pub mod images;
mod inside;
mod keep;
mod live;
mod observe;
mod ports;
mod secrets;
mod settle;
mod status;
mod things;
mod transport;
mod verdict;

pub use ask::ask;
pub use client::Client;
pub use database::DUMPS;
pub use deploy::{Deployed, Progress, Wait, deploy};
pub use down::down;
pub use error::EngineError;
pub use events::{Told, listen};
pub use inside::{Take, inside, running};
pub use live::containers;
pub use observe::{look_around, observe};
pub use ports::taken;
pub use status::{Logs, Usage, logs, usage};
