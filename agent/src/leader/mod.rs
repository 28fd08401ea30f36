//! Which of several agents applies commits. A lease picks one; a fencing number makes a stale one harmless.

pub mod fence;
pub mod lease;
