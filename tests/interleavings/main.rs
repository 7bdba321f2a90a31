//! Order and repetition: any step killed at any point and run again, any answer lost, any event duplicated, two pushes in any
//! order and at the same time.
//!
//! The real definitions of the state machines are walked, with the real functions, against the simulated ECS, all inside
//! of this process and on a clock that the tests move: so each moment at which something can happen is tried.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod at_once;
mod groups;
mod held;
mod hooks;
mod killed;
mod permissions;
mod pushes;
mod repeated;
mod situations;
mod support;
mod swept;
mod throttled;
mod unanswered;
