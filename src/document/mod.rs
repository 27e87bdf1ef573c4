//! What a document's text says, found in code and not by a model.

pub mod rut;
