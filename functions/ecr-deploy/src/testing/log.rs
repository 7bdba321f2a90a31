//! A log that is kept, as a function writes it.

use crate::function::runtime::log;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing::subscriber::DefaultGuard;

/// The lines that a test logs.
#[derive(Debug, Clone, Default)]
pub struct KeptLog(Arc<Mutex<Vec<u8>>>);

impl Write for KeptLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl KeptLog {
    /// Keeps what this thread logs for as long as the guard lives.
    #[must_use]
    pub fn begin() -> (Self, DefaultGuard) {
        let kept = Self::default();
        let writer = kept.clone();
        let guard = tracing::subscriber::set_default(log(move || writer.clone()));
        (kept, guard)
    }

    /// The lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap();
        let lines = std::str::from_utf8(&bytes).unwrap().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
