//! `cargo xtask`: what is done with the whole repository.

fn main() {}
