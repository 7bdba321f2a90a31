//! To come.
use crate::support::scenarios;

scenarios![];
