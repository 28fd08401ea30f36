//! Events: written in the transaction that makes them true, published afterwards, each exactly once on the stream.

pub mod append;
pub mod relay;
