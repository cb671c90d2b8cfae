//! What the core decides, for senders as their files describe them.

mod hint;
mod ids;
mod verify;
