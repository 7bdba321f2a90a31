//! The cost of a push: how many calls of each kind, in accounts from 8 services to 5,000, and how many state
//! transitions. All inside of this process, on a clock that goes on when all wait; no time that is measured is asserted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod many_pushes;
mod pushes;
mod transitions;
mod waiting;
