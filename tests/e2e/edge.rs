//! The edge: what may come from the internet or break behind us, a row each in tests/edge.md with the tests that hold
//! it; and those of them that are nowhere else.

mod bytes;
mod floods;
mod frames;
mod idle;
mod process;
mod table;
