//! What services of the platform link to use what bindery applies.

pub mod table;
