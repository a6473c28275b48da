//! Traffic against a server whose plugin is swapped meanwhile: every reply is checked, and timed from
//! when its request was scheduled.

mod acts;
mod connection;
mod control;
mod expect;
mod fill;
mod generator;
mod own;
mod pulse;
mod role;
mod samples;
mod verify;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;

pub use acts::Met;
pub use control::Control;
pub use fill::{fill, verify_filled};
pub use generator::{Generator, Style};
pub use pulse::{Beats, Pulse};
pub use role::{CLIENTS_MIN, Cast, ROLES};
pub use samples::{Latencies, MODES, Points, Samples};
pub use verify::Tally;

/// Running traffic.
#[derive(Debug)]
pub struct Traffic {
    control: Arc<Control>,
    thread: Option<JoinHandle<Generator>>,
    pulse: Option<Pulse>,
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
    pub pulse: Vec<Beats>,
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
        let control = Arc::new(Control::default());
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
        let pulse = Some(Pulse::start(&control)?);
        Ok(Self { control, thread: Some(thread), pulse, started })
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
        let (thread, pulse) = self.thread.take().zip(self.pulse.take()).context("stopped twice")?;
        let traffic = thread.join().map_err(|_| anyhow!("the traffic's thread panicked"))?;
        let pulse = pulse.join()?;
        let Generator { tally, samples, met, late, .. } = traffic;
        Ok(Outcome { tally, samples, pulse, met, late })
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.control.stop();
    }
}
