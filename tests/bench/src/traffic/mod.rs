//! Traffic against a server whose plugin is swapped meanwhile: every reply is checked, and timed from
//! when its request was scheduled.

mod acts;
mod connection;
mod control;
mod expect;
mod fill;
mod generator;
mod own;
mod role;
mod samples;
mod verify;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;

use crate::machine::{Beats, Machine};

pub use acts::Met;
pub use control::Control;
pub use fill::{fill, verify_filled};
pub use generator::{Generator, Style};
pub use role::{CLIENTS_MIN, Cast, ROLES};
pub use samples::{MODES, Points, Samples};
pub use verify::Tally;

/// Running traffic.
#[derive(Debug)]
pub struct Traffic {
    control: Arc<Control>,
    thread: Option<JoinHandle<Generator>>,
    machine: Option<Machine>,
    started: Receiver<Started>,
}

/// At what rate the traffic runs.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    /// Replies per second with clients that never pause, if that was measured.
    pub saturated: Option<f64>,
    /// Scheduled requests per second.
    pub rate: f64,
}

/// What the traffic met.
#[derive(Debug)]
pub struct Outcome {
    /// How replies were judged.
    pub tally: Tally,
    /// Latencies.
    pub samples: Samples,
    /// What the machine did, by processor.
    pub machine: Vec<Beats>,
    /// Swaps met in each state.
    pub met: Met,
    /// How long after its schedule a request was sent, nanoseconds.
    pub late: Histogram<u64>,
}

/// How fast the traffic is to be.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many requests per second.
    Rate(f64),
    /// This part of what the server answers when it is measured for so many nanoseconds.
    Part(f64, u64),
}

impl Traffic {
    /// Connects all clients and starts.
    pub fn start(address: SocketAddr, style: &Style, pace: Pace) -> Result<Self> {
        let machine = Machine::watch()?;
        let control = Arc::new(Control::new(machine.seen().clone()));
        let mut generator = Generator::connect(address, style, Arc::clone(&control))?;
        let (tell, started) = channel();
        let run = move || {
            // The schedule's precision.
            let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
            let (saturated, rate) = match pace {
                Pace::Rate(rate) => (None, rate),
                Pace::Part(part, ns) => {
                    let saturated = generator.calibrate(ns);
                    (Some(saturated), saturated * part)
                }
            };
            let _ = tell.send(Started { saturated, rate });
            generator.run(rate);
            generator.finish();
            generator
        };
        let thread = std::thread::Builder::new().name("traffic".into()).spawn(run)?;
        Ok(Self { control, thread: Some(thread), machine: Some(machine), started })
    }

    /// Waits until it runs at its rate.
    pub fn running(&self) -> Result<Started> {
        self.started.recv().context("the traffic's thread is gone")
    }

    /// What is shared with it.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Ends it: states are completed, every client is asked once more.
    pub fn stop(mut self) -> Result<Outcome> {
        self.control.stop();
        let both = self.thread.take().zip(self.machine.take());
        let (thread, machine) = both.context("stopped twice")?;
        let traffic = thread.join().map_err(|_| anyhow!("the traffic's thread panicked"))?;
        let machine = machine.stop()?;
        let Generator { tally, samples, met, late, .. } = traffic;
        Ok(Outcome { tally, samples, machine, met, late })
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.control.stop();
    }
}
