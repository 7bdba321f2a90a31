//! Starts a rollout, or says why not.
