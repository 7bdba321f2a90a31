//! How fast a push goes, and how often it reads, so that the account's other tools can work too: all of them share its
//! quotas. Uses [`crate::domain`] and [`crate::contract`], and [`crate::aws`] to count.
//!
//! - [`schedule`]: when each revision may be registered and each service updated
//! - [`poll`]: how long to wait until the next read
//! - [`executions`]: how many executions run, by Step Functions

pub mod executions;
pub mod poll;
pub mod schedule;
