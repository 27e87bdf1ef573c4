//! Documents that somebody sent: what they are, what a PDF says of itself, images as pixels, RUTs in a text.
//!
//! All of this is pure: bytes and text in, values out. Nothing here opens a file or starts a program.

pub mod image;
pub mod pdf;
mod raster;
pub mod rut;
pub mod skew;
mod sniff;
pub mod text_layer;

pub use raster::Raster;
pub use sniff::{HEAD, Kind};
