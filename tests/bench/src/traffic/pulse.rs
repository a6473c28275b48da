//! What the machine itself does: a thread that only wakes every millisecond.
//!
//! What delays it delays everybody. A pause that it saw too was not the server's.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use super::control::Control;
use super::samples::{Sample, Samples};
use crate::clock::{MILLISECOND, now_ns};

/// Starts the thread, which ends with the traffic; it answers how late it was.
pub fn start(control: Arc<Control>, window_ns: u64) -> Result<JoinHandle<Samples>> {
    let beat = move || {
        let mut samples = Samples::new(window_ns);
        let mut due_ns = now_ns();
        while !control.stopped() {
            due_ns += MILLISECOND;
            let now = now_ns();
            std::thread::sleep(Duration::from_nanos(due_ns.saturating_sub(now)));
            let done_ns = now_ns();
            samples.pending.push(Sample { due_ns, done_ns });
            // One pause counts once, however many beats it held.
            due_ns = due_ns.max(done_ns - done_ns % MILLISECOND);
            if samples.is_full() {
                samples.settle(&control.spans(), done_ns);
            }
        }
        samples.sort(&control.spans(), u64::MAX);
        samples
    };
    Ok(std::thread::Builder::new().name("pulse".into()).spawn(beat)?)
}
