//! What holds for any bytes, of each thing that reads what a stranger or an operator has written: for the fuzz
//! targets, and for the stable tests.

pub(crate) mod expression;
pub(crate) mod input;
pub(crate) mod json;
pub(crate) mod locator;
pub(crate) mod multipart;
pub(crate) mod payload;
pub(crate) mod signed;
