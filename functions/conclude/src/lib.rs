//! Ends an execution: succeeds, throws, or sends a redriven one back to what failed.
